"""XML from outside as a plain tree: no document type, no entities, no depth without end.

The parser is Python's expat. A document type is refused before anything in it is read, and with it every entity that
could grow or reach out; what is left is elements, their attributes and text. Names lose their namespace.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from worker.domain.errors import InvalidStatement

DEEPEST = 64
"""Levels of elements: the formats read here need a dozen."""


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


def parse(content: bytes) -> Node:
    """Return the root element. Raises InvalidStatement for anything that is not well-formed or not harmless."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    stack: list[Node] = []
    roots: list[Node] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) >= DEEPEST:
            raise InvalidStatement(f"line {parser.CurrentLineNumber}: elements are nested deeper than {DEEPEST} levels")
        node = Node(_local(name), parser.CurrentLineNumber, {_local(key): text for key, text in attributes.items()})
        (stack[-1].children if stack else roots).append(node)
        stack.append(node)

    def end(_name: str) -> None:
        stack.pop()

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
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as problem:
        raise InvalidStatement(f"the file is not well-formed XML: {str(problem)[:120]}") from None
    return roots[0]


def _local(name: str) -> str:
    return name.rpartition("}")[2]
