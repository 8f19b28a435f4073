"""`orders breaks export` and `import`: people's work on many breaks, in a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.breaks_deeds import documents, told
from worker.cli.options import actor_option, examples
from worker.cli.output import as_json, print_json, print_table
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.finding import BreakStatus

if TYPE_CHECKING:
    from worker.services.break_desk import Answer, Problem

REFUSED = 5


@click.command("export", epilog=examples("orders breaks export --csv breaks.csv", "orders breaks export --owner bob"))
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    default="-",
    help="The file; - is standard output.",
)
@click.option(
    "--status",
    type=click.Choice(("open", *BreakStatus, "settled", "ignored", "all")),
    default="open",
    show_default=True,
    help="settled and ignored: by a person.",
)
@click.option("--owner", help="Only those that this person looks after; '' for those that nobody does.")
@click.option("--provider", help="Only those of this provider.")
def export_sheet(file: str, status: str, owner: str | None, provider: str | None) -> None:
    """Write breaks as CSV to fill in and import again, to --csv FILE or, without it, to the terminal.

    Fill in `action` (assign, comment, resolve, ignore, reopen, link), `reason` and, where it needs one, `new_owner`,
    `until` or `link_to` (break/ID, order/ID, payment/REFERENCE); `actor` where it is not who imports the file. Leave
    `break` and `version` as they are; other columns are for reading only. Amounts stand in minor units and formatted.
    A reason stays in the audit trail for good: no names, addresses or other data of customers.
    """
    from worker.reports.break_sheet import MOST_ROWS, render

    config = load()
    wanted = None if status == "all" else status
    with reading(config) as database:
        items = database.transact(
            lambda tx: tx.breaks.listed(
                config.shop.name, status=wanted, limit=MOST_ROWS + 1, owner=owner, provider=provider
            )
        )
    content = render(items[:MOST_ROWS])
    if file == "-":
        click.echo(content, nl=False)
    else:
        Path(file).write_bytes(content)
    number = min(len(items), MOST_ROWS)
    click.echo(f"{number} break{'s' * (number != 1)} written", err=True)
    if len(items) > MOST_ROWS:
        click.echo(f"more than {MOST_ROWS:,}: those with the most at risk; choose with --owner or --provider", err=True)


@click.command(
    "import",
    epilog=examples("orders breaks import breaks.csv", "orders breaks import breaks.csv --apply --actor alice"),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--apply/--dry-run", "apply_it", default=False, help="Do it. Without this it is a dry run.")
@actor_option
@as_json
def import_sheet(file: Path, actor: str, *, apply_it: bool, as_json: bool) -> None:
    """Do what a filled-in export says: all of it in one transaction, or nothing.

    Every problem is listed with its line and column. A break that changed since the export is refused; the same file
    imported again does nothing. Rows without an action are passed over. Exits 5 when there is a problem.
    """
    from worker.gateways.clock import SystemClock
    from worker.reports.break_sheet import parse
    from worker.services.break_desk import BreakDesk

    config = load()
    sheet = parse(file.read_bytes(), actor)
    with reading(config) as database:
        desk = BreakDesk(database, SystemClock(), config.shop.name)
        # With a problem in the file nothing is applied, but what the rules say of the other rows is told at once.
        answer = desk.carry_out(sheet.instructions, dry_run=not apply_it or bool(sheet.problems))
    problems = _merged(sheet.problems, answer)
    if problems:
        if as_json:
            print_json({"applied": False, "problems": problems})
        else:
            print_table(
                f"{file.name}: nothing was done",
                ["line", "column", "break", "problem"],
                [(str(one.line), one.column, one.break_id, one.why) for one in problems],
            )
        raise click.exceptions.Exit(REFUSED)
    if as_json:
        print_json({"applied": apply_it, "idle": sheet.idle, "done": documents(answer)})
        return
    told(answer, "done" if apply_it else "would be done")
    repeated = sum(one.repeated for one in answer.done)
    click.echo(f"{len(answer.done) - repeated} to do, {repeated} done before, {sheet.idle} without an action", err=True)
    if not apply_it:
        click.echo("this was a dry run; --apply does it", err=True)


def _merged(of_file: Sequence[Problem], answer: Answer) -> list[Problem]:
    """Return all problems by line; the rules' view of a cell that could not be read is left out."""
    said = {(one.line, one.column) for one in of_file}
    unknown = {one.line for one in of_file if one.column == "action"}
    of_rules = [
        one
        for one in answer.problems
        if (one.line, one.column) not in said and (one.line not in unknown or one.column in {"reason", "version"})
    ]
    return sorted([*of_file, *of_rules], key=lambda one: one.line)
