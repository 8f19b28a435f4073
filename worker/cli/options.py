"""Options and words that several commands share: who acts and why, when, whether to ask first, and examples."""

import getpass
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

LONGEST_REASON = 300
PROGRAM = "a program"
"""Who acts where nobody is: a container that runs under a number which has no name."""


class Noun(click.Group):
    """A group whose help says what each verb does in a whole sentence, and not the first words of one."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(limit=200)) for name, verb in verbs if verb is not None])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first example of each verb."""
        verbs = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        found = [verb.epilog.splitlines()[2] for verb in verbs if verb is not None and verb.epilog]
        if found and not self.epilog:
            formatter.write_paragraph()
            formatter.write_text("Examples:")
            for line in found:
                formatter.write(f"  {line}\n")
            return
        super().format_epilog(ctx, formatter)


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


def _actor_or_program(context: click.Context, parameter: click.Parameter, text: str | None) -> str:
    try:
        return _actor(context, parameter, text)
    except click.UsageError:
        return PROGRAM


def _reason(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str:
    said = (text or "").strip()
    if text is not None and not said:
        raise click.BadParameter("is empty")
    if len(said) > LONGEST_REASON:
        raise click.BadParameter(f"is longer than {LONGEST_REASON} characters")
    return said


actor_option = click.option(
    "--actor", callback=_actor, help="Who acts. Default: ORDERS_ACTOR, else the user of the operating system."
)
actor_or_program_option = click.option(
    "--actor",
    callback=_actor_or_program,
    help="Who acts. Default: ORDERS_ACTOR, else the user of the operating system.",
)
"""For what programs do as well: a release's own steps must not end because nobody has a name."""
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")


def reason_option(
    *names: str, why: str = "Why; it stands in the audit trail.", required: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that says why; `names` are older spellings of it."""
    return click.option("--reason", *names, "reason", required=required, callback=_reason, help=why)


def examples(*lines: str) -> str:
    """Return what `epilog=` takes: a command a line, each as it is typed, with `# what for` where it is not plain."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def consent(question: str, *, yes: bool, dry_run: bool) -> None:
    """Ask before something is changed; without a terminal, demand that --yes or --dry-run was said."""
    if yes or dry_run:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("say --yes to act without being asked, or --dry-run to look first")
    click.confirm(question, abort=True, err=True)
