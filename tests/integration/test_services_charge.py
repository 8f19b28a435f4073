"""An order that is charged in one go: told as if it had been done step by step, and once, wherever it breaks off."""

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.office import Office
from worker.contract.orders import OrderStatus
from worker.domain.errors import DatabaseUnavailable, ProviderUnavailable
from worker.domain.order import OrderState
from worker.domain.payment import PaymentState

CAPTURES = "POST /stripe/v1/payment_intents/*/capture"


@pytest.fixture
def office(one_office: Office) -> Office:
    return one_office


def charge(office: Office, order_id: str) -> OrderStatus:
    keys = f"order/main/{order_id}:authorise", f"order/main/{order_id}:capture"
    return office.orders.charge("main", order_id, keys)


def told(office: Office, order_id: str) -> list[tuple[Any, ...]]:
    """Return the timeline, without times and with one name for the payment."""
    (payment,) = office.payments_of(order_id)
    entries = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    return [
        (each.key.replace(payment.reference, "pi"), each.kind, each.actor, each.amount_minor, each.currency)
        for each in entries
    ]


def test_both_answers_written_together_tell_what_each_alone_would(office: Office, order_id: str) -> None:
    step_by_step = f"{order_id}-by-steps"
    office.place(step_by_step)
    office.authorise(step_by_step)
    office.capture(step_by_step)
    office.place(order_id)
    status = charge(office, order_id)
    assert (status.state, status.captured_minor) == (OrderState.PAID, 2500)
    assert told(office, order_id) == told(office, step_by_step)
    assert office.path(order_id) == office.path(step_by_step) == ["received", "paying", "authorised", "paid"]
    assert office.booked(order_id) == office.booked(step_by_step) == [2500]
    (payment,), (other,) = office.payments_of(order_id), office.payments_of(step_by_step)
    assert (payment.state, payment.captured_minor) == (other.state, other.captured_minor)
    assert office.order(order_id).state is OrderState.PAID


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "wrong_body"])
def test_without_an_answer_to_the_capture_the_authorisation_stands_alone(
    office: Office, order_id: str, kind: str
) -> None:
    office.place(order_id)
    office.outside.fault(CAPTURES, kind)
    with pytest.raises(ProviderUnavailable):
        charge(office, order_id)
    assert office.order(order_id).state is OrderState.AUTHORISED
    assert [payment.state for payment in office.payments_of(order_id)] == [PaymentState.AUTHORISED]
    assert office.booked(order_id) == []
    assert charge(office, order_id).state == OrderState.PAID
    assert office.outside.charges(order_id) == [1, 2500]


def test_dying_between_the_capture_and_its_record_it_is_done_once(
    office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.place(order_id)
    real = office.provider.capture

    def capture_and_die(*named: Any, **more: Any) -> Any:
        real(*named, **more)
        monkeypatch.setattr(office.database, "transact", dead)

    def dead(_: Any) -> Any:
        raise DatabaseUnavailable("the worker died here")

    with monkeypatch.context() as patched:
        patched.setattr(office.provider, "capture", capture_and_die)
        with pytest.raises(DatabaseUnavailable):
            charge(office, order_id)
    monkeypatch.undo()
    assert office.order(order_id).state is OrderState.PAYING
    assert office.authorise(order_id).state == OrderState.AUTHORISED
    assert office.capture(order_id).state == OrderState.PAID
    assert office.outside.charges(order_id) == [1, 2500]
    assert office.booked(order_id) == [2500]


def test_one_that_was_given_up_while_its_answer_took_long_is_not_captured(
    office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.place(order_id)
    real = office.provider.authorise

    def slow(**named: Any) -> Any:
        payment = real(**named)
        office.advance(timedelta(seconds=30))
        office.reverse(order_id)
        return payment

    monkeypatch.setattr(office.provider, "authorise", slow)
    assert charge(office, order_id).state == OrderState.CANCELLED
    assert office.outside.charges(order_id) == [0, 0]
    assert office.booked(order_id) == []
