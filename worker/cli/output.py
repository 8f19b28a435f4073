"""How commands print: a table for people, one JSON document for programs."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


def print_json(value: Any) -> None:
    """Print dataclasses, dates and the like as JSON; amounts stay integer minor units."""
    click.echo(json.dumps(value, default=_plain, indent=2, sort_keys=True))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; without a terminal it is as wide as its content, so that nothing is cut."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=220)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Names and remarks come from outside: text, never markup.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def when(at: datetime | None) -> str:
    """Write a time as UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "-"


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
