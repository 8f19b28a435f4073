"""What the timeline tells of a parcel besides its states: that it arrived, and that more left with it than was owed."""

from collections.abc import Sequence
from datetime import datetime

from worker.domain.ledger import Packed, Shipment
from worker.domain.parcels import contents_told
from worker.domain.timeline import LONGEST_SENTENCE, Happening, TimelineEntry, entry_key


def of_delivery(shop: str, parcel: Shipment, at: datetime) -> TimelineEntry:
    """Return the entry of a parcel that reached the customer."""
    return TimelineEntry(
        shop=shop,
        order_id=parcel.order_id,
        key=entry_key("parcel", parcel.shipment_id, "delivered"),
        kind=Happening.PARCEL_DELIVERED,
        sentence=f"parcel {parcel.shipment_id} was delivered",
        actor="warehouse",
        at=at,
    )


def of_surplus(shop: str, parcel: Shipment, beyond: Sequence[Packed], at: datetime) -> TimelineEntry:
    """Return the entry of a parcel with which more left than was owed; nothing of it counts as shipped."""
    return TimelineEntry(
        shop=shop,
        order_id=parcel.order_id,
        key=entry_key("parcel", parcel.shipment_id, "surplus"),
        kind=Happening.PARCEL_SURPLUS,
        sentence=f"parcel {parcel.shipment_id} left with more than was owed"
        f"{f': {contents_told(beyond)}' if beyond else ''}"[:LONGEST_SENTENCE],
        actor="warehouse",
        at=at,
    )
