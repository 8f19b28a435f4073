"""Orders, events and users to run workflows with."""

from dataclasses import replace

from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEvent, OrderEventKind, OrderLine, PaymentMode, PlaceOrder
from worker.contract.shipping import ShipTo
from worker.contract.users import ChangeAddress, RegisterUser

AT = "2026-11-22T10:00:00+00:00"

CHARGED = PlaceOrder(
    shop="main",
    order_id="1001",
    currency="EUR",
    total_minor=12345,
    lines=(OrderLine(sku="mug", quantity=1, unit_price_minor=12345),),
    customer_id="c-7",
    payment_mode=PaymentMode.CHARGE,
    placed_at=AT,
    payment_method="pm_card_visa",
)
SPLIT = replace(
    CHARGED,
    total_minor=5500,
    shipping_minor=500,
    lines=(
        OrderLine(sku="mug", quantity=2, unit_price_minor=1000),
        OrderLine(sku="pot", quantity=1, unit_price_minor=3000),
    ),
)
"""One that may leave, or be cancelled, in parts."""
HOME = ShipTo(recipient="Jane Doe", lines=("Bakery Lane 3",), city="Ghent", country="BE", postal_code="9000")
WORK = ShipTo(recipient="Jane Doe", lines=("Dock 7", "2nd floor"), city="Lille", country="FR", postal_code="59000")
COLLECTED = replace(CHARGED, payment_mode=PaymentMode.COLLECTED_BY_SHOP, payment_method=None)
ADDRESS = ChangeAddress(user_id="u-1", change_id="c-1", email="new@buyer.example", asked_at="2026-11-28T10:00:00+00:00")
USER = RegisterUser(user_id="u-1", email="someone@shop.example", registered_at=AT)


def order_event(
    kind: OrderEventKind, event_id: str = "", detail: str = "", amount_minor: int | None = None
) -> OrderEvent:
    """Return an event of its own id and reference, unless `event_id` names one."""
    event_id = event_id or f"evt-{kind}"
    return OrderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=AT,
        reference=f"ref-{event_id}",
        amount_minor=amount_minor,
        detail=detail,
    )


def provider_event(body: str, event_id: str = "evt-1") -> ProviderEvent:
    """Return an event whose body says what happens (see EventDoubles)."""
    return ProviderEvent(
        source="shopify",
        dialect="shopify",
        shop="main",
        event_id=event_id,
        topic="orders/paid",
        body=body,
        received_at=AT,
    )
