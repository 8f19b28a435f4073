"""What a translated webhook asks for: an order to start, an event to deliver, or nothing."""

from dataclasses import dataclass

from worker.contract.orders import OrderEvent, PlaceOrder
from worker.services.shop_addresses import AddressAtShop


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an outside event goes. Without `place`, `event` and `address` it is of no concern to orders."""

    shop: str = ""
    order_id: str = ""
    place: PlaceOrder | None = None
    """Start this order first, unless it has been started before."""
    payment: str = ""
    """Deliver it to the order of this payment, where the event itself names none."""
    event: OrderEvent | None = None
    """Then deliver this to the order."""
    address: AddressAtShop | None = None
    """Or send its parcel there, as long as that can be."""
    reason: str = ""
    """Why nothing is to be done."""
