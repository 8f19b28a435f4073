"""Tells the demo's story on the terminal: colours on a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


class Narrator:
    """Prints chapters, facts and promises; remembers which promise was broken."""

    def __init__(self, chapters: int) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=130)
        self._chapters = chapters
        self._chapter = 0
        self._started = time.monotonic()
        self._promises: list[tuple[str, bool, str]] = []

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        elapsed = time.monotonic() - self._started
        self.console.print(f"\n[bold cyan]{self._chapter}/{self._chapters}  {title}[/]  [dim]{elapsed:.0f} s[/]")

    def say(self, text: str) -> None:
        """Tell one thing that was done."""
        self.console.print(f"   {text}")

    def where(self, text: str) -> None:
        """Say where to look."""
        self.console.print(f"   [dim]look: {text}[/]")

    def show(self, text: str) -> None:
        """Print what a command answered, as it answered it."""
        for line in text.rstrip().splitlines():
            self.console.print(f"   [dim]│[/] {line}", markup=False) if "[" in line else self.console.print(
                f"   │ {line}"
            )

    def promise(self, name: str, kept: bool, evidence: str) -> None:
        """Record whether a promise was kept, with the evidence."""
        self._promises.append((name, kept, evidence))
        mark = "[green]kept[/]" if kept else "[bold red]BROKEN[/]"
        self.console.print(f"   {mark}  {name}: {evidence}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a small table."""
        table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    @property
    def broken(self) -> list[str]:
        """Names of the promises that were not kept."""
        return [name for name, kept, _ in self._promises if not kept]

    def close(self) -> None:
        """Print the promises once more."""
        self.console.print()
        self.table(
            ["promise", "", "evidence"],
            [
                (name, "[green]kept[/]" if kept else "[bold red]BROKEN[/]", evidence)
                for name, kept, evidence in self._promises
            ],
        )
