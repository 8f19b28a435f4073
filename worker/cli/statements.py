"""`orders statements`: take statement files of providers and banks in, look at them, reconcile the books with them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from worker.cli.main import EXIT_REFUSED
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.reconcile import INCOMPLETE, exit_code, print_run, reconcile
from worker.config import StatementsConfig, WorkerConfig, load, load_statements
from worker.connections import reading, store_of
from worker.contract.reconciliation import Reconcile, ReconciliationResult
from worker.contract.settings import ConfigurationError
from worker.domain.errors import InvalidStatement, NotFound
from worker.domain.money import format_minor
from worker.reports import rejects_csv
from worker.services.ports import Database, RejectedRow, StatementFile, StatementScope
from worker.statements.detection import FORMATS
from worker.statements.dialect import Dialect
from worker.statements.importing import Imported, StatementImport
from worker.statements.mapped import MappedJson, describe
from worker.statements.parse import ParsedStatement, parse
from worker.statements.told import DateOrder, Told

Command = Callable[..., None]


def told_options(command: Command) -> Command:
    """Add the options that answer what a file may leave open."""
    for option in (
        click.option("--account", default="", help="The account of a bank file that names none."),
        click.option(
            "--decimal", type=click.Choice([".", ","]), help="The decimal mark, where the file leaves it open."
        ),
        click.option(
            "--dates",
            type=click.Choice([order.value for order in DateOrder]),
            help="How 04/07 reads, where the file leaves it open.",
        ),
        click.option("--format", "format_name", help=f"Skip the detection: {', '.join(FORMATS)}, or one of yours."),
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Statement files of providers and banks."""


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@told_options
@as_json
def preview(
    file: Path, format_name: str | None, dates: str | None, decimal: str | None, account: str, *, as_json: bool
) -> None:
    """Say what an import would read and whether it would take it, without writing anything."""
    config = load_statements()
    told = _told(dates, decimal, account)
    parsed = parse(file.name, file.read_bytes(), format_name, told=told, own=_own_formats(config))
    if as_json:
        print_json(parsed)
        return
    _describe(parsed)
    if parsed.sound:
        click.echo("an import would take it whole")
    elif config.on_reject == "file" and (parsed.rejects or parsed.failed):
        click.echo("an import would refuse it as a whole (statements.on_reject)")
    else:
        click.echo("an import would take what can be read; a comparison with it says what is missing or repeated")


@command.command("import")
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
    told = _told(dates, decimal, account)
    codes: list[int] = []
    answers: list[Any] = []
    with reading(config) as database:
        taking = StatementImport(
            database,
            store_of(config),
            config.shop.name,
            own=_own_formats(config.statements),
            whole=config.statements.on_reject == "file",
        )
        for name, content in _named(config, files):
            try:
                imported = taking.take(
                    name, content, datetime.now(UTC), format_name=format_name, provider=provider, told=told
                )
            except InvalidStatement as problem:
                click.echo(f"orders: {problem.code}: {name}: {problem}", err=True)
                codes.append(EXIT_REFUSED)
                continue
            if not as_json:
                _describe(imported.parsed)
                _what_became_of(imported)
            result = _compared(config, imported) if run and (files or imported.added) else None
            codes.append(_answered(config, imported, result, answers, as_json=as_json, asked=run))
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
    elif not codes:
        click.echo(f"nothing lies in {config.statements.drop}", err=True)
    if any(codes):
        raise click.exceptions.Exit(max(codes))


@command.command("list")
@click.option("--limit", default=20, show_default=True)
@as_json
def list_files(limit: int, *, as_json: bool) -> None:
    """List the imported files, newest first."""
    config = load()
    with reading(config) as database:
        files = database.transact(lambda tx: tx.statements.recent(config.shop.name, limit))
    if as_json:
        print_json(files)
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
                file.name,
            )
            for file in files
        ],
    )


@command.command()
@click.argument("sha256")
@as_json
def show(sha256: str, *, as_json: bool) -> None:
    """Show one imported file by its SHA-256 or the beginning of it: what was checked, what was rejected."""
    config = load()
    with reading(config) as database:
        file = _imported(database, config.shop.name, sha256)
        rejects = database.transact(lambda tx: tx.statements.rejects(file.sha256))
    if as_json:
        print_json({"file": file, "rejects": rejects})
        return
    click.echo(f"{file.name}: {file.format} of {file.provider}, tells of {file.scope}, sha256 {file.sha256}")
    click.echo(f"  {file.rows} rows, {file.rejected} rejected, imported {when(file.imported_at)} UTC")
    click.echo(f"  from {when(file.first_at)} to {when(file.last_at)} UTC")
    _checks_and_rejects(file.checks, rejects)


@command.command()
@click.argument("sha256")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for a spreadsheet; text is made safe for one.")
@as_json
def rejects(sha256: str, *, as_csv: bool, as_json: bool) -> None:
    """Print the rows of an imported file that could not be read: line, column, reason."""
    config = load()
    with reading(config) as database:
        file = _imported(database, config.shop.name, sha256)
        rows = database.transact(lambda tx: tx.statements.rejects(file.sha256))
    if as_csv:
        click.echo(rejects_csv.render(file, rows), nl=False)
    elif as_json:
        print_json(rows)
    else:
        _checks_and_rejects({}, rows)


def _named(config: WorkerConfig, paths: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file that is named, or lies in the drop folder."""
    if not paths:
        store = store_of(config)
        for key in store.names(config.statements.drop):
            yield key, store.get(key)
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        for file in inside if path.is_dir() else [path]:
            yield file.name, file.read_bytes()


def _told(dates: str | None, decimal: str | None, account: str) -> Told:
    return Told(dates=DateOrder(dates) if dates else None, decimal=decimal or "", account=account)


def _own_formats(config: StatementsConfig) -> list[Dialect | MappedJson]:
    """Return the formats that the settings describe. Raises ConfigurationError with all that is wrong with any."""
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


def _imported(database: Database, shop: str, sha256: str) -> StatementFile:
    """Return the file of a SHA-256 or of its beginning. Raises NotFound."""
    file = database.transact(lambda tx: tx.statements.get(sha256))
    if file is None:
        recent = database.transact(lambda tx: tx.statements.recent(shop, _RECENT))
        fitting = [one for one in recent if len(sha256) >= 6 and one.sha256.startswith(sha256)]
        file = fitting[0] if len(fitting) == 1 else None
    if file is None:
        raise NotFound(f"no imported statement file has the SHA-256 {sha256[:64]}; `orders statements list` shows them")
    return file


def _compared(config: WorkerConfig, imported: Imported) -> ReconciliationResult | None:
    """Reconcile the books with a file; None where it has nothing to compare with."""
    if imported.file.scope is not StatementScope.LEDGER or not imported.parsed.lines:
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
        if asked and imported.file.scope is StatementScope.LEDGER and not imported.parsed.lines:
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
        click.echo(f"{imported.foreign} lines of other shops are left out")
    if imported.added and imported.file.scope is StatementScope.BANK:
        click.echo(f"{imported.new_entries} of {len(imported.parsed.entries)} bank entries were new")
    if imported.file.scope is StatementScope.PAYOUTS:
        click.echo("it tells of payouts alone: there are no payments in it to reconcile with")


def _soundness(file: StatementFile) -> str:
    failed = sum(result.startswith("failed") for result in file.checks.values())
    return f"{failed} failed" if failed else "ok"


def _describe(parsed: ParsedStatement) -> None:
    what = (
        f"{len(parsed.entries)} bank entries" if parsed.scope is StatementScope.BANK else f"{len(parsed.lines)} lines"
    )
    click.echo(f"{parsed.format}: {parsed.rows} rows, {what}, {len(parsed.rejects)} rejected, sha256 {parsed.sha256}")
    _checks_and_rejects(parsed.checks, parsed.rejects)
    sums = Counter[tuple[str, str]]()
    for line in parsed.lines:
        sums[line.kind.value, line.currency] += line.net_minor
    for entry in parsed.entries:
        sums[entry.status.value, entry.currency] += entry.amount_minor
    for (kind, currency), minor in sorted(sums.items()):
        click.echo(f"  {kind}: net {currency} {format_minor(minor, currency, parsed.provider)}")
    if parsed.first_at:
        click.echo(f"  from {when(parsed.first_at)} to {when(parsed.last_at)} UTC")


def _checks_and_rejects(checks: Mapping[str, str], rejects: Sequence[RejectedRow]) -> None:
    for name, result in checks.items():
        click.echo(f"  check {name}: {result}")
    if rejects:
        print_table(
            "rejected rows",
            ["line", "column", "reason"],
            [(str(row.line), row.column, row.reason) for row in rejects],
        )


_RECENT = 10_000
"""Files among which the beginning of a SHA-256 is looked up."""
