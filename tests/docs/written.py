"""The Markdown of the repository as a reader sees it: pages, headings, links, blocks of code, commands."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from infra.docs.markdown import anchor

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<mark>`{3,})(?P<language>\w*)\n(?P<text>.*?)^(?P=mark)$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)|!\[[^\]]*\]\(([^()\s]+)\)")
_END_OF_COMMAND = {"|", "||", "&&", ";", ">", "<", "&"}


@cache
def pages() -> tuple[Path, ...]:
    """Return every page that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    if not listed:  # an archive of the sources has no .git
        hidden = {".venv", ".local", ".terraform", ".git"}
        return tuple(sorted(file for file in ROOT.rglob("*.md") if not hidden & set(file.parts)))
    return tuple(sorted(ROOT / name for name in listed if (ROOT / name).is_file()))


@cache
def text_of(page: Path) -> str:
    """Return a page's text."""
    return page.read_text("utf-8")


def blocks(page: Path, language: str | None = None) -> list[str]:
    """Return the blocks of code of a page."""
    return [
        match["text"] for match in _FENCE.finditer(text_of(page)) if language is None or match["language"] == language
    ]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page, as GitHub makes them: one that comes again is numbered."""
    found: list[str] = []
    for title in _HEADING.findall(_FENCE.sub("", text_of(page))):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = anchor(shown)
        times = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", known) is not None for known in found)
        found.append(f"{name}-{times}" if times else name)
    return frozenset(found)


def links(page: Path) -> list[str]:
    """Return where a page leads: links and pictures, without what stands in code."""
    prose = re.sub(r"`+[^`\n]*`+", _without_links, _FENCE.sub("", text_of(page)))
    return [first or second for first, second in _LINK.findall(prose)]


def commands(text: str) -> Iterator[list[str]]:
    """Return the command lines of `orders` in a text's code: the words after `orders`."""
    code = [match["text"] for match in _FENCE.finditer(text) if match["language"] in {"sh", "text", "yaml", ""}]
    spans = re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))
    for line in [line for block in code for line in block.replace("\\\n", " ").splitlines()] + spans:
        for match in re.finditer(
            r"(?:^\s*|[$`(|;&] ?|\.venv/bin/)orders (?P<rest>[a-z-].*)|run-task .*? -- (?P<task>.+)", line
        ):
            words = _words((match["rest"] or match["task"]).replace("\\|", "|"))
            if words:
                yield words


def _words(rest: str) -> list[str]:
    line = re.split(r" #|`", rest)[0]
    try:
        found = shlex.split(line.strip().rstrip(")\"'"))
    except ValueError:
        found = line.split()
    for number, word in enumerate(found):
        if word in _END_OF_COMMAND:
            return found[:number]
    return found


def _without_links(match: re.Match[str]) -> str:
    return match[0].replace("](", "] (")
