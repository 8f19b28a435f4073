"""`orders statements import`: take files in, and reconcile the books with those that tell of single payments."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from worker.cli.main import EXIT_REFUSED
from worker.cli.output import as_json, print_json
from worker.cli.reconcile import print_run, reconcile
from worker.cli.statement_words import describe_file, own_formats, told_of, told_options
from worker.cli.verdicts import INCOMPLETE, exit_code
from worker.config import WorkerConfig, load
from worker.connections import lake_of, reading, store_of
from worker.contract.reconciliation import Reconcile, ReconciliationResult
from worker.domain.errors import InvalidStatement
from worker.services.ports import StatementScope
from worker.statements.importing import Imported, StatementImport
from worker.statements.told import Told


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@told_options
@click.option("--provider", help="Whose books to compare with (default: the format's provider).")
@click.option("--reconcile/--no-reconcile", "run", default=True, show_default=True)
@as_json
def import_files(
    files: tuple[Path, ...],
    format_name: str | None,
    dates: str | None,
    decimal: str | None,
    account: str,
    provider: str | None,
    *,
    run: bool,
    as_json: bool,
) -> None:
    """Import FILES (folders: every file in them) and reconcile the books with each that tells of single payments.

    Without FILES: everything in the drop folder of the object store (statements.drop). The same file is imported
    once, reconciled as often as it is named; of the drop folder only new files are reconciled. Exits as
    `reconcile run` does, with the worst of several; a file that is refused (5) does not keep the others from being
    imported, a file without a line that could be read is incomplete (4).
    """
    config = load()
    told = told_of(dates, decimal, account)
    codes: list[int] = []
    answers: list[Any] = []
    with reading(config) as database:
        taking = StatementImport(
            database,
            store_of(config),
            lambda: lake_of(config),
            config.shop.name,
            own=own_formats(config.statements),
            whole=config.statements.on_reject == "file",
        )
        for name, file in _named(config, files):
            try:
                imported = _taken(taking, name, file, format_name=format_name, provider=provider, told=told)
            except InvalidStatement as problem:
                click.echo(f"orders: {problem.code}: {name}: {problem}", err=True)
                codes.append(EXIT_REFUSED)
                continue
            if not as_json:
                describe_file(imported.parsed)
                _what_became_of(imported)
            result = _compared(config, imported) if run and (files or imported.added) else None
            codes.append(_answered(config, imported, result, answers, as_json=as_json, asked=run))
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
    elif not codes:
        click.echo(f"nothing lies in {config.statements.drop}", err=True)
    if any(codes):
        raise click.exceptions.Exit(max(codes))


def _taken(
    taking: StatementImport, name: str, file: Path | bytes, *, format_name: str | None, provider: str | None, told: Told
) -> Imported:
    now = datetime.now(UTC)
    if isinstance(file, Path):
        imported = taking.take_report(file, now, format_name=format_name, provider=provider)
        if imported is not None:
            return imported
        file = file.read_bytes()
    return taking.take(name, file, now, format_name=format_name, provider=provider, told=told)


def _named(config: WorkerConfig, paths: tuple[Path, ...]) -> Iterator[tuple[str, Path | bytes]]:
    """Yield each file that is named, and the name and content of each that lies in the drop folder."""
    if not paths:
        store = store_of(config)
        for key in store.names(config.statements.drop):
            yield key, store.get(key)
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        for file in inside if path.is_dir() else [path]:
            yield file.name, file


def _compared(config: WorkerConfig, imported: Imported) -> ReconciliationResult | None:
    """Reconcile the books with a file; None where it has nothing to compare with."""
    if imported.file.scope is not StatementScope.LEDGER or not imported.lines:
        return None
    request = Reconcile(
        shop=config.shop.name,
        provider=imported.file.provider,
        statement_sha256=imported.file.sha256,
        repair=False,
        requested_by="cli",
    )
    window = f"file-{imported.file.sha256[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    return asyncio.run(reconcile(config, request, window))


def _answered(
    config: WorkerConfig,
    imported: Imported,
    result: ReconciliationResult | None,
    answers: list[Any],
    *,
    as_json: bool,
    asked: bool,
) -> int:
    """Print what a comparison answered, or keep it for the JSON document; return the exit code it stands for."""
    if result is None:
        answers.append(imported.file)
        if asked and imported.file.scope is StatementScope.LEDGER and not imported.lines:
            click.echo("nothing to compare: the file has no line that could be read", err=True)
            return INCOMPLETE
        return 0
    if as_json:
        answers.append(result)
        return exit_code(result.verdict)
    print_run(config, result.run_id)
    return exit_code(result.verdict)


def _what_became_of(imported: Imported) -> None:
    click.echo("imported" if imported.added else "this very file was imported before; nothing was added")
    if imported.foreign:
        click.echo(f"{imported.foreign} lines of other shops take no part")
    if imported.added and imported.file.scope is StatementScope.BANK:
        click.echo(f"{imported.new_entries} of {len(imported.parsed.entries)} bank entries were new")
    if imported.file.scope is StatementScope.PAYOUTS:
        click.echo("it tells of payouts alone: there are no payments in it to reconcile with")
