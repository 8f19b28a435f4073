"""Entries of a timeline: keys name facts, kinds fit their column, sentences repeat nobody's words."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.money import Money
from worker.domain.order import TRANSITIONS, Order, OrderState, Transition
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState
from worker.domain.timeline import (
    LONGEST_KEY,
    Happening,
    StateChange,
    completed,
    entry_key,
    of_change,
    of_event,
    of_money,
    of_parcel,
    of_payment,
    of_request,
)

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
ORDER = Order(
    shop="main",
    order_id="1001",
    currency="EUR",
    total_minor=2500,
    lines=(),
    customer_id="c1",
    payment_mode="charge",
    placed_at=NOW,
    origin="api",
)


def change(state: OrderState) -> StateChange:
    return StateChange(
        shop="main",
        order_id="1001",
        from_state="",
        to_state=state,
        at=NOW,
        actor="test",
        currency="EUR",
        total_minor=2500,
    )


def test_no_state_is_entered_twice_which_the_keys_rest_on() -> None:
    def reachable(state: OrderState) -> set[OrderState]:
        return {further for step in TRANSITIONS[state] for further in {step} | reachable(step)}

    assert all(state not in reachable(state) for state in OrderState)


def test_every_kind_fits_its_column_and_every_state_has_a_sentence() -> None:
    told = [of_change(change(state)) for state in OrderState]
    assert len({entry.key for entry in told}) == len({entry.sentence for entry in told}) == len(OrderState)
    kinds = [*Happening, *(entry.kind for entry in told), f"{Happening.REPAIR}.contradicted"]
    assert max(map(len, kinds)) <= 32


@given(st.lists(st.text("ab\u00e4", max_size=200), min_size=1, max_size=4))
def test_a_key_fits_its_column_and_is_the_fact_s_own(parts: list[str]) -> None:
    key = entry_key("money", *parts)
    assert len(key) <= LONGEST_KEY
    assert key == entry_key("money", *parts)
    assert key != entry_key("money", *parts, "x")


def test_requests_name_themselves_and_what_is_refused_says_why() -> None:
    asked = of_request(
        Happening.REFUND_REQUESTED, "main", "1001", "r-1", actor="shop-app", at=NOW, amount=Money(500, "EUR")
    )
    assert (asked.amount_minor, asked.currency, asked.actor) == (500, "EUR", "shop-app")
    whole = of_request(Happening.REFUND_REQUESTED, "main", "1001", "r-1", actor="shop-app", at=NOW)
    assert "all that is left" in whole.sentence
    refused = of_request(Happening.REFUND_REFUSED, "main", "1001", "r-1", actor="shop-app", at=NOW, detail="conflict")
    assert refused.sentence == "the refund was refused: conflict (request r-1)"


def test_an_event_tells_who_sent_it_and_how_it_came() -> None:
    event = of_event(
        "main",
        "1",
        source="stripe",
        event_id="evt_1",
        topic="charge.refunded",
        origin="repair",
        outcome="applied",
        at=NOW,
    )
    assert (event.actor, event.kind) == ("stripe", "event.applied")
    assert event.sentence == "charge.refunded, event evt_1, was taken in (delivered again by a repair)"


def test_payments_are_told_of_by_state_once_each() -> None:
    told = {}
    for state in PaymentState:
        payment = Payment(provider="stripe", reference="pi_1", amount_minor=2500, currency="EUR", state=state)
        entry = of_payment("main", "1001", payment, NOW)
        if entry is not None:
            told[entry.key] = entry.kind
    assert sorted(told.values()) == [
        "payment.authorised",
        "payment.declined",
        "payment.requires_action",
        "payment.voided",
    ]


def test_what_was_not_written_is_derived_marked_and_comes_first() -> None:
    trail = [
        Transition(from_state="", to_state="received", at=NOW, actor="order workflow"),
        Transition(from_state="received", to_state="paying", at=NOW, actor="order workflow", reason="Jane wants it"),
    ]
    money = BookEntry(
        shop="main",
        order_id="1001",
        provider="stripe",
        kind=EntryKind.CAPTURE,
        reference="pi_1",
        payment_reference="pi_1",
        amount_minor=2500,
        currency="EUR",
        occurred_at=NOW,
    )
    parcel = Shipment(shipment_id="p1", order_id="1001", state=ShipmentState.REQUESTED, requested_at=NOW)
    written = [of_change(change(OrderState.PAYING)), of_parcel("main", parcel, NOW, "order workflow")]
    whole = completed(written, ORDER, trail, [money], [parcel])
    assert [(entry.kind, entry.derived) for entry in whole] == [
        ("order.received", True),
        ("money.captured", True),
        ("order.paying", False),
        ("parcel.requested", False),
    ]
    assert whole[1].key == of_money(money).key
    assert not any("Jane" in entry.sentence for entry in whole)
