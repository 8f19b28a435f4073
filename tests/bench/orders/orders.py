"""The order that is measured: paid at once with a card that is good, its parcel sent at once."""

from datetime import UTC, datetime

from worker.contract.orders import OrderLine, PaymentMode, PlaceOrder


def order(order_id: str) -> PlaceOrder:
    """Return an order over two mugs."""
    return PlaceOrder(
        shop="main",
        order_id=order_id,
        currency="EUR",
        total_minor=2500,
        lines=(OrderLine(sku="MUG", quantity=2, unit_price_minor=1250),),
        customer_id="c-1001",
        payment_mode=PaymentMode.CHARGE,
        payment_method="pm_card_visa",
        placed_at=datetime.now(UTC).isoformat(),
    )
