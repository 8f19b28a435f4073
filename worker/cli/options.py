"""Options that several commands share: who acts, when, and whether to ask first."""

import getpass
import os
import sys
from datetime import UTC, datetime

import click


def moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """Read a time of an option, as UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("is no time like 2026-11-23T09:00:00Z") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _actor(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str:
    if text:
        return text
    try:
        return os.environ.get("ORDERS_ACTOR") or getpass.getuser()
    except (KeyError, OSError) as error:
        # A container may run under a number that has no name.
        raise click.UsageError("nobody knows who you are: say --actor NAME, or set ORDERS_ACTOR") from error


actor_option = click.option(
    "--actor", callback=_actor, help="Who acts. Default: ORDERS_ACTOR, else the user of the operating system."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")


def consent(question: str, *, yes: bool, dry_run: bool) -> None:
    """Ask before something is changed; without a terminal, demand that --yes or --dry-run was said."""
    if yes or dry_run:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("say --yes to act without being asked, or --dry-run to look first")
    click.confirm(question, abort=True, err=True)
