"""Every rule of the orders leg fires on a corrupted copy of clean books, and nothing else does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.matching_books import CUT, HORIZON, JUST_NOW, SCOPE, clean, exceptions, listed, only, own
from worker.domain.finding import FindingKind, Outcome, Repair

K = FindingKind


def test_clean_lists_match() -> None:
    findings = clean().orders()
    assert {f.kind for f in findings} == {K.MATCHED}
    assert [f.key for f in findings] == sorted(f"order/{n:03d}" for n in range(12))


def test_an_order_that_never_reached_us_is_started() -> None:
    books = clean()
    books.shop.append(listed("new", 700))
    found = only(books.orders(), K.MISSING_INTERNAL)
    assert (found.repair, found.repair_reference, found.at_risk_minor) == (Repair.START_ORDER, "new", 700)
    books.shop[-1] = listed("new", 700, created_at=JUST_NOW)
    pending = only(books.orders(), K.MISSING_INTERNAL, Outcome.PENDING)
    assert (pending.break_on, pending.repair) == (JUST_NOW + SCOPE.order_grace, Repair.NONE)
    books.shop[-1] = listed("new", 700, cancelled=True)
    assert exceptions(books.orders()) == []


def test_an_order_that_the_shop_does_not_list() -> None:
    books = clean()
    books.shop.pop(4)
    found = only(books.orders(), K.MISSING_EXTERNAL)
    assert (found.key, found.difference_minor, found.repair) == ("order/004", -1004, Repair.NONE)
    books.own[4] = own("004", 1004, "expired")
    assert exceptions(books.orders()) == []


def test_one_sided_orders_before_the_horizon_are_not_judged() -> None:
    books = clean()
    before = HORIZON - timedelta(seconds=1)
    books.own.append(own("old", 100, placed_at=before))
    books.shop.append(listed("older", 100, created_at=before))
    assert exceptions(books.orders()) == []
    books.shop.append(listed("old", 99, created_at=before))
    assert only(books.orders(), K.AMOUNT_UNDER).key == "order/old"


def test_orders_at_the_cut_and_later_are_ignored() -> None:
    books = clean()
    books.shop.append(listed("next", 100, created_at=CUT))
    books.own.append(own("later", 100, placed_at=CUT))
    assert len(books.orders()) == 12


@pytest.mark.parametrize(("by", "kind"), [(-1, K.AMOUNT_UNDER), (1, K.AMOUNT_OVER)])
def test_totals_are_compared_to_the_cent(by: int, kind: FindingKind) -> None:
    books = clean()
    books.shop[3] = listed("003", 1003 + by)
    assert only(books.orders(), kind).difference_minor == by


def test_another_currency() -> None:
    books = clean()
    books.shop[3] = listed("003", 1003, currency="USD")
    found = only(books.orders(), K.CURRENCY_MISMATCH)
    assert (found.currency, found.ours_minor, found.theirs_minor) == ("EUR", 1003, 0)


@pytest.mark.parametrize("state", ["received", "awaiting_payment"])
def test_paid_there_and_waiting_here_is_a_lost_message(state: str) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    found = only(books.orders(), K.STATUS_MISMATCH)
    assert (found.repair, found.repair_reference, found.at_risk_minor) == (Repair.DELIVER_PAYMENT, "005", 1005)
    books.own[5] = own("005", 1005, state, updated_at=JUST_NOW)
    assert only(books.orders(), K.STATUS_MISMATCH, Outcome.PENDING).repair is Repair.NONE
    books.shop[5] = listed("005", 1005, paid=False)
    assert exceptions(books.orders()) == []


@pytest.mark.parametrize(
    ("state", "repair"),
    [
        ("awaiting_payment", Repair.DELIVER_CANCELLATION),
        ("fulfilling", Repair.DELIVER_CANCELLATION),
        ("completed", Repair.NONE),
    ],
)
def test_cancelled_there_and_open_here(state: str, repair: Repair) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    books.shop[5] = listed("005", 1005, cancelled=True)
    found = only(books.orders(), K.STATUS_MISMATCH)
    assert (found.repair, found.at_risk_minor) == (repair, books.own[5].captured_minor)


@pytest.mark.parametrize("state", ["refunding", "cancelled", "refunded", "expired"])
def test_cancelled_there_and_ending_here_agrees(state: str) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    books.shop[5] = listed("005", 1005, cancelled=True)
    assert exceptions(books.orders()) == []


@pytest.mark.parametrize("state", ["cancelled", "refunded", "expired", "declined"])
def test_ended_here_and_paid_there_has_no_automatic_repair(state: str) -> None:
    books = clean()
    books.own[5] = own("005", 1005, state)
    found = only(books.orders(), K.STATUS_MISMATCH)
    assert (found.repair, found.at_risk_minor) == (Repair.NONE, 1005)


def test_orders_taken_by_api_take_part_only_when_a_person_must_decide() -> None:
    books = clean()
    books.own.append(own("api", 900, payment_mode="charge"))
    assert len(books.orders()) == 12
    books.own[-1] = own("api", 900, "needs_attention", payment_mode="charge", captured_minor=900)
    found = only(books.orders(), K.NEEDS_ATTENTION)
    assert (found.at_risk_minor, found.difference_minor) == (900, 0)


def test_an_order_that_needs_attention_is_reported_however_old_it_is() -> None:
    books = clean()
    long_before = HORIZON - timedelta(days=90)
    books.own[2] = own("002", 1002, "needs_attention", captured_minor=1002, refunded_minor=2, placed_at=long_before)
    assert only(books.orders(), K.NEEDS_ATTENTION).at_risk_minor == 1000


def test_an_order_listed_twice_on_either_side() -> None:
    books = clean()
    books.shop.append(books.shop[0])
    found = only(books.orders(), K.DUPLICATE_EXTERNAL)
    assert (found.difference_minor, found.at_risk_minor) == (1000, 1000)
    books = clean()
    books.own.append(replace(books.own[0]))
    assert only(books.orders(), K.DUPLICATE_INTERNAL).difference_minor == -1000
