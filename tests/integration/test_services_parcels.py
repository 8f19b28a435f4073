"""Orders that leave in several parcels, on a real database and the simulated provider and warehouse."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.leaving import by, close, half, held, left, rest
from tests.integration.office import Office
from worker.contract.orders import OrderEvent, OrderEventKind, ReaddressOrder
from worker.contract.shipping import ShipTo
from worker.domain.capture import CapturePolicy
from worker.domain.errors import Conflict, ProviderUnavailable
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.outbound import KINDS, Subscription
from worker.domain.parcels import Fulfilment, fulfilment
from worker.domain.payment import PaymentState
from worker.repositories.database import MysqlDatabase
from worker.services.readdressing import Readdressing
from worker.services.refunds import Refunds


@pytest.fixture(autouse=True)
def _one_capture(office: Office) -> Iterator[None]:
    """Leave the provider's account as it was: with one capture a payment."""
    yield
    office.outside.control("PUT", "/provider/settings", {"multicapture": False})


@pytest.fixture
def several(office: Office) -> None:
    """Let the provider's account capture in parts."""
    office.outside.control("PUT", "/provider/settings", {"multicapture": True})


def charged(office: Office, order_id: str) -> str:
    office.pay(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    return parcel.shipment_id


def test_the_first_parcel_does_not_complete_a_paid_order(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    assert left(office, order_id, first) == "applied"
    assert left(office, order_id, first) == "ignored", "the same parcel again is nothing"
    order = office.order(order_id)
    assert order.state is OrderState.FULFILLING
    assert fulfilment(order, office.parcels_of(order_id)) is Fulfilment.PARTIALLY_FULFILLED
    assert left(office, order_id, rest(office, first)) == "applied"
    assert office.order(order_id).state is OrderState.COMPLETED
    assert office.booked(order_id) == [2500]


def test_the_rest_that_the_warehouse_announced_can_be_stopped(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    left(office, order_id, first)
    status = office.orders.stop_fulfilment("main", order_id)
    assert (status.state, status.fulfilment) == ("fulfilling", "partially_fulfilled")
    for _ in range(2):
        assert close(office, order_id) is OrderState.COMPLETED
    order = office.order(order_id)
    assert (order.captured_minor, order.refunded_minor) == (2500, 1250)
    assert "1 of 2 pieces sent" in [*office.database.transact(lambda tx: tx.orders.trail("main", order_id))][-2].reason


@pytest.mark.usefixtures("several")
def test_each_parcel_is_captured_with_its_share(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    for _ in range(2):
        status = office.capture_shipped(order_id)
        assert (status.state, status.captured_minor) == ("authorised", 1250)
    left(office, order_id, rest(office, first))
    for _ in range(2):
        assert office.capture_shipped(order_id).state == OrderState.COMPLETED
    assert office.booked(order_id) == [1250, 1250]
    assert office.outside.charges(order_id)[1] == 2500
    told = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
    assert [entry.kind for entry in told].count("money.captured") == 2
    parcels = [entry.sentence for entry in told if entry.kind == "parcel.shipped"]
    assert [sentence.rpartition(": ")[2] for sentence in parcels] == ["1 of MUG"] * 2, "its rest by SKU, too"


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "wrong_body"])
def test_a_lost_answer_is_one_capture_of_the_share(office: Office, order_id: str, fault: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    office.outside.fault("POST /stripe/v1/payment_intents/*/capture", fault)
    with pytest.raises(ProviderUnavailable):
        office.capture_shipped(order_id)
    office.outside.heal()
    assert office.capture_shipped(order_id).captured_minor == 1250
    left(office, order_id, rest(office, first))
    assert office.capture_shipped(order_id).captured_minor == 2500
    assert office.booked(order_id) == [1250, 1250]


@pytest.mark.parametrize("policy", list(CapturePolicy))
def test_without_several_captures_there_is_one(office: Office, order_id: str, policy: CapturePolicy) -> None:
    by(office, policy)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    paid_ahead = 2500 if policy is CapturePolicy.FIRST_PARCEL else 0
    assert office.capture_shipped(order_id).captured_minor == paid_ahead
    left(office, order_id, rest(office, first))
    status = office.capture_shipped(order_id)
    assert (status.state, status.captured_minor) == ("completed", 2500)
    assert office.booked(order_id) == [2500]


@pytest.mark.parametrize("policy", list(CapturePolicy))
@pytest.mark.parametrize("parts", [True, False])
def test_what_is_not_sent_is_not_paid(office: Office, order_id: str, policy: CapturePolicy, *, parts: bool) -> None:
    office.outside.control("PUT", "/provider/settings", {"multicapture": parts})
    by(office, policy)
    left(office, order_id, half(office, held(office, order_id)))
    office.capture_shipped(order_id)
    office.orders.stop_fulfilment("main", order_id)
    for _ in range(2):
        assert close(office, order_id) is OrderState.COMPLETED
    order = office.order(order_id)
    assert order.kept_minor == 1250
    assert office.outside.charges(order_id)[1] == 1250
    (payment,) = office.payments_of(order_id)
    assert office.outside.payments().retrieve(payment.reference).state is PaymentState.CAPTURED, "nothing is held"


@pytest.mark.usefixtures("several")
def test_a_part_can_be_refunded_and_never_more_than_was_captured(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    office.capture_shipped(order_id)
    refunds = Refunds(office.database, office.outside.payments(), office.books, office.clock)
    with pytest.raises(Exception, match="1250"):
        refunds.plan("main", order_id, 1251)
    refunds.carry_out("main", order_id, refunds.plan("main", order_id, 1000), "refund/1")
    left(office, order_id, rest(office, first))
    office.capture_shipped(order_id)
    assert office.order(order_id).state is OrderState.COMPLETED
    plan = refunds.plan("main", order_id, None)
    assert plan.amount_minor == 1500
    refunds.carry_out("main", order_id, plan, "refund/2")
    assert office.booked(order_id) == [1250, 1250, -1000, -1500]


@pytest.mark.usefixtures("several")
def test_a_hold_that_lapses_between_parcels_ends_with_a_person(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    office.capture_shipped(order_id)
    (payment,) = office.payments_of(order_id)
    office.outside.payments().release(payment.reference, idempotency_key="lapse")
    told = OrderEvent(
        event_id=f"closed-{order_id}",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=office.clock.now().isoformat(),
        reference=payment.reference,
    )
    assert office.orders.apply("main", order_id, told).answer.outcome == "applied", "the workflow is to hear of it"
    office.orders.stop_fulfilment("main", order_id)
    assert close(office, order_id, OrderState.NEEDS_ATTENTION) is OrderState.NEEDS_ATTENTION
    assert office.booked(order_id) == [1250]


def test_more_than_was_ordered_is_told_and_sticks_nothing(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    many = [{"sku": "MUG", "quantity": 3}, {"sku": "CUP", "quantity": 1}]
    assert left(office, order_id, {**first, "lines": many}) == "applied"
    assert office.order(order_id).state is OrderState.COMPLETED
    told = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
    (surplus,) = [entry.sentence for entry in told if entry.kind == "parcel.surplus"]
    assert "1 of MUG, 1 of CUP" in surplus


def test_a_parcel_after_its_order_was_closed_is_noted(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    left(office, order_id, first)
    close(office, order_id)
    second = rest(office, first)
    assert left(office, order_id, second) == "ignored"
    assert {parcel.shipment_id for parcel in office.parcels_of(order_id)} == {first["id"], second["id"]}
    assert office.order(order_id).state is OrderState.COMPLETED


def test_a_delivery_is_noted_and_tells_that_the_parcel_left(office: Office, order_id: str) -> None:
    parcel = charged(office, order_id)
    event = OrderEvent(
        event_id=f"there-{order_id}",
        kind=OrderEventKind.DELIVERED,
        occurred_at=office.clock.now().isoformat(),
        reference=parcel,
    )
    assert office.orders.apply("main", order_id, event).answer.outcome == "applied"
    order = office.order(order_id)
    assert order.state is OrderState.COMPLETED
    assert fulfilment(order, office.parcels_of(order_id)) is Fulfilment.DELIVERED
    again = replace(event, event_id="again")
    assert office.orders.apply("main", order_id, again).answer.outcome == "ignored"


def arrival(office: Office, parcel: str) -> OrderEvent:
    """Return the word of a parcel's arrival, which says nothing of what it holds."""
    return OrderEvent(
        event_id=f"there-{parcel}",
        kind=OrderEventKind.DELIVERED,
        occurred_at=office.clock.now().isoformat(),
        reference=parcel,
    )


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("place", [charged, held])
def test_a_part_that_is_heard_of_when_it_arrived_is_no_more_than_that_part(
    office: Office, order_id: str, place: Callable[[Office, str], str]
) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, place(office, order_id))
    office.orders.apply("main", order_id, arrival(office, str(first["id"])))
    office.capture_shipped(order_id)
    order = office.order(order_id)
    assert order.state is not OrderState.COMPLETED
    assert fulfilment(order, office.parcels_of(order_id)) is Fulfilment.PARTIALLY_DELIVERED
    assert order.captured_minor == (2500 if place is charged else 1250)
    left(office, order_id, first)
    known = {parcel.shipment_id: parcel.state for parcel in office.parcels_of(order_id)}
    assert known[str(first["rest"])] is ShipmentState.REQUESTED, "it can be stopped"
    left(office, order_id, rest(office, first))
    office.capture_shipped(order_id)
    order = office.order(order_id)
    assert (order.state, order.captured_minor) == (OrderState.COMPLETED, 2500)


@pytest.mark.parametrize("place", [charged, held])
def test_a_parcel_that_left_is_not_said_to_have_failed(
    office: Office, order_id: str, place: Callable[[Office, str], str]
) -> None:
    first = half(office, place(office, order_id))
    left(office, order_id, first)
    failed = replace(arrival(office, str(first["id"])), event_id="late", kind=OrderEventKind.SHIPMENT_FAILED)
    assert office.orders.apply("main", order_id, failed).answer.outcome == "ignored", "the rest is not to be stopped"


@pytest.mark.usefixtures("several")
def test_an_arrival_after_the_hold_lapsed_does_not_let_the_rest_leave_unpaid(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    office.capture_shipped(order_id)
    (payment,) = office.payments_of(order_id)
    office.outside.payments().release(payment.reference, idempotency_key="lapse")
    office.orders.apply("main", order_id, arrival(office, str(first["id"])))
    assert office.capture_shipped(order_id).state == OrderState.AUTHORISED, "the provider's event is still to be heeded"
    left(office, order_id, rest(office, first))
    status = office.capture_shipped(order_id)
    assert (status.state, status.captured_minor) == (OrderState.NEEDS_ATTENTION, 1250)


@pytest.mark.usefixtures("several")
def test_a_capture_of_another_amount_under_the_same_key_is_waited_for(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    # What the provider keeps of a call that it failed: its key, and no capture.
    office.outside.payments().refund(
        office.pay(f"{order_id}-other").reference, 1, idempotency_key=f"order/main/{order_id}:capture"
    )
    with pytest.raises(ProviderUnavailable):
        office.capture_shipped(order_id)
    assert office.order(order_id).state is OrderState.AUTHORISED, "the money is held all the same"
    office.advance(timedelta(hours=25))
    assert office.capture_shipped(order_id).captured_minor == 1250


@pytest.mark.parametrize("policy", [CapturePolicy.EACH_PARCEL, CapturePolicy.LAST_PARCEL])
def test_a_parcel_heard_of_between_two_attempts_to_close_is_for_a_person(
    office: Office, order_id: str, policy: CapturePolicy
) -> None:
    by(office, policy)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    office.outside.fault("POST /stripe/v1/payment_intents/*/capture", "reset_after")
    with pytest.raises(ProviderUnavailable):
        close(office, order_id)
    office.outside.heal()
    left(office, order_id, rest(office, first))
    assert close(office, order_id) is OrderState.NEEDS_ATTENTION
    assert office.booked(order_id) == [1250]


@pytest.mark.usefixtures("several")
def test_a_rest_that_cannot_be_let_go_is_for_a_person(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    left(office, order_id, half(office, held(office, order_id)))
    office.capture_shipped(order_id)
    office.orders.stop_fulfilment("main", order_id)
    body = {"error": {"type": "invalid_request_error", "code": "charge_not_capturable", "message": "no"}}
    office.outside.fault("POST /stripe/v1/payment_intents/*/capture", "status", status=400, body=body, times=9)
    assert close(office, order_id) is OrderState.NEEDS_ATTENTION
    office.outside.heal()
    assert "could not be let go" in office.order(order_id).state_reason


@pytest.mark.usefixtures("several")
def test_where_a_parcel_cannot_be_paid_for_the_rest_is_stopped(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.EACH_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    (payment,) = office.payments_of(order_id)
    office.outside.payments().cancel(payment.reference, idempotency_key="lapse")
    assert office.capture_shipped(order_id).state == OrderState.NEEDS_ATTENTION
    assert office.orders.stop_fulfilment("main", order_id).state == OrderState.NEEDS_ATTENTION
    known = {parcel.shipment_id: parcel.state for parcel in office.parcels_of(order_id)}
    assert known[str(first["rest"])] is ShipmentState.FAILED


def told_of_parcels(office: Office, order_id: str) -> list[dict[str, Any]]:
    """Return the webhooks about parcels, as they are to be sent, in the order in which it happened."""
    messages = office.database.transact(lambda tx: tx.outbound.of_order("main", order_id))
    documents = [json.loads(message.body) for message in messages if message.kind.startswith("parcel.")]
    assert [document["id"] for document in documents] == [
        message.message_id for message in messages if message.kind.startswith("parcel.")
    ]
    return documents


def delivered(office: Office, order_id: str, parcel: str, event_id: str) -> str:
    event = OrderEvent(
        event_id=event_id,
        kind=OrderEventKind.DELIVERED,
        occurred_at=office.clock.now().isoformat(),
        reference=parcel,
    )
    return office.orders.apply("main", order_id, event).answer.outcome


@pytest.fixture
def subscribed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a program of the shop want to know of all there is."""
    monkeypatch.setattr(
        office.orders, "_database", MysqlDatabase(office.engine, [Subscription(name="erp", shop="main")])
    )


@pytest.mark.usefixtures("subscribed")
def test_subscribers_are_told_of_each_parcel_that_leaves_and_arrives_once(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    before = office.order(order_id).state
    for _ in range(2):
        left(office, order_id, first)
    assert office.order(order_id).state is before, "nothing else would tell of it"
    (heard,) = told_of_parcels(office, order_id)
    assert (heard["type"], heard["data"]) == (
        "parcel.shipped",
        {
            "order_id": order_id,
            "shop": "main",
            "fact": f"parcel:{first['id']}:shipped",
            "shipment_id": first["id"],
            "contents": [{"line": 1, "sku": "MUG", "quantity": 1}],
            "fulfilment": "partially_fulfilled",
            "currency": "EUR",
            "captured_minor": 2500,
            "refunded_minor": 0,
        },
    )
    for again in ("there", "there-again"):
        delivered(office, order_id, str(first["id"]), f"{again}-{order_id}")
    second = rest(office, first)
    left(office, order_id, second)
    delivered(office, order_id, str(second["id"]), f"there-too-{order_id}")
    told = told_of_parcels(office, order_id)
    assert sorted((one["type"], one["data"]["shipment_id"], one["data"]["fulfilment"]) for one in told) == sorted(
        [
            ("parcel.shipped", first["id"], "partially_fulfilled"),
            ("parcel.delivered", first["id"], "partially_delivered"),
            ("parcel.shipped", second["id"], "partially_delivered"),
            ("parcel.delivered", second["id"], "delivered"),
        ]
    )
    assert len({one["id"] for one in told}) == len(told)
    assert {one["type"] for one in told} <= set(KINDS)
    assert all(one["data"]["contents"] == [{"line": 1, "sku": "MUG", "quantity": 1}] for one in told)


@pytest.mark.usefixtures("subscribed")
def test_a_delivery_that_is_the_first_word_of_a_parcel_tells_of_both(office: Office, order_id: str) -> None:
    parcel = charged(office, order_id)
    delivered(office, order_id, parcel, f"there-{order_id}")
    told = told_of_parcels(office, order_id)
    assert {one["type"] for one in told} == {"parcel.shipped", "parcel.delivered"}
    assert all(one["data"]["contents"] == [{"line": 1, "sku": "MUG", "quantity": 2}] for one in told)


def test_the_rest_of_an_order_stays_where_it_was_asked_for_and_can_be_cancelled(office: Office, order_id: str) -> None:
    first = half(office, charged(office, order_id))
    left(office, order_id, first)
    elsewhere = ReaddressOrder(
        request_id="a-1",
        requested_by="shop-app",
        ship_to=ShipTo(recipient="R", lines=("Other Street 1",), city="Ghent", country="BE"),
    )
    readdressing = Readdressing(office.database, office.clock)

    def refused(words: str) -> None:
        with pytest.raises(Conflict, match=words):
            readdressing.change("main", order_id, elsewhere)
        assert office.database.transact(lambda tx: tx.shipping_addresses.of_order("main", order_id)) is None

    refused("cancel the order")
    # What the refusal advises: the rest does not leave, and its share goes back.
    office.orders.stop_fulfilment("main", order_id)
    assert close(office, order_id) is OrderState.COMPLETED
    order = office.order(order_id)
    assert (order.captured_minor, order.refunded_minor) == (2500, 1250)
    refused("nothing will be shipped")
