"""What the timeline tells of a parcel besides its states (it arrived, more left with it than was owed), and its webhook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.ledger import Packed, Shipment
from worker.domain.order import Line, Order
from worker.domain.parcels import Fulfilment, contents_told, fulfilment, shipped_goods
from worker.domain.timeline import LONGEST_SENTENCE, Happening, TimelineEntry, entry_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelNews:
    """One parcel left, or arrived: what a webhook tells of it, which an order that leaves in parts has no state for."""

    shop: str
    order_id: str
    key: str
    """The same as its entry in the timeline has."""
    kind: str
    at: datetime
    currency: str
    shipment_id: str
    contents: tuple[Packed, ...]
    """Ordered pieces in it, by line, each with its SKU."""
    fulfilment: Fulfilment
    """How far the goods of the order are with it."""


def news_of(entry: TimelineEntry, order: Order, parcel: Shipment, parcels: Sequence[Shipment]) -> ParcelNews:
    """Return what a webhook tells of a parcel with this entry; `parcels` are all of its order, itself included."""
    held = shipped_goods(order.lines, parcels).held.get(parcel.shipment_id, {})
    return ParcelNews(
        shop=order.shop,
        order_id=order.order_id,
        key=entry.key,
        kind=entry.kind,
        at=entry.at,
        currency=order.currency,
        shipment_id=parcel.shipment_id,
        contents=tuple(
            Packed(line=number, sku=order.lines[number - 1].sku, quantity=pieces)
            for number, pieces in sorted(held.items())
        ),
        fulfilment=fulfilment(order, parcels),
    )


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


def of_surplus(
    shop: str, parcel: Shipment, beyond: Sequence[Packed], at: datetime, lines: Sequence[Line]
) -> TimelineEntry:
    """Return the entry of a parcel with which more left than was owed; nothing of it counts as shipped."""
    return TimelineEntry(
        shop=shop,
        order_id=parcel.order_id,
        key=entry_key("parcel", parcel.shipment_id, "surplus"),
        kind=Happening.PARCEL_SURPLUS,
        sentence=f"parcel {parcel.shipment_id} left with more than was owed"
        f"{f': {contents_told(beyond, lines)}' if beyond else ''}"[:LONGEST_SENTENCE],
        actor="warehouse",
        at=at,
    )
