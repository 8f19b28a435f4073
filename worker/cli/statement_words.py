"""What `orders statements` is told about files, and how it tells of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.output import print_table, remark, when
from worker.contract.settings import ConfigurationError
from worker.domain.money import format_minor
from worker.statement_settings import StatementsConfig

if TYPE_CHECKING:
    from worker.domain.continuity import Seam
    from worker.services.ports import RejectedRows
    from worker.statements.dialect import Dialect
    from worker.statements.mapped import MappedJson
    from worker.statements.parse import ReadStatement
    from worker.statements.told import Told

Command = Callable[..., None]

FORMAT_NAMES = (
    "stripe_payout_reconciliation",
    "stripe_payouts",
    "stripe_balance_history",
    "adyen_settlement_details",
    "shopify_transactions",
    "shopify_payouts",
    "paypal_activity",
    "bank_csv",
    "paypal_settlement",
    "camt053",
)
SHOWN = 1_000
"""Rejected rows that are printed: a table of more is read by nobody, and takes a kilobyte of memory a row."""
DATE_ORDERS = ("day-first", "month-first")
"""Written down here, so that a help text need not load every parser; a test holds them against the parsers."""


def told_options(command: Command) -> Command:
    """Add the options that answer what a file may leave open."""
    for option in (
        click.option("--account", default="", help="The account of a bank file that names none."),
        click.option(
            "--decimal", type=click.Choice([".", ","]), help="The decimal mark, where the file leaves it open."
        ),
        click.option(
            "--dates",
            type=click.Choice(DATE_ORDERS),
            help="How 04/07 reads, where the file leaves it open.",
        ),
        click.option(
            "--format", "format_name", help=f"Skip the detection: {', '.join(FORMAT_NAMES)}, or one of yours."
        ),
    ):
        command = option(command)
    return command


def told_of(dates: str | None, decimal: str | None, account: str) -> Told:
    """Return the answers that the options gave."""
    from worker.statements.told import DateOrder, Told

    return Told(dates=DateOrder(dates) if dates else None, decimal=decimal or "", account=account)


def own_formats(config: StatementsConfig) -> list[Dialect | MappedJson]:
    """Return the formats that the settings describe. Raises ConfigurationError with all that is wrong with any."""
    from worker.statements.mapped import describe

    found = []
    problems: list[str] = []
    for name, described in sorted(config.formats.items()):
        try:
            found.append(describe(name, described))
        except ConfigurationError as wrong:
            problems += wrong.problems
    if problems:
        raise ConfigurationError(problems)
    return found


def describe_file(read: ReadStatement) -> None:
    """Print what was read: rows, checks, rejects, sums by kind, and the time it is of."""
    from worker.services.ports import StatementScope

    what = f"{read.made} {'bank entries' if read.scope is StatementScope.BANK else 'lines'}"
    click.echo(f"{read.format}: {read.rows} rows, {what}, {len(read.rejects)} rejected, sha256 {read.sha256}")
    checks_and_rejects(read.checks, read.rejects)
    for kind, sums in sorted(read.sums.items()):
        for currency, minor in sorted(sums.items()):
            click.echo(f"  {kind}: net {currency} {format_minor(minor, currency, read.provider)}")
    if read.first_at:
        click.echo(f"  from {when(read.first_at)} to {when(read.last_at)} UTC")


def worst_joint(told: Sequence[Seam]) -> str:
    """Return in a word how a file follows those before it; a dash where its format does not tell."""
    worst = ("gap", "overlaps", "first", "joined")
    return min((str(one.joint) for one in told), key=worst.index, default="-")


def follows_words(seam: Seam, file: str, names: Mapping[str, str], provider: str) -> str:
    """Say how a file follows the one before it, or how the next one follows it."""
    if seam.file == file:
        return seam.text(names, provider)
    return f"then {names.get(seam.file, seam.file)}: {seam.text({**names, file: 'this file'}, provider)}"


def checks_and_rejects(checks: Mapping[str, str], rejects: RejectedRows) -> None:
    """Print the self-checks of a file and the first of its rejected rows."""
    for name, result in checks.items():
        click.echo(f"  check {name}: {result}")
    if rejects:
        print_table(
            "rejected rows",
            ["line", "column", "reason"],
            [(str(row.line), row.column, row.reason) for row in rejects[:SHOWN]],
        )
        if len(rejects) > SHOWN:
            remark(f"and {len(rejects) - SHOWN} more; of an imported file `orders statements rejects --csv` has all")
