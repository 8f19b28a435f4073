"""Disputes as the provider tells of them, through the books, the order's status and the comparison with its ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from tests.integration.leaving import close, half, left
from tests.integration.office import Office
from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEvent, OrderEventKind, PaymentMode
from worker.domain.dispute import DisputeState
from worker.domain.errors import Conflict, InvalidInput, ProviderRejected
from worker.domain.finding import FindingKind
from worker.domain.order import OrderState
from worker.domain.outbound import Subscription
from worker.repositories.database import MysqlDatabase
from worker.services.disputes import Disputes
from worker.services.refunds import Refunds
from worker.workflows.parcel_stops import why_no_parcel

_ids = count(1)


@pytest.fixture
def refunds(office: Office) -> Iterator[Refunds]:
    payments = office.outside.payments()
    yield Refunds(office.database, payments, office.books, office.clock)
    payments.close()


@pytest.fixture
def a() -> str:
    """Return the id of an order that no other test has."""
    return f"disputed-{next(_ids)}"


b = a


def opened(office: Office, order_id: str, amount: int | None = None) -> dict[str, Any]:
    wanted = {"order_id": order_id} | ({} if amount is None else {"amount": amount})
    return office.outside.control("POST", "/provider/disputes", wanted)  # type: ignore[no-any-return]


def closed(office: Office, dispute: dict[str, Any], status: str) -> dict[str, Any]:
    return office.outside.control("POST", f"/provider/disputes/{dispute['id']}/close", {"status": status})  # type: ignore[no-any-return]


def told(office: Office, topic: str, dispute: dict[str, Any], event_id: str = "") -> str:
    """Deliver the event as the provider writes it: the dispute names its payment, and no order."""
    assert not dispute["metadata"]
    event = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id=event_id or f"evt-{next(_ids)}",
        topic=f"charge.dispute.{topic}",
        body=json.dumps({"created": int(office.clock.now().timestamp()), "data": {"object": dispute}}),
        received_at=datetime.now(UTC).isoformat(),
    )
    return office.deliver(event, run=f"run-{next(_ids)}")


def agree(office: Office, start: datetime, run: str) -> set[FindingKind]:
    """Compare the books; return the kinds of all breaks that are open."""
    office.reconcile(office.span(start), run)
    return {item.finding.kind for item in office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))}


def test_what_is_disputed_is_withdrawn_and_comes_back_when_it_is_won(office: Office, start: datetime, a: str) -> None:
    office.complete(a)
    dispute = opened(office, a)
    assert told(office, "created", dispute) == "the money was booked"
    order = office.order(a)
    assert (order.state, order.financial_status, order.disputed_minor, order.kept_minor) == (
        OrderState.COMPLETED,
        "disputed",
        2500,
        0,
    )
    assert agree(office, start, "open") == set()
    closed(office, dispute, "won")
    assert told(office, "closed", {**dispute, "status": "won"}) == "the money was booked"
    order = office.order(a)
    assert (order.state, order.financial_status, order.disputed_minor) == (OrderState.COMPLETED, "paid", 0)
    # The provider's times are whole seconds: within one, what followed may seem to come first.
    assert {(entry.kind, entry.amount_minor, entry.reference) for entry in office.entries_of(a)} >= {
        ("dispute", -2500, dispute["id"]),
        ("dispute_reversal", 2500, dispute["id"]),
    }
    assert len(office.entries_of(a)) == 3
    assert agree(office, start, "won") == set()
    kinds = [entry.kind for entry in office.database.transact(lambda tx: tx.timeline.of_order("main", a))]
    assert [kind for kind in kinds if kind.startswith(("dispute", "money"))] == [
        "money.captured",
        "dispute.open",
        "money.withdrawn",
        "dispute.won",
        "money.returned",
    ]


def test_what_is_lost_is_gone_and_moves_no_more_money(office: Office, start: datetime, a: str) -> None:
    office.complete(a)
    dispute = opened(office, a, 900)
    told(office, "created", dispute)
    closed(office, dispute, "lost")
    assert told(office, "closed", {**dispute, "status": "lost"}) == "the money was booked"
    assert office.booked(a) == [2500, -900]
    (known,) = office.database.transact(lambda tx: tx.disputes.of_order("main", a))
    assert (known.state, known.amount_minor, known.reason) == (DisputeState.LOST, 900, "fraudulent")
    assert (office.order(a).kept_minor, office.path(a)[-1]) == (1600, "completed")
    assert agree(office, start, "lost") == set()


def test_events_come_twice_late_and_in_any_order(office: Office, start: datetime, a: str) -> None:
    """The provider is asked, so the first event that comes tells all that has happened by then."""
    office.complete(a)
    dispute = opened(office, a)
    closed(office, dispute, "won")
    assert told(office, "funds_reinstated", dispute, "evt-3") == "the money was booked"
    assert office.booked(a) == [2500, 2500, -2500]
    assert told(office, "funds_reinstated", dispute, "evt-3") == "duplicate"
    for topic in ("created", "funds_withdrawn", "closed"):
        assert told(office, topic, dispute) == "", "nothing new"
    assert office.booked(a) == [2500, 2500, -2500]
    assert agree(office, start, "all") == set()


def test_refunds_never_reach_what_a_dispute_withdrew(office: Office, refunds: Refunds, a: str, b: str) -> None:
    office.complete(a)
    dispute = opened(office, a, 900)
    told(office, "created", dispute)
    with pytest.raises(InvalidInput, match="from 1 to 1600"):
        refunds.plan("main", a, 1601)
    assert refunds.plan("main", a, None).amount_minor == 1600
    closed(office, dispute, "lost")
    told(office, "closed", {**dispute, "status": "lost"})
    with pytest.raises(InvalidInput, match="from 1 to 1600"):
        refunds.plan("main", a, 2500)
    office.complete(b)
    told(office, "created", opened(office, b))
    with pytest.raises(Conflict, match="holds no money"):
        refunds.plan("main", b, None)


def test_a_won_dispute_can_be_refunded_again(office: Office, refunds: Refunds, a: str) -> None:
    office.complete(a)
    dispute = opened(office, a)
    told(office, "created", dispute)
    closed(office, dispute, "won")
    told(office, "closed", {**dispute, "status": "won"})
    plan = refunds.plan("main", a, None)
    refunds.carry_out("main", a, plan, "key")
    assert office.booked(a) == [2500, 2500, -2500, -2500]
    assert office.order(a).financial_status == "refunded"


def applied(office: Office, order_id: str, dispute: dict[str, Any]) -> str | None:
    """Let the order's process take in the dispute; return why its parcel is not to leave."""
    event = OrderEvent(
        event_id=f"evt-{next(_ids)}",
        kind=OrderEventKind.DISPUTE_OPENED,
        occurred_at=office.clock.now().isoformat(),
        reference=dispute["id"],
    )
    done = office.orders.apply("main", order_id, event)
    assert done.answer.outcome == "applied"
    return why_no_parcel(event, done.status)


def test_a_parcel_that_has_not_left_is_stopped_and_a_won_dispute_then_goes_back(
    office: Office, start: datetime, a: str
) -> None:
    """Nobody ends with both the goods and the money, and nobody with neither."""
    office.pay(a)
    office.fulfil(a)
    dispute = opened(office, a)
    assert applied(office, a, dispute) == "the customer disputes the payment"
    office.orders.stop_fulfilment("main", a)
    assert office.reverse(a, OrderState.REFUNDED).state == OrderState.REFUNDED
    assert office.booked(a) == [2500, -2500], "the bank has given it back: a refund would be the second"
    assert agree(office, start, "stopped") == set()
    closed(office, dispute, "won")
    assert told(office, "closed", {**dispute, "status": "won"}) == "the money was given back"
    assert office.booked(a) == [2500, 2500, -2500, -2500]
    assert (office.path(a)[-1], office.order(a).kept_minor) == ("refunded", 0)
    assert agree(office, start, "won") == set()


def test_a_payment_of_nobody_is_ignored_and_a_dispute_of_nobody_refused(office: Office, a: str) -> None:
    office.complete(a)
    dispute = opened(office, a)
    assert told(office, "created", {**dispute, "payment_intent": "pi_of_nobody"}) == "ignored"
    with pytest.raises(ProviderRejected):
        told(office, "created", {**dispute, "id": "dp_of_nobody"})
    assert office.booked(a) == [2500]


def test_an_order_that_the_shop_collects_is_known_by_its_payment(office: Office, a: str) -> None:
    payment = office.pay(a)
    assert office.order(a).payment_mode == PaymentMode.CHARGE
    assert office.books.order_of("main", payment.reference) == a
    assert office.books.order_of("other", payment.reference) is None


def test_subscribers_are_told_once_of_what_becomes_of_a_dispute(office: Office, a: str) -> None:
    office.complete(a)
    everything = Subscription(name="erp", shop="main")
    database = MysqlDatabase(office.engine, [everything])
    disputes = Disputes(database, office.provider, office.clock)
    dispute = opened(office, a)
    heard = [disputes.take_in("main", a, dispute["id"]) for _ in range(2)]
    closed(office, dispute, "lost")
    heard += [disputes.take_in("main", a, dispute["id"]) for _ in range(2)]
    assert heard == [True, False, True, False]
    messages = database.transact(lambda tx: tx.outbound.of_order("main", a))
    assert [message.kind for message in messages] == ["dispute.open", "dispute.lost"]
    assert [json.loads(message.body)["data"]["amount_minor"] for message in messages] == [2500, 2500]


def test_a_rest_that_is_closed_comes_from_the_payment_that_no_dispute_withdrew(office: Office, a: str) -> None:
    """Two methods paid at the shop, the later one is disputed: of that nothing is left to give back."""
    office.place(a, mode=PaymentMode.COLLECTED_BY_SHOP, method=None)
    for amount in (1500, 1000):
        payment = office.provider.authorise(
            shop="main",
            order_id=a,
            amount_minor=amount,
            currency="EUR",
            method="pm_card_visa",
            idempotency_key=f"{a}:{amount}",
        )
        office.provider.capture(payment.reference, idempotency_key=f"{a}:{amount}:capture")
        event = OrderEvent(
            event_id=f"paid-{payment.reference}",
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=office.clock.now().isoformat(),
            reference=payment.reference,
        )
        office.orders.apply("main", a, event)
    office.fulfil(a)
    (parcel,) = office.parcels_of(a)
    assert left(office, a, half(office, parcel.shipment_id)) == "applied"
    dispute = opened(office, a)
    assert (dispute["amount"], dispute["payment_intent"]) == (1000, payment.reference), "all of the later one"
    told(office, "created", dispute)
    office.orders.stop_fulfilment("main", a)
    assert close(office, a) is OrderState.COMPLETED
    order = office.order(a)
    assert (order.kept_minor, order.refunded_minor) == (1250, 250), "one mug left, and is paid for"
