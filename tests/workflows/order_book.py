"""The shop's order book and the outside world in memory: states move only as the domain's table allows.

It keeps the promises of the real services that workflows rely on: every step may be repeated, a step outside has
an idempotency key, money is booked once per reference, and what the provider holds is known apart from what our
books say. `seen` is the state a step read before it called outside: the call happens whatever became of the order
meanwhile, as it would for real.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

from worker.contract.orders import (
    CancelLines,
    OrderAnswer,
    OrderEvent,
    OrderEventKind,
    OrderStatus,
    PlaceOrder,
    ReaddressOrder,
)
from worker.contract.shipping import ShipTo
from worker.domain.capture import CapturePolicy
from worker.domain.errors import Conflict, NotFound, ProviderRejected
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.domain.line_cancelling import check_pieces, check_state, cut_of, to_give_back, without
from worker.domain.order import METHOD_WELCOME, TERMINAL, WITHOUT_GOODS, Order, OrderState, broken_rules
from worker.domain.parcels import Goods, due_of, fulfilment, shipped_goods
from worker.domain.payment import may_try_another
from worker.domain.readdressing import check
from worker.services.line_cancelling import Cancelled, Wanted, pieces_of
from worker.services.order_messages import order_of, status_of
from worker.services.orders import Applied
from worker.services.retries import NewMethod, Retried

S = OrderState
REFUSED = {"pm_declined": "do_not_honor", "pm_stolen": "stolen_card"}
"""What the provider says of a method."""


class OrderBook:
    """Orders by id, the money held outside for them, and their parcels."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.trail: dict[str, list[OrderState]] = defaultdict(list)
        self.authorised: dict[str, int] = defaultdict(int)
        """Money the provider holds for us without having taken it."""
        self.taken: dict[str, int] = defaultdict(int)
        """Money the provider took and did not give back."""
        self.sent: dict[str, dict[str, Shipment]] = defaultdict(dict)
        """Parcels that say what they hold, by order and id."""
        self.policy = CapturePolicy.FIRST_PARCEL
        self.parcels: dict[str, str] = {}
        """`requested`, `stopped`, `failed` or `left`, by order."""
        self.addresses: dict[str, ShipTo] = {}
        self.sent_to: dict[str, list[ShipTo | None]] = defaultdict(list)
        """Where each parcel goes, by order, in the order in which they were asked for."""
        self.refusing_refunds = False
        self.refusing_parcels = False
        self.dies_at_the_warehouse: list[Exception] = []
        """With what the next requests for a parcel end that the warehouse accepts and our books do not note."""
        self._done_outside: set[str] = set()
        self._cut: dict[str, tuple[int, int]] = {}
        self._booked: set[str] = set()

    def at_rest(self, order_id: str) -> bool:
        """Tell whether the order is over and nobody's money is where it should not be."""
        order = self.orders[order_id]
        paid = (self._due(order) if self.sent[order_id] else order.total_minor) if order.state is S.COMPLETED else 0
        parcel_is_right = (self.parcels.get(order_id) == "left") == (order.state is S.COMPLETED)
        waiting_parcel = self.parcels.get(order_id) == "requested"
        return (
            order.state in TERMINAL
            and order.kept_minor == self.taken[order_id] == paid
            and self.authorised[order_id] == 0
            and parcel_is_right
            and not waiting_parcel
        )

    def record(self, place: PlaceOrder) -> OrderStatus:
        """As of OrderService.record."""
        if place.order_id not in self.orders:
            self.orders[place.order_id] = order_of(place)
            self.trail[place.order_id].append(S.RECEIVED)
            if place.ship_to is not None:
                self.addresses[place.order_id] = place.ship_to
        order = self.orders[place.order_id]
        if order.state is S.RECEIVED:
            reasons = broken_rules(order)
            if reasons:
                return self._move(order, S.REJECTED, "; ".join(reasons))
            return self._move(order, S.PAYING if order.paid_through_us else S.AWAITING_PAYMENT)
        return status_of(order)

    def state(self, order_id: str) -> OrderState:
        """Return where the order stands. Raises NotFound."""
        return self._order(order_id).state

    def status(self, order_id: str) -> OrderStatus:
        """As of OrderService.status."""
        return status_of(self._order(order_id))

    def authorise(self, order_id: str, key: str, seen: OrderState, *, may_retry: bool = False) -> OrderStatus:
        """As of OrderService.authorise; the payment method says how the provider answers."""
        order = self._order(order_id)
        if seen is not S.PAYING:
            return status_of(order)
        if order.payment_method in REFUSED:
            again = may_retry and may_try_another(REFUSED[order.payment_method])
            return self._move(order, S.AWAITING_METHOD if again else S.DECLINED, REFUSED[order.payment_method])
        if order.payment_method == "pm_needs_customer":
            return self._move(order, S.AWAITING_PAYMENT, "the customer must act")
        if key not in self._done_outside:
            self._done_outside.add(key)
            self.authorised[order_id] += order.total_minor
        return self._move(order, S.AUTHORISED) if order.state is seen else status_of(order)

    def capture(self, order_id: str, key: str, seen: OrderState) -> OrderStatus:
        """As of OrderService.capture."""
        if seen is not S.AUTHORISED:
            return status_of(self._order(order_id))
        if key not in self._done_outside and self.authorised[order_id]:
            self._done_outside.add(key)
            self.taken[order_id] += self.authorised.pop(order_id)
        if key not in self._done_outside:
            return status_of(self._order(order_id))  # voided meanwhile
        order = self._book(order_id, key, self._order(order_id).total_minor)
        return self._move(order, S.PAID) if order.state is seen else status_of(order)

    def retry(self, new: NewMethod) -> Retried:
        """As of Retries.retry."""
        order = self._order(new.order_id)
        if order.state not in METHOD_WELCOME:
            return Retried(outcome="declined" if order.state in WITHOUT_GOODS else "applied", status=status_of(order))
        if new.method in REFUSED:
            code = REFUSED[new.method]
            stays = may_try_another(code) or bool(self.sent[order.order_id])
            status = self._status(order) if stays else self._move(order, S.DECLINED, code)
            return Retried(outcome="declined", status=status, reason=code)
        if new.key not in self._done_outside:
            self._done_outside.add(new.key)
            (self.taken if order.state is S.LAPSED else self.authorised)[order.order_id] += order.owed_minor
        if order.state is S.LAPSED:
            self._book(order.order_id, new.key, order.owed_minor)
            return Retried(outcome="applied", status=self._move(self._order(order.order_id), S.PAID))
        return Retried(outcome="applied", status=self._move(order, S.AUTHORISED))

    def capture_shipped(self, order_id: str, key: str) -> OrderStatus:
        """As of CaptureOnShipment.capture."""
        order = self._order(order_id)
        if self.parcels.get(order_id) != "left" or order.state not in {S.AUTHORISED, S.PAID, S.FULFILLING}:
            return status_of(order)
        if self._partial(order):
            return self._part_captured(order)
        if order.state is S.AUTHORISED:
            if order.captured_minor and self.authorised[order_id]:
                self._take(order, order.total_minor - order.captured_minor)
                self.authorised.pop(order_id)
                self._move(self._order(order_id), S.PAID)
                return self._sent(order_id)
            if key not in self._done_outside and not self.authorised[order_id]:
                return self._move(order, S.NEEDS_ATTENTION, "the parcel left, but its money could not be taken")
            if key not in self._done_outside:
                self._done_outside.add(key)
                self.authorised.pop(order_id)
                self.taken[order_id] += order.total_minor
            self._move(self._book(order_id, key, order.total_minor), S.PAID)
        return self._sent(order_id)

    def lapse(self, order_id: str, *, may_retry: bool) -> OrderStatus:
        """As of CaptureOnShipment.lapse."""
        order = self._order(order_id)
        if order.state is not S.AUTHORISED:
            return status_of(order)
        return self._move(order, S.LAPSED if may_retry else S.DECLINED)

    def request_fulfilment(self, order_id: str, key: str, seen: OrderState) -> OrderStatus:
        """As of OrderService.request_fulfilment; a parcel is the same one for as long as its key is."""
        order = self._order(order_id)
        if seen is not S.PAID and not _held_for_parcel(order):
            return status_of(order)
        if self.refusing_parcels:
            raise ProviderRejected("the warehouse does not know the article")
        if key not in self._done_outside and self.parcels.get(order_id) not in {"requested", "left"}:
            self._done_outside.add(key)
            self.parcels[order_id] = "requested"
            self.sent_to[order_id].append(self.addresses.get(order_id))
        if self.dies_at_the_warehouse:
            raise self.dies_at_the_warehouse.pop(0)
        if _held_for_parcel(order):
            return status_of(order)
        return self._move(order, S.FULFILLING) if order.state is seen else status_of(order)

    def request_rest(self, order_id: str, key: str) -> OrderStatus:
        """As of OrderService.request_rest."""
        order = self._order(order_id)
        if order.state not in {S.PAID, S.FULFILLING} and not _held_for_parcel(order):
            return self._status(order)
        if not self._owed(order):
            return self._status(order)
        if self.refusing_parcels:
            raise ProviderRejected("the warehouse does not know the article")
        if key not in self._done_outside:
            self._done_outside.add(key)
            self.parcels[order_id] = "requested"
            self.sent_to[order_id].append(self.addresses.get(order_id))
        if order.state is S.PAID:
            self._move(order, S.FULFILLING)
        return self._status(self._order(order_id))

    def look_at_lines(self, order_id: str, request: CancelLines) -> Wanted:
        """As of LineCancelling.look."""
        order = self._order(order_id)
        if request.request_id in self._cut:
            return Wanted(status=self._status(order), everything=False)
        check_state(order)
        owed = self._owed(order)
        check_pieces(order.lines, owed, pieces_of(request))
        return Wanted(status=self._status(order), everything=owed == pieces_of(request))

    def cancel_lines(self, order_id: str, request: CancelLines) -> Cancelled:
        """As of LineCancelling.cancel."""
        if request.request_id not in self._cut:
            self.look_at_lines(order_id, request)
            if self.parcels.get(order_id) == "requested":
                raise Conflict("a parcel is under way")
            order = self._order(order_id)
            cut = cut_of(order, pieces_of(request))
            smaller = self.orders[order_id] = without(order, cut)
            self._cut[request.request_id] = (cut.amount_minor, to_give_back(smaller, cut))
        amount, back = self._cut[request.request_id]
        return Cancelled(status=self._status(self._order(order_id)), amount_minor=amount, back_minor=back)

    def readdress(self, order_id: str, request: ReaddressOrder, *, asked_once_paid: bool) -> OrderStatus:
        """As of Readdressing.change."""
        order = self._order(order_id)
        asking = asked_once_paid and order.state is S.PAID
        check(order.state, asked_for=asking or self.parcels.get(order_id) in {"requested", "left"})
        self.addresses[order_id] = request.ship_to
        return status_of(order)

    def stop_fulfilment(self, order_id: str) -> OrderStatus:
        """As of OrderService.stop_fulfilment: a parcel that left completes the order; one may be there that nobody noted."""
        order = self._order(order_id)
        if order.state not in {S.PAID, S.FULFILLING} and not _held_for_parcel(order):
            return status_of(order)
        if self.sent[order_id]:
            self.parcels[order_id] = "left"
            return self._status(order)
        if self.parcels.get(order_id) == "left":
            if _held_for_parcel(order):
                return status_of(order)
            return self._sent(order_id)
        if order_id in self.parcels:
            self.parcels[order_id] = "stopped"
        return status_of(order)

    def expire(self, order_id: str) -> OrderStatus:
        """As of OrderService.expire."""
        order = self._order(order_id)
        if order.state not in METHOD_WELCOME or order.captured_minor > order.refunded_minor or self.sent[order_id]:
            return self._status(order)
        if order.state is not S.AWAITING_PAYMENT:
            return self._move(order, S.DECLINED, "no other method was supplied")
        return self._move(order, S.EXPIRED, "nobody paid within the window")

    def apply(self, order_id: str, event: OrderEvent) -> Applied:
        """As of OrderService.apply."""
        changed = self._take_in(self._order(order_id), event)
        order = self._order(order_id)
        outcome = "applied" if changed else "ignored"
        return Applied(OrderAnswer(outcome=outcome, state=order.state), self._status(order))

    def close(self, order_id: str, to: OrderState, reason: str) -> OrderStatus | None:
        """As of Remainder.close."""
        order = self.orders.get(order_id)
        if order is None or order.state in TERMINAL:
            return status_of(order) if order else None
        due = self._due(order)
        if order.state is S.AUTHORISED:
            if due > order.captured_minor and self.authorised[order_id] < due - order.captured_minor:
                return self._move(order, S.NEEDS_ATTENTION, "the parcel left, but its money could not be taken")
            self._take(order, due - order.captured_minor)
            self.authorised.pop(order_id, None)
            self._move(self._order(order_id), S.PAID)
            self._move(self._order(order_id), S.FULFILLING)
        order = self._order(order_id)
        if order.state is S.LAPSED and order.captured_minor < due:
            return self._move(order, S.NEEDS_ATTENTION, f"{reason}; not all that was sent is paid")
        if order.state is S.LAPSED and to is not S.NEEDS_ATTENTION:
            self._move(order, S.PAID)
            self._move(self._order(order_id), S.FULFILLING)
            order = self._order(order_id)
        rest = max(order.kept_minor - due, 0)
        self.taken[order_id] -= rest
        self.orders[order_id] = replace(order, refunded_minor=order.refunded_minor + rest)
        if to is S.NEEDS_ATTENTION:
            return self._move(self._order(order_id), to, reason)
        self._sent(order_id)
        return status_of(self._order(order_id))

    def reverse(self, order_id: str, to: OrderState, reason: str) -> OrderStatus | None:
        """As of Reversal.reverse."""
        order = self.orders.get(order_id)
        if order is None or order.state in TERMINAL:
            return status_of(order) if order else None
        self.authorised.pop(order_id, None)
        rest = order.kept_minor
        if order.captured_minor == 0:
            return self._move(order, S.CANCELLED, reason)
        if order.state is not S.REFUNDING:
            self._move(order, S.REFUNDING, reason)
        if self.refusing_refunds:
            return self._move(self._order(order_id), S.NEEDS_ATTENTION, "refund refused")
        self.taken[order_id] -= rest
        refunded = self._order(order_id)
        self.orders[order_id] = replace(refunded, refunded_minor=refunded.refunded_minor + rest)
        return self._move(self._order(order_id), to, reason)

    def _take_in(self, order: Order, event: OrderEvent) -> bool:
        if event.kind is OrderEventKind.PAYMENT_CAPTURED:
            if event.reference in self._booked:
                return False
            amount = order.total_minor if event.amount_minor is None else event.amount_minor
            self.taken[order.order_id] += amount
            order = self._book(order.order_id, event.reference, amount)
            if order.state is S.AWAITING_PAYMENT and order.captured_minor >= order.total_minor:
                self._move(order, S.PAID)
            return True
        if event.kind is OrderEventKind.DISPUTE_OPENED:
            amount = event.amount_minor or 0
            self.taken[order.order_id] -= amount
            self.orders[order.order_id] = replace(order, disputed_minor=order.disputed_minor + amount)
            return True
        if event.kind is OrderEventKind.PAYMENT_AUTHORISED:
            if order.state not in {S.AWAITING_PAYMENT, S.AWAITING_METHOD}:
                return False
            self.authorised[order.order_id] += order.total_minor
            self._move(order, S.AUTHORISED)
            return True
        if event.kind is OrderEventKind.SHIPPED and event.contents:
            return self._part_sent(order, event)
        if event.kind is OrderEventKind.SHIPPED:
            self.parcels[order.order_id] = "left"
            if _held_for_parcel(order):
                return True
            if order.state is S.PAID:
                self._move(order, S.FULFILLING)
            if self._order(order.order_id).state is not S.FULFILLING:
                return False
            self._sent(order.order_id)
            return True
        if event.kind is OrderEventKind.SHIPMENT_FAILED:
            if not self.sent[order.order_id]:
                self.parcels[order.order_id] = "failed"
            return order.state in {S.PAID, S.FULFILLING} or _held_for_parcel(order)
        if event.kind is OrderEventKind.PAYMENT_VOIDED and _held_for_parcel(order):
            self.authorised.pop(order.order_id, None)
            return True
        return False

    def _part_sent(self, order: Order, event: OrderEvent) -> bool:
        new = event.reference not in self.sent[order.order_id]
        at = datetime.fromisoformat(event.occurred_at)
        self.sent[order.order_id][event.reference] = Shipment(
            shipment_id=event.reference,
            order_id=order.order_id,
            state=ShipmentState.SHIPPED,
            requested_at=at,
            shipped_at=at,
            contents=tuple(Packed(quantity=each.quantity, line=each.line, sku=each.sku) for each in event.contents),
        )
        self.parcels[order.order_id] = "left"
        if _held_for_parcel(order):
            return True
        if order.state not in {S.PAID, S.FULFILLING}:
            return False
        if not self._partial(order):
            self._sent(order.order_id)
        elif order.state is S.PAID:
            self._move(order, S.FULFILLING)
        return new

    def _part_captured(self, order: Order) -> OrderStatus:
        """Take what the policy has for a part."""
        order_id = order.order_id
        if order.state is S.AUTHORISED and self.policy is CapturePolicy.EACH_PARCEL:
            share = self._due(order) - order.captured_minor
            if share > self.authorised[order_id]:
                return self._move(order, S.NEEDS_ATTENTION, "the parcel left, but its money could not be taken")
            self.authorised[order_id] -= share
            self._take(order, share)
        elif order.state is S.AUTHORISED and self.policy is CapturePolicy.FIRST_PARCEL:
            self.authorised.pop(order_id)
            self._take(order, order.total_minor)
            self._move(self._order(order_id), S.PAID)
            self._move(self._order(order_id), S.FULFILLING)
        return self._status(self._order(order_id))

    def _take(self, order: Order, amount_minor: int) -> None:
        self.taken[order.order_id] += amount_minor
        self.orders[order.order_id] = replace(order, captured_minor=order.captured_minor + amount_minor)

    def _goods(self, order: Order) -> Goods:
        return shipped_goods(order.lines, self.sent[order.order_id].values())

    def _owed(self, order: Order) -> dict[int, int]:
        """Return what has not left, by line; a parcel that says nothing of what it holds holds all."""
        whole = self.parcels.get(order.order_id) == "left" and not self.sent[order.order_id]
        return {} if whole else self._goods(order).owed

    def _partial(self, order: Order) -> bool:
        return self._goods(order).partial

    def _due(self, order: Order) -> int:
        return due_of(order, self._goods(order))

    def _status(self, order: Order) -> OrderStatus:
        parcels = list(self.sent[order.order_id].values())
        return status_of(order, fulfilment(order, parcels) if parcels else "")

    def _sent(self, order_id: str) -> OrderStatus:
        if self._order(order_id).state is S.PAID:
            self._move(self._order(order_id), S.FULFILLING)
        self._move(self._order(order_id), S.SHIPPED)
        return self._move(self._order(order_id), S.COMPLETED)

    def _book(self, order_id: str, reference: str, amount_minor: int) -> Order:
        order = self._order(order_id)
        if reference not in self._booked:
            self._booked.add(reference)
            self.orders[order_id] = replace(order, captured_minor=order.captured_minor + amount_minor)
        return self.orders[order_id]

    def _order(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise NotFound(f"order {order_id} is not in the book")
        return self.orders[order_id]

    def _move(self, order: Order, to: OrderState, reason: str = "") -> OrderStatus:
        moved = order.moved(to, reason)
        self.orders[order.order_id] = moved
        self.trail[order.order_id].append(to)
        return status_of(moved)


def _held_for_parcel(order: Order) -> bool:
    return order.captured_on_shipment and order.state is S.AUTHORISED
