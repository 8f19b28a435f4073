"""A charge that is slow, fails late or succeeds after it was given up, beside all that may happen to its order meanwhile.

The processes are those of one order: the try that hangs (in a worker that may die), the order's process that goes on
without it, step by step, the same ended early or by the customer, and the provider's events, which come when they like. They
take turns at every call to the outside, in any order (tests/integration/turns.py). In the end nobody has money or a parcel
that is not theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self, TypeVar

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from temporalio.testing import ActivityEnvironment

from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.turns import Killed, Turns
from worker.activities.orders import Delivery, OrderActivities, Reverse, Step, Waiting
from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus
from worker.domain.errors import OrdersError, ProviderUnavailable
from worker.domain.order import WITHOUT_GOODS, OrderState
from worker.domain.payment import Payment, PaymentState
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse

T = TypeVar("T")
_numbers = count(1)
PAYMENT_CALLS = ("authorise", "capture", "cancel", "refund", "retrieve")
PARCEL_CALLS = ("request", "cancel")
EVENTS = {
    PaymentState.AUTHORISED: OrderEventKind.PAYMENT_AUTHORISED,
    PaymentState.CAPTURED: OrderEventKind.PAYMENT_CAPTURED,
    PaymentState.CANCELLED: OrderEventKind.PAYMENT_VOIDED,
}
MOMENTS = ("authorise", "capture", "fulfil", "end")
"""Before which step of its process an order is given up; at the end all are done."""
TRIES = 12


@dataclass(frozen=True)
class Bureau:
    """One office for every example, each of which has an order of its own, and gateways that wait for a busy machine."""

    office: Office
    payments: StripePayments
    warehouse: Warehouse


@pytest.fixture(scope="module")
def bureau(engine: Engine, outside: OutsideProcess) -> Bureau:
    return Bureau(Office(engine, outside), outside.payments(), outside.warehouse())


class Drawn:
    """What befalls an order, as hypothesis has it."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.given_up_before = data.draw(st.sampled_from(["", *MOMENTS]), label="given up before")
        self.early = data.draw(st.booleans(), label="the process itself is ended, not the order")
        self.late = data.draw(st.sampled_from([0, 30, 7200]), label="seconds until it goes on without the answer")
        self._troubles = data.draw(st.integers(0, 3), label="troubles")

    def choose(self, names: list[str]) -> str:
        """Return whose turn it is."""
        return names[0] if len(names) == 1 else self._data.draw(st.sampled_from(names), label="turn")

    def fate(self, name: str, moment: str) -> BaseException | None:
        """Return what befalls a process where it stands."""
        if not self._troubles or name == "event":
            return None
        fates = ["fine", "no answer", *(["dies"] if name == "try" else [])]
        drawn = self._data.draw(st.sampled_from(fates), label=f"{name} {moment}")
        self._troubles -= drawn != "fine"
        return {"fine": None, "dies": Killed(), "no answer": ProviderUnavailable("no answer")}[drawn]


class Told:
    """What befalls an order, as a test says: it is given up, one process after the other is done, and all goes well."""

    early, late = False, 30

    def __init__(self, given_up_before: str, *order: str) -> None:
        self.given_up_before = given_up_before
        self._order = order

    def choose(self, names: list[str]) -> str:
        """Return whose turn it is."""
        return next(name for name in self._order if name in names)

    def fate(self, _name: str, _moment: str) -> BaseException | None:
        """Return what befalls a process: nothing."""
        return None


class Story:
    """One order and the processes that have to do with it."""

    def __init__(self, bureau: Bureau, happens: Drawn | Told) -> None:
        self.office = office = bureau.office
        self._bureau = bureau
        self._now = datetime.now(UTC)
        self.happens = happens
        self.order_id = f"turns-{next(_numbers)}"
        self.workflow = f"order/main/{self.order_id}"
        self.turns = Turns(happens.choose, happens.fate)
        self._events = 0
        waiting = Waiting(
            retries=office.retries, shipped=office.shipped, remainder=office.remainder, expiry=office.expiry
        )
        self.steps = OrderActivities(
            office.orders, office.reversal, office.asking, waiting, payment_window_seconds=9, fulfilment_sla_seconds=9
        )

    def __enter__(self) -> Self:
        self._patch = pytest.MonkeyPatch()
        # Time stands still but for what the story says: how long the machine takes is no part of it.
        self._patch.setattr(self.office.clock, "now", lambda: self._now)
        payments = self.turns.seen(self._bureau.payments, *PAYMENT_CALLS)
        for service in (self.office.orders, self.office.reversal, self.office.books):
            self._patch.setattr(service, "_payments", payments)
        parcels = self.turns.seen(self._bureau.warehouse, *PARCEL_CALLS)
        self._patch.setattr(self.office.orders, "_warehouse", parcels)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def play(self) -> None:
        """Let everything happen."""
        self.office.place(self.order_id)
        self.turns.process("try", self.hanging)
        self.turns.process("order", self.going_on)
        self.turns.process("event", self.telling)
        self.turns.play()

    def hanging(self) -> None:
        """The first try, within the task that recorded the order; what does not go well is left to the others."""
        step = Step(shop="main", order_id=self.order_id, key=self.workflow)
        try:
            ActivityEnvironment().run(self.steps.charge_and_fulfil, step)
        except ProviderUnavailable as problem:
            self.turns.story.append(f"try failed: {problem}")

    def going_on(self) -> None:
        """The order's process, which has waited for the try long enough."""
        self._now += timedelta(seconds=self.happens.late)
        status = self.office.orders.status("main", self.order_id)
        for moment, step, stands in (
            ("authorise", self.steps.authorise_payment, OrderState.PAYING),
            ("capture", self.steps.capture_payment, OrderState.AUTHORISED),
            ("fulfil", self.steps.request_fulfilment, OrderState.PAID),
        ):
            if self.happens.given_up_before == moment:
                break
            if moment == "authorise" or status.state == stands:
                status = self.again(moment, step)
        if self.happens.given_up_before:
            self.end(status)

    def end(self, status: OrderStatus) -> None:
        """As the workflow does: what the warehouse may have is stopped, then the money goes back."""
        if self.happens.early or status.state in {OrderState.PAID, OrderState.FULFILLING}:
            self.again("stop", self.steps.stop_fulfilment)
        key = f"{self.workflow}:reverse"
        reverse = Reverse(shop="main", order_id=self.order_id, to=OrderState.CANCELLED, reason="given up", key=key)
        self.until_done(lambda: self.steps.reverse_payment(reverse))

    def again(self, name: str, step: Callable[[Step], OrderStatus]) -> OrderStatus:
        wanted = Step(shop="main", order_id=self.order_id, key=f"{self.workflow}:{name}")
        return self.until_done(lambda: step(wanted))

    def until_done(self, work: Callable[[], T]) -> T:
        for _ in range(TRIES):
            try:
                return work()
            except OrdersError as problem:
                if not problem.retryable:
                    raise
        raise AssertionError(self.turns.story)

    def telling(self) -> None:
        """Events of what the provider knows by now; they may be stale when they are taken in."""
        for _ in range(2):
            known = self.payments()
            self.turns.at("waits with what was known")
            self.tell(known)

    def payments(self) -> list[Payment]:
        return self._bureau.payments.find(shop="main", order_id=self.order_id, since=self._now - timedelta(days=1))

    def parcels(self) -> list[str]:
        found = self.office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{self.order_id}")
        return [str(each["status"]) for each in found["data"]]

    def tell(self, known: list[Payment]) -> None:
        for payment in known:
            if payment.state in EVENTS:
                self._events += 1
                self._take_in(
                    OrderEvent(
                        event_id=f"{self.order_id}-{self._events}",
                        kind=EVENTS[payment.state],
                        occurred_at=self._now.isoformat(),
                        reference=payment.reference,
                    )
                )

    def _take_in(self, event: OrderEvent) -> None:
        def work() -> Any:
            if self.office.events.is_over("main", self.order_id):
                return self.office.events.late("main", self.order_id, event)
            return self.steps.apply_event(Delivery(shop="main", order_id=self.order_id, event=event))

        self.until_done(work)

    def check(self) -> None:
        """Look who has what in the end."""
        order, payments = self.office.order(self.order_id), self.payments()
        captures, there = self.office.outside.charges(self.order_id)
        held = sum(payment.state is PaymentState.AUTHORISED for payment in payments)
        assert captures <= 1, "charged twice"
        assert order.kept_minor == there, "our books say what the provider has"
        if self.happens.given_up_before:
            # Declined where the try finds voided what it was to capture, before the order is said to be cancelled.
            assert (order.state in WITHOUT_GOODS, there, held) == (True, 0, 0)
            assert "accepted" not in self.parcels()
        else:
            assert (order.state, there, held) == (OrderState.FULFILLING, 2500, 0)
            assert self.parcels() == ["accepted"]


@pytest.mark.parametrize("given_up_before", MOMENTS)
@pytest.mark.parametrize("first", ["order", "try"])
def test_what_a_try_took_that_was_given_up_goes_back_whether_or_not_the_provider_tells_of_it(
    bureau: Bureau, given_up_before: str, first: str
) -> None:
    with Story(bureau, Told(given_up_before, first, "order", "try", "event")) as story:
        story.play()
    story.check()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nobody_keeps_money_or_a_parcel_that_is_not_theirs(bureau: Bureau, data: st.DataObject) -> None:
    with Story(bureau, Drawn(data)) as story:
        story.play()
        # What a process took that died then is known to nobody but the provider.
        if "try died" in story.turns.story or data.draw(st.booleans(), label="the provider's last word comes"):
            story.tell(story.payments())
    note("\n".join(story.turns.story))
    story.check()
