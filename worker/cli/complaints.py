"""What went wrong, as the command line says it: `orders: code: what happened`, then what to do, and an exit code."""

import sys
import traceback

import click

from worker.contract.sealing import SealError
from worker.contract.settings import ConfigurationError
from worker.domain.errors import NoRoom, OrdersError

EXIT_BREAKS = 1
EXIT_DEPENDENCY = 4
EXIT_REFUSED = 5
EXIT_BUG = 70

DEPENDENCIES = frozenset({"database_unavailable", "no_room", "provider_unavailable", "source_unreadable"})
"""Codes of what does not answer, or has no room: trying again may help."""

_debug = False


def show_tracebacks(wanted: bool) -> None:
    """Set whether the traceback of a problem is shown."""
    global _debug  # noqa: PLW0603 - one switch of a process that runs one command
    _debug = wanted


def told(problem: Exception) -> int:
    """Say on stderr what went wrong and what to do; return the exit code that stands for it."""
    problem = NoRoom.told_by(problem) or problem
    if isinstance(problem, click.ClickException):
        return _usage(problem)
    if isinstance(problem, ConfigurationError):
        remedy = 'settings.toml explains every key; for the local stack: eval "$(orders dev env)"'
        return _said("settings", str(problem), remedy, 3)
    if isinstance(problem, OrdersError):
        code = EXIT_DEPENDENCY if problem.code in DEPENDENCIES else EXIT_REFUSED
        return _said(problem.code, str(problem), problem.remedy, code, problem=problem)
    if isinstance(problem, SealError):
        remedy = "`orders keys list` shows the keys of an environment; the key it names must be among [encryption] keys"
        return _said("sealed", str(problem), remedy, EXIT_REFUSED)
    remedy = "a bug of ours: report it with what you typed and the traceback (orders --debug ...)"
    # A terminal has somebody who can repeat it; a log has not.
    shown = _debug or not sys.stderr.isatty()
    return _said("bug", f"{type(problem).__name__}: {problem}", remedy, EXIT_BUG, problem=problem, shown=shown)


def _usage(problem: click.ClickException) -> int:
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        problem.show()
        return problem.exit_code
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    command = context.command_path if context else "orders"
    return _said("usage", problem.format_message(), f"{command} --help", problem.exit_code)


def _said(
    code: str, what: str, remedy: str, exit_code: int, *, problem: Exception | None = None, shown: bool = False
) -> int:
    if problem is not None and (shown or _debug):
        click.echo("".join(traceback.format_exception(problem)), err=True, nl=False)
    click.echo(f"orders: {code}: {what}", err=True)
    if remedy:
        click.echo(f"  -> {remedy}", err=True)
    return exit_code
