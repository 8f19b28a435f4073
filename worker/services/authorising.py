"""Asking the provider to hold an order's total: once, however often it is asked."""

from datetime import datetime, timedelta

from worker.domain.order import Order, OrderState
from worker.domain.payment import Payment, PaymentState
from worker.services.ports import PaymentGateway

CLOCK_SKEW = timedelta(hours=1)
"""How far the provider's clock may lag behind ours when its payments are listed by time."""
_LOOK_FIRST_AFTER = timedelta(hours=1)
"""An authorisation tried for so long is looked for first: the provider forgets keys (Stripe after 24 h), not payments."""
_DEAD = frozenset({PaymentState.CANCELLED, PaymentState.DECLINED})
_FOLLOWING = {
    PaymentState.AUTHORISED: OrderState.AUTHORISED,
    PaymentState.CAPTURED: OrderState.AUTHORISED,
    PaymentState.DECLINED: OrderState.DECLINED,
    PaymentState.CANCELLED: OrderState.DECLINED,
}


def authorised(payments: PaymentGateway, order: Order, idempotency_key: str, now: datetime) -> Payment:
    """Return the order's payment, asked for or found. Raises PaymentDeclined, ProviderRejected, ProviderUnavailable."""
    return _authorised_before(payments, order, now) or payments.authorise(
        shop=order.shop,
        order_id=order.order_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        method=order.payment_method or "",
        idempotency_key=idempotency_key,
    )


def after(payment: Payment) -> OrderState:
    """Return where an order stands that was to be authorised with this payment."""
    return _FOLLOWING.get(payment.state, OrderState.AWAITING_PAYMENT)


def _authorised_before(payments: PaymentGateway, order: Order, now: datetime) -> Payment | None:
    """Return what an earlier call authorised whose answer was lost too long ago for its key to be relied on."""
    asked_at = order.updated_at
    if asked_at is None or now - asked_at < _LOOK_FIRST_AFTER:
        return None
    found = payments.find(shop=order.shop, order_id=order.order_id, since=asked_at - CLOCK_SKEW)
    return next((payment for payment in found if payment.state not in _DEAD), None)
