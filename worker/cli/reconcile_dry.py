"""`orders reconcile run --dry-run`: what a run would answer and do to the breaks, stored nowhere."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from worker.cli.output import console, print_json
from worker.cli.progress import Meter
from worker.cli.verdicts import leave
from worker.connections import reading
from worker.contract.reconciliation import Progress, Reconcile
from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, Finding, FindingKind

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.run_result import Answer

FATE = {BreakStatus.NEW: "open", BreakStatus.REOPENED: "reopen", BreakStatus.RESOLVED: "resolve"}
"""What would become of a break; one that persists is not told."""

NAMED = 10
"""Breaks that are named on a terminal; --json has them all."""


def dry_run(config: WorkerConfig, request: Reconcile, *, progress: bool, as_json: bool) -> None:
    """Compare here and now, print the answer, and leave by its verdict.

    What was read lies in a folder that is gone afterwards; the lake and the database stay as they are.
    """
    from worker.app import reconciliation_of

    run_id = f"dry-{uuid.uuid4().hex[:12]}"
    with reading(config) as database:
        service = reconciliation_of(config, database)
        span = service.window(request, datetime.now(UTC))
        with Meter(shown=progress) as meter:
            answer = service.dry_run(
                request, span, run_id=run_id, progress=lambda step: meter.tell(Progress(step=step))
            )
    would = _would(answer)
    # As a run stores them: what plainly agrees is a number.
    told = [one for one in answer.findings if one.kind is not FindingKind.MATCHED]
    if as_json:
        print_json(
            {
                "dry_run": True,
                "run": answer.run,
                "statements": answer.statements,
                "findings": told,
                "would": would,
            }
        )
    else:
        _print(answer, told, would)
    leave(answer.run.verdict)


def _would(answer: Answer) -> dict[str, list[Break]]:
    fates: dict[str, list[Break]] = {name: [] for name in FATE.values()}
    for before, item in answer.fates:
        if item is not None and item.status in FATE and (before is None or before.status is not item.status):
            fates[FATE[item.status]].append(item)
    return fates


def _print(answer: Answer, told: list[Finding], would: dict[str, list[Break]]) -> None:
    from worker.reports.model import build
    from worker.reports.terminal import show

    after = [item or before for before, item in answer.fates]
    shown = build(
        answer.run,
        statements=answer.statements,
        findings=told,
        breaks=[item for item in after if item is not None and item.status in OPEN_STATUSES],
        resolved=would["resolve"],
        earlier=(),
    )
    show(shown, console())
    click.echo("dry run: nothing was stored, no break was changed, nothing was repaired. It would")
    for fate, items in would.items():
        named = ", ".join(f"{item.finding.kind} {item.finding.key}" for item in items[:NAMED])
        more = f", and {len(items) - NAMED} more" if len(items) > NAMED else ""
        click.echo(f"  {fate} {len(items)}{': ' if items else ''}{named}{more}")
