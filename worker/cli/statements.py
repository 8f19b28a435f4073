"""`orders statements`: import a provider's statement file and reconcile the books with it."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.reconcile import INCOMPLETE, answer, reconcile
from worker.config import load
from worker.connections import reading, store_of
from worker.contract.reconciliation import Reconcile
from worker.services.ports import StatementFile
from worker.statements.detection import FORMATS
from worker.statements.parse import ParsedStatement, parse

formats = click.option("--format", "format_name", type=click.Choice(FORMATS), help="Skip the detection.")
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def command() -> None:
    """Statement files."""


@command.command()
@file_argument
@formats
@as_json
def preview(file: Path, format_name: str | None, *, as_json: bool) -> None:
    """Say what an import would read, without writing anything."""
    parsed = parse(file.name, file.read_bytes(), format_name)
    if as_json:
        print_json(parsed)
        return
    _describe(parsed)


@command.command("import")
@file_argument
@formats
@click.option("--provider", help="Whose books to compare with (default: the format's provider).")
@click.option("--reconcile/--no-reconcile", "run", default=True, show_default=True)
@as_json
def import_file(file: Path, format_name: str | None, provider: str | None, *, run: bool, as_json: bool) -> None:
    """Import FILE and reconcile the books with it. The same file is imported once, reconciled as often as asked.

    Exits as `reconcile run` does; a file without a line that could be read is incomplete (4).
    """
    config = load()
    content = file.read_bytes()
    parsed = parse(file.name, content, format_name, shop=config.shop.name)
    now = datetime.now(UTC)
    times = [line.created_at for line in parsed.lines]
    record = StatementFile(
        sha256=parsed.sha256,
        shop=config.shop.name,
        provider=provider or parsed.provider,
        format=parsed.format,
        name=file.name,
        imported_at=now,
        rows=parsed.rows,
        rejected=len(parsed.rejects),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        checks=parsed.checks,
    )
    # One provider account may serve several shops; what the others took is theirs to reconcile.
    ours = [line for line in parsed.lines if line.shop in {"", config.shop.name}]
    store_of(config).put(f"statements/{record.provider}/{parsed.sha256}.csv", content)
    with reading(config) as database:
        added = database.transact(lambda tx: tx.statements.add(record, ours, parsed.rejects))
    if not as_json:
        _describe(parsed)
        click.echo("imported" if added else "this very file was imported before; nothing was added")
        if len(ours) < len(parsed.lines):
            click.echo(f"{len(parsed.lines) - len(ours)} lines of other shops are left out")
    if run and not times:
        if as_json:
            print_json(record)
        click.echo("nothing to compare: the file has no line that could be read", err=True)
        raise click.exceptions.Exit(INCOMPLETE)
    if run:
        request = Reconcile(
            shop=config.shop.name,
            provider=record.provider,
            statement_sha256=parsed.sha256,
            repair=False,
            requested_by="cli",
        )
        window = f"file-{parsed.sha256[:12]}-{now:%Y%m%dT%H%M%S}"
        answer(config, asyncio.run(reconcile(config, request, window)), as_json=as_json)


def _describe(parsed: ParsedStatement) -> None:
    click.echo(
        f"{parsed.format}: {parsed.rows} rows, {len(parsed.lines)} lines, {len(parsed.rejects)} rejected, "
        f"sha256 {parsed.sha256}"
    )
    for name, result in parsed.checks.items():
        click.echo(f"  check {name}: {result}")
    if parsed.rejects:
        print_table(
            "rejected rows",
            ["line", "column", "reason"],
            [(str(row.line), row.column, row.reason) for row in parsed.rejects],
        )
    if parsed.lines:
        first, last = min(x.created_at for x in parsed.lines), max(x.created_at for x in parsed.lines)
        click.echo(f"  from {when(first)} to {when(last)} UTC")
