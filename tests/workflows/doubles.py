"""Activities under the real names and with the real signatures (test_doubles.py holds them to it), in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity

from tests.workflows.conduct import Conduct
from tests.workflows.order_book import OrderBook
from tests.workflows.samples import order_event
from worker.activities.addresses import AddressConfirmation, Begun, OneChange
from worker.activities.alerts import AlertOrder
from worker.activities.closing import BooksOf, ClaimedMonth, CloseOrder
from worker.activities.events import Filing, Receipt, Received
from worker.activities.journal import CancellationAsked
from worker.activities.line_cancelling import UnwantedLines
from worker.activities.orders import Delivery, Recorded, Reverse, Step, authorising, capturing, fulfilling
from worker.activities.readdressing import NewShipTo
from worker.activities.reconciliation import Conclude, PartOrder, Parts, Plan, RepairOrder, RunAnswer, RunOrder
from worker.activities.users import Confirmation, Mailing, Registered
from worker.contract.events import EventResult
from worker.contract.orders import OrderAnswer, OrderEventKind, OrderStatus, PaymentMode, PlaceOrder, ResolveOrder
from worker.contract.reconciliation import Window
from worker.contract.users import ChangeAddress, RegisterUser
from worker.domain.errors import Conflict, InvalidInput, NotFound, ProviderRejected
from worker.domain.finding import Verdict
from worker.domain.order import OrderState
from worker.domain.user import ChangeState, UserState
from worker.domain.window import Span, scheduled_window
from worker.services.asking import Hold
from worker.services.line_cancelling import Cancelled, Wanted
from worker.services.orders import Applied
from worker.services.retries import NewMethod, Retried
from worker.services.translation.route import Route

DAY = 86_400


def activities_of(doubles: object) -> list[Callable[..., Any]]:
    """Return the activities among an object's methods."""
    methods = (getattr(doubles, name) for name in dir(doubles) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


class OrderDoubles:
    """Steps of OrderWorkflow over an order book."""

    def __init__(
        self,
        *,
        payment_window_seconds: int = 7 * DAY,
        fulfilment_sla_seconds: int = 14 * DAY,
        ask_again_seconds: tuple[int, ...] = (),
        payment_retry_window_seconds: int = 0,
        ask_hold_seconds: int = 0,
        in_fewer_steps: bool = True,
        at_once: bool = True,
        within_task: bool = False,
        stops_first: bool = True,
    ) -> None:
        self._in_fewer_steps = in_fewer_steps
        self._at_once = at_once
        self._stops_first = stops_first
        self.within_task = within_task
        """Whether an order is charged in the task that records it; messages to it wait until it is."""
        self.book = OrderBook()
        self.conduct = Conduct()
        self.untold: OrderEventKind | None = None
        """What happened to the payment without anybody telling."""
        self._ask_again_seconds = ask_again_seconds
        self.told: list[tuple[str, str]] = []
        """Cancellations that were asked for, with what was answered."""
        self._payment_window_seconds = payment_window_seconds
        self.payment_retry_window_seconds = payment_retry_window_seconds
        self.ask_hold_seconds = ask_hold_seconds
        self._fulfilment_sla_seconds = fulfilment_sla_seconds

    def asks_again(self, seconds: tuple[int, ...]) -> None:
        """Let orders that are recorded from now on ask for their payment."""
        self._ask_again_seconds = seconds

    @activity.defn
    async def record_order(self, place: PlaceOrder) -> Recorded:
        async with self.conduct.step("record_order", place):
            status = self.book.record(place)
            charged = status.state == OrderState.PAYING and place.payment_mode == PaymentMode.CHARGE
            return Recorded(
                status=status,
                payment_window_seconds=self._payment_window_seconds,
                fulfilment_sla_seconds=self._fulfilment_sla_seconds,
                ask_again_seconds=self._ask_again_seconds,
                payment_retry_window_seconds=self.payment_retry_window_seconds,
                ask_hold_seconds=self.ask_hold_seconds,
                in_fewer_steps=self._in_fewer_steps and activity.info().attempt == 1,
                at_once=self._at_once and activity.info().attempt == 1,
                within_task=self.within_task and charged and activity.info().attempt == 1,
                stops_first=self._stops_first,
            )

    @activity.defn
    async def authorise_payment(self, step: Step) -> OrderStatus:
        seen = self.book.state(step.order_id)
        async with self.conduct.step("authorise_payment", step):
            return self.book.authorise(step.order_id, step.key, seen, may_retry=step.may_retry)

    @activity.defn
    async def charge_and_fulfil(self, step: Step) -> OrderStatus:
        """Conducted as the steps it is made of."""
        status = await self.charge_payment(step)
        if activity.info().attempt > 1 or status.state != OrderState.PAID:
            return status
        try:
            return await self.request_fulfilment(replace(step, key=fulfilling(step.key)))
        except ProviderRejected:
            return status

    @activity.defn
    async def charge_payment(self, step: Step) -> OrderStatus:
        """Conducted as the two steps it is made of."""
        status = await self.authorise_payment(replace(step, key=authorising(step.key)))
        if activity.info().attempt > 1 or status.state != OrderState.AUTHORISED:
            return status
        return await self.capture_payment(replace(step, key=capturing(step.key)))

    @activity.defn
    async def retry_payment(self, new: NewMethod) -> Retried:
        async with self.conduct.step("retry_payment", new):
            return self.book.retry(new)

    @activity.defn
    async def capture_payment(self, step: Step) -> OrderStatus:
        seen = self.book.state(step.order_id)
        async with self.conduct.step("capture_payment", step):
            return self.book.capture(step.order_id, step.key, seen)

    @activity.defn
    async def capture_shipped(self, step: Step) -> OrderStatus:
        async with self.conduct.step("capture_shipped", step):
            return self.book.capture_shipped(step.order_id, step.key)

    @activity.defn
    async def lapse_payment(self, step: Step) -> OrderStatus:
        async with self.conduct.step("lapse_payment", step):
            return self.book.lapse(step.order_id, may_retry=step.may_retry)

    @activity.defn
    async def request_fulfilment(self, step: Step) -> OrderStatus:
        seen = self.book.state(step.order_id)
        async with self.conduct.step("request_fulfilment", step):
            return self.book.request_fulfilment(step.order_id, step.key, seen)

    @activity.defn
    async def request_rest(self, step: Step) -> OrderStatus:
        async with self.conduct.step("request_rest", step):
            return self.book.request_rest(step.order_id, step.key)

    @activity.defn
    async def stop_fulfilment(self, step: Step) -> OrderStatus:
        async with self.conduct.step("stop_fulfilment", step):
            return self.book.stop_fulfilment(step.order_id)

    @activity.defn
    async def apply_event(self, delivery: Delivery) -> Applied:
        async with self.conduct.step("apply_event", delivery):
            return self.book.apply(delivery.order_id, delivery.event)

    @activity.defn
    async def ask_payment(self, step: Step) -> OrderStatus:
        async with self.conduct.step("ask_payment", step):
            if self.untold is not None:
                self.book.apply(step.order_id, order_event(self.untold, "asked"))
            return self.book.status(step.order_id)

    @activity.defn
    async def ask_after_hold(self, step: Step) -> Hold:
        async with self.conduct.step("ask_after_hold", step):
            if self.untold is not None:
                self.book.apply(step.order_id, order_event(self.untold, "asked"))
            status = self.book.status(step.order_id)
            gone = status.state == OrderState.AUTHORISED and not self.book.authorised[step.order_id]
            return Hold(status=status, lapsed=gone)

    @activity.defn
    async def tell_of_cancellation(self, asked: CancellationAsked) -> None:
        async with self.conduct.step("tell_of_cancellation", asked):
            self.told.append((asked.request_id, asked.outcome))

    @activity.defn
    async def change_shipping_address(self, new: NewShipTo) -> OrderStatus:
        async with self.conduct.step("change_shipping_address", new):
            return self.book.readdress(new.order_id, new.request, asked_once_paid=new.asked_once_paid)

    @activity.defn
    async def look_at_lines(self, unwanted: UnwantedLines) -> Wanted:
        async with self.conduct.step("look_at_lines", unwanted):
            return self.book.look_at_lines(unwanted.order_id, unwanted.request)

    @activity.defn
    async def cancel_lines(self, unwanted: UnwantedLines) -> Cancelled:
        async with self.conduct.step("cancel_lines", unwanted):
            return self.book.cancel_lines(unwanted.order_id, unwanted.request)

    @activity.defn
    async def expire_order(self, step: Step) -> OrderStatus:
        async with self.conduct.step("expire_order", step):
            return self.book.expire(step.order_id)

    @activity.defn
    async def reverse_payment(self, reverse: Reverse) -> OrderStatus | None:
        async with self.conduct.step("reverse_payment", reverse):
            if reverse.process and reverse.order_id in self.book.orders:
                self.book.stop_fulfilment(reverse.order_id)
                self.book.capture_shipped(reverse.order_id, capturing(reverse.process))
            return self.book.reverse(reverse.order_id, OrderState(reverse.to), reverse.reason)

    @activity.defn
    async def close_rest(self, reverse: Reverse) -> OrderStatus | None:
        async with self.conduct.step("close_rest", reverse):
            return self.book.close(reverse.order_id, OrderState(reverse.to), reverse.reason)


class ResolutionDoubles:
    """The step of ResolutionWorkflow; without a reason it is refused, as for real."""

    @activity.defn
    async def resolve_order(self, request: ResolveOrder) -> OrderAnswer:
        if not request.reason:
            raise InvalidInput("say why")
        return OrderAnswer(outcome="applied", state="refunded")


class EventDoubles:
    """Steps of ProviderEventWorkflow: the body names what happens (`ignored`, `unreadable`, or an order's id)."""

    def __init__(self, *, patience_seconds: int = 600) -> None:
        self.conduct = Conduct()
        self.inbox: dict[str, str] = {}
        """Outcome by event id; `received` until filed."""
        self.details: dict[str, str] = {}
        self.taking: set[str] = set()
        """Orders that are there to take events."""
        self.over: set[str] = set()
        """Orders that have ended."""
        self.delivered: list[str] = []
        self._patience_seconds = patience_seconds
        self._runs: dict[str, str] = {}

    @activity.defn
    async def receive_event(self, receipt: Receipt) -> Received:
        async with self.conduct.step("receive_event", receipt):
            event = receipt.event
            if self._runs.setdefault(event.event_id, receipt.run_id) != receipt.run_id:
                return Received(route=None, patience_seconds=self._patience_seconds)
            self.inbox.setdefault(event.event_id, "received")
            if event.body == "unreadable":
                raise InvalidInput("the body is not JSON")
            if event.body == "ignored":
                route = Route(reason="of no concern to orders")
            else:
                route = Route(
                    shop=event.shop,
                    order_id=event.body,
                    event=order_event(OrderEventKind.PAYMENT_CAPTURED, event.event_id),
                )
            return Received(route=route, patience_seconds=self._patience_seconds)

    @activity.defn
    async def deliver_event(self, route: Route) -> EventResult:
        async with self.conduct.step("deliver_event", route):
            if route.order_id in self.over:
                return EventResult(outcome="late", detail="the order is over; the money was booked")
            if route.order_id not in self.taking:
                raise NotFound(f"order {route.order_id} has no workflow")
            self.delivered.append(route.order_id)
            return EventResult(outcome="applied", workflow_id=f"order/{route.shop}/{route.order_id}")

    @activity.defn
    async def close_event(self, filing: Filing) -> None:
        async with self.conduct.step("close_event", filing):
            self.inbox[filing.event_id] = filing.outcome
            self.details[filing.event_id] = filing.detail


class AddressDoubles:
    """Steps of AddressChangeWorkflow: one change, whose token's digest is `right`."""

    def __init__(self, state: ChangeState = ChangeState.PENDING, *, window_seconds: int = DAY) -> None:
        self.conduct = Conduct()
        self.state = state
        self._window_seconds = window_seconds

    @activity.defn
    async def begin_address_change(self, request: ChangeAddress) -> Begun:
        async with self.conduct.step("begin_address_change", request):
            return Begun(state=self.state, window_seconds=self._window_seconds)

    @activity.defn
    async def mail_address_token(self, change: OneChange) -> None:
        async with self.conduct.step("mail_address_token", change):
            pass

    @activity.defn
    async def confirm_address(self, confirmation: AddressConfirmation) -> str:
        async with self.conduct.step("confirm_address", confirmation):
            if confirmation.token_sha256 == "right" and self.state is ChangeState.PENDING:
                self.state = ChangeState.CHANGED
            return str(self.state)

    @activity.defn
    async def tell_old_address(self, change: OneChange) -> None:
        async with self.conduct.step("tell_old_address", change):
            pass

    @activity.defn
    async def expire_address_change(self, change: OneChange) -> str:
        async with self.conduct.step("expire_address_change", change):
            if self.state is ChangeState.PENDING:
                self.state = ChangeState.EXPIRED
            return str(self.state)


class UserDoubles:
    """Steps of UserWorkflow: one user, whose token's digest is `right`."""

    def __init__(
        self,
        *,
        window_seconds: int = 7 * DAY,
        reminder_seconds: tuple[int, ...] = (DAY, 3 * DAY),
        resend_pause_seconds: int = 10,
        mails_at_most: int = 10,
    ) -> None:
        self.conduct = Conduct()
        self.state: UserState | None = None
        self._resend_pause_seconds = resend_pause_seconds
        self._mails_at_most = mails_at_most
        self._window_seconds = window_seconds
        self._reminder_seconds = reminder_seconds

    @activity.defn
    async def register_user(self, request: RegisterUser) -> Registered:
        async with self.conduct.step("register_user", request):
            self.state = self.state or UserState.PENDING
            return Registered(
                state=self.state,
                confirmation_window_seconds=self._window_seconds,
                reminder_seconds=self._reminder_seconds,
                resend_pause_seconds=self._resend_pause_seconds,
                mails_at_most=self._mails_at_most,
            )

    @activity.defn
    async def mail_confirmation(self, mailing: Mailing) -> None:
        async with self.conduct.step("mail_confirmation", mailing):
            pass

    @activity.defn
    async def confirm_user(self, confirmation: Confirmation) -> bool:
        async with self.conduct.step("confirm_user", confirmation):
            right = confirmation.token_sha256 == "right"
            if right and self.state is UserState.PENDING:
                self.state = UserState.ACTIVE
            return right

    @activity.defn
    async def expire_user(self, user_id: str) -> str:
        async with self.conduct.step("expire_user", user_id):
            if self.state is UserState.PENDING:
                self.state = UserState.EXPIRED
            return str(self.state)


MONTH = Window(start="2026-10-01T00:00:00+00:00", end="2026-11-01T00:00:00+00:00")
LEFT_OPEN = Window(start="2026-09-01T00:00:00+00:00", end=MONTH.start)


class ReconciliationDoubles:
    """Steps of ReconciliationWorkflow: windows are the domain's, the books' answer is given."""

    def __init__(
        self,
        *,
        verdict: Verdict = Verdict.RECONCILED,
        repairs: int = 0,
        buckets: int = 1,
        pieces: int = 0,
        rows: int = 0,
        **counts: int,
    ) -> None:
        self.conduct = Conduct()
        self.watermark: datetime | None = None
        self.incomplete_because: tuple[str, ...] = ()
        self.sifted: list[int] = []
        self.judged: list[int] = []
        self.stored: dict[str, RunAnswer] = {}
        """Runs that are concluded, by their ids."""
        self.left_open: list[Window] = []
        self.claimed: dict[str, str] = {}
        """Runs by the start of the month that they close."""
        self._parts = {"buckets": buckets, "rows": rows}
        self._pieces = pieces
        self._verdict = verdict
        self._repairs = repairs
        self._counts = counts

    @activity.defn
    async def plan_window(self, plan: Plan) -> Window:
        async with self.conduct.step("plan_window", plan):
            span = self._span(plan)
            return Window(start=span.start.isoformat(), end=span.end.isoformat())

    @activity.defn
    async def claim_month(self, order: CloseOrder) -> ClaimedMonth:
        async with self.conduct.step("claim_month", order):
            month = order.request.window or MONTH
            done = self.claimed.setdefault(month.start, order.run_id)
            return ClaimedMonth(window=month, run_id=done, mine=done == order.run_id)

    @activity.defn
    async def next_month(self, books: BooksOf) -> Window | None:
        async with self.conduct.step("next_month", books):
            return next((month for month in self.left_open if month.start not in self.claimed), None)

    @activity.defn
    async def compare_books(self, order: RunOrder) -> RunAnswer:
        async with self.conduct.step("compare_books", order):
            return self._answer()

    @activity.defn
    async def gather_books(self, order: RunOrder) -> Parts:
        async with self.conduct.step("gather_books", order):
            if order.run_id in self.stored:
                return Parts(reference="", buckets=0, rows=0)
            # Each attempt gathers into a folder of its own.
            attempt = self.conduct.count("gather_books")
            return Parts(reference=f"runs/{order.run_id}/{attempt}", **self._parts)

    @activity.defn
    async def sift_bucket(self, order: PartOrder) -> None:
        async with self.conduct.step("sift_bucket", order):
            self.sifted.append(order.number)

    @activity.defn
    async def collect_exceptions(self, reference: str) -> int:
        async with self.conduct.step("collect_exceptions", reference):
            if set(self.sifted) != set(range(self._parts["buckets"])):
                raise Conflict(f"only {sorted(self.sifted)} were sifted")
            return self._pieces

    @activity.defn
    async def judge_piece(self, order: PartOrder) -> None:
        async with self.conduct.step("judge_piece", order):
            self.judged.append(order.number)

    @activity.defn
    async def conclude_run(self, order: Conclude) -> RunAnswer:
        async with self.conduct.step("conclude_run", order):
            if order.run_id not in self.stored and set(self.judged) != set(range(order.pieces)):
                raise Conflict(f"only {sorted(self.judged)} were judged")
            return self.stored.setdefault(order.run_id, self._answer())

    @activity.defn
    async def repair_breaks(self, order: RepairOrder) -> int:
        async with self.conduct.step("repair_breaks", order):
            return self._repairs

    @activity.defn
    async def weigh_alerts(self, order: AlertOrder) -> dict[str, str]:
        async with self.conduct.step("weigh_alerts", order):
            return {"open_breaks": "opened"} if self._verdict is Verdict.BREAKS else {}

    @activity.defn
    async def send_notices(self) -> int:
        async with self.conduct.step("send_notices", None):
            return 1

    @activity.defn
    async def write_report(self, run_id: str) -> str:
        async with self.conduct.step("write_report", run_id):
            return f"reports/{run_id}/report.html"

    def _answer(self) -> RunAnswer:
        return RunAnswer(verdict=self._verdict, counts=dict(self._counts), incomplete_because=self.incomplete_because)

    def _span(self, plan: Plan) -> Span:
        asked = plan.request.window
        if asked is not None:
            return Span(datetime.fromisoformat(asked.start), datetime.fromisoformat(asked.end))
        return scheduled_window(
            datetime.fromisoformat(plan.nominal),
            interval=timedelta(seconds=plan.request.interval_seconds),
            offset=timedelta(seconds=plan.request.offset_seconds),
            watermark=self.watermark,
        )
