"""Activities of the order process."""

from dataclasses import dataclass, replace

from temporalio import activity

from worker.activities.pace import Pace
from worker.contract.orders import OrderEvent, OrderStatus, PaymentMode, PlaceOrder
from worker.domain.errors import NotFound, OrdersError, ProviderRejected
from worker.domain.order import OrderState
from worker.domain.parcels import PARTS
from worker.services.asking import Asking, Hold
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.expiry import Expiry
from worker.services.orders import Applied, OrderService
from worker.services.remainder import Remainder
from worker.services.retries import NewMethod, Retried, Retries
from worker.services.reversal import Reversal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The order as recorded, and how long it may wait (settings of the worker, fixed in the history here)."""

    status: OrderStatus
    payment_window_seconds: int
    fulfilment_sla_seconds: int
    ask_again_seconds: tuple[int, ...] = ()
    """After what time of silence to ask what became of the payment, and then again; the last one repeats."""
    payment_retry_window_seconds: int = 0
    """How long another payment method may be supplied after a refusal; 0: not at all."""
    ask_hold_seconds: int = 0
    """How often to ask whether money that a parcel is to be paid from is still held; 0: never."""
    in_fewer_steps: bool = False
    """Whether money is authorised and captured in one step, and a parcel's news noted in the task that takes it in.

    An order that was recorded before there was this has none in its history and goes its old way: that is its patch.
    """
    at_once: bool = False
    """Whether the charge and the request for the parcel are one step, too (a patch, as above)."""
    within_task: bool = False
    """Whether that step is first tried within the workflow task that recorded the order (a patch, as above)."""
    stops_first: bool = False
    """Whether one that is given up once that step was tried has its parcel stopped before its money goes back, also where
    nobody knows of a parcel: whoever asked for it may have died (a patch, as above)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of one order; `key` is the idempotency key of its effect outside."""

    shop: str
    order_id: str
    key: str = ""
    may_retry: bool = False
    """Whether another payment method may be supplied when this one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one order."""

    shop: str
    order_id: str
    event: OrderEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """Give back what the order holds and end it in state `to`."""

    shop: str
    order_id: str
    to: str
    reason: str
    key: str
    process: str = ""
    """The id of a process that was ended before it heard where its order stands. A dead worker may have recorded it, charged
    it and asked for its parcel: that is stopped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The use cases around money that is waited for."""

    retries: Retries
    shipped: CaptureOnShipment
    remainder: Remainder
    expiry: Expiry


_GIVEN_UP = frozenset({OrderState.CANCELLED, OrderState.REFUNDED, OrderState.EXPIRED})
"""Where an order stands that was given up while a step for it was under way: no step leads there by its own answer."""


def authorising(key: str) -> str:
    """Return the key of an order's first authorisation, whichever step it is done in."""
    return f"{key}:authorise"


def capturing(key: str) -> str:
    """Return the key of an order's capture, whichever step it is done in."""
    return f"{key}:capture"


def fulfilling(key: str) -> str:
    """Return the key of an order's first request for its parcel, whichever step it is done in."""
    return f"{key}:fulfil"


class OrderActivities:
    """Steps of OrderWorkflow; every one may be repeated."""

    def __init__(
        self,
        orders: OrderService,
        reversal: Reversal,
        asking: Asking,
        waiting: Waiting,
        pace: Pace | None = None,
        *,
        payment_window_seconds: int,
        fulfilment_sla_seconds: int,
        ask_again_seconds: tuple[int, ...] = (),
        payment_retry_window_seconds: int = 0,
        ask_hold_seconds: int = 0,
    ) -> None:
        self._orders = orders
        self._reversal = reversal
        self._asking = asking
        self._waiting = waiting
        self._pace = pace or Pace(quick_seconds=0, most=0)
        self._payment_window_seconds = payment_window_seconds
        self._fulfilment_sla_seconds = fulfilment_sla_seconds
        self._ask_again_seconds = ask_again_seconds
        self._payment_retry_window_seconds = payment_retry_window_seconds
        self._ask_hold_seconds = ask_hold_seconds

    @activity.defn
    def record_order(self, place: PlaceOrder) -> Recorded:
        """Write the order down and check its rules."""
        status = self._orders.record(place)
        # One that had to wait for the book may have been given up meanwhile: it is asked for after each step.
        first = activity.info().attempt == 1
        charged = status.state == OrderState.PAYING and place.payment_mode == PaymentMode.CHARGE
        return Recorded(
            status=status,
            payment_window_seconds=self._payment_window_seconds,
            fulfilment_sla_seconds=self._fulfilment_sla_seconds,
            ask_again_seconds=self._ask_again_seconds,
            payment_retry_window_seconds=self._payment_retry_window_seconds,
            ask_hold_seconds=self._ask_hold_seconds,
            in_fewer_steps=first,
            at_once=first,
            within_task=first and charged and self._pace.promise(),
            stops_first=True,
        )

    @activity.defn
    def authorise_payment(self, step: Step) -> OrderStatus:
        """Authorise the order's total at the provider."""
        return self._kept_by_nobody(
            self._orders.authorise(step.shop, step.order_id, step.key, may_retry=step.may_retry)
        )

    @activity.defn(no_thread_cancel_exception=True)
    def charge_and_fulfil(self, step: Step) -> OrderStatus:
        """Charge the order and ask the warehouse for its parcel; `key` begins the keys of all that is done outside.

        What has to be tried again goes one step at a time, as with `charge_payment`. A parcel that the warehouse refuses is
        left to the workflow, which asks for it with the same key, and has a way for its refusal. A cancellation must not
        strike between the provider's answer and its record: it takes effect when this is done.
        """
        with self._pace.measured(promised=activity.info().is_local):
            status = self.charge_payment(step)
            if activity.info().attempt > 1 or status.state != OrderState.PAID:
                return status
            try:
                return self._orders.request_fulfilment(step.shop, step.order_id, fulfilling(step.key))
            except ProviderRejected:
                return status

    @activity.defn
    def charge_payment(self, step: Step) -> OrderStatus:
        """Authorise the order's total at the provider, and capture it at once; `key` begins the keys of both.

        Orders that were recorded before there was `charge_and_fulfil` ask for it.
        What has to be tried again goes one step at a time: it is authorised here and left to the workflow to capture,
        which has heard meanwhile of whoever gave up the order, and then voids it instead of paying it back.

        Who gives it up while the first try is under way gets the money back instead, and the provider may keep its fee: to
        look for them between the two calls would cost every order a statement for the sake of one second in few.
        """
        if activity.info().attempt > 1:
            return self.authorise_payment(replace(step, key=authorising(step.key)))
        keys = authorising(step.key), capturing(step.key)
        return self._kept_by_nobody(self._orders.charge(step.shop, step.order_id, keys, may_retry=step.may_retry))

    @activity.defn
    def retry_payment(self, new: NewMethod) -> Retried:
        """Try another payment method."""
        tried = self._waiting.retries.retry(new)
        return replace(tried, status=self._kept_by_nobody(tried.status))

    @activity.defn
    def capture_payment(self, step: Step) -> OrderStatus:
        """Capture the authorised payment and book it."""
        return self._kept_by_nobody(self._orders.capture(step.shop, step.order_id, step.key))

    @activity.defn
    def capture_shipped(self, step: Step) -> OrderStatus:
        """Capture what a parcel that has left is paid from. Where that fails, nothing more is to leave unpaid."""
        status = self._waiting.shipped.capture(step.shop, step.order_id, step.key)
        if status.state == OrderState.NEEDS_ATTENTION:
            return self._orders.stop_fulfilment(step.shop, step.order_id)
        return status

    @activity.defn
    def lapse_payment(self, step: Step) -> OrderStatus:
        """Let an order whose authorisation is gone wait for another method, or end it."""
        return self._waiting.shipped.lapse(
            step.shop,
            step.order_id,
            may_retry=step.may_retry,
            stop=lambda: self._orders.stop_fulfilment(step.shop, step.order_id),
        )

    @activity.defn
    def request_fulfilment(self, step: Step) -> OrderStatus:
        """Ask the warehouse for the parcel."""
        return self._orders.request_fulfilment(step.shop, step.order_id, step.key)

    @activity.defn
    def request_rest(self, step: Step) -> OrderStatus:
        """Ask the warehouse for what has not left, where the parcel that was to bring it was stopped."""
        return self._orders.request_rest(step.shop, step.order_id, step.key)

    @activity.defn
    def stop_fulfilment(self, step: Step) -> OrderStatus:
        """Stop the parcel if it has not left."""
        return self._orders.stop_fulfilment(step.shop, step.order_id)

    @activity.defn
    def apply_event(self, delivery: Delivery) -> Applied:
        """Apply an outside event. Money for an order that is over goes back at once."""
        applied = self._orders.apply(delivery.shop, delivery.order_id, delivery.event)
        if self._reversal.settle(delivery.shop, delivery.order_id, delivery.event):
            return Applied(applied.answer, self._orders.status(delivery.shop, delivery.order_id))
        return applied

    @activity.defn
    def ask_payment(self, step: Step) -> OrderStatus:
        """Ask what became of a payment that is waited for."""
        return self._asking.ask(step.shop, step.order_id)

    @activity.defn
    def ask_after_hold(self, step: Step) -> Hold:
        """Ask whether the money that a parcel is to be paid from is still held."""
        return self._asking.ask_after_hold(step.shop, step.order_id)

    @activity.defn
    def expire_order(self, step: Step) -> OrderStatus:
        """End an order nobody paid."""
        return self._waiting.expiry.expire(step.shop, step.order_id)

    @activity.defn
    def reverse_payment(self, reverse: Reverse) -> OrderStatus | None:
        """Void or refund everything the order took, and end it."""
        if reverse.process and self._left_in_part(reverse):
            return self.close_rest(reverse)
        return self._reversal.reverse(
            reverse.shop,
            reverse.order_id,
            to=OrderState(reverse.to),
            reason=reverse.reason,
            key=reverse.key,
            stop=lambda: self._stopped(reverse),
        )

    @activity.defn
    def close_rest(self, reverse: Reverse) -> OrderStatus | None:
        """End an order of which a part has left: the rest's share is let go, or given back."""
        return self._waiting.remainder.close(
            reverse.shop,
            reverse.order_id,
            to=OrderState(reverse.to),
            reason=reverse.reason,
            key=reverse.key,
            stop=lambda: self._stopped(reverse),
        )

    def _kept_by_nobody(self, status: OrderStatus) -> OrderStatus:
        """Give back what a step took that stood still while its order was given up; return where that stands."""
        if status.state not in _GIVEN_UP:
            return status
        return self._reversal.give_back_late(status.shop, status.order_id)

    def _left_in_part(self, reverse: Reverse) -> bool:
        """Stop what the warehouse has of an order, and take the money of what had left; tell whether that was a part of it."""
        if not self._stopped(reverse):
            return False
        status = self._waiting.shipped.capture(reverse.shop, reverse.order_id, capturing(reverse.process))
        return status.fulfilment in PARTS

    def _stopped(self, reverse: Reverse) -> bool:
        """Stop what the warehouse has of an order; tell whether it could be asked. Raises OrdersError to be tried again."""
        try:
            self._orders.stop_fulfilment(reverse.shop, reverse.order_id)
        except NotFound:
            return False  # it was never recorded
        except OrdersError as problem:
            if problem.retryable:
                raise
            # The money goes back all the same; reconciliation reports a parcel without an order.
            activity.logger.warning("the parcel could not be stopped", extra={"cause": problem.code})
            return False
        return True
