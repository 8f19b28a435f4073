"""Orders that leave in several parcels, and payments that are captured in several: what is a difference, and what is none."""

from dataclasses import replace

import pytest

from tests.unit.matching_books import (
    JUST_NOW,
    LONG_AGO,
    SCOPE,
    Books,
    clean,
    exceptions,
    line,
    only,
    own,
    parcel,
)
from worker.domain.finding import FindingKind, Outcome, Repair
from worker.domain.ledger import OwnOrder, Packed, Shipment
from worker.domain.payment import BookEntry, EntryKind

K = FindingKind
ONE, TWO = (Packed(quantity=1, sku="mug"),), (Packed(quantity=2, sku="mug"),)


def part(name: str, contents: tuple[Packed, ...] = ONE, **changes: object) -> Shipment:
    return parcel("005", shipment_id=name, contents=contents, **changes)


def parted(books: Books, parcels: list[Shipment], order: OwnOrder) -> Books:
    """Put one order of three pieces for 3000 in the place of the sixth, with these parcels at the warehouse."""
    books.own[5] = order
    books.parcels = [each for each in books.parcels if each.order_id != "005"] + parcels
    return books


def waiting(**changes: object) -> OwnOrder:
    return replace(own("005", 3000, "fulfilling"), parcels=("p1",), pieces=3, due_minor=1000, **changes)  # type: ignore[arg-type]


def done(**changes: object) -> OwnOrder:
    known = replace(own("005", 3000), parcels=("p1", "p2"), pieces=3, due_minor=3000)
    return replace(known, **changes)  # type: ignore[arg-type]


def test_two_parcels_that_make_up_the_order_are_no_duplicate() -> None:
    books = parted(clean(), [part("p1"), part("p2", TWO)], done())
    assert exceptions(books.shipments()) == []


def test_a_part_that_left_and_a_rest_that_waits_are_no_difference_yet() -> None:
    books = parted(clean(), [part("p1", shipped_at=JUST_NOW)], waiting())
    found = only(books.shipments(), K.PAID_UNSHIPPED, Outcome.PENDING)
    assert (found.break_on, found.difference_minor) == (JUST_NOW + SCOPE.shipment_grace, 0)


def test_a_rest_that_is_paid_and_does_not_come_weighs_what_is_due_for_it() -> None:
    found = only(parted(clean(), [part("p1")], waiting()).shipments(), K.PAID_UNSHIPPED)
    assert (found.at_risk_minor, found.repair) == (2000, Repair.NONE)


def test_money_that_is_held_for_the_rest_is_no_difference() -> None:
    order = waiting(state="authorised", payment_mode="authorise", captured_minor=0)
    assert exceptions(parted(clean(), [part("p1")], order).shipments()) == []


def test_the_parcel_that_was_not_heard_of_is_the_one_to_be_delivered() -> None:
    found = only(parted(clean(), [part("p1"), part("p2", TWO)], waiting()).shipments(), K.STATUS_MISMATCH)
    assert (found.repair, found.repair_reference, found.at_risk_minor) == (Repair.DELIVER_SHIPMENT, "p2", 2000)


def test_more_pieces_than_were_ordered_are_a_duplicate() -> None:
    found = only(parted(clean(), [part("p1", TWO), part("p2", TWO)], done()).shipments(), K.DUPLICATE_EXTERNAL)
    assert found.at_risk_minor == 1000


def test_more_left_than_was_captured() -> None:
    found = only(
        parted(clean(), [part("p1"), part("p2", TWO)], done(captured_minor=1000)).shipments(), K.SHIPPED_UNPAID
    )
    assert found.at_risk_minor == 2000


def test_a_parcel_that_left_after_its_order_was_closed_is_unpaid() -> None:
    late = part("p2", TWO, shipped_at=LONG_AGO.replace(minute=59))
    closed = done(refunded_minor=2000, updated_at=LONG_AGO)
    found = only(parted(clean(), [part("p1"), late], closed).shipments(), K.SHIPPED_UNPAID)
    assert found.at_risk_minor == 2000


def test_a_return_after_everything_left_is_no_difference() -> None:
    books = parted(clean(), [part("p1"), part("p2", TWO)], done(refunded_minor=2000))
    assert exceptions(books.shipments()) == []


def test_parts_nobody_told_us_of_are_lost_messages_and_no_duplicate() -> None:
    books = parted(clean(), [part("p1"), part("p2", TWO)], own("005", 3000, "fulfilling"))
    found = only(books.shipments(), K.STATUS_MISMATCH)
    assert (found.repair, found.repair_reference) == (Repair.DELIVER_SHIPMENT, "p1")


def captured(reference: str, minor: int) -> BookEntry:
    return BookEntry(
        shop="main",
        order_id="split",
        provider="stripe",
        kind=EntryKind.CAPTURE,
        reference=reference,
        payment_reference="pi_split",
        amount_minor=minor,
        currency="EUR",
        occurred_at=LONG_AGO,
    )


@pytest.mark.parametrize("told", [(1000, 2000), (2000, 1000), (3000,)])
def test_several_captures_of_a_payment_are_one_payment(told: tuple[int, ...]) -> None:
    books = clean()
    books.entries += [captured("pi_split", 1000), captured("pi_split:1000", 2000)]
    books.lines += [
        line("split", minor, payment="pi_split", line_id=f"txn_{number}") for number, minor in enumerate(told)
    ]
    assert exceptions(books.payments()) == []


def test_a_capture_that_our_books_lack_is_missed_to_the_cent() -> None:
    books = clean()
    books.entries.append(captured("pi_split", 1000))
    books.lines += [line("split", minor, payment="pi_split", line_id=f"txn_{minor}") for minor in (1000, 2000)]
    found = only(books.payments(), K.AMOUNT_OVER)
    assert found.difference_minor == 2000
