"""`orders reconcile backfill`: a past period, one run per window, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import record
from worker.cli.options import actor_option, dry_run_option, examples, moment, reason_option
from worker.cli.output import as_json, print_json, remark
from worker.cli.progress import progress_option, wanted
from worker.cli.reconcile_answer import reconcile
from worker.cli.settings import load
from worker.cli.verdicts import INCOMPLETE, exit_code
from worker.connections import reading
from worker.contract.reconciliation import Mode, Reconcile, ReconciliationResult, Window
from worker.domain.finding import Verdict
from worker.domain.window import Span

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.ports import Run

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@click.command(
    epilog=examples(
        "orders reconcile backfill --from 2026-11-01 --to 2026-11-08 --dry-run",
        "orders reconcile backfill --from 2026-11-01 --to 2026-11-08 --every 1d",
    )
)
@click.option("--from", "start", required=True, callback=moment, help="Start, ISO 8601 (inclusive).")
@click.option("--to", "end", required=True, callback=moment, help="End, ISO 8601 (exclusive), not in the future.")
@click.option("--every", default="1d", show_default=True, help="Length of a window: 15m, 1h, 1d ...")
@click.option(
    "--mode",
    type=click.Choice([Mode.FULL.value, Mode.LIGHT.value]),
    default=Mode.FULL.value,
    show_default=True,
    help="All legs, or payments alone.",
)
@click.option("--again", is_flag=True, help="Also run windows that have a complete run already.")
@click.option("--continue", "go_on", is_flag=True, help="Go on after a run that is incomplete.")
@reason_option(required=False)
@actor_option
@dry_run_option
@progress_option
@as_json
def backfill(
    start: datetime,
    end: datetime,
    every: str,
    mode: str,
    reason: str,
    actor: str,
    *,
    again: bool,
    go_on: bool,
    dry_run: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Reconcile a past period, one run per window, one after another, without repairs.

    Ends at the first run that is incomplete, and may be interrupted: asked for again, it goes on where it was, for
    windows with a complete run are skipped and a run that is still under way is waited for. Exits 4 when a run was
    incomplete, else 1 when one found open breaks.
    """
    config = load()
    spans = list(windows(Span(start, end), length(every)))
    if not dry_run:
        subject = f"reconcile/{config.provider.name}"
        record(config, "backfilled", subject, actor=actor, reason=reason, period=str(Span(start, end)), every=every)
    results: list[ReconciliationResult | Run] = []
    verdicts: list[str] = []
    for number, span in enumerate(spans, 1):
        stored = None if again else _stored(config, span, Mode(mode))
        if stored is not None:
            remark(f"{number} of {len(spans)}  {span}  {stored.verdict} already, run {stored.run_id}")
            verdicts.append(stored.verdict)
            continue
        if dry_run:
            remark(f"{number} of {len(spans)}  {span}  would run")
            continue
        result = _run(config, span, mode, actor, progress=wanted(progress))
        remark(f"{number} of {len(spans)}  {span}  {result.verdict}, run {result.run_id}")
        results.append(result)
        verdicts.append(result.verdict)
        if result.verdict == Verdict.INCOMPLETE and not go_on:
            for because in result.incomplete_because:
                remark(f"  {because}")
            remark("ended here; the same command goes on from this window, --continue passes over it")
            break
    if as_json:
        print_json(results)
    codes = {exit_code(verdict) for verdict in verdicts}
    if codes - {0}:
        raise click.exceptions.Exit(INCOMPLETE if INCOMPLETE in codes else max(codes))


def windows(period: Span, every: timedelta) -> Iterator[Span]:
    """Yield the windows of a period in order; the last one ends with it."""
    start = period.start
    while start < period.end:
        end = min(start + every, period.end)
        yield Span(start, end)
        start = end


def length(text: str) -> timedelta:
    """Read the length of a window. Raises BadParameter."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no length of a window like 15m, 1h or 1d")
    return int(found[1]) * _UNITS[found[2]]


def _stored(config: WorkerConfig, span: Span, mode: Mode) -> Run | None:
    from worker.services.ports import source_of

    shop, provider = config.shop.name, config.provider.name
    with reading(config) as database:
        return database.transact(lambda tx: tx.runs.of_window(shop, provider, source_of(mode), span.start, span.end))


def _run(config: WorkerConfig, span: Span, mode: str, actor: str, *, progress: bool) -> ReconciliationResult:
    request = Reconcile(
        shop=config.shop.name,
        provider=config.provider.name,
        window=Window(start=span.start.isoformat(), end=span.end.isoformat()),
        repair=False,
        requested_by=actor,
        mode=mode,
    )
    return reconcile(config, request, f"{span}-{mode}-backfill", again=True, progress=progress)
