"""What the answer of a run means to a program that waits for it: exit codes."""

import click

from worker.domain.finding import Verdict

INCOMPLETE = 4
"""Exit code of an answer that is not whole: neither green nor a list of everything that differs."""

DIFFERENT = 5
"""Exit code of a run that was done again and came to something else."""


def exit_code(verdict: str) -> int:
    """Return the exit code that stands for a verdict."""
    return {Verdict.INCOMPLETE.value: INCOMPLETE, Verdict.BREAKS.value: 1}.get(verdict, 0)


def leave(verdict: str) -> None:
    """End the command by the verdict of its run."""
    if exit_code(verdict):
        raise click.exceptions.Exit(exit_code(verdict))
