"""Harm to shipments: our orders against the warehouse's parcels."""

from dataclasses import replace
from datetime import timedelta

from infra.local.books.market import Course
from infra.local.books.records import order_id
from infra.local.books.story import Story
from tests.books.filled import Filled
from tests.books.harm import (
    PARTLY,
    Expected,
    K,
    L,
    about,
    each,
    other_line,
    paid,
    refund,
)
from worker.domain.finding import Outcome, Repair
from worker.domain.ledger import LineKind, Packed, Shipment, ShipmentState

DAY = timedelta(days=1)


def sent(books: Filled, story: Story, **changes: object) -> Shipment:
    """A parcel of the order that should not be there."""
    parcel = next((one for one in books.books.parcels if one.order_id == order_id(story)), None)
    if parcel is None:
        at = books.plan.start + DAY
        parcel = Shipment(
            shipment_id=f"shp_{story.mark}", order_id=order_id(story), state=ShipmentState.SHIPPED, requested_at=at,
            shipped_at=at,
        )  # fmt: skip
    return replace(parcel, **changes)  # type: ignore[arg-type]


def without_parcel(books: Filled, story: Story) -> None:
    """Take the order's parcel away."""
    books.books.parcels = [parcel for parcel in books.books.parcels if parcel.order_id != order_id(story)]


def shipped_unpaid(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    return [about(L.SHIPMENTS, story, K.SHIPPED_UNPAID, 0, story.total, story.total)]


def paid_unshipped(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="paid", shipped_at=None)
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total, repair=Repair.REQUEST_FULFILMENT)]


def paid_and_not_shipped_yet(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="paid", shipped_at=None, updated_at=books.plan.end - timedelta(hours=1))
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total, outcome=Outcome.PENDING)]


def ended_with_the_money(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="cancelled", shipped_at=None)
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total)]


def parcel_lost(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    return [about(L.SHIPMENTS, story, K.MISSING_EXTERNAL, story.total, 0, story.total)]


def shipped_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story, shipment_id=f"shp_{story.mark}x"))
    return [about(L.SHIPMENTS, story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total, story.total)]


def parcel_listed_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    found = about(L.SHIPMENTS, story, K.DUPLICATE_EXTERNAL, story.total, story.total, 0)
    return [replace(found, outcome=Outcome.WARNING)]


def parcel_of_nobody(books: Filled, story: Story) -> list[Expected]:
    name = f"stranger-{story.mark}"
    books.books.parcels.append(sent(books, story, shipment_id=f"shp_{name}", order_id=name))
    return [about(L.SHIPMENTS, story, K.MISSING_INTERNAL, 0, 0, 0, key=f"order/{name}", currency="XXX")]


def parcel_message_lost(books: Filled, story: Story) -> list[Expected]:
    books.change_own(order_id(story), state="fulfilling", shipped_at=None)
    found = about(L.SHIPMENTS, story, K.STATUS_MISMATCH, 0, story.total, story.total)
    return [replace(found, repair=Repair.DELIVER_SHIPMENT)]


def shipped_after_the_refund(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    return [about(L.SHIPMENTS, story, K.STATUS_MISMATCH, 0, story.total, story.total)]


def dispute_after_it_was_sent(books: Filled, story: Story) -> list[Expected]:
    """Goods and money are both gone; the money is at risk once."""
    books.books.lines.append(other_line(books, story, LineKind.DISPUTE, -story.total, "dispute"))
    gone = about(L.SHIPMENTS, story, K.REVERSED_AFTER_FULFILMENT, story.total, story.total, 0)
    return [paid(story, K.DISPUTED, story.total, 0), replace(gone, outcome=Outcome.WARNING)]


def in_two_parcels(books: Filled, story: Story, *pieces: int, **ours: object) -> list[Shipment]:
    """Let an order of two pieces leave in parcels of so many; both books know what is in the first of them."""
    parcel = sent(books, story)
    without_parcel(books, story)
    parcels = [
        replace(parcel, shipment_id=f"{parcel.shipment_id}-{number}", contents=(Packed(quantity=held, line=1),))
        for number, held in enumerate(pieces, 1)
    ]
    books.books.parcels += parcels
    known = {"parcels": (parcels[0].shipment_id,), "pieces": 2, "due_minor": story.total // 2}
    books.change_own(order_id(story), **(known | ours))
    return parcels


def message_of_a_part_lost(books: Filled, story: Story) -> list[Expected]:
    in_two_parcels(books, story, 1, 1, state="fulfilling", shipped_at=None)
    half = story.total // 2
    found = about(L.SHIPMENTS, story, K.STATUS_MISMATCH, half, half, story.total - half)
    return [replace(found, repair=Repair.DELIVER_SHIPMENT)]


def rest_never_sent(books: Filled, story: Story) -> list[Expected]:
    in_two_parcels(books, story, 1, state="fulfilling", shipped_at=None)
    half = story.total // 2
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, half, half, story.total - half)]


def a_piece_too_many(books: Filled, story: Story) -> list[Expected]:
    name = sent(books, story).shipment_id
    in_two_parcels(books, story, 1, 2, parcels=(f"{name}-1", f"{name}-2"), due_minor=story.total)
    return [about(L.SHIPMENTS, story, K.DUPLICATE_EXTERNAL, story.total, story.total, story.total // 2)]


def rest_sent_after_it_was_paid_back(books: Filled, story: Story) -> list[Expected]:
    name = sent(books, story).shipment_id
    parcels = in_two_parcels(books, story, 1, 1, parcels=(f"{name}-1", f"{name}-2"), due_minor=story.total)
    left = max(parcel.shipped_at or parcel.requested_at for parcel in parcels)
    books.change_own(order_id(story), updated_at=left - timedelta(minutes=1))
    back = -refund(books, story).amount_minor
    kept = story.total - back
    return [about(L.SHIPMENTS, story, K.SHIPPED_UNPAID, kept, kept, back)]


SHIPMENTS = (
    *each(
        dispute_after_it_was_sent,
        paid_unshipped,
        paid_and_not_shipped_yet,
        parcel_lost,
        shipped_twice,
        parcel_listed_twice,
        parcel_of_nobody,
        parcel_message_lost,
        message_of_a_part_lost,
        rest_never_sent,
        a_piece_too_many,
    ),
    *each(rest_sent_after_it_was_paid_back, courses=PARTLY),
    *each(shipped_unpaid, courses=frozenset({Course.EXPIRED})),
    *each(ended_with_the_money, collected=False),
    *each(shipped_after_the_refund, courses=frozenset({Course.GIVEN_BACK})),
)
