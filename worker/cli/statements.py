"""`orders statements`: files of providers and banks, looked at before and after they are taken in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.options import Noun, examples
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.settings import load, load_statements
from worker.cli.statement_words import (
    checks_and_rejects,
    describe_file,
    follows_words,
    own_formats,
    told_of,
    told_options,
    worst_joint,
)
from worker.cli.statements_import import import_files
from worker.connections import reading
from worker.domain.errors import NotFound

if TYPE_CHECKING:
    from worker.services.ports import Database, StatementFile


@click.group(cls=Noun)
def command() -> None:
    """Statement files of providers and banks."""


command.add_command(import_files)


@command.command(
    epilog=examples(
        "orders statements preview balance.csv",
        "orders statements preview export.csv --format generic --dates day-first --decimal ,",
    )
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@told_options
@as_json
def preview(
    file: Path, format_name: str | None, dates: str | None, decimal: str | None, account: str, *, as_json: bool
) -> None:
    """Say what an import would read and whether it would take it, without writing anything."""
    from worker.statements.parse import open_statement, opener, parse

    config = load_statements()
    told = told_of(dates, decimal, account)
    own = own_formats(config)
    if as_json:
        print_json(parse(file.name, file.read_bytes(), format_name, told=told, own=own))
        return
    reading = open_statement(file.name, opener(file), format_name, told=told, own=own)
    for _ in reading:
        pass  # a preview tells of lines by their sums
    read = reading.statement
    describe_file(read)
    if read.sound:
        click.echo("an import would take it whole")
    elif config.on_reject == "file" and (read.rejects or read.failed):
        click.echo("an import would refuse it as a whole (statements.on_reject)")
    else:
        click.echo("an import would take what can be read; a comparison with it says what is missing or repeated")


@command.command("list", epilog=examples("orders statements list", "orders statements list --limit 5 --json"))
@click.option("--limit", default=20, show_default=True)
@as_json
def list_files(limit: int, *, as_json: bool) -> None:
    """List the imported files, newest first.

    `follows` says whether a file begins with what the one before it ended with (running balances, numbers of batches):
    a gap is a file that was never imported. `orders statements show` says which.
    """
    from worker.services.continuity import seams_of

    config = load()
    with reading(config) as database:
        files = database.transact(lambda tx: tx.statements.recent(config.shop.name, limit))
        told = database.transact(lambda tx: seams_of(tx, config.shop.name)[1])
    follows = {file.sha256: [one for one in told if one.file == file.sha256] for file in files}
    if as_json:
        print_json([{**asdict(file), "follows": follows[file.sha256]} for file in files])
        return
    print_table(
        f"statement files of {config.shop.name}",
        [
            "sha256",
            "imported (UTC)",
            "format",
            "provider",
            "rows",
            "rejected",
            "from (UTC)",
            "to (UTC)",
            "checks",
            "follows",
            "name",
        ],
        [
            (
                file.sha256[:12],
                when(file.imported_at),
                file.format,
                file.provider,
                str(file.rows),
                str(file.rejected),
                when(file.first_at),
                when(file.last_at),
                _soundness(file),
                worst_joint(follows[file.sha256]),
                file.name,
            )
            for file in files
        ],
        least=("from (UTC)", "to (UTC)", "provider", "imported (UTC)", "rows"),
    )


@command.command(epilog=examples("orders statements show 3b9c1f"))
@click.argument("sha256")
@as_json
def show(sha256: str, *, as_json: bool) -> None:
    """Show one imported file by its SHA-256 or the beginning of it: what was checked, what was rejected, what it follows."""
    from worker.services.continuity import seams_of

    config = load()
    with reading(config) as database:
        file = _imported(database, config.shop.name, sha256)
        rejects = database.transact(lambda tx: tx.statements.rejects(file.shop, file.sha256))
        files, told = database.transact(lambda tx: seams_of(tx, file.shop, file.provider))
    if as_json:
        print_json({"file": file, "rejects": rejects, "follows": [one for one in told if one.file == file.sha256]})
        return
    click.echo(f"{file.name}: {file.format} of {file.provider}, tells of {file.scope}, sha256 {file.sha256}")
    click.echo(f"  {file.rows} rows, {file.rejected} rejected, imported {when(file.imported_at)} UTC")
    click.echo(f"  from {when(file.first_at)} to {when(file.last_at)} UTC")
    names = {sha256: one.name for sha256, one in files.items()}
    for one in told:
        if file.sha256 in {one.file, one.before}:
            click.echo(f"  {follows_words(one, file.sha256, names, file.provider)}")
    checks_and_rejects(file.checks, rejects)


@command.command(
    epilog=examples("orders statements rejects 3b9c1f", "orders statements rejects 3b9c1f --csv > rejects.csv")
)
@click.argument("sha256")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for a spreadsheet; text is made safe for one.")
@as_json
def rejects(sha256: str, *, as_csv: bool, as_json: bool) -> None:
    """Print the rows of an imported file that could not be read: line, column, reason."""
    config = load()
    with reading(config) as database:
        file = _imported(database, config.shop.name, sha256)
        rows = database.transact(lambda tx: tx.statements.rejects(file.shop, file.sha256))
    if as_csv:
        from worker.reports import rejects_csv

        click.echo(rejects_csv.render(file, rows), nl=False)
    elif as_json:
        print_json(rows)
    else:
        checks_and_rejects({}, rows)


def _imported(database: Database, shop: str, sha256: str) -> StatementFile:
    """Return the file of a SHA-256 or of its beginning. Raises NotFound."""
    file = database.transact(lambda tx: tx.statements.get(shop, sha256))
    if file is None:
        recent = database.transact(lambda tx: tx.statements.recent(shop, _RECENT))
        fitting = [one for one in recent if len(sha256) >= _SHORTEST and one.sha256.startswith(sha256)]
        file = fitting[0] if len(fitting) == 1 else None
    if file is None:
        told = f" (of its beginning, {_SHORTEST} digits are needed)" if len(sha256) < _SHORTEST else ""
        what = f"no imported statement file has the SHA-256 {sha256[:64]}{told}"
        raise NotFound(f"{what}; `orders statements list` shows them")
    return file


def _soundness(file: StatementFile) -> str:
    failed = sum(result.startswith("failed") for result in file.checks.values())
    return f"{failed} failed" if failed else "ok"


_SHORTEST = 6
_RECENT = 10_000
"""Files among which the beginning of a SHA-256 is looked up."""
