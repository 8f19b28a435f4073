"""What is heard months after an order closed: booked, answered, and nothing that was done is reopened."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from worker.contract.events import ProviderEvent
from worker.domain.finding import FindingKind, Leg
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.stock import Unknown
from worker.services.stock import StockService

MONTHS = timedelta(days=100)
_ids = count(1)


@pytest.fixture
def order_id() -> str:
    return f"late-{next(_ids)}"


def provider_says(office: Office, topic: str, thing: dict[str, Any]) -> str:
    return says(
        office, "stripe", "stripe", topic, {"created": int(office.clock.now().timestamp()), "data": {"object": thing}}
    )


def says(office: Office, source: str, dialect: str, topic: str, body: dict[str, Any]) -> str:
    """Deliver an event as its sender writes it; return what its workflow files as the answer."""
    event = ProviderEvent(
        source=source,
        dialect=dialect,
        shop="main",
        event_id=f"evt-late-{next(_ids)}",
        topic=topic,
        body=json.dumps(body),
        received_at=office.clock.now().isoformat(),
    )
    return office.deliver(event, run=f"run-{next(_ids)}")


def named(order_id: str, **thing: object) -> dict[str, Any]:
    return {"metadata": {"order_id": order_id, "shop": "main"}, "currency": "eur", **thing}


def breaks(office: Office, start: datetime, run: str) -> set[tuple[Leg, FindingKind]]:
    """Compare all books since `start`; return what is open."""
    office.reconcile(office.span(start), run)
    found = office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))
    return {(item.finding.leg, item.finding.kind) for item in found}


def closed(office: Office, order_id: str, *ends: Callable[[], object]) -> list[str]:
    """Let an order end and months pass; return the states it went through."""
    for end in ends:
        end()
    path = office.path(order_id)
    office.advance(MONTHS)
    return path


def test_a_refund_made_at_the_provider_months_later(office: Office, order_id: str) -> None:
    path = closed(office, order_id, lambda: office.complete(order_id))
    start = office.clock.now()
    (payment,) = office.payments_of(order_id)
    office.outside.payments().refund(payment.reference, 700, idempotency_key=f"desk:{order_id}")
    event = named(order_id, payment_intent=payment.reference, amount_refunded=700)
    assert provider_says(office, "charge.refunded", event) == "the money was booked"
    assert provider_says(office, "charge.refunded", event) == "", "the same again is nothing"
    assert (office.path(order_id), office.booked(order_id)) == (path, [2500, -700])
    assert office.order(order_id).financial_status == "partially_refunded"
    assert breaks(office, start, "late") == set()


@pytest.mark.parametrize("end", ["won", "lost"])
def test_a_dispute_months_later_and_its_end_months_after_that(office: Office, order_id: str, end: str) -> None:
    path = closed(office, order_id, lambda: office.complete(order_id))
    start = office.clock.now()
    dispute = office.outside.control("POST", "/provider/disputes", {"order_id": order_id})
    assert provider_says(office, "charge.dispute.created", dispute) == "the money was booked"
    assert breaks(office, start, "opened") == set()
    office.advance(MONTHS)
    start = office.clock.now()
    ended = office.outside.control("POST", f"/provider/disputes/{dispute['id']}/close", {"status": end})
    assert provider_says(office, "charge.dispute.closed", ended) == "the money was booked"
    assert office.booked(order_id) == ([2500, 2500, -2500] if end == "won" else [2500, -2500])
    assert (office.path(order_id), office.order(order_id).kept_minor) == (path, 2500 if end == "won" else 0)
    assert breaks(office, start, "ended") == set()


def paid_again(office: Office, order_id: str) -> str:
    """Take the order's money a second time, as a double click would, by a payment that names it."""
    gateway = office.outside.payments()
    key = f"again:{order_id}"
    held = gateway.authorise(
        shop="main", order_id=order_id, amount_minor=2500, currency="EUR", method="pm_card_visa", idempotency_key=key
    )
    return gateway.capture(held.reference, idempotency_key=f"{key}:capture").reference


def test_a_second_capture_of_a_completed_order_is_a_state_and_a_break(office: Office, order_id: str) -> None:
    """What the customer paid twice is booked and shown; whom it goes back to is for a person to say."""
    path = closed(office, order_id, lambda: office.complete(order_id))
    start = office.clock.now()
    second = paid_again(office, order_id)
    event = named(order_id, id=second, amount=2500, amount_received=2500)
    assert provider_says(office, "payment_intent.succeeded", event) == "the money was booked"
    assert (office.path(order_id), office.booked(order_id)) == (path, [2500, 2500])
    assert office.order(order_id).financial_status == "overcharged"
    assert breaks(office, start, "paid twice") == {(Leg.ORDERS, FindingKind.AMOUNT_OVER)}


def test_a_second_capture_of_a_cancelled_order_goes_back_at_once(office: Office, order_id: str) -> None:
    path = closed(office, order_id, lambda: office.pay(order_id), lambda: office.reverse(order_id))
    start = office.clock.now()
    second = paid_again(office, order_id)
    event = named(order_id, id=second, amount=2500, amount_received=2500)
    assert provider_says(office, "payment_intent.succeeded", event) == "the money was given back"
    assert (office.path(order_id), office.booked(order_id)) == (path, [2500, 2500, -2500, -2500])
    assert breaks(office, start, "given back") == set()


@pytest.mark.parametrize(
    ("topic", "told_as"),
    # What arrived unannounced is looked up, and so judged by its contents.
    [("shipment.shipped", FindingKind.STATUS_MISMATCH), ("shipment.delivered", FindingKind.SHIPPED_UNPAID)],
)
def test_a_parcel_after_the_cancellation(
    engine: Engine, outside: OutsideProcess, office: Office, order_id: str, topic: str, told_as: FindingKind
) -> None:
    """The goods are gone and so is the money: noted in books, timeline and stock, and put before a person.

    Its arrival may be all that is ever heard of it: that it left was told in a message that is lost.
    """
    office = Office(engine, outside, stocked={"main": Unknown.REFUSE})
    stock = StockService(office.database, office.clock)
    stock.count("main", "MUG", 5, actor="test", reason="delivery")
    shipped_before = stock.level("main", "MUG").shipped
    office.pay(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    start = office.clock.now()
    assert office.reverse(order_id, OrderState.CANCELLED).state == OrderState.CANCELLED
    path = office.path(order_id)
    level = stock.level("main", "MUG")
    assert (level.available, level.reserved, level.shipped - shipped_before) == (5, 0, 0)
    shipped = office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    body = {
        "timestamp": shipped["shipped_at"],
        "data": {"reference": f"main/{order_id}", "id": parcel.shipment_id, "shipped_at": shipped["shipped_at"]},
    }
    assert says(office, "warehouse", "warehouse", topic, body) == "the parcel was noted"
    assert says(office, "warehouse", "warehouse", topic, body) == "", "the same again is nothing"
    assert [known.state for known in office.parcels_of(order_id)] == [ShipmentState.SHIPPED]
    assert (office.path(order_id), office.booked(order_id)) == (path, [2500, -2500])
    level = stock.level("main", "MUG")
    assert (level.available, level.reserved, level.shipped - shipped_before) == (3, 0, 2)
    told = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
    assert "parcel.shipped" in {entry.kind for entry in told}
    assert breaks(office, start, topic) == {(Leg.SHIPMENTS, told_as)}
