"""Whatever happens at the same time, too late or in part: an order that is over holds no money it must not hold."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import delete

from tests.integration.own_database import migrated_database
from tests.integration.review_outside import Clock, Payments, Shop, Warehouse
from worker.activities.orders import Delivery, OrderActivities, Waiting
from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEvent, OrderEventKind, OrderLine, OrderStatus, PaymentMode, PlaceOrder
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.payment import PaymentState
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import BOOK_ENTRIES, INBOX, ORDER_TRAIL, ORDERS, PAYMENTS, SHIPMENTS
from worker.services.asking import Asking
from worker.services.bookkeeping import Bookkeeping
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.events import EventService
from worker.services.expiry import Expiry
from worker.services.orders import OrderService
from worker.services.ports import ShopPayment
from worker.services.remainder import Remainder
from worker.services.retries import Retries
from worker.services.reversal import Reversal

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
CHARGED = PlaceOrder(
    shop="main",
    order_id="1001",
    currency="EUR",
    total_minor=1000,
    lines=(OrderLine(sku="mug", quantity=1, unit_price_minor=1000),),
    customer_id="c-7",
    payment_mode=PaymentMode.CHARGE,
    placed_at=NOW.isoformat(),
    payment_method="pm_card_visa",
)
COLLECTED = replace(CHARGED, payment_mode=PaymentMode.COLLECTED_BY_SHOP, payment_method=None)
KEY = "order/main/1001"
T = TypeVar("T")
S = OrderState


class Process:
    """The services of one order over a real database and an outside world in memory."""

    def __init__(self, database: MysqlDatabase) -> None:
        self.database = database
        self.clock, self.payments, self.shop, self.warehouse = Clock(NOW), Payments(), Shop(), Warehouse(NOW)
        books = Bookkeeping(database, self.payments, self.shop, self.clock)
        self.orders = OrderService(database, self.payments, self.warehouse, books, self.clock)
        self.expiry = Expiry(database, self.payments, self.orders, self.clock)
        self.reversal = Reversal(database, self.payments, books, self.clock)
        self.events = EventService(database, books, self.reversal, self.warehouse, self.clock)
        shipped = CaptureOnShipment(database, self.payments, self.clock)
        self.activities = OrderActivities(
            self.orders,
            self.reversal,
            Asking(database, self.payments, self.orders, self.clock),
            Waiting(
                retries=Retries(database, self.payments, self.clock),
                shipped=shipped,
                remainder=Remainder(database, self.payments, books, shipped, self.clock),
                expiry=self.expiry,
            ),
            payment_window_seconds=60,
            fulfilment_sla_seconds=60,
        )

    def comes(self, kind: OrderEventKind, reference: str = "", amount: int | None = 1000) -> str:
        """Apply an event as the running workflow does."""
        return self.activities.apply_event(
            Delivery(shop="main", order_id="1001", event=event(kind, reference, amount))
        ).answer.outcome

    def reverse(self, to: OrderState = S.CANCELLED) -> OrderStatus:
        status = self.reversal.reverse("main", "1001", to=to, reason="cancelled", key=f"{KEY}:reverse")
        assert status is not None
        return status

    def paid(self, place: PlaceOrder = CHARGED) -> OrderStatus:
        self.orders.record(place)
        self.orders.authorise("main", "1001", f"{KEY}:authorise")
        return self.orders.capture("main", "1001", f"{KEY}:capture")

    @property
    def now(self) -> tuple[str, int, int]:
        status = self.orders.status("main", "1001")
        return status.state, status.captured_minor, status.refunded_minor


def event(kind: OrderEventKind, reference: str = "", amount: int | None = 1000) -> OrderEvent:
    return OrderEvent(
        event_id=f"e-{kind}-{reference}",
        kind=kind,
        occurred_at=NOW.isoformat(),
        reference=reference,
        amount_minor=amount,
        currency="EUR",
    )


@pytest.fixture(scope="module")
def _module_database(database_url: str) -> Iterator[MysqlDatabase]:
    with migrated_database(database_url) as engine:
        yield MysqlDatabase(engine)


@pytest.fixture
def process(_module_database: MysqlDatabase) -> Iterator[Process]:
    yield Process(_module_database)
    with _module_database._engine.begin() as connection:
        for table in (ORDER_TRAIL, ORDERS, BOOK_ENTRIES, SHIPMENTS, PAYMENTS, INBOX):
            connection.execute(delete(table))


def test_money_that_comes_while_the_order_is_cancelled_goes_back(process: Process) -> None:
    process.orders.record(COLLECTED)
    reference = process.payments.collect(1000)
    booked = process.events._books.captures
    # The reversal has looked (and found nothing) when the event of the payment is applied.
    process.reversal._give_all_back = before(  # type: ignore[method-assign]
        process.reversal._give_all_back,
        lambda: booked("main", "1001", event(OrderEventKind.PAYMENT_CAPTURED, reference)),
        after_first=True,
    )
    process.reverse()
    assert process.now == (S.CANCELLED, 1000, 1000)
    assert process.payments.kept == 0


@pytest.mark.parametrize("ended", [S.CANCELLED, S.EXPIRED])
@pytest.mark.parametrize("running", [True, False])
def test_money_that_comes_when_the_order_is_over_goes_back_once(
    process: Process, ended: OrderState, *, running: bool
) -> None:
    process.orders.record(COLLECTED)
    if ended is S.EXPIRED:
        process.expiry.expire("main", "1001")
    else:
        process.reverse()
    reference = process.payments.collect(1000)
    for _ in range(2):
        if running:
            process.comes(OrderEventKind.PAYMENT_CAPTURED, reference)
        else:
            process.events.late("main", "1001", event(OrderEventKind.PAYMENT_CAPTURED, reference))
    assert process.now == (ended, 1000, 1000)
    assert (process.payments.kept, process.payments.refunds_made) == (0, 1)


def test_money_for_a_completed_order_stays(process: Process) -> None:
    process.paid()
    process.orders.request_fulfilment("main", "1001", f"{KEY}:fulfil")
    process.comes(OrderEventKind.SHIPPED, "ful_1", None)
    assert process.events.late("main", "1001", event(OrderEventKind.PAYMENT_CAPTURED, "pi_1")) == ""
    assert process.now == (S.COMPLETED, 1000, 0)


def test_an_authorisation_for_an_order_that_is_over_is_voided(process: Process) -> None:
    process.payments.answers["authorise"] = PaymentState.REQUIRES_ACTION
    process.orders.record(CHARGED)
    process.orders.authorise("main", "1001", f"{KEY}:authorise")
    process.expiry.expire("main", "1001")
    process.payments.intents["pi_1"] = replace(process.payments.intents["pi_1"], state=PaymentState.AUTHORISED)
    process.events.late("main", "1001", event(OrderEventKind.PAYMENT_AUTHORISED, "pi_1"))
    assert process.payments.intents["pi_1"].state is PaymentState.CANCELLED


def test_a_part_of_the_money_keeps_the_order_from_expiring_until_it_went_back(process: Process) -> None:
    process.orders.record(COLLECTED)
    process.comes(OrderEventKind.PAYMENT_CAPTURED, process.payments.collect(400))
    assert process.expiry.expire("main", "1001").state == S.AWAITING_PAYMENT
    process.reverse(S.REFUNDED)
    assert process.now == (S.REFUNDED, 400, 400)
    assert process.payments.kept == 0


def test_a_payment_under_way_when_the_window_closes_is_waited_for(process: Process) -> None:
    process.payments.answers["authorise"] = PaymentState.PROCESSING
    process.orders.record(CHARGED)
    process.orders.authorise("main", "1001", f"{KEY}:authorise")
    with pytest.raises(ProviderUnavailable):
        process.expiry.expire("main", "1001")
    assert process.now == (S.AWAITING_PAYMENT, 0, 0)


def test_money_that_only_the_shop_can_give_back_waits_for_a_person(process: Process) -> None:
    process.orders.record(COLLECTED)
    process.comes(OrderEventKind.PAYMENT_CAPTURED)  # the shop names no payment and is believed
    assert process.now == (S.PAID, 1000, 0)
    assert process.reverse().state == S.NEEDS_ATTENTION


def test_a_payment_the_provider_does_not_know_waits_for_a_person(process: Process) -> None:
    process.orders.record(COLLECTED)
    process.shop.listed = [ShopPayment(reference="PAYPAL-1", amount_minor=1000, currency="EUR", at=NOW)]
    process.comes(OrderEventKind.PAYMENT_CAPTURED)
    assert process.reverse().state == S.NEEDS_ATTENTION


@pytest.mark.parametrize(
    ("named", "captured"),
    [((), [1000]), ((1000,), [1000]), ((300,), [300, 700]), ((300, 700), [300, 700])],
)
def test_what_the_shop_says_is_paid_is_booked_once(
    process: Process, named: tuple[int, ...], captured: list[int]
) -> None:
    process.orders.record(COLLECTED)
    process.shop.listed = [
        ShopPayment(reference=process.payments.collect(amount), amount_minor=amount, currency="EUR", at=NOW)
        for amount in named
    ]
    for _ in range(2):
        process.comes(OrderEventKind.PAYMENT_CAPTURED)
    assert process.now == (S.PAID, 1000, 0)
    entries = process.database.transact(lambda tx: tx.payments.entries_of_order("main", "1001"))
    assert sorted(entry.amount_minor for entry in entries) == captured


def test_the_shop_is_not_believed_about_money_the_provider_told_of_before(process: Process) -> None:
    process.orders.record(COLLECTED)
    process.comes(OrderEventKind.PAYMENT_CAPTURED, process.payments.collect(1000))
    process.comes(OrderEventKind.PAYMENT_CAPTURED)
    assert process.now == (S.PAID, 1000, 0)


def test_a_payment_captured_in_parts_counts_whole(process: Process) -> None:
    process.orders.record(COLLECTED)
    reference = process.payments.collect(1000)
    process.shop.listed = [
        ShopPayment(reference=reference, amount_minor=500, currency="EUR", at=NOW + timedelta(seconds=n))
        for n in range(2)
    ]
    process.comes(OrderEventKind.PAYMENT_CAPTURED)
    assert process.now == (S.PAID, 1000, 0)


def test_the_shops_word_does_not_pay_what_we_charge(process: Process) -> None:
    process.orders.record(CHARGED)
    process.orders.authorise("main", "1001", f"{KEY}:authorise")
    assert process.comes(OrderEventKind.PAYMENT_CAPTURED) == "ignored"
    assert process.now == (S.AUTHORISED, 0, 0)


@pytest.mark.parametrize("kind", [OrderEventKind.PAYMENT_CAPTURED, OrderEventKind.REFUNDED])
def test_an_event_about_an_unknown_payment_is_refused_for_good(process: Process, kind: OrderEventKind) -> None:
    process.orders.record(COLLECTED)
    with pytest.raises(ProviderRejected):
        process.comes(kind, "pi_nobody_knows")


def test_a_refund_by_somebody_else_meanwhile_is_taken_into_account(process: Process) -> None:
    process.paid()
    process.payments.refund = before(  # type: ignore[method-assign]
        process.payments.refund, lambda: process.payments.give_back_behind_our_back("pi_1", 400)
    )
    assert process.reverse().state == S.CANCELLED
    assert process.now == (S.CANCELLED, 1000, 1000)
    assert process.payments.kept == 0


def test_refunds_made_before_are_booked_also_when_the_rest_is_refused(process: Process) -> None:
    process.paid()
    process.payments.give_back_behind_our_back("pi_1", 400)
    process.payments.refusing_refunds = PaymentDeclined("charge_disputed")
    process.reverse()
    assert process.now == (S.NEEDS_ATTENTION, 1000, 400)


def test_a_refund_whose_answer_was_lost_is_not_made_twice(process: Process) -> None:
    process.paid()
    process.payments.losing_answers = 1
    with pytest.raises(ProviderUnavailable):
        process.reverse()
    process.reverse()
    assert process.now == (S.CANCELLED, 1000, 1000)
    assert process.payments.refunds_made == 1


def test_an_authorisation_whose_key_is_forgotten_is_found_again(process: Process) -> None:
    process.orders.record(CHARGED)
    process.payments.losing_answers = 1
    with pytest.raises(ProviderUnavailable):
        process.orders.authorise("main", "1001", f"{KEY}:authorise")
    process.payments.forget_keys()
    process.clock.at += timedelta(hours=25)
    assert process.orders.authorise("main", "1001", f"{KEY}:authorise").state == S.AUTHORISED
    assert list(process.payments.intents) == ["pi_1"]


@pytest.mark.parametrize("placed", [NOW - timedelta(days=900), NOW + timedelta(hours=3)])
def test_an_authorisation_we_never_recorded_is_voided_whenever_the_order_says_it_was_placed(
    process: Process, placed: datetime
) -> None:
    process.orders.record(replace(CHARGED, placed_at=placed.isoformat()))
    process.payments.losing_answers = 1
    with pytest.raises(ProviderUnavailable):
        process.orders.authorise("main", "1001", f"{KEY}:authorise")
    process.reverse()
    assert process.payments.intents["pi_1"].state is PaymentState.CANCELLED
    assert process.payments.looked_since == NOW - timedelta(hours=1)


@pytest.mark.parametrize("currency", ["ISK", "MGA"])
def test_an_amount_the_provider_would_read_otherwise_is_not_charged(process: Process, currency: str) -> None:
    process.orders.record(replace(CHARGED, currency=currency))
    assert process.orders.authorise("main", "1001", f"{KEY}:authorise").state == S.DECLINED
    assert process.payments.intents == {}


@pytest.mark.parametrize("refusal", [PaymentDeclined("do_not_honor"), ProviderRejected("refused")])
def test_a_capture_that_is_refused_lets_the_customers_money_go(process: Process, refusal: Exception) -> None:
    process.orders.record(CHARGED)
    process.orders.authorise("main", "1001", f"{KEY}:authorise")
    process.payments.refusing_captures = refusal
    assert process.orders.capture("main", "1001", f"{KEY}:capture").state == S.DECLINED
    assert process.payments.intents["pi_1"].state is PaymentState.CANCELLED


def test_a_capture_under_way_is_neither_declined_nor_forgotten(process: Process) -> None:
    process.orders.record(CHARGED)
    process.orders.authorise("main", "1001", f"{KEY}:authorise")
    process.payments.answers["capture"] = PaymentState.PROCESSING
    with pytest.raises(ProviderUnavailable):
        process.orders.capture("main", "1001", f"{KEY}:capture")
    assert process.now == (S.AUTHORISED, 0, 0)
    # The provider answers a repeated key as it did first; the payment itself has moved on.
    process.payments.intents["pi_1"] = replace(
        process.payments.intents["pi_1"], state=PaymentState.CAPTURED, captured_minor=1000
    )
    assert process.orders.capture("main", "1001", f"{KEY}:capture").state == S.PAID


def test_a_parcel_that_is_neither_stopped_nor_gone_is_waited_for(process: Process) -> None:
    process.paid()
    process.orders.request_fulfilment("main", "1001", f"{KEY}:fulfil")
    process.warehouse.answer = ShipmentState.REQUESTED
    with pytest.raises(ProviderUnavailable):
        process.orders.stop_fulfilment("main", "1001")
    process.warehouse.answer = NotFound("the warehouse does not know it")
    assert process.orders.stop_fulfilment("main", "1001").state == S.FULFILLING
    parcels = process.database.transact(lambda tx: tx.shipments.of_order("main", "1001"))
    assert [parcel.state for parcel in parcels] == [ShipmentState.FAILED]


def test_a_parcel_accepted_for_an_order_that_was_given_up_meanwhile_is_stopped(process: Process) -> None:
    process.paid()
    process.warehouse.request = before(process.warehouse.request, process.reverse)  # type: ignore[method-assign]
    assert process.orders.request_fulfilment("main", "1001", f"{KEY}:fulfil").state == S.CANCELLED
    assert process.warehouse.cancelled == ["ful_1"]


def test_our_books_know_that_an_order_is_over_when_temporal_has_forgotten_it(process: Process) -> None:
    process.paid()
    assert not process.events.is_over("main", "1001")
    process.reverse()
    assert process.events.is_over("main", "1001")
    assert not process.events.is_over("main", "1002")


def test_an_event_is_received_once(process: Process) -> None:
    received = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id="evt_1",
        topic="charge.refunded",
        body='{"created": 1, "data": {"object": {"payment_intent": "pi_1", "amount_refunded": 1, "currency": "eur",'
        ' "metadata": {"order_id": "1001"}}}}',
        received_at=NOW.isoformat(),
    )
    assert process.events.receive(received, "event/stripe/evt_1", "run-1") is not None
    assert process.events.receive(received, "event/stripe/evt_1", "run-1") is not None, "the same run tries again"
    assert process.events.receive(received, "event/stripe/evt_1", "run-2") is None


def before(work: Callable[..., T], first: Callable[[], object], *, after_first: bool = False) -> Callable[..., T]:
    """Return `work` with something else happening before (or right after) its first call."""
    pending = [first]

    def both(*given: object, **named: object) -> T:
        if pending and not after_first:
            pending.pop()()
        result = work(*given, **named)
        if pending:
            pending.pop()()
        return result

    return both
