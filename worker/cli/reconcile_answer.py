"""Starting a reconciliation, and printing what it answered."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask, workflow_link
from worker.cli.output import console, print_json
from worker.cli.progress import Meter
from worker.cli.verdicts import leave
from worker.connections import reading, stored_at
from worker.contract.ids import reconciliation_workflow_id
from worker.contract.reconciliation import Reconcile, ReconciliationResult

if TYPE_CHECKING:
    from worker.config import WorkerConfig


def reconcile(
    config: "WorkerConfig", request: Reconcile, window: str, *, again: bool = False, progress: bool = False
) -> ReconciliationResult:
    """Start a reconciliation through Temporal and wait for its result."""
    from worker.temporal.operations import run_reconciliation

    workflow_id = reconciliation_workflow_id(request.shop, request.provider, window)
    with Meter(shown=progress) as meter:
        tell = meter.tell if progress else None
        return ask(config, lambda client: run_reconciliation(client, request, workflow_id, again=again, tell=tell))


def answer(config: "WorkerConfig", result: ReconciliationResult, *, as_json: bool) -> None:
    """Print the result of a run and exit by its verdict."""
    if as_json:
        print_json(result)
        leave(result.verdict)
    else:
        show_run(config, result.run_id, as_json=False)


def show_run(config: "WorkerConfig", run_id: str, *, as_json: bool) -> None:
    """Print a stored run and exit by its verdict."""
    leave(print_run(config, run_id, as_json=as_json))


def print_run(config: "WorkerConfig", run_id: str, *, as_json: bool = False) -> str:
    """Print a stored run and return its verdict."""
    from worker.reports.model import build
    from worker.reports.terminal import show as show_report
    from worker.services.reporting import run_record

    with reading(config) as database:
        record = run_record(database, run_id)
    if as_json:
        print_json({"run": record.run, "statements": record.statements, "breaks": list(record.breaks)})
        return record.run.verdict
    shown = build(
        # Where its report is, is said below in full.
        replace(record.run, report=""),
        statements=record.statements,
        findings=record.findings,
        breaks=record.breaks,
        resolved=record.resolved,
        earlier=record.earlier,
        broken=record.broken,
    )
    show_report(shown, console())
    if record.run.report:
        click.echo(f"report: {stored_at(config, record.run.report)}")
    if link := workflow_link(config, record.run.workflow_id):
        click.echo(f"workflow: {link}")
    return record.run.verdict
