"""Whole runs over a real database and small outside worlds: what must not look green, and what must not look broken."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from tests.integration.own_database import migrated_database
from tests.integration.review_world import CUT, DAY, HOUR, NOW, World
from worker.activities import reconciliation as activities
from worker.contract.orders import OrderEvent, OrderEventKind
from worker.contract.reconciliation import Reconcile, Window
from worker.domain.errors import InvalidInput
from worker.domain.finding import Break, FindingKind, Repair, Statement
from worker.domain.ledger import Shipment, ShipmentState, ShopOrder
from worker.domain.order import OrderState
from worker.domain.payment import Payment, PaymentState, Refund
from worker.domain.window import Span
from worker.repositories.database import MysqlDatabase
from worker.services import conclusion
from worker.services.ports import Run, ShopPayment, StatementScope


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[MysqlDatabase]:
    with migrated_database(database_url) as engine:
        yield MysqlDatabase(engine)


@pytest.fixture
def world(database: MysqlDatabase, request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(database, f"s{abs(hash(request.node.name)) % 10**12}", tmp_path)


def test_clean_books_are_green_and_a_file_of_them_too(world: World) -> None:
    world.order("1", OrderState.PAYING, OrderState.AUTHORISED, OrderState.PAID, at=CUT - HOUR)
    world.paid("1", at=CUT - HOUR / 2)
    assert world.run().verdict == "pending"  # its parcel has not left
    sha = world.statement(world.provider.lines)
    assert world.run(world.request(statement_sha256=sha)).verdict == "reconciled"


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"rows": 2, "rejected": 1}, "1 of 2 rows of the statement file could not be read"),
        ({"checks": {"payout po_1 EUR": "failed: its items make 5"}}, "contradicts itself: payout po_1 EUR"),
    ],
)
def test_a_file_that_was_not_read_whole_is_never_green(world: World, changes: dict[str, Any], because: str) -> None:
    world.order("1", at=CUT - HOUR)
    world.paid("1", at=CUT - HOUR / 2)
    sha = world.statement(world.provider.lines, **changes)
    run = world.run(world.request(statement_sha256=sha))
    assert run.verdict == "incomplete"
    assert because in run.incomplete_because[0]


def test_a_file_of_other_books_and_an_unknown_one_are_refused_for_good(world: World) -> None:
    sha = world.statement([world.charge("1", at=CUT - HOUR)])
    for wrong in ({"provider": "adyen"}, {"shop": "other"}, {"statement_sha256": "f" * 64}):
        request = world.request(**({"statement_sha256": sha} | wrong))
        with pytest.raises(InvalidInput):
            world.service.window(request, NOW)


@pytest.mark.parametrize("scope", [StatementScope.PAYOUTS, StatementScope.BANK])
def test_a_file_that_tells_of_no_single_payment_is_no_ledger_to_compare_with(
    world: World, scope: StatementScope
) -> None:
    """Or everything that was booked in its time would be missing at the provider."""
    sha = world.statement([world.charge("1", at=CUT - HOUR)], scope=scope)
    with pytest.raises(InvalidInput, match="not of single payments"):
        world.service.window(world.request(statement_sha256=sha), NOW)


def test_an_open_window_and_a_ledger_that_is_not_at_hand_are_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="has not ended"):
        world.service.window(world.between(CUT, NOW + timedelta(seconds=1)), NOW)
    with pytest.raises(InvalidInput, match="not adyen"):
        world.service.window(world.request(provider="adyen"), NOW)


def test_a_file_settles_what_was_booked_days_before_its_first_line(world: World) -> None:
    world.order("1", at=CUT - 3 * DAY)
    world.paid("1", at=CUT - 3 * DAY, theirs_at=CUT - HOUR)
    sha = world.statement(world.provider.lines)
    assert world.run(world.request(statement_sha256=sha)).verdict == "reconciled"


def test_a_backfill_leaves_the_breaks_of_today_open(world: World) -> None:
    world.provider.lines.append(world.charge("lost", at=CUT - 2 * HOUR))
    assert world.run().verdict == "breaks"
    (before,) = world.open()
    assert world.run(world.between(CUT - 40 * DAY, CUT - 39 * DAY)).verdict == "reconciled"
    assert world.open() == [before]
    assert world.watermark() == CUT


def test_an_old_window_asked_for_first_does_not_drag_the_schedule_back(world: World) -> None:
    world.run(world.between(CUT - 400 * DAY, CUT - 399 * DAY))
    assert world.watermark() is None
    assert world.service.window(world.request(offset_seconds=300), NOW) == Span(CUT - HOUR, CUT)


def test_the_window_of_a_first_run_that_failed_is_done_by_the_next(world: World) -> None:
    world.provider.away = True
    run = world.run(give_up=True)
    assert run.verdict == "incomplete"
    assert world.database.transact(lambda tx: tx.runs.statements(run.run_id)) == []
    world.provider.away = False
    assert world.service.window(world.request(offset_seconds=300), NOW + HOUR) == Span(CUT - HOUR, CUT + HOUR)
    world.clock.at += HOUR
    assert world.run(nominal=NOW + HOUR).verdict == "reconciled"
    assert world.watermark() == CUT + HOUR


def test_an_unexplained_residual_neither_resolves_nor_moves_the_watermark(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.provider.lines.append(world.charge("lost", at=CUT - 2 * HOUR))
    world.run()
    world.provider.lines.clear()
    bad = Statement(currency="EUR", ours_minor=0, theirs_minor=7, lines=())
    with monkeypatch.context() as patched:
        patched.setattr(conclusion, "statements_of", lambda *_: (bad,))
        world.clock.at += HOUR
        run = world.run(nominal=NOW + HOUR)
    assert (run.verdict, run.incomplete_because) == ("incomplete", ("EUR 0.07 of the difference is unexplained",))
    assert (len(world.open()), world.watermark()) == (1, CUT)
    assert (world.run(nominal=NOW + HOUR).verdict, world.open(), world.watermark()) == ("reconciled", [], CUT + HOUR)


def test_a_parcel_asked_for_long_ago_may_leave_today(world: World) -> None:
    asked, left = CUT - 9 * DAY, CUT - HOUR
    world.order("1", OrderState.PAYING, OrderState.AUTHORISED, OrderState.PAID, OrderState.FULFILLING, at=asked)
    world.paid("1", at=asked)
    world.warehouse.parcels = [
        Shipment(shipment_id="p1", order_id="1", state=ShipmentState.SHIPPED, requested_at=asked, shipped_at=left)
    ]
    ours = replace(world.warehouse.parcels[0], state=ShipmentState.REQUESTED, shipped_at=None)
    world.database.transact(lambda tx: tx.shipments.save(world.shop, ours))
    world.run()
    assert [(item.finding.kind, item.finding.repair) for item in world.open()] == [
        (FindingKind.STATUS_MISMATCH, Repair.DELIVER_SHIPMENT)
    ]
    world.database.transact(lambda tx: tx.shipments.save(world.shop, world.warehouse.parcels[0]))
    for state in (OrderState.SHIPPED, OrderState.COMPLETED):
        world.move("1", state, at=left)
    assert (world.run().verdict, world.open()) == ("reconciled", [])


def test_an_order_whose_parcel_is_forgotten_is_never_too_old_to_be_seen(world: World) -> None:
    asked = CUT - 30 * DAY
    world.order("1", OrderState.PAYING, OrderState.AUTHORISED, OrderState.PAID, OrderState.FULFILLING, at=asked)
    world.paid("1", at=asked)
    world.run()
    assert world.kinds() == [("1", FindingKind.PAID_UNSHIPPED)]


def test_money_that_comes_when_an_old_order_is_over_is_seen(world: World) -> None:
    world.order("1", OrderState.AWAITING_PAYMENT, OrderState.EXPIRED, at=CUT - 30 * DAY)
    world.paid("1", at=CUT - HOUR)
    world.run()
    assert world.kinds() == [("1", FindingKind.PAID_UNSHIPPED)]


def test_what_another_shop_took_is_its_own_unless_our_books_know_the_payment(world: World) -> None:
    world.order("1", at=CUT - HOUR)
    world.paid("1", at=CUT - 2 * HOUR)
    world.provider.lines += [
        replace(world.charge("1", at=CUT - 2 * HOUR, minor=900, shop="other"), line_id="t2", payment_reference="pi_x"),
        replace(world.charge("2", at=CUT - 2 * HOUR, shop="other"), line_id="t3", payment_reference="pi_y"),
    ]
    assert world.run(world.between(CUT - 3 * HOUR)).verdict in {"reconciled", "pending"}
    assert world.open() == []
    world.provider.lines[0] = replace(world.provider.lines[0], shop="other")
    world.run(world.between(CUT - 3 * HOUR))
    assert world.open() == []


def test_the_books_date_money_like_its_owner(world: World) -> None:
    placed, paid, refunded = CUT - 9 * DAY, CUT - 2 * DAY, CUT - DAY
    world.order("1", OrderState.AWAITING_PAYMENT, at=placed, mode="collected_by_shop")
    world.store.collected = [ShopPayment(reference=f"pi_{world.shop}", amount_minor=500, currency="EUR", at=paid)]
    event = OrderEvent(
        event_id="e",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=placed.isoformat(),
        amount_minor=500,
        currency="EUR",
    )
    assert world.books.captures(world.shop, "1", event)
    made = Refund(
        reference=f"re_{world.shop}",
        payment_reference=f"pi_{world.shop}",
        amount_minor=50,
        currency="EUR",
        created_at=refunded,
    )
    assert world.books.post_refunds(world.shop, "1", [made])
    entries = world.database.transact(lambda tx: tx.payments.entries_of_order(world.shop, "1"))
    assert [entry.occurred_at for entry in entries] == [paid, refunded]


def lost_order(world: World) -> Break:
    """Open the break of a shop order that never reached us."""
    world.store.listed = [
        ShopOrder(order_id="77", total_minor=500, currency="EUR", paid=True, cancelled=False, created_at=CUT - 2 * HOUR)
    ]
    world.run()
    (item,) = world.open()
    assert item.finding.repair is Repair.START_ORDER
    return item


@pytest.mark.parametrize("now", [{"cancelled_at": "2026-11-22T12:00:00Z"}, {"fulfillment_status": "fulfilled"}])
def test_an_order_that_was_cancelled_or_sent_meanwhile_is_not_started(world: World, now: dict[str, str]) -> None:
    item = lost_order(world)
    world.store.documents["77"] = {"id": 77} | now
    assert world.messages.event(item, "run") is None
    world.store.documents["77"] = {"id": 77, "cancelled_at": None, "fulfillment_status": None}
    event = world.messages.event(item, "run")
    assert event is not None
    assert event.topic == "orders/create"


def test_a_payment_for_an_order_cancelled_meanwhile_is_a_cancellation(world: World) -> None:
    world.order("77", OrderState.AWAITING_PAYMENT, at=CUT - DAY, mode="collected_by_shop")
    item = lost_payment(world)
    world.store.documents["77"] = {"id": 77, "cancelled_at": "2026-11-22T12:00:00Z"}
    event = world.messages.event(item, "run")
    assert event is not None
    assert event.topic == "orders/cancelled"


def lost_payment(world: World) -> Break:
    world.store.listed = [
        ShopOrder(order_id="77", total_minor=500, currency="EUR", paid=True, cancelled=False, created_at=CUT - DAY)
    ]
    world.run()
    (item,) = world.open()
    assert item.finding.repair is Repair.DELIVER_PAYMENT
    return item


def test_a_lost_payment_is_found_by_its_evidence_however_old_it_is(world: World) -> None:
    """The payment was made before the order was placed: no search from the order on would find it."""
    world.order("1", OrderState.AWAITING_PAYMENT, at=CUT - 2 * HOUR)
    line = world.charge("1", at=CUT - 2 * HOUR)
    world.provider.lines.append(line)
    world.run()
    (item,) = world.open()
    payment = Payment(
        provider="stripe",
        reference=line.payment_reference,
        amount_minor=500,
        currency="EUR",
        state=PaymentState.CAPTURED,
        captured_minor=500,
    )
    assert world.messages.event(item, "run") is None
    world.provider.held[line.payment_reference] = payment
    event = world.messages.event(item, "run")
    assert event is not None
    assert json.loads(event.body) == {"id": line.payment_reference}


async def test_a_long_read_keeps_its_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities, "HEARTBEAT_SECONDS", 0.005)
    beats = threading.Semaphore(0)

    class Slow:
        def run(self, *_: object, progress: Callable[[str], None], **__: object) -> Run:
            progress("reading one very long list")
            for _beat in range(5):
                assert beats.acquire(timeout=60)
            return Run(
                run_id="r",
                shop="main",
                provider="stripe",
                window_start=CUT - HOUR,
                window_end=CUT,
                source="api",
                requested_by="x",
                workflow_id="w",
                started_at=NOW,
                verdict="reconciled",
            )

    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: beats.release()
    nobody = cast("Any", None)
    steps = activities.ReconciliationActivities(cast("Any", Slow()), nobody, nobody, nobody)
    order = activities.RunOrder(
        request=Reconcile(shop="main", provider="stripe"),
        window=Window(start=(CUT - HOUR).isoformat(), end=CUT.isoformat()),
        run_id="r",
        workflow_id="w",
    )
    answer = environment.run(steps.compare_books, order)
    assert answer.verdict == "reconciled"
