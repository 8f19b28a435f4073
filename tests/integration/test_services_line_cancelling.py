"""Pieces of orders that are cancelled before they left, on a real database and the simulated provider and warehouse."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import Engine

from tests.integration.leaving import by, half, held, left
from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from worker.contract.orders import CancelLines, LineCut, OrderEvent, OrderEventKind, OrderLine, PlaceOrder
from worker.domain.capture import CapturePolicy
from worker.domain.errors import Conflict, InvalidInput
from worker.domain.finding import Outcome
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.outbound import Subscription
from worker.domain.stock import Unknown
from worker.repositories.database import MysqlDatabase
from worker.services.line_cancelling import LineCancelling
from worker.services.refunds import Refunds
from worker.services.stock import StockService

_numbers = count(1)
ONE_MUG = LineCut(line=1, quantity=1)
"""Half of the office's order of 2500 for two mugs."""


@pytest.fixture(autouse=True)
def _one_capture(office: Office) -> Iterator[None]:
    yield
    office.outside.control("PUT", "/provider/settings", {"multicapture": False})


def request(*lines: LineCut, request_id: str = "l-1") -> CancelLines:
    return CancelLines(request_id=request_id, requested_by="ada", lines=lines or (ONE_MUG,), reason="sold out")


def cancel(office: Office, order_id: str, wanted: CancelLines | None = None) -> tuple[int, int]:
    """Do what the order's workflow does, each step twice; return what is owed less, and what was given back."""
    wanted = wanted or request()
    lines = LineCancelling(office.database, office.clock)
    refunds = Refunds(office.database, office.outside.payments(), office.books, office.clock)
    lines.look("main", order_id, wanted)
    for _ in range(2):
        office.orders.stop_fulfilment("main", order_id)
        done = lines.cancel("main", order_id, wanted)
    for _ in range(2):
        office.orders.request_rest("main", order_id, f"order/main/{order_id}:lines:{wanted.request_id}")
    if done.back_minor:
        plan = refunds.plan("main", order_id, done.back_minor)
        for _ in range(2):
            refunds.carry_out("main", order_id, plan, f"refund/main/{order_id}/lines")
    return done.amount_minor, done.back_minor


def charged(office: Office, order_id: str) -> None:
    office.pay(order_id)
    office.fulfil(order_id)


def leaves(office: Office, order_id: str) -> None:
    """Let what is under way leave, with what it holds, and take its money."""
    (parcel,) = [each for each in office.parcels_of(order_id) if each.state is ShipmentState.REQUESTED]
    packed = office.outside.warehouse().contents(parcel.shipment_id)
    lines = [{"sku": each.sku, "quantity": each.quantity} for each in packed]
    left(
        office, order_id, office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id, "lines": lines})
    )
    office.capture_shipped(order_id)


def broken(office: Office, order_id: str) -> list[str]:
    """Reconcile books, provider and warehouse; return what is wrong with the order."""
    span = office.span(office.clock.now() - timedelta(hours=2))
    run = office.reconcile(span, f"run-{order_id}-{next(_numbers)}")
    findings = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    return [found.kind for found in findings if found.order_id == order_id and found.outcome is Outcome.BREAK]


def test_what_was_captured_for_a_piece_goes_back_and_all_books_agree(office: Office, order_id: str) -> None:
    charged(office, order_id)
    assert cancel(office, order_id) == (1250, 1250)
    assert broken(office, order_id) == ["paid_unshipped"], "the rest waits, and nothing waits without a break here"
    leaves(office, order_id)
    order = office.order(order_id)
    assert (order.state, order.total_minor, order.kept_minor) == (OrderState.COMPLETED, 1250, 1250)
    assert order.financial_status == "partially_refunded"
    assert office.booked(order_id) == [2500, -1250]
    assert office.outside.charges(order_id) == [1, 1250]
    assert broken(office, order_id) == []


@pytest.mark.parametrize("policy", list(CapturePolicy))
def test_of_what_is_held_the_rest_alone_is_captured(office: Office, order_id: str, policy: CapturePolicy) -> None:
    office.outside.control("PUT", "/provider/settings", {"multicapture": True})
    by(office, policy)
    held(office, order_id)
    assert cancel(office, order_id) == (1250, 0)
    leaves(office, order_id)
    order = office.order(order_id)
    assert (order.state, order.captured_minor, order.refunded_minor) == (OrderState.COMPLETED, 1250, 0)
    assert order.financial_status == "paid"
    assert office.booked(order_id) == [1250]
    assert broken(office, order_id) == []


def test_what_has_left_cannot_be_cancelled_and_what_follows_it_can(office: Office, order_id: str) -> None:
    office.orders.record(_three(office, order_id))
    office.authorise(order_id)
    office.capture(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    left(office, order_id, half(office, parcel.shipment_id))
    lines = LineCancelling(office.database, office.clock)
    with pytest.raises(Conflict, match="only 1 of line 1 can still"):
        lines.look("main", order_id, request(LineCut(line=1, quantity=2)))
    assert lines.look("main", order_id, request(ONE_MUG, LineCut(line=2, quantity=1))).everything
    amount, back = cancel(office, order_id)
    assert amount == back == 1000 + 125 - 50, "with its shares of tax and discount"
    leaves(office, order_id)
    order = office.order(order_id)
    assert (order.state, order.kept_minor) == (OrderState.COMPLETED, order.total_minor)
    assert order.total_minor == 4800 - 1075
    assert [line.quantity for line in order.lines] == [1, 1]
    assert broken(office, order_id) == []


def _three(office: Office, order_id: str) -> PlaceOrder:
    lines = (
        OrderLine(sku="MUG", quantity=2, unit_price_minor=1000),
        OrderLine(sku="POT", quantity=1, unit_price_minor=2000),
    )
    return replace(
        office.placing(order_id), lines=lines, shipping_minor=500, tax_minor=500, discount_minor=200, total_minor=4800
    )


def test_a_request_takes_effect_once_and_is_told_of(office: Office, order_id: str) -> None:
    office.orders._database = MysqlDatabase(office.engine, [Subscription(name="erp", shop="main")])
    lines = LineCancelling(office.orders._database, office.clock)
    charged(office, order_id)
    with pytest.raises(Conflict, match="is under way"):
        lines.cancel("main", order_id, request())
    office.orders.stop_fulfilment("main", order_id)
    first = lines.cancel("main", order_id, request())
    assert lines.cancel("main", order_id, request()) == first
    told = [
        entry
        for entry in office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
        if entry.kind == "lines.cancelled"
    ]
    assert [(entry.actor, entry.amount_minor, entry.sentence) for entry in told] == [
        ("ada", 1250, "pieces were cancelled: 1 of MUG (request l-1)")
    ]
    messages = office.database.transact(lambda tx: tx.outbound.of_order("main", order_id))
    (body,) = [json.loads(message.body) for message in messages if message.kind == "lines.cancelled"]
    assert body["data"]["amount_minor"] == 1250
    subject = f"order/{order_id}"
    deeds = office.database.transact(lambda tx: tx.audit.about([subject]))[subject]
    assert [(each.record.actor, json.loads(each.record.detail)["reason"]) for each in deeds] == [("ada", "sold out")]


def test_refunds_of_before_count_and_nobody_gets_more_than_was_paid(office: Office, order_id: str) -> None:
    charged(office, order_id)
    refunds = Refunds(office.database, office.outside.payments(), office.books, office.clock)
    refunds.carry_out("main", order_id, refunds.plan("main", order_id, 500), "refund/1")
    assert cancel(office, order_id) == (1250, 750)
    assert office.order(order_id).kept_minor == 1250


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((LineCut(line=2, quantity=1),), InvalidInput),
        ((LineCut(line=1, quantity=0),), InvalidInput),
        ((ONE_MUG, LineCut(line=1, quantity=2)), Conflict),
    ],
)
def test_a_request_that_cannot_be_fulfilled_changes_nothing(
    office: Office, order_id: str, lines: tuple[LineCut, ...], kind: type[Exception]
) -> None:
    charged(office, order_id)
    with pytest.raises(kind):
        LineCancelling(office.database, office.clock).look("main", order_id, request(*lines))
    assert office.order(order_id).total_minor == 2500
    assert [each.state for each in office.parcels_of(order_id)] == [ShipmentState.REQUESTED]


def test_the_stopped_parcel_that_leaves_all_the_same_is_seen(office: Office, order_id: str) -> None:
    charged(office, order_id)
    (old,) = office.parcels_of(order_id)
    cancel(office, order_id)
    event = OrderEvent(
        event_id=f"failed-{order_id}",
        kind=OrderEventKind.SHIPMENT_FAILED,
        occurred_at=office.clock.now().isoformat(),
        reference=old.shipment_id,
    )
    assert office.orders.apply("main", order_id, event).answer.outcome == "ignored", "it was stopped, as it should"
    leaves(office, order_id)
    assert office.order(order_id).state is OrderState.COMPLETED


def test_stock_of_cancelled_pieces_is_free_and_every_level_is_its_movements_sum(
    engine: Engine, outside: OutsideProcess, office: Office, order_id: str
) -> None:
    keeping = Office(engine, outside, stocked={"main": Unknown.REFUSE})
    stock = StockService(keeping.database, keeping.clock)
    stock.adjust("main", "MUG", 5, actor="ada", reason="delivery")
    charged(keeping, order_id)
    assert (stock.level("main", "MUG").available, stock.level("main", "MUG").reserved) == (3, 2)
    cancel(keeping, order_id)
    assert (stock.level("main", "MUG").available, stock.level("main", "MUG").reserved) == (4, 1)
    leaves(keeping, order_id)
    level = stock.level("main", "MUG")
    assert (level.available, level.reserved, level.shipped) == (4, 0, 1)
    assert keeping.database.transact(lambda tx: tx.stock.contradictions("main")) == []
    assert office.order(order_id).state is OrderState.COMPLETED
