"""Which outside events stop a parcel that has not left.

A dispute that withdrew money stops it, by a fixed rule and not by a setting: goods must not follow money that the
customer's bank has taken back, and a warehouse can stop a parcel but not hold one for the months until a dispute is
decided. The order ends; should the dispute be won, its money goes back to the customer, who has no goods. An inquiry of
the bank's has moved no money and stops nothing.
"""

from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus

_OF_DISPUTES = frozenset({OrderEventKind.DISPUTE_OPENED, OrderEventKind.DISPUTE_WON, OrderEventKind.DISPUTE_LOST})


def why_no_parcel(event: OrderEvent, status: OrderStatus) -> str | None:
    """Return why the parcel is not to leave, after an event that was applied; None when it may."""
    if event.kind is OrderEventKind.SHIPMENT_FAILED:
        return event.detail or "the warehouse could not ship"
    # Whichever word of the dispute comes first: that it was lost may be heard before that it was opened.
    if event.kind in _OF_DISPUTES and status.disputed_minor > 0:
        return "the customer disputes the payment"
    return None
