"""The one style of every generated page: how titles, prose, tables and code are written as Markdown."""

import inspect
import re
from collections.abc import Iterable, Sequence

COMMAND = "make docs"
"""What writes the pages; each says so on its first line."""

_CODE = re.compile(r"(`+[^`]*`+)")
_INDENTED = re.compile(r"^(?: {2,}|\t)")


def page(title: str, *parts: str) -> str:
    """Return a whole page. Empty parts are left out."""
    told = f"*Generated from the code by `{COMMAND}`: change the code, not this page.*"
    return "\n\n".join(part.strip("\n") for part in (told, f"# {title}", *parts) if part.strip()) + "\n"


def section(title: str, *parts: str, level: int = 2) -> str:
    """Return a titled part of a page."""
    return "\n\n".join([f"{'#' * level} {title}", *(part.strip("\n") for part in parts if part.strip())])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown of one line. Nothing for no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |", *lines])


def cell(text: str) -> str:
    """Return a text as the cell of a table: on one line, nothing of it markup but code between backticks."""
    return plain(" ".join(text.split())).replace("|", "\\|")


def plain(text: str) -> str:
    """Return a text of the code as Markdown that shows it as it is."""
    parts = _CODE.split(text)
    return "".join(part if part.startswith("`") else re.sub(r"([<*])", r"\\\1", part) for part in parts)


def code(text: str) -> str:
    """Return a text as code within a line, fit for a cell. Nothing for nothing."""
    if not text:
        return ""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}".replace("|", "\\|")


def codes(texts: Iterable[str]) -> str:
    """Return several pieces of code with commas."""
    return ", ".join(code(text) for text in texts)


def fence(text: str, language: str = "text") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def prose(text: str) -> str:
    """Return a docstring as Markdown: its paragraphs as they are, what is indented in them as blocks."""
    return "\n\n".join(_paragraph(part) for part in re.split(r"\n\s*\n", inspect.cleandoc(text)) if part.strip())


def first_line(text: str | None) -> str:
    """Return a docstring's first sentence or paragraph, on one line."""
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def anchor(title: str) -> str:
    """Return the anchor that GitHub gives a title."""
    bare = re.sub(r"[`*]", "", title.strip().lower())
    return re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")


def _paragraph(text: str) -> str:
    parts: list[str] = []
    lines: list[str] = []
    within = False
    for line in [*text.splitlines(), None]:
        indented = line is not None and bool(_INDENTED.match(line)) and not _goes_on(lines, within=within)
        if lines and (line is None or indented is not within):
            parts.append(fence(inspect.cleandoc("\n" + "\n".join(lines))) if within else plain("\n".join(lines)))
            lines = []
        if line is not None:
            lines.append(line)
            within = indented
    return "\n\n".join(parts)


def _goes_on(lines: Sequence[str], *, within: bool) -> bool:
    """Tell whether an indented line is the rest of a list's item."""
    return bool(lines) and not within and any(re.match(r"- |\d+\. ", line) for line in lines)
