"""Traps of a comparison: old windows, late dating, money in limbo, messages that are merely under way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.matching_books import (
    BEFORE_WINDOW,
    CUT,
    HORIZON,
    JUST_NOW,
    LONG_AGO,
    SCOPE,
    WINDOW_START,
    Books,
    clean,
    entry,
    exceptions,
    line,
    listed,
    only,
    own,
    parcel,
)
from worker.domain.finding import Break, Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LineKind
from worker.domain.matching.lifecycle import LifecycleStep, advance
from worker.domain.matching.scope import Scope
from worker.domain.matching.shipments import parcels_from

K = FindingKind
LEGS = frozenset(Leg)
OLD = Scope(
    window_start=WINDOW_START - timedelta(days=60),
    window_end=CUT - timedelta(days=60),
    horizon_start=HORIZON - timedelta(days=60),
    payment_grace=SCOPE.payment_grace,
    shipment_grace=SCOPE.shipment_grace,
    order_grace=SCOPE.order_grace,
)
LONG_BEFORE = OLD.cut - timedelta(hours=12)


def judge(past: Sequence[Break], findings: Sequence[Finding], scope: Scope, hour: int = 1) -> LifecycleStep:
    return advance(
        {item.break_id: item for item in past},
        findings,
        shop="main",
        provider="stripe",
        now=CUT + timedelta(hours=hour),
        scope=scope,
        incomplete=False,
        legs_read=LEGS,
    )


def opened() -> Break:
    books = clean(2)
    books.lines.append(line("lost", 300))
    (item,) = judge([], books.payments(), SCOPE).upserts
    return item


def test_an_old_window_run_again_resolves_nothing_that_happened_since() -> None:
    assert judge([opened()], (), OLD, 2).upserts == ()


def test_an_old_window_run_again_does_not_take_an_older_agreement_for_today() -> None:
    books = Books(entries=[entry("lost", 500, at=LONG_BEFORE)], lines=[line("lost", 500, at=LONG_BEFORE)])
    (agreeing,) = books.payments(OLD)
    assert agreeing.outcome is Outcome.MATCHED
    assert judge([opened()], [agreeing], OLD, 2).upserts == ()


def test_an_older_difference_of_an_open_break_widens_it_and_keeps_its_evidence() -> None:
    before = opened()
    older = Books(lines=[line("lost", 70, at=LONG_BEFORE, line_id="txn_old", payment="pi_old")]).payments(OLD)
    done = judge([before], older, OLD, 2)
    (item,) = done.upserts
    assert (item.finding, item.first_movement_at, done.persisting) == (before.finding, LONG_BEFORE, 1)


def test_a_span_that_begins_after_the_break_has_no_say_over_it() -> None:
    """A statement file of one afternoon agrees with itself; the morning's difference stands."""
    afternoon = replace(SCOPE, window_start=JUST_NOW, horizon_start=JUST_NOW)
    later = Books(
        entries=[entry("lost", -50, at=JUST_NOW)],
        lines=[line("lost", -50, at=JUST_NOW)],
    ).payments(afternoon)
    assert [f.outcome for f in later] == [Outcome.MATCHED]
    assert judge([opened()], later, afternoon, 2).upserts == ()


def test_what_another_run_judged_meanwhile_is_left_as_it_is() -> None:
    item = replace(opened(), last_seen_at=CUT + timedelta(hours=3))
    past = {item.break_id: item}
    for read_at, upserts in ((CUT + timedelta(hours=2), 0), (CUT + timedelta(hours=4), 1)):
        done = advance(
            past,
            clean(2).payments(),
            shop="main",
            provider="stripe",
            now=CUT + timedelta(hours=5),
            scope=SCOPE,
            incomplete=False,
            legs_read=LEGS,
            read_at=read_at,
        )
        assert len(done.upserts) == upserts


@pytest.mark.parametrize("late", [timedelta(hours=3), timedelta(hours=20)])
def test_a_movement_booked_hours_late_stays_a_pair_at_the_horizon(late: timedelta) -> None:
    """An outage between the capture and its booking: theirs is older than the horizon by then, ours is not."""
    scope = replace(SCOPE, margin=timedelta(days=1))
    at = HORIZON - late + timedelta(minutes=1)
    books = Books(entries=[entry("001", 500, at=HORIZON + timedelta(minutes=1))], lines=[line("001", 500, at=at)])
    assert exceptions(books.payments(scope)) == []
    assert [f.residual_minor for f in books.bridge(scope)] == [0]


def test_of_the_margin_only_pairs_count() -> None:
    """The first refund straddles the edge of what was read; the second one makes its class count."""
    edge = SCOPE.read_from + timedelta(milliseconds=1)
    books = Books(
        entries=[entry("001", -50, reference="re_2", at=LONG_AGO)],
        lines=[line("001", -30, at=edge, source="re_1"), line("001", -50, source="re_2", line_id="t2")],
    )
    assert exceptions(books.payments()) == []
    assert [f.residual_minor for f in books.bridge()] == [0]


def test_a_refund_that_fails_later_finds_its_refund_in_the_margin() -> None:
    margin = HORIZON - timedelta(minutes=30)
    books = Books(
        entries=[entry("001", -50, reference="re_1", at=margin)],
        lines=[
            line("001", -50, at=margin, source="re_1"),
            line("001", 50, LineKind.REFUND_FAILURE, source="re_1", line_id="t2"),
        ],
    )
    found = only(books.payments(), K.REFUND_MISSING)
    assert (found.ours_minor, found.theirs_minor) == (-50, 0)


def test_the_rest_of_a_split_payment_may_be_under_way() -> None:
    books = Books(
        entries=[entry("001", 600, payment="pi_a")],
        lines=[line("001", 600, payment="pi_a"), line("001", 400, payment="pi_b", at=JUST_NOW)],
    )
    assert only(books.payments(), K.DUPLICATE_EXTERNAL, Outcome.PENDING).break_on == JUST_NOW + SCOPE.payment_grace
    again = replace(books.lines[1], gross_minor=600)
    books.lines[1] = again
    only(books.payments(), K.DUPLICATE_EXTERNAL)


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_the_shop_has_just_changed_cannot_be_late(cancelled: bool) -> None:
    """An order placed long ago, paid (or cancelled) in the shop after the cut: its message is under way."""
    for changed, outcome in ((JUST_NOW, Outcome.PENDING), (CUT + timedelta(minutes=1), Outcome.PENDING)):
        books = Books(
            own=[own("001", 500, "awaiting_payment")],
            shop=[listed("001", 500, cancelled=cancelled, updated_at=changed)],
        )
        assert only(books.orders(), K.STATUS_MISMATCH, outcome).break_on == changed + SCOPE.order_grace
    books.shop = [listed("001", 500, cancelled=cancelled, updated_at=LONG_AGO)]
    only(books.orders(), K.STATUS_MISMATCH)


@pytest.mark.parametrize("state", ["paid", "fulfilling", "completed"])
def test_money_that_the_shop_does_not_know_of(state: str) -> None:
    books = Books(own=[own("001", 500, state)], shop=[listed("001", 500, paid=False)])
    assert only(books.orders(), K.STATUS_MISMATCH).at_risk_minor == 500


@pytest.mark.parametrize("mode", ["charge", "collected_by_shop"])
def test_an_order_paid_twice_and_booked_twice_is_a_difference(mode: str) -> None:
    books = Books(own=[own("001", 500, "completed", captured_minor=1000, payment_mode=mode)])
    books.shop = [listed("001", 500)] if mode == "collected_by_shop" else []
    assert only(books.orders(), K.AMOUNT_OVER).at_risk_minor == 500
    books.own = [replace(books.own[0], refunded_minor=500)]
    assert exceptions(books.orders()) == []


def test_an_order_sent_for_part_of_its_money_is_a_difference() -> None:
    books = Books(own=[own("001", 500, "completed", captured_minor=200, payment_mode="charge")])
    assert only(books.orders(), K.AMOUNT_UNDER).at_risk_minor == 300


@pytest.mark.parametrize("state", ["expired", "cancelled", "declined", "refunded", "rejected"])
def test_money_of_an_order_that_is_over_is_a_difference(state: str) -> None:
    books = Books(own=[own("001", 500, state, captured_minor=500, refunded_minor=100, payment_mode="charge")])
    assert only(books.shipments(), K.PAID_UNSHIPPED).at_risk_minor == 400
    books.own = [replace(books.own[0], refunded_minor=500)]
    assert exceptions(books.shipments()) == []


@pytest.mark.parametrize("state", ["refunding", "awaiting_payment", "authorised"])
def test_money_that_waits_without_end_is_a_difference(state: str) -> None:
    books = Books(own=[own("001", 500, state, captured_minor=500)])
    only(books.shipments(), K.PAID_UNSHIPPED)
    books.own = [own("001", 500, state, captured_minor=500, updated_at=JUST_NOW)]
    only(books.shipments(), K.PAID_UNSHIPPED, Outcome.PENDING)


def test_an_old_order_that_waits_for_a_person_is_not_said_to_be_missing_in_the_shop() -> None:
    old = own("001", 500, "needs_attention", captured_minor=500, placed_at=HORIZON - timedelta(days=9))
    found = only(Books(own=[old]).orders(), K.NEEDS_ATTENTION)
    assert (found.at_risk_minor, "does not list" in found.cause) == (500, False)


def test_parcels_are_listed_from_the_day_they_were_asked_for() -> None:
    asked = HORIZON - timedelta(days=4)
    late = own("001", 500, "completed", requested_at=asked)
    assert parcels_from([late], SCOPE) == asked - SCOPE.payment_grace
    waiting = own("002", 500, "fulfilling", requested_at=asked, updated_at=asked)
    assert parcels_from([waiting], SCOPE) == asked - SCOPE.payment_grace
    over = own("003", 500, "completed", requested_at=asked, shipped_at=HORIZON - timedelta(days=3))
    recent = own("004", 500, "completed", requested_at=BEFORE_WINDOW)
    assert parcels_from([over, recent], SCOPE) == SCOPE.read_from
    books = Books(own=[late], parcels=[parcel("001", requested_at=asked)])
    assert exceptions(books.shipments()) == []
