"""`orders statements import`: take files in, and reconcile the books with those that tell of single payments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from worker.cli.complaints import EXIT_REFUSED
from worker.cli.dialogue import record
from worker.cli.options import actor_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, remark
from worker.cli.progress import Meter, progress_option, wanted
from worker.cli.reconcile_answer import print_run, reconcile
from worker.cli.settings import load
from worker.cli.statement_words import describe_file, own_formats, told_of, told_options
from worker.cli.verdicts import INCOMPLETE, exit_code
from worker.connections import lake_of, reading, store_of
from worker.contract.reconciliation import Progress, Reconcile, ReconciliationResult
from worker.domain.errors import InvalidStatement

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.ports import Database
    from worker.statements.importing import Imported, StatementImport
    from worker.statements.told import Told


@click.command(
    "import",
    epilog=examples(
        "orders statements import balance.csv",
        "orders statements import november/ --no-reconcile --dry-run",
        "orders statements import # what lies in the drop folder",
    ),
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@told_options
@click.option("--provider", help="Whose books to compare with (default: the format's provider).")
@click.option("--reconcile/--no-reconcile", "run", default=True, show_default=True, help="With the books.")
@reason_option(required=False)
@actor_option
@dry_run_option
@progress_option
@as_json
def import_files(
    files: tuple[Path, ...],
    format_name: str | None,
    dates: str | None,
    decimal: str | None,
    account: str,
    provider: str | None,
    reason: str,
    actor: str,
    *,
    run: bool,
    dry_run: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Import FILES (folders: every file in them) and reconcile the books with each that tells of single payments.

    Without FILES: everything in the drop folder of the object store (statements.drop). The same file is imported
    once, reconciled as often as it is named; of the drop folder only new files are reconciled. Exits as
    `reconcile run` does, with the worst of several; a file that is refused (5) does not keep the others from being
    imported, a file without a line that could be read is incomplete (4).

    All files are imported before the first is reconciled: lists of payouts and bank statements take part in the
    comparison of every statement of their time.
    """
    from worker.statements.importing import StatementImport

    config = load()
    told = told_of(dates, decimal, account)
    codes: list[int] = []
    answers: list[Any] = []
    if dry_run:
        _look(config, files, told=told, format_name=format_name)
        return
    taken: list[tuple[str, Imported]] = []
    with (
        reading(config) as database,
        Meter(shown=wanted(progress), unit="bytes") as meter,
        _named(config, files) as named,
    ):
        taking = StatementImport(
            database,
            store_of(config),
            lambda: lake_of(config),
            config.shop.name,
            own=own_formats(config.statements),
            whole=config.statements.on_reject == "file",
        )
        weights = [file.stat().st_size for _, file in named]
        for number, (name, file) in enumerate(named):
            done = Progress(
                step=f"{name} ({number + 1} of {len(named)})", done=sum(weights[:number]), total=sum(weights)
            )
            meter.tell(replace(done, rows=done.total))
            try:
                imported = _taken(taking, name, file, format_name=format_name, provider=provider, told=told)
            except InvalidStatement as problem:
                remark(f"orders: {problem.code}: {name}: {problem}")
                codes.append(EXIT_REFUSED)
                continue
            taken.append((name, imported))
            if imported.added:
                record(config, "imported", f"statement/{imported.file.sha256}", actor=actor, reason=reason)
            if not as_json:
                describe_file(imported.read)
                _what_became_of(imported)
        if not as_json:
            _gaps(database, [imported for _, imported in taken])
        for name, imported in taken:
            result = _compared(config, imported, actor) if run and (files or imported.added) else None
            if result is not None and len(taken) > 1 and not as_json:
                click.echo(f"\ncompared with {name}:")
            codes.append(_answered(config, imported, result, answers, as_json=as_json, asked=run))
        if run and not as_json:
            _compare_again(database, config.shop.name, [imported for _, imported in taken])
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
    elif not codes:
        remark(f"nothing lies in {config.statements.drop}")
    if any(codes):
        raise click.exceptions.Exit(max(codes))


def _look(config: WorkerConfig, files: tuple[Path, ...], *, told: Told, format_name: str | None) -> None:
    """Say what each file holds, as `preview` does, and take none in."""
    from worker.statements.parse import open_statement, opener

    with _named(config, files) as named:
        for name, file in named:
            found = open_statement(name, opener(file), format_name, told=told, own=own_formats(config.statements))
            for _ in found:
                pass  # it tells of lines by their sums
            describe_file(found.statement)
    remark("this was a dry run: nothing was imported")


def _taken(
    taking: StatementImport, name: str, file: Path, *, format_name: str | None, provider: str | None, told: Told
) -> Imported:
    now = datetime.now(UTC)
    imported = taking.take_report(name, file, now, format_name=format_name, provider=provider)
    return imported or taking.take(name, file, now, format_name=format_name, provider=provider, told=told)


@contextmanager
def _named(config: WorkerConfig, paths: tuple[Path, ...]) -> Iterator[list[tuple[str, Path]]]:
    """Return the files that are named, or else those of the drop folder, each with its name."""
    found = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        found += [(file.name, file) for file in (inside if path.is_dir() else [path])]
    with TemporaryDirectory(prefix="orders-drop-") as folder:
        if not paths:
            store = store_of(config)
            found = [(key, store.fetch(key, Path(folder))) for key in store.names(config.statements.drop)]
        yield found


def _compared(config: WorkerConfig, imported: Imported, actor: str) -> ReconciliationResult | None:
    """Reconcile the books with a file; None where it has nothing to compare with."""
    from worker.services.ports import StatementScope

    if imported.file.scope is not StatementScope.LEDGER or not imported.read.made:
        return None
    request = Reconcile(
        shop=config.shop.name,
        provider=imported.file.provider,
        statement_sha256=imported.file.sha256,
        repair=False,
        requested_by=actor,
    )
    window = f"file-{imported.file.sha256[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    return reconcile(config, request, window)


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
    from worker.services.ports import StatementScope

    if result is None:
        answers.append(imported.file)
        if asked and imported.file.scope is StatementScope.LEDGER and not imported.read.made:
            remark("nothing to compare: the file has no line that could be read")
            return INCOMPLETE
        return 0
    if as_json:
        answers.append(result)
        return exit_code(result.verdict)
    print_run(config, result.run_id)
    return exit_code(result.verdict)


def _what_became_of(imported: Imported) -> None:
    from worker.services.ports import StatementScope

    click.echo("imported" if imported.added else "this very file was imported before; nothing was added")
    if imported.foreign:
        click.echo(f"{imported.foreign} lines of other shops take no part")
    if imported.added and imported.file.scope is StatementScope.BANK:
        click.echo(f"{imported.new_entries} of {imported.read.made} bank entries were new")
    if imported.file.scope is StatementScope.PAYOUTS:
        click.echo("it tells of payouts alone: comparisons of statements of its time take it in")


def _gaps(database: Database, taken: list[Imported]) -> None:
    """Say once what lies between the files that were taken in and others, and is in none of them."""
    from worker.services.continuity import gaps_of

    for gap in dict.fromkeys(gap for one in taken for gap in gaps_of(database, one.file)):
        remark(f"a gap: {gap}")


def _compare_again(database: Database, shop: str, taken: list[Imported]) -> None:
    """Name the statement that a new list of payouts belongs to, where no statement came along with it."""
    from worker.services.ports import StatementScope

    compared = {one.file.provider for one in taken if one.file.scope is StatementScope.LEDGER}
    for one in taken:
        file = one.file
        if not one.added or file.scope is not StatementScope.PAYOUTS or file.provider in compared:
            continue
        if file.first_at is None or file.last_at is None:
            continue
        start, end = file.first_at, file.last_at
        statements = database.transact(
            lambda tx, of=(shop, file.provider, StatementScope.LEDGER, start, end): tx.statements.telling(*of)  # type: ignore[misc]
        )
        if statements:
            click.echo(f"compare again: orders reconcile run --statement {statements[-1].sha256}")
