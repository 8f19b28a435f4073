import asyncio
from datetime import datetime

import pytest

from worker import housekeeping
from worker.domain.finding import Break, BreakStatus, Finding, FindingKind, Leg, Outcome
from worker.housekeeping import Housekeeping, Upkeep, heartbeat
from worker.observability.health import Pulse
from worker.observability.metrics import Metrics

PATIENCE = 60


def outcome(metrics: Metrics, job: str, name: str) -> float:
    return metrics.registry.get_sample_value("orders_upkeep_total", {"job": job, "outcome": name}) or 0


async def until(metrics: Metrics, job: str, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not outcome(metrics, job, name):
            await asyncio.sleep(0.01)


async def test_jobs_run_at_once_and_again_and_a_failing_one_does_not_stop_the_others() -> None:
    metrics = Metrics()
    runs: dict[str, int] = {"good": 0, "bad": 0}
    enough = asyncio.Event()

    async def good() -> None:
        runs["good"] += 1

    async def bad() -> None:
        runs["bad"] += 1
        if min(runs.values()) >= 2:
            enough.set()
        raise RuntimeError("broken")

    keeping = Housekeeping(
        [Upkeep(name="good", every_seconds=0.05, run=good), Upkeep(name="bad", every_seconds=0.05, run=bad)], metrics
    )
    keeping.start()
    await asyncio.wait_for(enough.wait(), PATIENCE)
    await keeping.stop()
    assert outcome(metrics, "good", "done") >= 2
    assert outcome(metrics, "bad", "failed") >= 1
    assert outcome(metrics, "bad", "done") == 0


async def test_a_job_that_hangs_is_cut_off_and_counted() -> None:
    metrics = Metrics()

    async def hang() -> None:
        await asyncio.Event().wait()

    keeping = Housekeeping([Upkeep(name="hang", every_seconds=60, run=hang, timeout_seconds=0.05)], metrics)
    keeping.start()
    await until(metrics, "hang", "failed")
    await keeping.stop()


async def test_stopping_lets_a_running_job_end() -> None:
    metrics = Metrics()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(0.2)
        ended.set()

    keeping = Housekeeping([Upkeep(name="slow", every_seconds=60, run=slow)], metrics)
    keeping.start()
    await asyncio.wait_for(begun.wait(), PATIENCE)
    await keeping.stop()
    assert ended.is_set()
    await keeping.stop()


async def test_stopping_cancels_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_STOP_SECONDS", 0.1)
    metrics = Metrics()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    keeping = Housekeeping([Upkeep(name="endless", every_seconds=60, run=endless)], metrics)
    keeping.start()
    await asyncio.wait_for(begun.wait(), PATIENCE)
    async with asyncio.timeout(PATIENCE):
        await keeping.stop()
    assert cancelled.is_set()


async def test_the_heartbeat_beats() -> None:
    pulse = Pulse()
    pulse._at -= 600
    await heartbeat(pulse).run()
    assert pulse.age < 60


def a_break(currency: str, at_risk: int, first_seen: datetime) -> Break:
    finding = Finding(
        leg=next(iter(Leg)),
        key="1",
        kind=FindingKind.MISSING_EXTERNAL,
        outcome=Outcome.BREAK,
        currency=currency,
        ours_minor=at_risk,
        theirs_minor=0,
        at_risk_minor=at_risk,
    )
    return Break(
        break_id="0" * 16,
        shop="main",
        provider="stripe",
        finding=finding,
        status=BreakStatus.NEW,
        first_seen_at=first_seen,
        last_seen_at=first_seen,
        first_movement_at=first_seen,
    )
