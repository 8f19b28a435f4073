"""Reading Terraform files as a reviewer does: their top-level blocks, their attributes, their text. No Terraform needed.

Not a parser of the language: it knows strings, comments, here-documents and braces, which is enough to find blocks
and the attributes that stand directly in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
AWS = PROJECT / "infra" / "aws"
_HEADER = re.compile(r'^(?P<kind>[a-z_]+)(?P<labels>(?:[ \t]+"[^"\n]*")*)[ \t]*\{', re.MULTILINE)
_ATTRIBUTE = re.compile(r"^[ \t]*(?P<name>[a-z_][a-z0-9_]*)[ \t]*=(?!=)", re.MULTILINE)
_HEREDOC = re.compile(r"<<[-~]?(?P<word>[A-Z_]+)\n")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One top-level block: `resource "aws_s3_bucket" "this" { ... }`."""

    file: Path
    kind: str
    labels: tuple[str, ...]
    body: str
    line: int

    @property
    def name(self) -> str:
        """Its last label."""
        return self.labels[-1]

    def __str__(self) -> str:
        """Where it is and what."""
        return f"{self.file.relative_to(PROJECT)}:{self.line} {self.kind} {' '.join(self.labels)}"

    @cached_property
    def attributes(self) -> dict[str, str]:
        """The attributes directly in the block, as their expressions' text."""
        flat = blanked(self.body)
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(flat):
            if _depth(flat[: match.start()]) == 0:
                found[match["name"]] = self.body[match.end() : _expression_end(flat, match.end())].strip()
        return found


def folders() -> list[Path]:
    """Return every folder of infra/aws that is a configuration of its own."""
    found = {file.parent for file in AWS.rglob("*.tf") if ".terraform" not in file.parts}
    return sorted(found)


def blocks(folder: Path) -> list[Block]:
    """Return the top-level blocks of a folder's files."""
    return [block for file in sorted(folder.glob("*.tf")) for block in _blocks_of(file)]


def blanked(text: str) -> str:
    """Return `text` with the content of strings, comments and here-documents blanked out, at the same length."""
    out: list[str] = []
    at = 0
    while at < len(text):
        end = _opaque_end(text, at)
        if end is None:
            out.append(text[at])
            at += 1
        else:
            out.append("".join(char if char == "\n" else " " for char in text[at:end]))
            at = end
    return "".join(out)


def _blocks_of(file: Path) -> Iterator[Block]:
    text = file.read_text("utf-8")
    flat = blanked(text)
    for match in _HEADER.finditer(text):
        if _depth(flat[: match.start()]) or flat[match.start()] == " ":
            continue
        end = _closing(flat, match.end())
        yield Block(
            file=file,
            kind=match["kind"],
            labels=tuple(re.findall(r'"([^"]*)"', match["labels"])),
            body=text[match.end() : end],
            line=text.count("\n", 0, match.start()) + 1,
        )


def _opaque_end(text: str, at: int) -> int | None:
    """Return where the comment, string or here-document that begins at `at` ends, None when none begins there."""
    if text[at] == "#" or text.startswith("//", at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    if text.startswith("/*", at):
        return text.index("*/", at) + 2
    if text[at] == '"':
        return _string_end(text, at)
    heredoc = _HEREDOC.match(text, at)
    if heredoc:
        closing = re.compile(rf"^\s*{heredoc['word']}\s*$", re.MULTILINE).search(text, heredoc.end())
        return closing.end() if closing else len(text)
    return None


def _string_end(text: str, at: int) -> int:
    """Return the end of a string; what is interpolated may hold strings of its own."""
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 2
        elif text.startswith(("${", "%{"), at) and text[at - 1] not in "$%":
            depth, at = 1, at + 2
            while depth:
                if text[at] == '"':
                    at = _string_end(text, at)
                    continue
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
        else:
            at += 1
    return at + 1


def _depth(flat: str) -> int:
    return sum(flat.count(opening) for opening in "{[(") - sum(flat.count(closing) for closing in "}])")


def _closing(flat: str, at: int) -> int:
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(flat[at], 0)
        at += 1
    return at - 1


def _expression_end(flat: str, at: int) -> int:
    depth = 0
    while at < len(flat):
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(flat[at], 0)
        if depth < 0 or (depth == 0 and flat[at] == "\n"):
            break
        at += 1
    return at
