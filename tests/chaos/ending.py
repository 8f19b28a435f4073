"""The end of a walk: everything is mended, settled and reconciled; then what must be true is looked at."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from infra.local.story.world import until
from tests.chaos.walk import Harm, Walk
from tests.e2e.scene import Scene
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.finding import Finding, Outcome
from worker.domain.order import TERMINAL, Order, OrderState
from worker.services.ports import BreakAction, Transaction

ROUNDS = 12
_MONEY_BACK = frozenset({OrderState.CANCELLED, OrderState.REFUNDED, OrderState.REJECTED, OrderState.DECLINED})
_QUIET = frozenset({OrderState.AWAITING_PAYMENT, OrderState.AUTHORISED, OrderState.FULFILLING})
"""States in which an order waits for a message; if it was lost, only a repair brings it on."""


@dataclass(kw_only=True)
class Outcomes:
    """What a walk came to."""

    orders_accepted: int = 0
    faults_injected: int = 0
    orders_lost: list[str] = field(default_factory=list)
    double_charges: list[str] = field(default_factory=list)
    invariants_broken: list[str] = field(default_factory=list)
    repairs_requested: int = 0
    differences_reported: int = 0

    @property
    def whole(self) -> bool:
        """Whether every promise was kept."""
        return not (self.orders_lost or self.double_charges or self.invariants_broken)


def window(hours: int = 1) -> dict[str, str]:
    """Return a window that ends at the last whole second."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {"start": (now - timedelta(hours=hours)).isoformat(), "end": now.isoformat()}


async def ended(scene: Scene, walks: Sequence[Walk]) -> Outcomes:
    """Mend everything, let it settle, reconcile until nothing is left to repair; return what it came to."""
    outcomes = Outcomes(
        orders_accepted=sum(len(walk.sold) for walk in walks), faults_injected=sum(walk.faults for walk in walks)
    )
    await scene.world.control("DELETE", "/faults")
    await scene.world.control("DELETE", "/webhooks/faults")
    await scene.world.control("POST", "/webhooks/release", {"reverse": True})
    await scene.all_delivered()
    names = [order_id for walk in walks for order_id in walk.sold]
    await _settled(scene, walks, names, outcomes)
    for _ in range(ROUNDS):
        await scene.graces_over()
        last = await run(scene, repair=True)
        outcomes.repairs_requested += last.repairs_requested
        if not last.repairs_requested and _unsettled(scene, names) == []:
            break
        await scene.all_delivered()
        await _wait(scene, names, 15)
    else:
        outcomes.invariants_broken.append(f"after {ROUNDS} runs there is still something to repair")
    again = await run(scene, repair=False)
    await _judge(scene, walks, outcomes)
    _judge_runs(scene, walks, outcomes, last, again)
    return outcomes


async def run(scene: Scene, *, repair: bool) -> ReconciliationResult:
    """Reconcile the last hour and wait for the answer."""
    await asyncio.sleep(1.1 - datetime.now(UTC).microsecond / 1e6)  # a window of its own: runs are named by theirs
    wish = {"provider": "stripe", "window": window(), "repair": repair}
    answer = await scene.post("/reconciliations", wish)
    assert answer.status in {200, 202}, (answer.status, answer.body)
    return await scene.result(str(answer.body["workflow_id"]))


async def _settled(scene: Scene, walks: Sequence[Walk], names: list[str], outcomes: Outcomes) -> None:
    posted = [sold.order_id for walk in walks for sold in walk.sold.values() if sold.document]

    async def at_rest() -> bool:
        books = scene.books.orders()
        return all(
            (name in books and books[name].state in TERMINAL | _QUIET) or (name not in books and name not in posted)
            for name in names
        )

    try:
        await until("every accepted order to be recorded and at rest", at_rest, 90)
    except TimeoutError as problem:
        outcomes.invariants_broken.append(str(problem))


def _unsettled(scene: Scene, names: list[str]) -> list[str]:
    books = scene.books.orders()
    return [name for name in names if name not in books or books[name].state not in TERMINAL]


async def _wait(scene: Scene, names: list[str], seconds: float) -> None:
    async def over() -> bool:
        return _unsettled(scene, names) == []

    try:
        await until("the repaired orders to end", over, seconds)
    except TimeoutError:
        return  # another round may bring on what this one did not


async def _judge(scene: Scene, walks: Sequence[Walk], outcomes: Outcomes) -> None:
    """Look at every order from all sides."""
    books, charges = scene.books.orders(), await scene.world.charges_by_order()
    for walk in walks:
        for name, sold in walk.sold.items():
            order = books.get(name)
            if order is None:
                outcomes.orders_lost.append(name)
                continue
            harm = walk.lasting.get(name)
            count, kept = charges.get(name, (0, 0))
            if count > 1 and (harm is None or harm.theirs != 2 * sold.total):
                outcomes.double_charges.append(name)
            for broken in await _broken(scene, order, sold.cancelled, harm, kept):
                outcomes.invariants_broken.append(f"{name}: {broken}")


async def _broken(scene: Scene, order: Order, cancelled: bool, harm: Harm | None, kept: int) -> list[str]:
    """Return what is wrong with one order."""
    found = []
    held = order.captured_minor - order.refunded_minor
    if order.state not in TERMINAL or order.state is OrderState.NEEDS_ATTENTION:
        found.append(f"it stands {order.state}: {order.state_reason}")
    if order.state in _MONEY_BACK and held:
        found.append(f"it is {order.state} and keeps {held}")
    if order.state is OrderState.COMPLETED and order.captured_minor != order.total_minor:
        found.append(f"it is completed with {order.captured_minor} of {order.total_minor}")
    # A parcel may leave before the warehouse is told to stop it (that it has left is looked at below).
    if cancelled and order.state not in {OrderState.CANCELLED, OrderState.COMPLETED}:
        found.append(f"its cancellation was accepted, but it is {order.state}")
    if harm is None:
        if held != kept:
            found.append(f"our books keep {held}, the provider {kept}")
        parcels = await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order.order_id}")
        shipped = sum(parcel["status"] == "shipped" for parcel in parcels["data"])
        if shipped != (order.state is OrderState.COMPLETED):
            found.append(f"it is {order.state} with {shipped} parcels shipped")
    return found


def _judge_runs(
    scene: Scene, walks: Sequence[Walk], outcomes: Outcomes, last: ReconciliationResult, again: ReconciliationResult
) -> None:
    """Compare what the last runs found with what the walks did."""
    names = {name for walk in walks for name in (*walk.sold, *walk.harm)}
    found = _findings(scene, last.run_id)
    mine = {
        item.order_id: Harm(leg=item.leg, kind=item.kind, ours=item.ours_minor, theirs=item.theirs_minor)
        for item in found
        if item.order_id in names and item.outcome is Outcome.BREAK
    }
    done = {name: harm for walk in walks for name, harm in walk.lasting.items()}
    outcomes.differences_reported = len(mine)
    for name in sorted(mine.keys() | done.keys()):
        if mine.get(name) != done.get(name):
            causes = [item.cause for item in found if item.order_id == name]
            outcomes.invariants_broken.append(f"{name}: done {done.get(name)}, found {mine.get(name)} {causes}")
    pending = sorted(
        {f"{f.order_id}: {f.kind}, {f.cause}" for f in found if f.outcome is Outcome.PENDING} if names else ()
    )
    outcomes.invariants_broken += [f"still pending: {text}" for text in pending if text.partition(":")[0] in names]
    if "incomplete" in {last.verdict, again.verdict}:
        outcomes.invariants_broken.append(f"a run was incomplete: {last.incomplete_because + again.incomplete_because}")
    for statement in scene.transact(lambda tx: tx.runs.statements(last.run_id)):
        if statement.residual_minor:
            outcomes.invariants_broken.append(f"{statement.currency} {statement.residual_minor} unexplained")
    before = [item for item in found if item.order_id in names]
    after = [item for item in _findings(scene, again.run_id) if item.order_id in names]
    if before != after or again.breaks_new:
        outcomes.invariants_broken.append("the same books gave another answer")
    still = {item.finding.order_id: item for item in scene.books.breaks("open") if item.finding.order_id in names}
    if set(still) != set(done):
        outcomes.invariants_broken.append(f"open breaks {sorted(still)}, harm done to {sorted(done)}")
    for item in still.values():
        actions = [action.action for action in scene.transact(functools.partial(_history, item.break_id))]
        if actions.count("found") != 1:
            outcomes.invariants_broken.append(f"the break of {item.finding.order_id} was found {actions}")


def _history(name: str, tx: Transaction) -> list[BreakAction]:
    return list(tx.breaks.history(name))


def _findings(scene: Scene, run_id: str) -> list[Finding]:
    found: list[Finding] = scene.transact(lambda tx: tx.runs.findings(run_id))
    return sorted(found, key=lambda item: (item.leg, item.key, item.currency))
