"""An order in its three tongues: the message that places it, the domain's order, the status that is published.

Also its book entry of a payment, which every service that books one must write alike.
"""

from dataclasses import replace
from datetime import datetime

from worker.contract.orders import OrderStatus, PlaceOrder
from worker.domain.errors import PaymentDeclined
from worker.domain.order import Line, Order
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState
from worker.services.ports import Transaction


def order_of(place: PlaceOrder) -> Order:
    """Translate the published message into the domain's order."""
    return Order(
        shop=place.shop,
        order_id=place.order_id,
        currency=place.currency,
        total_minor=place.total_minor,
        lines=tuple(
            Line(sku=line.sku, quantity=line.quantity, unit_price_minor=line.unit_price_minor) for line in place.lines
        ),
        customer_id=place.customer_id,
        payment_mode=place.payment_mode,
        placed_at=datetime.fromisoformat(place.placed_at),
        origin=place.origin,
        shipping_minor=place.shipping_minor,
        discount_minor=place.discount_minor,
        tax_minor=place.tax_minor,
        payment_method=place.payment_method,
        number=place.number,
    )


def status_of(order: Order, fulfilment: str = "") -> OrderStatus:
    """Translate the domain's order into the published status; `fulfilment` where its parcels were looked at."""
    return OrderStatus(
        shop=order.shop,
        order_id=order.order_id,
        state=order.state,
        currency=order.currency,
        total_minor=order.total_minor,
        captured_minor=order.captured_minor,
        refunded_minor=order.refunded_minor,
        reason=order.state_reason,
        disputed_minor=order.disputed_minor,
        fulfilment=str(fulfilment),
    )


def capture_entry(order: Order, payment: Payment, at: datetime) -> BookEntry:
    """Return the book entry of all that was captured of a payment, under the payment's own reference (see `book_capture`)."""
    return BookEntry(
        shop=order.shop,
        order_id=order.order_id,
        provider=payment.provider,
        kind=EntryKind.CAPTURE,
        reference=payment.reference,
        payment_reference=payment.reference,
        amount_minor=payment.captured_minor,
        currency=payment.currency,
        occurred_at=at,
        method=payment.method,
    )


def book_capture(tx: Transaction, entry: BookEntry) -> bool:
    """Book what was captured of a payment, as far as it is not booked; return whether anything was.

    `entry` is of everything captured so far. The first capture is booked under the payment's reference, a further one
    under that and the amount before it: whoever tells of a capture, and however often, it is booked once. The order must
    be locked.
    """
    if tx.payments.post(entry):
        return True
    booked = sum(
        each.amount_minor
        for each in tx.payments.entries_of_order(entry.shop, entry.order_id)
        if (each.provider, each.kind, each.payment_reference)
        == (entry.provider, EntryKind.CAPTURE, entry.payment_reference)
    )
    rest = entry.amount_minor - booked
    if not 0 < booked < entry.amount_minor:
        return False
    return tx.payments.post(replace(entry, reference=f"{entry.reference}:{booked}", amount_minor=rest))


def refused_payment(order: Order, provider: str, refusal: PaymentDeclined) -> Payment | None:
    """Return the payment that was refused, where the provider names it: it could be paid later, and is to be voided."""
    if not refusal.reference:
        return None
    return Payment(
        provider=provider,
        reference=refusal.reference,
        amount_minor=order.owed_minor,
        currency=order.currency,
        state=PaymentState.DECLINED,
        detail=refusal.reason,
    )
