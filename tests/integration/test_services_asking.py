"""Orders that wait for a payment nobody tells of ask for it: what happened is taken up once, and nothing else is made up."""

import pytest

from tests.integration.office import Office
from worker.contract.orders import OrderEvent, OrderEventKind, PaymentMode
from worker.domain.errors import NotFound, ProviderUnavailable
from worker.domain.order import OrderState

S = OrderState
BY_THE_CUSTOMER = "pm_card_authenticationRequired"


@pytest.fixture
def office(one_office: Office) -> Office:
    return one_office


def waiting(office: Office, order_id: str) -> str:
    """Place an order whose customer must act; return the payment."""
    office.place(order_id, method=BY_THE_CUSTOMER)
    assert office.authorise(order_id).state == S.AWAITING_PAYMENT
    (payment,) = office.payments_of(order_id)
    return payment.reference


def collected(office: Office, order_id: str) -> None:
    """Record an order that the shop charges, as its first message tells of it: not paid yet."""
    office.place(order_id, mode=PaymentMode.COLLECTED_BY_SHOP, method=None)


def test_an_authorisation_nobody_told_of_is_captured(office: Office, order_id: str) -> None:
    payment = waiting(office, order_id)
    assert office.asking.ask("main", order_id).state == S.AWAITING_PAYMENT, "the customer has not acted yet"
    office.outside.control("POST", f"/provider/payment_intents/{payment}/authenticate")
    assert office.asking.ask("main", order_id).state == S.AUTHORISED
    assert office.capture(order_id).state == S.PAID
    assert office.booked(order_id) == [2500]
    assert office.outside.charges(order_id) == [1, 2500]


def test_asking_and_a_message_that_comes_after_all_are_one(office: Office, order_id: str) -> None:
    payment = waiting(office, order_id)
    office.outside.control("POST", f"/provider/payment_intents/{payment}/authenticate")
    office.asking.ask("main", order_id)
    event = OrderEvent(
        event_id="late",
        kind=OrderEventKind.PAYMENT_AUTHORISED,
        occurred_at=office.clock.now().isoformat(),
        reference=payment,
    )
    assert office.orders.apply("main", order_id, event).answer.outcome == "ignored"
    assert office.path(order_id).count("authorised") == 1


def test_what_the_shop_collected_is_booked_when_its_message_was_lost(office: Office) -> None:
    order_id = office.outside.buy()
    collected(office, order_id)
    for _ in range(2):
        assert office.asking.ask("main", order_id).state == S.PAID
    assert office.booked(order_id) == [2500]


def test_an_order_its_shop_does_not_know_or_has_no_money_for_waits_on(office: Office, order_id: str) -> None:
    unpaid = office.outside.buy(paid=False)
    for name in (order_id, unpaid):
        collected(office, name)
        assert office.asking.ask("main", name).state == S.AWAITING_PAYMENT
        assert office.booked(name) == []


def test_an_owner_that_does_not_answer_changes_nothing(office: Office, order_id: str) -> None:
    waiting(office, order_id)
    office.outside.fault("GET /stripe/v1/payment_intents/*", "status", status=500)
    with pytest.raises(ProviderUnavailable):
        office.asking.ask("main", order_id)
    assert office.order(order_id).state is S.AWAITING_PAYMENT


def held(office: Office, order_id: str) -> str:
    """Place an order whose money is held while the warehouse has it; return the payment."""
    office.place(order_id, mode=PaymentMode.AUTHORISE)
    assert office.authorise(order_id).state == S.AUTHORISED
    assert office.fulfil(order_id).state == S.AUTHORISED
    (payment,) = office.payments_of(order_id)
    return payment.reference


def test_a_hold_nobody_said_was_let_go_is_found_out_and_told(office: Office, order_id: str) -> None:
    payment = held(office, order_id)
    assert not office.asking.ask_after_hold("main", order_id).lapsed
    office.provider.cancel(payment, idempotency_key=f"dashboard-{payment}")
    for _ in range(2):  # a step that is repeated says the same
        hold = office.asking.ask_after_hold("main", order_id)
        assert (hold.lapsed, hold.status.state) == (True, S.AUTHORISED)
    entries = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
    assert [entry.kind for entry in entries].count("payment.voided") == 1
    assert office.booked(order_id) == []


def test_a_hold_that_somebody_captured_by_hand_is_booked_and_has_not_lapsed(office: Office, order_id: str) -> None:
    payment = held(office, order_id)
    office.provider.capture(payment, idempotency_key=f"dashboard-{payment}")
    hold = office.asking.ask_after_hold("main", order_id)
    assert (hold.lapsed, hold.status.state) == (False, S.PAID)
    assert office.booked(order_id) == [2500]


def test_a_hold_of_which_a_part_was_captured_by_hand_holds_nothing_any_more(office: Office, order_id: str) -> None:
    payment = held(office, order_id)
    office.provider.capture_part(payment, 1250, final=True, idempotency_key=f"dashboard-{payment}")
    assert office.asking.ask_after_hold("main", order_id).lapsed
    assert office.booked(order_id) == [1250]


def test_a_provider_that_cannot_be_asked_after_a_hold_changes_nothing(office: Office, order_id: str) -> None:
    held(office, order_id)
    office.outside.fault("GET /stripe/v1/payment_intents/*", "status", status=500)
    with pytest.raises(ProviderUnavailable):
        office.asking.ask_after_hold("main", order_id)
    assert not office.asking.ask_after_hold("main", order_id).lapsed


def test_an_order_that_waits_for_nothing_is_not_asked_about(office: Office, order_id: str) -> None:
    office.pay(order_id)
    office.outside.fault("GET /stripe/v1/payment_intents/*", "status", status=500, times=9)
    assert office.asking.ask("main", order_id).state == S.PAID
    with pytest.raises(NotFound):
        office.asking.ask("main", "nobody")
