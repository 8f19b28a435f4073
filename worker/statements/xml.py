"""XML from outside as a plain tree: no document type, no entities, no depth without end.

The parser is Python's expat. A document type is refused before anything in it is read, and with it every entity that
could grow or reach out; what is left is elements, their attributes and text. Names lose their namespace.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from worker.domain.errors import InvalidStatement

DEEPEST = 64
"""Levels of elements: the formats read here need a dozen."""
MOST_NODES = 200_000
"""Elements in memory at a time: half a kilobyte each."""


@dataclass(slots=True)
class Node:
    """An element; `line` is where it starts."""

    name: str
    line: int
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, without surrounding space."""
        return "".join(self.words).strip()

    def all(self, *path: str) -> list["Node"]:
        """Return every node at a path of names below this one."""
        found = [self]
        for name in path:
            found = [child for node in found for child in node.children if child.name == name]
        return found

    def first(self, *path: str) -> "Node | None":
        """Return the first node at a path, or None."""
        return next(iter(self.all(*path)), None)

    def said(self, *path: str) -> str:
        """Return the text of the first node at a path; empty where there is none."""
        node = self.first(*path)
        return node.text if node is not None else ""


def parse(pieces: Iterable[bytes], path: Sequence[str] = (), take: Callable[[Node, Node], None] | None = None) -> Node:
    """Return the root element of a document that comes in pieces.

    Each element at the end of a `path` of names is given to `take`, together with the element it is in, once it is
    complete, and is left out of the tree: of very many, one is in memory. Raises InvalidStatement for anything that is
    not well-formed or not harmless, and for more than MOST_NODES elements at a time.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    stack: list[Node] = []
    roots: list[Node] = []
    held = 0
    before = 0
    """How many elements there were before the one that will be taken."""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal held, before
        if len(stack) >= DEEPEST:
            raise InvalidStatement(f"line {parser.CurrentLineNumber}: elements are nested deeper than {DEEPEST} levels")
        if held >= MOST_NODES:
            raise InvalidStatement(
                f"line {parser.CurrentLineNumber}: more than {MOST_NODES} elements: no such statement is known"
            )
        node = Node(_local(name), parser.CurrentLineNumber, {_local(key): text for key, text in attributes.items()})
        (stack[-1].children if stack else roots).append(node)
        stack.append(node)
        before = held if taken() else before
        held += 1

    def end(_name: str) -> None:
        nonlocal held
        if taken():
            stack[-2].children.pop()
            held = before
            assert take is not None
            take(stack[-2], stack[-1])
        stack.pop()

    def taken() -> bool:
        return bool(path) and stack[-1].name == path[-1] and [node.name for node in stack[-len(path) :]] == list(path)

    def words(text: str) -> None:
        if stack:
            stack[-1].words.append(text)

    def refuse(*_: object) -> None:
        raise InvalidStatement("the file declares a document type: none of the formats read here has one")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as problem:
        raise InvalidStatement(f"the file is not well-formed XML: {str(problem)[:120]}") from None
    return roots[0]


def _local(name: str) -> str:
    return name.rpartition("}")[2]
