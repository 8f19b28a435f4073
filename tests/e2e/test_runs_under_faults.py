"""Runs that overlap, die, repeat a step or share the work: the same answer each time, and nothing is counted twice.

Seen from outside only: runs are asked for by HTTP and command line, and judged by what the database holds.
"""

import asyncio
import functools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError

from infra.local.blocking import BlockingStack
from infra.local.freeports import free_port
from infra.local.layout import PROJECT
from infra.local.process import ChildProcess
from infra.local.story.world import until
from tests.e2e.scene import Scene, opened, passed
from worker.config import WorkerConfig
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.finding import Finding, Outcome
from worker.services.ports import BreakAction, Transaction

pytestmark = pytest.mark.asyncio(loop_scope="module")

READS = {  # the first thing a run reads, and the last
    "the provider's ledger": "GET /stripe/v1/balance_transactions",
    "the warehouse's parcels": "GET /warehouse/v1/fulfilments",
}


@dataclass(frozen=True, kw_only=True)
class Harmed:
    """Orders that were harmed once and for all, and the earliest window that holds them."""

    scene: Scene
    orders: dict[str, tuple[str, int, int]]
    """Class, ours and theirs of each order's break."""
    since: datetime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def harmed_orders(stack: BlockingStack, config: WorkerConfig, harmed: set[str]) -> AsyncIterator[Harmed]:
    async with opened(stack, config, harmed) as scene:
        since = datetime.now(UTC).replace(microsecond=0)
        dropped, doubled, sound = [await scene.order(currency="GBP") for _ in range(3)]
        await scene.completes(dropped, doubled, sound)
        scene.harmed.update((dropped, doubled))
        for action, order_id in (("drop_charge", dropped), ("charge_twice", doubled)):
            await scene.world.control("POST", "/provider/tamper", {"action": action, "order_id": order_id})
        await scene.graces_over()
        orders = {dropped: ("missing_external", 3333, 0), doubled: ("duplicate_external", 3333, 6666)}
        yield Harmed(scene=scene, orders=orders, since=since)


async def asked(scene: Scene, start: datetime, end: datetime, *, repair: bool = False) -> str:
    """Ask for a run as an API client; return its workflow's id."""
    window = {"start": start.isoformat(), "end": end.isoformat()}
    answer = await scene.taken("/reconciliations", {"provider": "stripe", "window": window, "repair": repair})
    assert answer.status in {200, 202}, (answer.status, answer.body)
    return str(answer.body["workflow_id"])


async def window_end() -> datetime:
    """Return the next whole second, when it is over: no other run has this window."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    await passed(end)
    return end


def stored(scene: Scene, run_id: str) -> list[Finding]:
    found: list[Finding] = scene.transact(lambda tx: tx.runs.findings(run_id))
    return sorted(found, key=lambda item: (item.leg, item.key, item.currency))


def must_tell(harmed: Harmed, result: ReconciliationResult) -> None:
    """Demand that a run ended as if nothing had happened to it: every harm told once, every cent explained."""
    scene = harmed.scene
    assert (result.verdict, tuple(result.incomplete_because)) == ("breaks", ())
    found = stored(scene, result.run_id)
    told = [(f.order_id, (str(f.kind), f.ours_minor, f.theirs_minor)) for f in found if f.outcome is Outcome.BREAK]
    mine = [(order_id, what) for order_id, what in told if order_id in harmed.orders]
    assert sorted(mine) == sorted(harmed.orders.items())
    statements = scene.transact(lambda tx: tx.runs.statements(result.run_id))
    assert {statement.residual_minor for statement in statements} == {0}


def must_be_counted_once(harmed: Harmed) -> dict[str, int]:
    """Demand one open break per harmed order, found once in all its history; return how many runs have seen each."""
    scene = harmed.scene
    breaks = [item for item in scene.books.breaks("open") if item.finding.order_id in harmed.orders]
    assert sorted(item.finding.order_id for item in breaks) == sorted(harmed.orders)
    for item in breaks:
        shown = scene.transact(functools.partial(_history, item.break_id))
        # What was tried to repair it is told as well, and does not make it another break.
        assert [action.action for action in shown if not action.action.startswith("repair_")] == ["found"]
    return {item.finding.order_id: item.runs_seen for item in breaks}


def _history(break_id: str, tx: Transaction) -> list[BreakAction]:
    return list(tx.breaks.history(break_id))


async def test_four_overlapping_runs_at_once_count_each_break_once(harmed_orders: Harmed) -> None:
    scene, end = harmed_orders.scene, await window_end()
    since = harmed_orders.since
    starts = [since, since, since - timedelta(minutes=20), since + timedelta(seconds=1)]
    ids = await asyncio.gather(*(asked(scene, start, end) for start in starts))
    assert len(set(ids)) == 3, "the same window is the same run"
    by_hand = scene.json("reconcile", "run", "--from", since.isoformat(), "--to", end.isoformat(), status=1)
    results, typed = await asyncio.gather(asyncio.gather(*(scene.result(each) for each in set(ids))), by_hand)
    for result in results:
        must_tell(harmed_orders, result)
    new = sum(result.breaks_new for result in results) + int(typed["breaks_new"])
    assert new >= len(harmed_orders.orders)
    must_be_counted_once(harmed_orders)
    same = next(result for result in results if result.window.start == since.isoformat())
    assert stored(scene, str(typed["run_id"])) == stored(scene, same.run_id)


@pytest.mark.parametrize("what", READS)
async def test_a_worker_killed_while_it_reads_costs_nothing_but_time(harmed_orders: Harmed, what: str) -> None:
    scene, end = harmed_orders.scene, await window_end()
    await scene.world.control("PUT", "/faults", {"route": READS[what], "kind": "timeout_before", "seconds": 60})
    workflow_id = await asked(scene, harmed_orders.since, end)
    await spoiled(scene, 1)
    await asyncio.to_thread(scene.stack.kill, "worker")
    await scene.world.control("DELETE", "/faults")
    handle = scene.client.get_workflow_handle(workflow_id, result_type=ReconciliationResult)
    assert await given_up(scene, handle) >= 1
    await asyncio.to_thread(scene.stack.start, "worker")
    result = await scene.result(workflow_id)
    must_tell(harmed_orders, result)
    must_be_counted_once(harmed_orders)
    twin = await scene.json(
        "reconcile", "run", "--from", harmed_orders.since.isoformat(), "--to", end.isoformat(), status=1
    )
    assert stored(scene, str(twin["run_id"])) == stored(scene, result.run_id), "as if nobody had died"


async def test_a_run_whose_reads_fail_is_tried_again_and_counts_as_one(harmed_orders: Harmed) -> None:
    scene, end = harmed_orders.scene, await window_end()
    must_tell(harmed_orders, await scene.result(await asked(scene, harmed_orders.since - timedelta(hours=1), end)))
    before = must_be_counted_once(harmed_orders)
    rules = [
        {"route": READS["the provider's ledger"], "kind": "status", "status": 500, "times": 1},
        {"route": READS["the warehouse's parcels"], "kind": "reset_after", "times": 1},
    ]
    await scene.world.control("PUT", "/faults", {"rules": rules})
    result = await scene.result(await asked(scene, harmed_orders.since, await window_end()))
    assert all(rule["fired"] for rule in (await scene.world.control("GET", "/faults"))["rules"])
    must_tell(harmed_orders, result)
    after = must_be_counted_once(harmed_orders)
    assert after == {order_id: seen + 1 for order_id, seen in before.items()}, "one run, seen once, however often tried"


async def test_two_workers_share_runs_and_repairs_without_doing_anything_twice(harmed_orders: Harmed) -> None:
    scene = harmed_orders.scene
    await scene.world.control("PUT", "/webhooks/faults", {"kind": "lose", "source": "*", "topic": "*", "times": None})
    unheard = [await scene.buy() for _ in range(2)]
    await scene.world.control("DELETE", "/webhooks/faults")
    await scene.graces_over()
    end = await window_end()
    async with second_worker(scene):
        starts = [harmed_orders.since - timedelta(minutes=minute) for minute in range(4)]
        ids = [await asked(scene, start, end, repair=True) for start in starts]
        results = await asyncio.gather(*(scene.result(each) for each in ids))
        for result in results:
            must_tell(harmed_orders, result)
        await scene.completes(*unheard)
    must_be_counted_once(harmed_orders)
    for order_id in unheard:
        assert await scene.charged(order_id) == (1, 2580)
        parcels = await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")
        assert parcels["count"] == 1, "asked for once, whoever repaired it"
        order = scene.read(order_id)
        assert order is not None
        assert (order.captured_minor, order.refunded_minor) == (2580, 0)
    last = await scene.result(await asked(scene, harmed_orders.since, await window_end()))
    open_orders = {item.finding.order_id for item in scene.books.breaks("open")}
    assert not open_orders & set(unheard)
    must_tell(harmed_orders, last)


async def spoiled(scene: Scene, times: int) -> None:
    """Wait until so many calls are spoiled."""

    async def fired() -> bool:
        rules = (await scene.world.control("GET", "/faults"))["rules"]
        return sum(int(rule["fired"]) for rule in rules) >= times

    await until(f"{times} calls to be spoiled", fired, 60)


async def given_up(scene: Scene, handle: WorkflowHandle[Any, Any]) -> int:
    """Do what the server does when the heartbeats of a dead worker's steps stay away, without waiting for it."""
    steps = [
        step
        for step in (await handle.describe()).raw_description.pending_activities
        if step.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    ]
    for step in steps:
        pending = scene.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=None, activity_id=step.activity_id
        )
        await pending.fail(ApplicationError("its worker was killed"))
    return len(steps)


@asynccontextmanager
async def second_worker(scene: Scene) -> AsyncIterator[ChildProcess]:
    """Run another worker process beside the stack's own until the block ends, and drain it."""
    log = Path(scene.stack.member("worker").log).with_name("second-worker.log")
    port = free_port()
    outer = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "PYTHONUNBUFFERED": "1"}
    own = {
        name: text
        for name, text in scene.stack.env.items()
        if not name.startswith(("ORDERS_API__", "ORDERS_WEBHOOKS__"))
    }
    process = await ChildProcess.spawn(
        [sys.executable, "-m", "worker", "worker", "run"],
        environ=outer | own | {"ORDERS_WORKER__HEALTH_PORT": str(port)},
        cwd=PROJECT,
        log=log,
    )
    try:

        async def ready() -> bool:
            try:
                async with scene.http.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                    return answer.status == 200
            except OSError:
                return False

        await until(f"the second worker (log: {log})", ready, 60)
        yield process
    finally:
        assert await process.drain(15), "within its drain time"
