"""`orders reconcile replay|diff|watch`: what runs answered, proved, compared, awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask
from worker.cli.options import examples
from worker.cli.output import as_json, print_json
from worker.cli.progress import Meter, progress_option
from worker.cli.settings import load
from worker.cli.verdicts import DIFFERENT, leave
from worker.connections import lake_of, reading
from worker.domain.errors import NotFound
from worker.domain.finding import Finding, Statement

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.ports import Run, Transaction
    from worker.services.run_result import Difference


@click.command(epilog=examples("orders reconcile replay 41f0c9d2", "orders reconcile replay 41f0c9d2 --json"))
@click.argument("run_id", metavar="RUN")
@as_json
def replay(run_id: str, *, as_json: bool) -> None:
    """Do a finished run again from the inputs kept in the lake, and say whether the answer is the same to the byte.

    A verification, never a run: no break, watermark or row is written, and nobody outside is asked. Compared is what
    follows from the books (findings, sums); what people decided and what the run before left open is no part of it.
    Exits 0 when identical, 5 when different, naming what differs.
    """
    from worker.gateways.clock import SystemClock
    from worker.services.verification import Verification

    config = load()
    with reading(config) as database:
        verified = Verification(database, lake_of(config), SystemClock()).replay(run_id)
    if as_json:
        print_json(
            {
                "verification_of": run_id,
                "identical": verified.identical,
                "sha256": verified.sha256,
                "expected_sha256": verified.run.result_sha256,
                "inputs": verified.run.inputs,
                "findings": verified.findings,
                "agreeing": verified.agreeing,
                "differences": verified.differs,
            }
        )
    else:
        click.echo(f"verification of run {run_id}: {'identical' if verified.identical else 'DIFFERENT'}")
        click.echo(f"  findings {verified.findings}, keys that agree {verified.agreeing}")
        click.echo(f"  SHA-256 now   {verified.sha256}")
        if not verified.identical:
            click.echo(f"  SHA-256 then  {verified.run.result_sha256}")
            _print(verified.differs)
            if not verified.differs:
                click.echo("  the answer that is kept in the lake is not the one the run was stored with")
    if not verified.identical:
        raise click.exceptions.Exit(DIFFERENT)


@click.command(epilog=examples("orders reconcile diff 41f0c9d2 8c1e77ab"))
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@as_json
def diff(before: str, after: str, *, as_json: bool) -> None:
    """Show what changed from one run to another: findings, amounts, verdict, statement; people's decisions included."""
    from worker.services.run_result import differences, stored_document

    config = load()
    with reading(config) as database:
        found = tuple(
            database.transact(
                lambda tx: differences(*(stored_document(*_whole(tx, run_id)) for run_id in (before, after)))
            )
        )
    if as_json:
        print_json(found)
        return
    click.echo(f"{len(found)} differences from run {before} to run {after}")
    _print(found)


@click.command(
    epilog=examples("orders reconcile watch 41f0c9d2", "orders reconcile watch reconcile/main/stripe/2026-11-28")
)
@click.argument("run", metavar="RUN|WORKFLOW")
@progress_option
@as_json
def watch(run: str, *, progress: bool | None, as_json: bool) -> None:
    """Say how far a run is until it ends; progress goes to stderr. Exits as `run` does.

    Takes a run's id, or that of its workflow (it has slashes), as `list --json` and the Temporal UI show it.
    """
    from worker.temporal.operations import watch_reconciliation

    config = load()
    workflow_id = run if "/" in run else _workflow_of(config, run)
    # Who watches wants to see it, in lines where there is no terminal.
    with Meter(shown=progress is not False) as meter:
        result = ask(config, lambda client: watch_reconciliation(client, workflow_id, meter.tell))
    if as_json:
        print_json(result)
    else:
        click.echo(f"run {result.run_id}: {result.verdict}")
    leave(result.verdict)


def _whole(tx: Transaction, run_id: str) -> tuple[Run, list[Statement], list[Finding]]:
    run = tx.runs.get(run_id)
    if run is None or run.finished_at is None:
        raise NotFound(f"run {run_id} is not there or not finished; `orders reconcile list` shows the runs")
    return run, tx.runs.statements(run_id), tx.runs.findings(run_id)


def _workflow_of(config: WorkerConfig, run_id: str) -> str:
    with reading(config) as database:
        found = database.transact(lambda tx: tx.runs.get(run_id))
    if found is None:
        raise NotFound(f"there is no run {run_id}; `orders reconcile list` shows the runs")
    return found.workflow_id


def _print(found: tuple[Difference, ...]) -> None:
    for difference in found:
        click.echo(f"  {difference}")
