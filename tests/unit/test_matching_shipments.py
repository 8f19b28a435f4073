"""Every rule of the shipments leg fires on a corrupted copy of clean books, and nothing else does."""

from datetime import timedelta

import pytest

from tests.unit.matching_books import CUT, HORIZON, JUST_NOW, LONG_AGO, SCOPE, clean, exceptions, only, own, parcel
from worker.domain.finding import NO_CURRENCY, FindingKind, Outcome, Repair
from worker.domain.ledger import ShipmentState

K = FindingKind


def test_clean_books_match() -> None:
    findings = clean().shipments()
    assert {f.kind for f in findings} == {K.MATCHED}
    assert len(findings) == 12


@pytest.mark.parametrize("state", ["paid", "fulfilling"])
def test_shipped_there_and_not_here_is_a_lost_message(state: str) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    found = only(books.shipments(), K.STATUS_MISMATCH)
    assert (found.repair, found.repair_reference) == (Repair.DELIVER_SHIPMENT, "shp_005")
    assert (found.at_risk_minor, found.difference_minor) == (1005, 1005)
    books.parcels[5] = parcel("005", shipped_at=JUST_NOW)
    pending = only(books.shipments(), K.STATUS_MISMATCH, Outcome.PENDING)
    assert (pending.break_on, pending.repair) == (JUST_NOW + SCOPE.order_grace, Repair.NONE)


@pytest.mark.parametrize("state", ["awaiting_payment", "expired", "cancelled"])
def test_goods_that_left_without_money(state: str) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    found = only(books.shipments(), K.SHIPPED_UNPAID)
    assert (found.repair, found.at_risk_minor) == (Repair.NONE, 1005)


def test_shipped_after_the_refund() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "refunded", captured_minor=1005, refunded_minor=1005)
    found = only(books.shipments(), K.STATUS_MISMATCH)
    assert "after the refund" in found.cause
    assert (found.repair, found.at_risk_minor) == (Repair.NONE, 1005)


def test_shipped_while_refunding_has_no_automatic_repair() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "refunding", captured_minor=1005, refunded_minor=5)
    found = only(books.shipments(), K.STATUS_MISMATCH)
    assert (found.repair, found.at_risk_minor) == (Repair.NONE, 1000)


def test_a_return_after_delivery_is_no_difference() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "completed", refunded_minor=1005)
    assert exceptions(books.shipments()) == []


@pytest.mark.parametrize("left", [None, ShipmentState.REQUESTED, ShipmentState.FAILED])
def test_shipped_here_and_no_parcel_there(left: ShipmentState | None) -> None:
    books = clean()
    del books.parcels[5]
    if left:
        books.parcels.append(parcel("005", left))
    found = only(books.shipments(), K.MISSING_EXTERNAL)
    assert (found.difference_minor, found.at_risk_minor) == (-1005, 1005)
    books.own[5] = own("005", 1005, "shipped", shipped_at=JUST_NOW)
    assert only(books.shipments(), K.MISSING_EXTERNAL, Outcome.PENDING).break_on == JUST_NOW + SCOPE.order_grace
    books.own[5] = own("005", 1005, "shipped", shipped_at=HORIZON - timedelta(seconds=1))
    assert exceptions(books.shipments()) == []


def test_paid_and_not_shipped_beyond_the_grace() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "fulfilling")
    books.parcels[5] = parcel("005", ShipmentState.REQUESTED)
    found = only(books.shipments(), K.PAID_UNSHIPPED)
    assert (found.repair, found.at_risk_minor, found.difference_minor) == (Repair.NONE, 1005, 0)
    waiting_since = CUT - SCOPE.shipment_grace + timedelta(seconds=1)
    books.own[5] = own("005", 1005, "paid", updated_at=waiting_since)
    pending = only(books.shipments(), K.PAID_UNSHIPPED, Outcome.PENDING)
    assert pending.break_on == waiting_since + SCOPE.shipment_grace


def test_two_parcels_for_one_order() -> None:
    books = clean()
    books.parcels.append(parcel("005", shipment_id="shp_second"))
    found = only(books.shipments(), K.DUPLICATE_EXTERNAL)
    assert (found.at_risk_minor, found.difference_minor) == (1005, 1005)


def test_two_parcels_and_a_lost_message_are_repaired_with_the_first() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "fulfilling")
    books.parcels.append(parcel("005", shipment_id="shp_earlier", shipped_at=LONG_AGO - timedelta(hours=1)))
    found = only(books.shipments(), K.DUPLICATE_EXTERNAL)
    assert (found.repair, found.repair_reference) == (Repair.DELIVER_SHIPMENT, "shp_earlier")


def test_one_parcel_listed_twice_is_one_parcel_and_a_warning() -> None:
    books = clean()
    books.parcels.append(books.parcels[5])
    found = only(books.shipments(), K.DUPLICATE_EXTERNAL, Outcome.WARNING)
    assert (found.at_risk_minor, found.difference_minor) == (0, 0)


def test_a_failed_parcel_and_its_replacement_agree() -> None:
    books = clean()
    books.parcels.append(parcel("005", ShipmentState.FAILED, shipment_id="shp_failed"))
    assert exceptions(books.shipments()) == []


def test_a_parcel_of_an_unknown_order() -> None:
    books = clean()
    books.parcels.append(parcel("stranger"))
    found = only(books.shipments(), K.MISSING_INTERNAL)
    assert (found.currency, found.order_id, found.repair) == (NO_CURRENCY, "stranger", Repair.NONE)
    books.parcels[-1] = parcel("stranger", ShipmentState.FAILED)
    assert exceptions(books.shipments()) == []
    before = HORIZON - timedelta(seconds=1)
    books.parcels[-1] = parcel("stranger", requested_at=before, shipped_at=before)
    assert [f for f in books.shipments() if f.key == "order/stranger"] == []


def test_a_parcel_that_left_after_the_cut_has_not_left_yet() -> None:
    books = clean()
    books.own[5] = own("005", 1005, "shipped", shipped_at=CUT)
    books.parcels[5] = parcel("005", shipped_at=CUT)
    assert exceptions(books.shipments()) == []
    books.parcels.append(parcel("next", requested_at=CUT, shipped_at=CUT))
    assert len(books.shipments()) == 12


def test_orders_without_money_and_goods_have_no_finding() -> None:
    books = clean()
    books.own.append(own("idle", 100, "awaiting_payment"))
    assert len(books.shipments()) == 12
