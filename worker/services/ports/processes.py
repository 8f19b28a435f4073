"""The running workflows."""

from typing import Protocol

from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderAnswer, OrderEvent, PlaceOrder, ReaddressOrder


class Processes(Protocol):
    """The running workflows, as the use cases reach them. Async: these calls go to Temporal, not to a thread."""

    async def start_order(self, order: PlaceOrder) -> bool:
        """Start the order's workflow; False when it has been started before."""
        ...

    async def deliver(self, shop: str, order_id: str, event: OrderEvent) -> OrderAnswer:
        """Deliver an event to an order exactly once (update id = event id).

        Raises NotFound when the order has no workflow, Conflict when its workflow is closed.
        """
        ...

    async def readdress(self, shop: str, order_id: str, request: ReaddressOrder) -> OrderAnswer:
        """Send an order's parcel elsewhere, once per request id.

        Raises NotFound when the order has no workflow, Conflict when it is too late for that.
        """
        ...

    async def start_notification(self, subscription: str, message_id: str) -> bool:
        """Start the delivery of a message; False when one runs, which then tries again at once."""
        ...

    async def start_event(self, event: ProviderEvent) -> bool:
        """Start the event's workflow, as a webhook would; False when it has been started before."""
        ...
