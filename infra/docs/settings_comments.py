"""The comments of settings.toml: which table or key each of them explains.

A comment above a table's header, or after its last key, is the table's. One above a key is that key's and that of the
keys right below it. Within a comment, `# name: text` and `#   name   text` explain the key of that name, and so does a
sentence in front of an example `#   name = value`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.docs.markdown import plain

_HEADER = re.compile(r"^\[([\w.]+)\]")
_ASSIGNMENT = re.compile(r"^([a-z][\w]*) = ")
_ALIGNED = re.compile(r"^ {2,4}([a-z_]+(?:, [a-z_]+)*) +(?!= )(\S.*)$")
_EXAMPLE = re.compile(r"^ {2,4}([a-z_]+) = ")
_COLON = re.compile(r"^([a-z_0-9]+): (.+)$")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table's explanation: sentences, or lines to be shown as they stand."""

    text: str
    is_prose: bool


@dataclass(slots=True)
class Comments:
    """Everything that settings.toml tells of the default environment."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    exact: dict[str, str] = field(default_factory=dict)
    """By a key's whole path, as it is written."""
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    """By the table of the first level and a key's name."""

    def intro(self, name: str) -> list[Part]:
        """Return what is told of a table of the first level, and of those in it."""
        return [part for path, parts in self.parts.items() if path.partition(".")[0] == name for part in parts]

    def meaning(self, path: str) -> str:
        """Return what a key means; `path` is like `webhooks.<name>.scheme`."""
        shape = re.compile(re.escape(path).replace(re.escape("<name>"), r"[^.]+"))
        written = next((told for at, told in self.exact.items() if shape.fullmatch(at)), "")
        return written or self.named.get((path.partition(".")[0], path.rpartition(".")[2]), "")

    def meaning_of_value(self, path: str) -> str:
        """Return what is told of a value at its very place."""
        return self.exact.get(path, "")


def comments_of(text: str, names: frozenset[str]) -> Comments:
    """Read settings.toml; `names` are the names of all keys that there are."""
    found = Comments()
    table, pending, running = "", list[str](), ""
    lines = text.partition("\n\n")[2].splitlines()
    for line in lines:
        header, assignment = _HEADER.match(line), _ASSIGNMENT.match(line)
        if line.startswith("#"):
            pending.append(line.removeprefix("#").removeprefix(" ") if not line.startswith("#  ") else line[1:])
            continue
        if header is not None:
            _file(found, _below(header[1]), pending, names)
            table, pending, running = _below(header[1]), [], ""
        elif assignment is not None and table is not None:
            if pending:
                running = _file(found, table, pending, names, key=assignment[1])
                pending = []
            if running:
                found.exact[f"{table}.{assignment[1]}"] = running
                running = f"see `{assignment[1]}`" if not running.startswith("see `") else running
        elif not line.strip():
            _file(found, table, pending, names)
            pending, running = [], ""
    _file(found, table, pending, names)
    return found


def _below(header: str) -> str:
    environment, _, path = header.partition(".")
    return path if environment == "default" else f"{environment}:{path}"


def _file(found: Comments, table: str, lines: list[str], names: frozenset[str], key: str = "") -> str:
    """Put a comment where it belongs; return what it says of the key right below it."""
    if not lines or table is None:
        return ""
    section = table.partition(".")[0]
    rest = list(_without_colons(found, section, lines, names))
    for name, meaning in _definitions(rest, names):
        found.named.setdefault((section, name), meaning)
    if not rest:
        return ""
    has_lists = len(rest) < len(lines) or any(line.startswith("  ") for line in rest)
    if key and not has_lists:
        return " ".join(rest)
    part = Part("\n".join(lines), is_prose=False) if has_lists else Part(plain(" ".join(rest)), is_prose=True)
    found.parts.setdefault(table, []).append(part)
    listed = next((number for number, line in enumerate(rest) if line.startswith("  ")), len(rest))
    return " ".join(rest[:listed]) if key else ""


def _without_colons(found: Comments, section: str, lines: list[str], names: frozenset[str]) -> Iterator[str]:
    """File `name: text` by its name, and return the other lines."""
    for line in lines:
        definitions = [_COLON.match(part) for part in line.split("; ")]
        if definitions[0] is None or definitions[0][1] not in names:
            yield line
            continue
        for definition in definitions:
            if definition is not None:
                found.named[section, definition[1]] = definition[2]


def _definitions(lines: list[str], names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Return what a comment says of keys by name: `   name   text`, or sentences in front of `   name = value`."""
    told: list[str] = []
    current: tuple[list[str], list[str]] | None = None
    for line in [*lines, ""]:
        aligned, example = _ALIGNED.match(line), _EXAMPLE.match(line)
        if current is not None and line.startswith("      ") and aligned is None and example is None:
            current[1].append(line.strip())
            continue
        if current is not None:
            yield from ((name, " ".join(current[1])) for name in current[0])
            current = None
        if aligned is not None and set(aligned[1].split(", ")) <= names:
            current, told = (aligned[1].split(", "), [aligned[2]]), []
        elif example is not None and example[1] in names:
            meaning, _, remark = " ".join(told), "", line.partition("#")[2].strip()
            current, told = (
                ([example[1]], [part for part in (meaning, f"`{line.partition('#')[0].strip()}`", remark) if part]),
                [],
            )
        elif not line.startswith("  "):
            told.append(line)
