"""An order whose money is held until its parcels leave, beside all that may happen to it meanwhile.

Its own workflow is acted (tests/integration/acted_workflow.py) and takes turns at every call to the outside with the
warehouse, which sends what it was asked for in one parcel or two, with the provider, which may let the hold go or tell twice
and late, with the customer, who cancels or disputes, and with a try of any step that was given up and goes on all the same.
In the end the money taken is what the books say and what the goods that left are worth, and nothing is held or waits to leave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from temporalio.exceptions import ApplicationError

from tests.integration.acted_workflow import ActedWorkflow
from tests.integration.office import MovedClock, Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.turns import Killed, Turns
from worker.activities.journal import JournalActivities
from worker.activities.orders import OrderActivities, Waiting
from worker.activities.refunds import RefundActivities
from worker.contract.orders import (
    CancelOrder,
    OrderEvent,
    OrderEventKind,
    ParcelLine,
    PaymentMode,
    RefundOrder,
    RetryPayment,
)
from worker.domain.capture import CapturePolicy
from worker.domain.errors import Conflict, InvalidInput, ProviderUnavailable
from worker.domain.order import METHOD_WELCOME, TERMINAL, WITHOUT_GOODS, OrderState
from worker.domain.payment import Payment, PaymentState
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse
from worker.services.asking import Asking
from worker.services.bookkeeping import Bookkeeping
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.events import EventService
from worker.services.expiry import Expiry
from worker.services.journal import Journal
from worker.services.orders import OrderService
from worker.services.refunds import Refunds
from worker.services.remainder import Remainder
from worker.services.retries import Retries
from worker.services.reversal import Reversal

_numbers = count(1)
PAYMENT_CALLS = ("authorise", "capture", "capture_part", "release", "cancel", "refund", "retrieve")
PARCEL_CALLS = ("request", "cancel", "parcels")
TOLD = {
    PaymentState.AUTHORISED: OrderEventKind.PAYMENT_AUTHORISED,
    PaymentState.CAPTURED: OrderEventKind.PAYMENT_CAPTURED,
    PaymentState.CANCELLED: OrderEventKind.PAYMENT_VOIDED,
}
PARTS = {"whole": (0,), "half": (1,), "halves": (1, 1), "nothing": ()}
"""How many mugs leave in each parcel; 0: all that is in it."""
ONE_MUG, TOTAL = 1250, 2500


@dataclass(frozen=True)
class Bureau:
    """One office for every example, each of which has an order of its own, and gateways that wait for a busy machine."""

    office: Office
    payments: dict[CapturePolicy, StripePayments]
    warehouse: Warehouse


@pytest.fixture(scope="module")
def bureau(engine: Engine, outside: OutsideProcess) -> Bureau:
    outside.control("PUT", "/provider/settings", {"multicapture": True})
    payments = {policy: outside.payments() for policy in CapturePolicy}
    payments[CapturePolicy.EACH_PARCEL] = outside.payments(several_for=["main"])
    return Bureau(Office(engine, outside), payments, outside.warehouse())


@dataclass
class Plan:
    """What befalls an order, and who is next."""

    policy: CapturePolicy = CapturePolicy.FIRST_PARCEL
    parts: str = "whole"
    silent: bool = False
    """Whether the warehouse never tells of what left."""
    lapses: bool = False
    customer: str = ""
    """`cancels`, `refunds`, `disputes`, or nothing."""
    pays_again: str = ""
    """The method that the customer gives when the hold has lapsed; empty for none."""
    ended: bool = False
    """Whether the process itself is ended."""
    stalls: int = -1
    """Which of the activities is given up while it still runs, counted from 0."""
    late: timedelta = timedelta(seconds=30)
    choose: Callable[[list[str]], str] = lambda names: names[0]
    fate: Callable[[str, str], BaseException | None] = lambda _name, _moment: None
    asked: list[str] = field(default_factory=list)

    def stalled(self, activity: str) -> timedelta | None:
        """Return how late it is noticed that an activity is not answered. To record an order is a transaction, and no call."""
        if activity == "record_order":
            return None
        self.asked.append(activity)
        return self.late if len(self.asked) - 1 == self.stalls else None


Pick = Callable[[Sequence[Any], str], Any]
"""Chooses one of several, for what it is told."""


def drawn(pick: Pick) -> Plan:
    """Return what a choice has befall an order."""
    troubles = pick(range(4), "troubles")

    def choose(names: list[str]) -> str:
        return str(names[0] if len(names) == 1 else pick(names, "turn"))

    def fate(name: str, moment: str) -> BaseException | None:
        nonlocal troubles
        if not troubles or name in {"provider", "warehouse", "customer"} or not moment.startswith(("before", "after")):
            return None
        fates = ["fine", "no answer", *(["dies"] if name.startswith("slow") else [])]
        found = pick(fates, f"{name} {moment}")
        troubles -= found != "fine"
        return {"fine": None, "dies": Killed(), "no answer": ProviderUnavailable("no answer")}[found]

    return Plan(
        policy=pick([*CapturePolicy], "policy"),
        parts=pick(sorted(PARTS), "parts"),
        silent=pick([False, True], "nobody tells of parcels"),
        lapses=pick([False, True], "the hold lapses"),
        customer=pick(["", "cancels", "refunds", "disputes"], "the customer"),
        pays_again=pick(["", "pm_card_mastercard", "pm_card_chargeDeclined"], "again"),
        ended=pick(range(8), "the process is ended") == 7,
        stalls=pick(range(-1, 10), "stalls"),
        late=timedelta(seconds=pick([0, 30, 7200], "noticed after")),
        choose=choose,
        fate=fate,
    )


class Story:
    """One order and the processes that have to do with it."""

    def __init__(self, bureau: Bureau, plan: Plan) -> None:
        self.office, self.plan = bureau.office, plan
        self.order_id = f"hold-{next(_numbers)}"
        self.turns = Turns(plan.choose, plan.fate)
        self.payments, self.warehouse = bureau.payments[plan.policy], bureau.warehouse
        self._asked_for, self._events = 0, 0
        self._began = datetime.now(UTC)
        payments, warehouse = self.turns.seen(self.payments, *PAYMENT_CALLS), self.turns.seen(self, *PARCEL_CALLS)
        database, clock = self.office.database, _Clock(self)
        books = Bookkeeping(database, payments, self.office.books._shop, clock)
        orders = OrderService(database, payments, warehouse, books, clock)
        reversal = Reversal(database, payments, books, clock)
        shipped = CaptureOnShipment(database, payments, clock, {"main": plan.policy})
        self.events = EventService(database, books, reversal, warehouse, clock)
        steps = OrderActivities(
            orders,
            reversal,
            Asking(database, payments, orders, clock),
            Waiting(
                retries=Retries(database, payments, clock),
                shipped=shipped,
                remainder=Remainder(database, payments, books, shipped, clock),
                expiry=Expiry(database, payments, orders, clock),
            ),
            payment_window_seconds=100,
            fulfilment_sla_seconds=100,
            payment_retry_window_seconds=100 if plan.pays_again else 0,
            ask_hold_seconds=40,
        )
        refunds = RefundActivities(Refunds(database, payments, books, clock))
        journal = JournalActivities(Journal(database, clock))
        place = self.office.placing(self.order_id, mode=PaymentMode.AUTHORISE, placed_at=self._began)
        self.acted = ActedWorkflow(self.turns, place, [steps, refunds, journal], self, self._began)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    def request(self, **asked: Any) -> Any:
        """Ask the warehouse for a parcel, and note that it has been asked."""
        parcel = self.warehouse.request(**asked)
        self._asked_for += 1
        return parcel

    def stalls(self, activity: str) -> timedelta | None:
        """See `Slow`."""
        return self.plan.stalled(activity)

    def __enter__(self) -> Self:
        self.acted.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.acted.__exit__()

    def play(self) -> None:
        """Let everything happen."""
        self.turns.process("order", self.acted.run)
        self.turns.process("warehouse", self.sending)
        self.turns.process("provider", self.telling)
        if self.plan.customer:
            self.turns.process("customer", self.wishing)
        if self.plan.pays_again:
            self.turns.process("payer", self.paying_again)
        if self.plan.ended:
            self.turns.process("operator", self.acted.end_early)
        self.turns.play()

    # ---- the others -------------------------------------------------------------------------------------------

    def sending(self) -> None:
        """The warehouse sends what it was asked for, in parcels as they fit."""
        for number, pieces in enumerate(PARTS[self.plan.parts], start=1):
            self.turns.until(lambda: bool(self._asked_for) or self.acted.done, "waits for parcels")
            self.turns.at(f"sends parcel {number}")
            waiting = [each for each in self.fulfilments() if each["status"] == "accepted"]
            if not waiting or self.over:
                return
            lines = {"lines": [{"sku": "MUG", "quantity": pieces}]} if pieces else {}
            sent = self.office.outside.control("POST", "/warehouse/ship", {"id": waiting[0]["id"], **lines})
            self.turns.story.append(f"parcel {number} left")
            self.turns.at(f"tells of parcel {number}")
            if not self.plan.silent:
                self.tell_of_parcel(sent)

    def telling(self) -> None:
        """The provider tells what it knew some time ago, and may let the hold go in between."""
        for lapsing in (False, self.plan.lapses, False):
            if lapsing:
                self.turns.until(lambda: self._held() or self.acted.done, "waits to let go")
                self.let_go()
            known = self.all_payments()
            self.turns.at("waits with what was known")
            for payment in known:
                self.tell_of(payment)

    def wishing(self) -> None:
        """The customer cancels, wants money back, or has the bank take it."""
        self.turns.until(lambda: bool(self.acted.state) or self.acted.done, "has ordered")
        self.turns.at(self.plan.customer)
        if self.plan.customer == "disputes":
            self.dispute()
        elif self.plan.customer == "cancels":
            self._asked("cancel", CancelOrder(request_id="r", requested_by="customer"))
        else:
            self._asked("refund", RefundOrder(request_id="r", requested_by="customer", amount_minor=500))

    def paying_again(self) -> None:
        """The customer gives another method, once it is asked for."""
        self.turns.until(lambda: self.acted.state in METHOD_WELCOME or self.acted.done, "waits to pay")
        retry = RetryPayment(request_id="p", requested_by="customer", payment_method=self.plan.pays_again)
        self._asked("retry_payment", retry)

    def _asked(self, name: str, request: object) -> None:
        if self.acted.done:
            return
        try:
            self.acted.message(name, request)
        except ApplicationError as refusal:
            if refusal.type not in {Conflict.code, InvalidInput.code}:
                raise
            self.turns.story.append(f"refused: {refusal}")

    def let_go(self) -> None:
        for payment in self.all_payments():
            if payment.state is PaymentState.AUTHORISED:
                self.turns.story.append("the hold lapsed")
                self.payments.release(payment.reference, idempotency_key=f"{payment.reference}:lapse")

    def dispute(self) -> None:
        if not any(payment.captured_minor for payment in self.all_payments()):
            return
        opened = self.office.outside.control("POST", "/provider/disputes", {"order_id": self.order_id, "amount": 700})
        self.turns.story.append("disputed")
        self.turns.at("has its bank tell")
        self.tell(OrderEventKind.DISPUTE_OPENED, opened["id"])

    # ---- what is told -----------------------------------------------------------------------------------------

    def tell_of(self, payment: Payment) -> None:
        if payment.state in TOLD:
            self.tell(TOLD[payment.state], payment.reference)

    def tell_of_parcel(self, sent: dict[str, Any]) -> None:
        lines = tuple(ParcelLine(quantity=line["quantity"], sku=line["sku"]) for line in sent["lines"])
        self.tell(OrderEventKind.SHIPPED, sent["id"], contents=lines, rest=str(sent.get("rest") or ""))

    def tell(self, kind: OrderEventKind, reference: str, **more: Any) -> None:
        self._events += 1
        event = OrderEvent(
            event_id=f"{self.order_id}-{self._events}",
            kind=kind,
            occurred_at=self.acted.now.isoformat(),
            reference=reference,
            **more,
        )
        self.turns.story.append(f"told: {kind}")
        for _ in range(9):
            try:
                if self.acted.done or self.events.is_over("main", self.order_id):
                    self.events.late("main", self.order_id, event)
                else:
                    self.acted.message("deliver_event", event)
            except ProviderUnavailable:
                continue
            return

    # ---- what is there ----------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return self.acted.done or self.office.order(self.order_id).state in TERMINAL

    def fulfilments(self) -> list[dict[str, Any]]:
        found = self.office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{self.order_id}")
        return list(found["data"])

    def all_payments(self) -> list[Payment]:
        return self.payments.find(shop="main", order_id=self.order_id, since=self._began - timedelta(days=1))

    def _held(self) -> bool:
        return self.acted.state == OrderState.AUTHORISED

    def check(self) -> None:
        """Look who has what in the end."""
        order, payments = self.office.order(self.order_id), self.all_payments()
        there = self.office.outside.control("GET", f"/provider/ledger?order_id={self.order_id}")
        disputed = sum(each["amount"] for each in there["disputes"])
        taken, kept = sum(each.captured_minor for each in payments), there["net_minor"] - disputed
        parcels = self.fulfilments()
        gone = [line["quantity"] for each in parcels if each["status"] == "shipped" for line in each["lines"]]
        due = ONE_MUG * sum(gone)
        facts = f"{order.state} ({order.state_reason}): {taken} taken, {kept} kept, {due} due"
        note(facts)
        assert order.state in TERMINAL, facts
        assert (order.captured_minor, order.kept_minor) == (taken, kept), f"the books have {order}; {facts}"
        assert not any(payment.state is PaymentState.AUTHORISED for payment in payments), f"still held; {facts}"
        assert "accepted" not in {each["status"] for each in parcels}, f"waits to leave; {facts}"
        assert taken <= TOTAL, f"taken twice; {facts}"
        given_up = kept + disputed < due and self.plan.customer != "refunds"
        assert kept <= due or order.state is OrderState.NEEDS_ATTENTION, f"kept too much; {facts}"
        if order.state is OrderState.COMPLETED:
            assert due, facts
            assert not given_up, f"too little; {facts}"
        elif order.state in WITHOUT_GOODS:
            assert (kept, due) == (0, 0), facts


class _Clock(MovedClock):
    """Time stands still but for what the story says: how long the machine takes is no part of it."""

    def __init__(self, story: Story) -> None:
        super().__init__(timedelta())
        self._story = story

    def now(self) -> datetime:
        return self._story.acted.now


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_taken_of_a_hold_is_what_left(bureau: Bureau, data: st.DataObject) -> None:
    plan = drawn(lambda choices, label: data.draw(st.sampled_from(choices), label=label))
    with Story(bureau, plan) as story:
        try:
            story.play()
            # What a process took that died then is known to nobody but the provider.
            if any(word.endswith(" died") for word in story.turns.story) or data.draw(st.booleans(), label="last word"):
                for payment in story.all_payments():
                    story.tell_of(payment)
        finally:
            note("\n".join(story.turns.story))
    story.check()
