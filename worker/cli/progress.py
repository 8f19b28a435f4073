"""How far something is: a bar with rate and remaining time on a terminal's stderr, once it takes longer than two seconds.

Without a terminal nothing is said unless it is asked for, and then in plain lines.
"""

import sys
import threading
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from worker.cli.output import console
from worker.contract.reconciliation import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PATIENCE_SECONDS = 2.0
"""What is over by then needs no bar."""

progress_option = click.option(
    "--progress/--no-progress", default=None, help="Say on stderr how far it is. Default: on a terminal."
)


def wanted(progress: bool | None) -> bool:
    """Tell whether progress is to be shown."""
    return sys.stderr.isatty() if progress is None else progress


class Meter:
    """Shows progress while it is entered; `tell` it each step of a run, in words of the query `progress`."""

    def __init__(self, *, shown: bool, unit: str = "rows", patience_seconds: float = PATIENCE_SECONDS) -> None:
        """`unit` is what `Progress.rows` counts: rows, or bytes."""
        self._shown = shown
        self._drawn = shown and sys.stderr.isatty()
        self._unit = unit
        self._lock = threading.Lock()
        self._last: Progress | None = None
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._timer = threading.Timer(patience_seconds, self._begin)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._drawn:
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            self._drawn = False
            if self._bars is not None:
                self._bars.stop()

    def tell(self, progress: Progress) -> None:
        """Take note of how far it is."""
        with self._lock:
            if self._drawn:
                before, self._last = self._last, progress
                if self._bars is not None:
                    self._draw(before)
            elif self._shown:
                click.echo(line(progress, self._unit), err=True)

    def _begin(self) -> None:
        with self._lock:
            if self._drawn:
                self._bars = _bars(self._unit)
                self._bars.start()
                self._draw(None)

    def _draw(self, before: Progress | None) -> None:
        now = self._last or Progress(step="waiting")
        assert self._bars is not None
        if self._task is None or before is None or before.step != now.step:
            # A step's rate says nothing about the next one's: each has a bar of its own, and the last is the one shown.
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(now.step, total=now.total or None, rows=now.rows)
        self._bars.update(self._task, completed=now.done, total=now.total or None, rows=now.rows)


def line(progress: Progress, unit: str = "rows") -> str:
    """Return progress in a line."""
    parts = f" {progress.done} of {progress.total}" if progress.total else ""
    rows = f", {progress.rows} {unit}" if progress.rows else ""
    return f"{progress.step}{parts}{rows}"


def _bars(unit: str) -> "Bars":
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Share(ProgressColumn):
        """How many parts of a step are done, where it has any."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.completed:,.0f} of {task.total:,.0f}" if task.total else "")

    class Left(ProgressColumn):
        """How long this step will take yet, where that can be told."""

        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            if task.time_remaining is None or not task.completed:
                return Text("")
            return Text(f"{timedelta(seconds=round(task.time_remaining))} left")

    class Rate(ProgressColumn):
        """How many rows (or bytes) a second this step gets through, from its share of parts that are done."""

        def render(self, task: Task) -> Text:
            rows, elapsed = int(task.fields["rows"]), task.elapsed or 0.0
            if not rows or not task.total or not task.completed or elapsed <= 0:
                return Text("")
            rate = rows * task.completed / task.total / elapsed
            return Text(f"{rate:,.0f} {unit}/s", style="dim")

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        Share(),
        Rate(),
        TimeElapsedColumn(),
        Left(),
        console=console(err=True),
        transient=True,
    )
