"""Reconciliation on the running shop: what is lost is found and repaired, what was tampered with is reported.

One bad day is lived through once; each test looks at one promise about it. The runs cover the whole session: an open
break that no test has caused would be a bug of ours.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from infra.local.blocking import BlockingStack
from infra.local.story.reconciling import SCHEDULE
from infra.local.story.world import until
from tests.e2e.scene import Scene, fresh, opened, passed
from worker.config import WorkerConfig
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.finding import Finding, Leg
from worker.domain.order import OrderState
from worker.temporal.schedule_control import describe

pytestmark = pytest.mark.asyncio(loop_scope="module")


def last_hour() -> tuple[str, str]:
    """Return a window of whole seconds that ends now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return (now - timedelta(hours=1)).isoformat(), now.isoformat()


async def by_request(scene: Scene, *, repair: bool) -> ReconciliationResult:
    """Ask for a run as an API client does, twice; it must be one run."""
    start, end = last_hour()
    wish = {"provider": "stripe", "window": {"start": start, "end": end}, "repair": repair}
    answers = [await scene.taken("/reconciliations", wish) for _ in range(2)]
    assert [answer.status for answer in answers] in ([202, 200], [200, 200]), answers
    return await scene.result(answers[0].body["workflow_id"])


async def by_schedule(scene: Scene) -> ReconciliationResult:
    """Trigger the declared schedule as an operator does."""
    before = {run.workflow_id for run in (await describe(scene.client, SCHEDULE)).recent}
    await scene.cli("schedules", "trigger", SCHEDULE)
    started: list[str] = []

    async def fired() -> bool:
        recent = (await describe(scene.client, SCHEDULE)).recent
        started[:] = [run.workflow_id for run in recent if run.workflow_id not in before]
        return bool(started)

    await until("the schedule to start its run", fired, 60)
    return await scene.result(started[-1])


async def by_hand(scene: Scene, status: int, *options: str) -> dict[str, Any]:
    """Run it from the command line over the last hour; the exit code must be `status`."""
    start, end = last_hour()
    arguments = ("reconcile", "run", "--from", start, "--to", end, *options)
    found: dict[str, Any] = await scene.json(*arguments, status=status)
    return found


def findings(scene: Scene, run_id: str) -> dict[tuple[str, str], Finding]:
    """Return what a run stored, by leg and key."""
    found: list[Finding] = scene.transact(lambda tx: tx.runs.findings(run_id))
    return {(item.leg, item.key): item for item in found}


def kinds(scene: Scene, run_id: str, *, leg: Leg | None = None) -> dict[str, str]:
    """Return the class of each break of a run, by order."""
    return {
        item.order_id: str(item.kind)
        for item in findings(scene, run_id).values()
        if item.outcome == "break" and (leg is None or item.leg is leg)
    }


async def spoil(scene: Scene, **rule: Any) -> None:
    await scene.world.control("PUT", "/webhooks/faults", {"source": "*", "topic": "*", "times": None, **rule})


async def mend(scene: Scene) -> None:
    await scene.world.control("DELETE", "/webhooks/faults")


@dataclass(frozen=True, kw_only=True)
class Day:
    """Orders whose messages were lost or whose books were tampered with, and three runs over them."""

    scene: Scene
    lost: dict[str, str]
    """What must be found of orders with lost messages, by order; repaired by the second run."""
    tampered: dict[str, str]
    """What must be found of tampered orders, and stays."""
    amounts: dict[str, tuple[int, int, int]]
    """Ours, theirs and the amount at risk of orders in the provider's tampered books."""
    sound: str
    looked: dict[str, Any]
    """By the command line, without repair."""
    repaired: ReconciliationResult
    """By POST /reconciliations, with repair."""
    last: ReconciliationResult
    """By the schedule, after the repairs."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(stack: BlockingStack, config: WorkerConfig, harmed: set[str]) -> AsyncIterator[Day]:
    async with opened(stack, config, harmed) as scene:
        yield await bad_day(scene)


async def bad_day(scene: Scene) -> Day:
    unheard, unpaid, unshipped, uncancelled = await lose_messages(scene)
    dropped, changed, refunded, doubled, sound, edited = [
        *[await scene.order(currency="USD") for _ in range(5)],
        await scene.buy(),
    ]
    await scene.completes(dropped, changed, refunded, doubled, sound, edited)
    stranger = fresh("nobody")
    for path, wish in (
        ("/provider/tamper", {"action": "drop_charge", "order_id": dropped}),
        ("/provider/tamper", {"action": "change_amount", "order_id": changed, "amount": 1111}),
        ("/provider/tamper", {"action": "refund_silently", "order_id": refunded, "amount": 500}),
        ("/provider/tamper", {"action": "charge_twice", "order_id": doubled}),
        ("/shop/tamper", {"action": "change_total", "order_id": edited, "amount": 2000}),
        ("/warehouse/tamper", {"action": "ship_without_order", "reference": f"main/{stranger}"}),
    ):
        await scene.world.control("POST", path, wish)
    tampered = {
        dropped: "missing_external",
        changed: "amount_under",
        doubled: "duplicate_external",
        edited: "amount_under",
        stranger: "missing_internal",
    }
    scene.harmed.update(tampered, [refunded])
    await scene.graces_over()
    looked = await by_hand(scene, 1)
    assert scene.read(unheard) is None, "nothing is repaired unless that was asked for"
    repaired = await by_request(scene, repair=True)
    await scene.completes(unheard, unpaid, unshipped)
    await scene.comes_to(uncancelled, OrderState.CANCELLED)
    await until("the refund to be booked", lambda: booked_back(scene, refunded, 500), 60)
    await passed(datetime.now(UTC) + timedelta(seconds=1))  # a window ends at a whole second
    return Day(
        scene=scene,
        lost={
            unheard: "missing_internal",
            unpaid: "status_mismatch",
            unshipped: "status_mismatch",
            uncancelled: "status_mismatch",
            refunded: "refund_exceeds",
        },
        tampered=tampered,
        amounts={
            dropped: (3333, 0, 3333),
            changed: (3333, 1111, 2222),
            refunded: (3333, 2833, 500),
            doubled: (3333, 6666, 3333),
        },
        sound=sound,
        looked=looked,
        repaired=repaired,
        last=await by_schedule(scene),
    )


async def booked_back(scene: Scene, order_id: str, amount: int) -> bool:
    order = scene.read(order_id)
    return order is not None and order.refunded_minor == amount


async def lose_messages(scene: Scene) -> tuple[str, str, str, str]:
    """Buy four times; the order, the payment, the parcel and the cancellation are never heard of."""
    await spoil(scene, kind="lose")
    unheard = await scene.buy()
    await mend(scene)
    await spoil(scene, kind="lose", source="shopify", topic="orders/paid")
    await spoil(scene, kind="lose", source="stripe")
    unpaid = await scene.buy()
    await mend(scene)
    await spoil(scene, kind="lose", source="warehouse")
    unshipped = await scene.buy()
    await scene.comes_to(unshipped, OrderState.FULFILLING)

    async def shipped() -> bool:
        parcels = await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{unshipped}")
        return [parcel["status"] for parcel in parcels["data"]] == ["shipped"]

    await until("the parcel to leave", shipped, 60)
    await mend(scene)
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    uncancelled = await scene.buy()
    await scene.comes_to(uncancelled, OrderState.FULFILLING)
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 0})
    await spoil(scene, kind="lose", topic="orders/cancelled")
    await scene.world.control("POST", f"/shop/orders/{uncancelled}/cancel", {})
    await mend(scene)
    return unheard, unpaid, unshipped, uncancelled


async def test_every_harm_is_found_with_its_class_and_nothing_else(day: Day) -> None:
    assert (day.looked["verdict"], day.looked["incomplete_because"]) == ("breaks", [])
    assert day.looked["repairs_requested"] == 0
    expected = day.lost | day.tampered
    found = kinds(day.scene, day.looked["run_id"])
    assert {order: found.get(order) for order in expected} == expected
    assert set(found) <= set(expected) | day.scene.harmed
    assert day.sound not in found


async def test_amounts_are_explained_to_the_cent(day: Day) -> None:
    stored = findings(day.scene, day.looked["run_id"]).values()
    payments = {item.order_id: item for item in stored if item.leg is Leg.PAYMENTS}
    told = {
        order: (payments[order].ours_minor, payments[order].theirs_minor, payments[order].at_risk_minor)
        for order in day.amounts
    }
    assert told == day.amounts
    statements = day.scene.transact(lambda tx: tx.runs.statements(day.looked["run_id"]))
    assert {"EUR", "USD"} <= {statement.currency for statement in statements}
    assert {statement.residual_minor for statement in statements} == {0}


async def test_what_was_lost_is_repaired_by_the_webhooks_own_path(day: Day) -> None:
    assert day.repaired.repairs_requested >= len(day.lost)
    unheard, unpaid, unshipped, uncancelled, _ = day.lost
    assert [await day.scene.charged(order) for order in (unheard, unpaid, unshipped)] == [(1, 2580)] * 3
    assert await day.scene.charged(uncancelled) == (1, 0)
    entries = day.scene.transact(lambda tx: tx.inbox.recent(source=None, outcome=None, limit=1000))
    taken = {"applied", "late"}  # the order of the refund was over
    repairs = {entry.topic for entry in entries if entry.origin == "repair" and entry.outcome in taken}
    assert {"orders/paid", "orders/cancelled", "shipment.shipped", "charge.refunded"} <= repairs


async def test_every_repair_says_what_it_did_and_what_needs_a_person(day: Day) -> None:
    listed = await day.scene.json("repairs", "list", "--status", "all", status=1)
    by_order = {each["break"]["finding"]["order_id"]: each for each in listed if each["attempts"]}
    for order_id in day.lost:
        assert {each["outcome"] for each in by_order[order_id]["attempts"]} == {"delivered"}
    dropped = next(iter(day.tampered))
    (asked,) = by_order[dropped]["attempts"]
    assert (asked["repair"], asked["outcome"], by_order[dropped]["break"]["repair_state"]) == (
        "ask_provider",
        "contradicted",
        "failed",
    )


async def test_one_alert_tells_of_all_of_it_by_signed_webhook_and_by_mail(day: Day) -> None:
    alerts = [each for each in await day.scene.json("alerts", "list", status=1) if each["rule"] == "open_breaks"]
    (alert,) = alerts
    assert alert["concern"]["subjects"] >= len(day.tampered)
    notices = day.scene.transact(lambda tx: tx.alerts.notices(alert["alert_id"]))
    assert {(notice.endpoint, notice.outcome) for notice in notices} == {
        ("ops", "delivered"),
        ("finance", "delivered"),
    }
    hooks = (await day.scene.world.control("GET", "/hooks/alerts"))["data"]
    (told,) = [each for each in hooks if each["document"]["data"]["alert_id"] == alert["alert_id"]]
    secret = day.scene.stack.stack.layout.credentials.alert_webhook_secret
    Webhook(secret).verify(told["body"], told["headers"])
    assert not any(order_id in told["body"] for order_id in day.tampered)
    sampled = await day.scene.cli("alerts", "test", "open_breaks")
    assert "ops: took the sample" in sampled.out
    sample = (await day.scene.world.control("GET", "/hooks/alerts"))["data"][-1]
    assert sample["document"]["type"] == "reconciliation.alert.test"


async def test_the_next_run_resolves_what_was_repaired_and_keeps_the_rest(day: Day) -> None:
    assert day.last.verdict == "breaks"
    assert day.last.breaks_resolved >= len(day.lost)
    resolved = {item.finding.order_id for item in day.scene.books.breaks("resolved")}
    assert set(day.lost) <= resolved
    still = {item.finding.order_id: item for item in day.scene.books.breaks("open")}
    assert {order: str(still[order].finding.kind) for order in day.tampered} == day.tampered
    # Whatever crashed before in this session: only what tests harmed on purpose stands open.
    assert set(still) <= day.scene.harmed, sorted(set(still) - day.scene.harmed)
    await day.scene.cli("reconcile", "show", day.last.run_id, status=1)


async def test_the_same_books_give_the_same_answer(day: Day) -> None:
    window = ("--from", day.last.window.start, "--to", day.last.window.end)
    again = await day.scene.json("reconcile", "run", *window, status=1)
    assert again["run_id"] != day.last.run_id
    assert findings(day.scene, again["run_id"]) == findings(day.scene, day.last.run_id)
    assert (again["breaks_new"], again["breaks_resolved"]) == (0, 0)
    assert again["breaks_open"] == day.last.breaks_open
    listed = await day.scene.json("breaks", "list", status=1)
    mine = [item for item in listed if item["finding"]["order_id"] in day.tampered]
    assert len(mine) == len(day.tampered)
    assert {item["status"] for item in mine} == {"persisting"}
    shown = await day.scene.json("breaks", "show", mine[0]["break_id"])
    assert shown["history"][0]["action"] == "found"


async def test_the_report_needs_nothing_from_anywhere(day: Day) -> None:
    page = Path(day.scene.config.store.path) / day.last.report
    html = page.read_text(encoding="utf-8")
    assert all(order in html for order in day.tampered)
    assert not re.findall(r"""(?:src|href|action|srcset)\s*=\s*["']?\s*(?:https?:)?//""", html)
    assert not re.findall(r"""(?:url\(|@import)\s*["']?\s*(?:https?:)?//""", html)
    assert {".html", ".json", ".csv"} <= {file.suffix for file in page.parent.iterdir()}
    for file in page.parent.glob("*.json"):
        json.loads(file.read_text(encoding="utf-8"))


async def test_schedules_are_code_and_an_operator_s_pause_survives(day: Day) -> None:
    await day.scene.cli("schedules", "plan")
    await day.scene.cli("schedules", "pause", SCHEDULE, "--note", "month-end closing")
    try:
        applied = await day.scene.cli("schedules", "apply")
        assert "updated 0, unchanged 3" in applied.out
        (view,) = [one for one in await day.scene.json("schedules", "list") if one["id"] == SCHEDULE]
        assert view["paused"]
        assert view["note"].startswith("month-end closing (")
        assert view["next_times"] == []
    finally:
        await day.scene.cli("schedules", "resume", SCHEDULE, "--note", "closed")
    assert not (await describe(day.scene.client, SCHEDULE)).paused


async def test_a_window_that_nobody_can_reconcile_is_refused(day: Day) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    future = {"start": now.isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
    answer = await day.scene.post("/reconciliations", {"provider": "stripe", "window": future})
    assert answer.status == 422
    long_ago = [(now - timedelta(days=days)).isoformat() for days in (30, 29)]
    quiet = ("reconcile", "run", "--from", long_ago[0], "--to", long_ago[1])
    assert (await day.scene.json(*quiet))["verdict"] == "reconciled"
    await day.scene.cli("reconcile", "run", "--from", "yesterday", "--to", "2001-01-02T00:00:00Z", status=2)
    await day.scene.cli("reconcile", "show", "no-such-run", status=5)
