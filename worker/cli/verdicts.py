"""What the answer of a run means to a program that waits for it: exit codes, and how far it is meanwhile."""

import sys

import click

from worker.contract.reconciliation import Progress
from worker.domain.finding import Verdict

INCOMPLETE = 4
"""Exit code of an answer that is not whole: neither green nor a list of everything that differs."""

DIFFERENT = 5
"""Exit code of a run that was done again and came to something else."""

progress_option = click.option(
    "--progress/--no-progress", default=None, help="Say on stderr how far the run is. Default: on a terminal."
)


def exit_code(verdict: str) -> int:
    """Return the exit code that stands for a verdict."""
    return {Verdict.INCOMPLETE.value: INCOMPLETE, Verdict.BREAKS.value: 1}.get(verdict, 0)


def leave(verdict: str) -> None:
    """End the command by the verdict of its run."""
    if exit_code(verdict):
        raise click.exceptions.Exit(exit_code(verdict))


def wanted(progress: bool | None) -> bool:
    """Tell whether progress is to be shown."""
    return sys.stderr.isatty() if progress is None else progress


def tell(progress: Progress) -> None:
    """Write one line about how far a run is."""
    parts = f" {progress.done} of {progress.total}" if progress.total else ""
    rows = f", {progress.rows} rows" if progress.rows else ""
    click.echo(f"{progress.step}{parts}{rows}", err=True)
