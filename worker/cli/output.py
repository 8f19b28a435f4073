"""How commands print: a table for people that fits their terminal, one JSON document for programs.

Data goes to stdout; what is only talk (`remark`) to stderr. Colour is for terminals alone, and never with NO_COLOR.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")

_WRAPPED = 24
"""A column of words is wrapped down to this width before a column is left out."""
_GAP = 2
_SHA256 = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def print_json(value: Any) -> None:
    """Print dataclasses, dates and the like as JSON; amounts stay integer minor units."""
    click.echo(json.dumps(value, default=_plain, indent=2, sort_keys=True))


def remark(text: str) -> None:
    """Say something about the data that is no part of it."""
    click.echo(text, err=True)


def console(*, err: bool = False) -> "Console":
    """Return where to draw: as wide as the terminal or COLUMNS say, in colour on a terminal without NO_COLOR."""
    from rich.console import Console

    if os.environ.get("NO_COLOR"):
        # rich itself would leave bold and reverse video, which are escape sequences just the same.
        return Console(stderr=err, color_system=None, highlight=False)
    return Console(stderr=err, highlight=False)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, least: Sequence[str] = ()
) -> None:
    """Print a table. Without a terminal it is as wide as its content: a row a line, nothing cut.

    Where there is no room, words are wrapped, then columns are left out: those named in `least`, the first one first,
    then from the right. Which ones, is said on stderr.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [tuple(map(str, row)) for row in rows]
    drawn = console()
    drawn.print(Text(f"{title}{'' if cells else ': none'}", style="bold italic"), soft_wrap=True)
    if not cells:
        return
    if not (drawn.is_terminal or os.environ.get("COLUMNS")):
        natural = [max(map(_width, (name, *(row[at] for row in cells)))) for at, name in enumerate(columns)]
        drawn.width = sum(natural) + _GAP * len(natural)
    smallest = [_smallest([name, *(row[at] for row in cells)]) for at, name in enumerate(columns)]
    kept = list(range(len(columns)))
    left_out: list[str] = []
    for name in (*least, *(name for name in reversed(columns[1:]) if name not in least)):
        if sum(smallest[at] + _GAP for at in kept) - _GAP <= drawn.width:
            break
        kept.remove(columns.index(name))
        left_out.append(name)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for at in kept:
        table.add_column(columns[at], overflow="fold", min_width=min(smallest[at], drawn.width))
    for row in cells:
        # Names and remarks come from outside: text, never markup.
        table.add_row(*(Text(row[at]) for at in kept))
    with drawn.capture() as captured:
        drawn.print(table)
    # rich fills every line up with blanks.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=True)
    if left_out:
        remark(f"no room for: {', '.join(left_out)} (a wider terminal, or --json)")


def print_commands(commands: Sequence[tuple[str, str]]) -> None:
    """Print commands that may be wanted next, each with what it is for."""
    width = max((len(typed) for typed, meant in commands if meant), default=0)
    for typed, meant in commands:
        click.echo(f"  {f'{typed:<{width}}  # {meant}' if meant else typed}")


def shortened(text: str) -> str:
    """Write a text for a column: of a SHA-256 in it, as much as tells it from others; --json has all of it."""
    return _SHA256.sub(lambda found: found[1], text)


def when(at: datetime | None) -> str:
    """Write a time as UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "-"


def _width(cell: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, cell.splitlines()), default=0)


def _smallest(cells: Sequence[str]) -> int:
    """Return how narrow a column may get: numbers, ids and times are not broken, sentences are."""
    longest = max(map(_width, cells))
    words = max((_width(word) for cell in cells for word in cell.split()), default=0)
    return min(longest, max(words, _WRAPPED))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "items"):
        return dict(value)
    return str(value)
