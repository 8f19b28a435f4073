"""Many to one: what adds up is one payment where the rules allow it, and what does not keeps its name.

The oracle tries every way to divide an order's payments; the rule must find one where the oracle does, and no other
finding of it may say that it agrees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.matching_books import CUT, HORIZON, JUST_NOW, LONG_AGO, SCOPE, Books, entry, line
from worker.domain.finding import Finding, FindingKind, Outcome
from worker.domain.matching.bridge import statements
from worker.domain.matching.payments import match_payments
from worker.domain.matching.rules import PLAIN, Grace, Rules, Tolerance
from worker.domain.matching.suggestions import suggested

K = FindingKind
ALLOWED = Rules(many_to_one=True)
TOLERANT = replace(ALLOWED, tolerances={"EUR": Tolerance(absolute_minor=2)})
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WIDE = replace(SCOPE, margin=2 * DAY)
"""As a run has it: parts lie on either side of their whole."""


@dataclass(frozen=True)
class Payment:
    name: str
    minor: int
    hours: int = 0
    """After LONG_AGO."""


def books(ours: Sequence[Payment], theirs: Sequence[Payment]) -> Books:
    """One order, whose payments have these names on either side; only the order's id is common to all."""
    return Books(
        entries=[entry("x", one.minor, payment=one.name, at=LONG_AGO + one.hours * HOUR) for one in ours],
        lines=[line("x", one.minor, payment=one.name, at=LONG_AGO + one.hours * HOUR) for one in theirs],
    )


def judged(one: Books, rules: Rules = ALLOWED) -> Finding:
    owners = {e.payment_reference: e.order_id for e in one.entries}
    findings = match_payments(one.entries, one.lines, owners, WIDE, rules)
    assert all(bridge.ties for bridge in statements(one.entries, one.lines, findings, owners, WIDE, rules))
    (found,) = findings
    return found


def answer(ours: Sequence[Payment], theirs: Sequence[Payment], rules: Rules = ALLOWED) -> tuple[object, ...]:
    found = judged(books(ours, theirs), rules)
    return found.kind, found.outcome, found.difference_minor, found.at_risk_minor


A, B = Payment("pi_a", 600), Payment("pi_b", 400)
ONE = Payment("pi_1", 1000)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([ONE], [A, B]),
        ([ONE], [Payment("pi_1", 600), B]),
        ([ONE], [Payment("pi_a", 500), Payment("pi_b", 500)]),
        ([ONE, Payment("pi_2", 70)], [A, B, Payment("pi_2", 70)]),
        ([ONE, Payment("pi_2", 70)], [A, B, Payment("pi_c", 70)]),
        ([ONE, Payment("pi_2", 90)], [A, B, Payment("pi_c", 60), Payment("pi_d", 30)]),
        ([A, B], [ONE]),
        ([Payment("pi_1", 600), B], [ONE]),
        ([A, B, Payment("pi_2", 70)], [ONE, Payment("pi_2", 50), Payment("pi_c", 15), Payment("pi_d", 5)]),
    ],
)
def test_what_adds_up_is_one_and_shows_all_of_it(ours: list[Payment], theirs: list[Payment]) -> None:
    assert answer(ours, theirs) == (K.MATCHED_IN_PARTS, Outcome.MATCHED, 0, 0)
    found = judged(books(ours, theirs))
    shown = [{fact.status for fact in facts} for facts in (found.ours, found.theirs)]
    assert shown == [{one.name for one in some} for some in (ours, theirs)]
    assert answer(ours, theirs, PLAIN)[1] is Outcome.BREAK, "nothing is allowed unless a rule says so"


def test_the_cause_names_the_parts_and_the_whole() -> None:
    assert judged(books([ONE], [A, B])).cause == (
        "the provider took EUR 10.00 in 2 payments (pi_a, pi_b) that are one of ours (pi_1)"
    )
    assert judged(books([A, B], [ONE])).cause == (
        "we booked EUR 10.00 in 2 payments (pi_a, pi_b) that are one of the provider's (pi_1)"
    )


AGAIN = Payment("pi_x", 1000)


@pytest.mark.parametrize(
    ("ours", "theirs", "surplus"),
    [
        ([ONE], [ONE, AGAIN], 1000),
        ([ONE], [AGAIN, Payment("pi_y", 1000)], 1000),
        ([ONE], [A, B, AGAIN], 1000),
        ([ONE], [ONE, A, B], 1000),
        ([ONE], [A, B, Payment("pi_c", 600)], 600),
        ([Payment("pi_1", 500)], [Payment("pi_a", 500), Payment("pi_b", 500)], 500),
    ],
)
def test_the_same_amount_twice_stays_charged_twice(ours: list[Payment], theirs: list[Payment], surplus: int) -> None:
    assert answer(ours, theirs) == (K.DUPLICATE_EXTERNAL, Outcome.BREAK, surplus, surplus)


def test_a_part_that_comes_again_is_charged_twice_at_once() -> None:
    one = books([ONE], [A, B, Payment("pi_c", 600)])
    one.lines = [replace(x, created_at=JUST_NOW) for x in one.lines]
    one.entries = [replace(e, occurred_at=JUST_NOW) for e in one.entries]
    found = judged(one)
    assert (found.kind, found.outcome) == (K.DUPLICATE_EXTERNAL, Outcome.BREAK)


def test_booked_twice_stays_booked_twice() -> None:
    assert answer([ONE, AGAIN], [ONE])[0] is K.DUPLICATE_INTERNAL
    assert answer([A, B, Payment("pi_c", 600)], [ONE])[:2] == (K.DUPLICATE_INTERNAL, Outcome.BREAK)


def test_a_payment_that_both_sides_know_is_nobody_elses_part() -> None:
    """Theirs of pi_2 is 600 where ours is 570: the 30 are a difference of pi_2, whatever else it would make whole."""
    ours = [ONE, Payment("pi_2", 570)]
    theirs = [Payment("pi_2", 600), B, Payment("pi_c", 570)]
    assert answer(ours, theirs)[1] is Outcome.BREAK


def test_parts_beyond_the_date_window_are_payments_of_their_own() -> None:
    assert answer([ONE], [A, replace(B, hours=-23)])[0] is K.MATCHED_IN_PARTS
    assert answer([ONE], [A, replace(B, hours=-25)])[0] is K.DUPLICATE_EXTERNAL
    assert answer([ONE], [A, replace(B, hours=-25)], replace(ALLOWED, date_window=2 * DAY))[0] is K.MATCHED_IN_PARTS


def test_what_adds_up_but_for_the_tolerance_is_within_it() -> None:
    nearly = Payment("pi_b", 398)
    assert answer([ONE], [A, nearly], TOLERANT) == (K.MATCHED_WITHIN_TOLERANCE, Outcome.MATCHED, -2, 0)
    assert "are one of ours (pi_1)" in judged(books([ONE], [A, nearly]), TOLERANT).cause
    assert answer([ONE], [A, nearly])[0] is K.AMOUNT_UNDER
    # The exact part goes to the whole that it makes exactly, however much nearer in time the other is.
    ours = [Payment("pi_1", 1001), Payment("pi_2", 1000, hours=1)]
    theirs = [A, B, Payment("pi_c", 700), Payment("pi_d", 301)]
    assert answer(ours, theirs, TOLERANT) == (K.MATCHED_IN_PARTS, Outcome.MATCHED, 0, 0)


@pytest.mark.parametrize("late", ["theirs", "ours"])
def test_a_part_that_is_still_to_come_has_the_grace_of_its_side(late: str) -> None:
    """An hourly run may cut between two parts: that is no break until the other has had its time."""
    soon = replace(ALLOWED, graces=(Grace(external=2 * HOUR, internal=3 * HOUR),))
    halves = [Payment("pi_a", 300), Payment("pi_b", 300)]
    one = books([ONE], halves) if late == "theirs" else books(halves, [ONE])
    kind, patience = (K.AMOUNT_UNDER, 2) if late == "theirs" else (K.AMOUNT_OVER, 3)
    one.lines = [replace(x, created_at=JUST_NOW) for x in one.lines]
    one.entries = [replace(e, occurred_at=JUST_NOW) for e in one.entries]
    found = judged(one, soon)
    assert (found.kind, found.outcome, found.break_on) == (kind, Outcome.PENDING, JUST_NOW + patience * HOUR)
    assert found.at_risk_minor == 400
    later = judged(books([ONE], halves) if late == "theirs" else books(halves, [ONE]), soon)
    assert (later.kind, later.outcome) == (kind, Outcome.BREAK)


def test_a_part_that_is_given_back_leaves_what_was_charged_whole() -> None:
    one = books([ONE], [A, B])
    one.lines.append(line("x", -400, payment="pi_b", source="re_1"))
    found = judged(one)
    assert (found.kind, found.difference_minor) == (K.REFUND_EXCEEDS, -400)
    # And a double charge that was put right at the provider is still put right.
    right = books([ONE], [A, B, AGAIN])
    right.lines.append(line("x", -1000, payment="pi_x", source="re_1"))
    assert judged(right).kind is K.MATCHED_IN_PARTS


def test_equal_sums_without_a_common_order_are_for_a_person() -> None:
    one = books([ONE], [])
    one.lines = [line(f"?{x.name}", x.minor, payment=x.name, known=False) for x in (A, B)]
    one.lines.append(line("?", 1000, payment="pi_z", known=False))
    findings = suggested(match_payments(one.entries, one.lines, {"pi_1": "x"}, WIDE, ALLOWED), ALLOWED)
    assert {f.key: (f.kind, f.suggestions) for f in findings} == {
        "order/x": (K.MISSING_EXTERNAL, ("payment/pi_z",)),
        "payment/pi_a": (K.MISSING_INTERNAL, ()),
        "payment/pi_b": (K.MISSING_INTERNAL, ()),
        "payment/pi_z": (K.MISSING_INTERNAL, ("order/x",)),
    }


def test_another_currency_is_no_part() -> None:
    one = books([ONE], [A, B])
    one.lines[0] = replace(one.lines[0], currency="USD")
    findings = match_payments(one.entries, one.lines, {"pi_1": "x"}, WIDE, ALLOWED)
    assert {f.outcome for f in findings} == {Outcome.BREAK}


@pytest.mark.parametrize("moved", range(-30, 31, 3))
def test_the_horizon_tears_no_parts_apart(moved: int) -> None:
    """Ours and both parts lie around the horizon, in any order: they count together or not at all."""
    middle = HORIZON + moved * HOUR
    for first, second in ((-20, 20), (20, -20), (0, 23), (-23, 0), (-23, -1)):
        one = books([ONE], [A, B])
        one.entries = [replace(one.entries[0], occurred_at=middle)]
        one.lines = [
            replace(x, created_at=middle + hours * HOUR) for x, hours in zip(one.lines, (first, second), strict=True)
        ]
        findings = match_payments(one.entries, one.lines, {"pi_1": "x"}, WIDE, ALLOWED)
        assert [f.kind for f in findings] in ([], [K.MATCHED_IN_PARTS]), (moved, first, second)
        at = [middle, middle + first * HOUR, middle + second * HOUR]
        assert bool(findings) is any(WIDE.judged(one) for one in at)


def test_many_candidates_are_tried_as_one() -> None:
    """Their combinations are too many: all of them together are the whole, or nothing is."""
    many = [Payment(f"pi_{number:02d}", 10 + number) for number in range(14)]
    whole = sum(one.minor for one in many)
    assert answer([Payment("pi_x", whole)], many)[0] is K.MATCHED_IN_PARTS
    assert answer([Payment("pi_x", whole - 10)], many)[0] is K.DUPLICATE_EXTERNAL


# ---- the oracle -----------------------------------------------------------------------------------------------------

MINORS = st.sampled_from([1, 2, 3, 5, 8, 10, 13])
OURS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), MINORS), max_size=3, unique_by=lambda one: one[0])
THEIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "u", "v", "w", "z"]), MINORS), max_size=5, unique_by=lambda one: one[0]
)


def divided(ours: tuple[Payment, ...], theirs: tuple[Payment, ...]) -> Iterator[bool]:
    """Every way to say of all payments whose they are; for each, whether some are parts of another."""
    if not ours and not theirs:
        yield False
    elif ours:
        first, rest = ours[0], ours[1:]
        for size in range(1, len(theirs) + 1):
            for parts in combinations(theirs, size):
                others = tuple(one for one in theirs if one not in parts)
                if sum(one.minor for one in parts) == first.minor and _own((first,), parts, ours, theirs):
                    yield from (size > 1 or found for found in divided(rest, others))
        for size in range(1, len(rest) + 1):
            for more in combinations(rest, size):
                mine = (first, *more)
                others = tuple(one for one in rest if one not in more)
                for whole in theirs:
                    if sum(one.minor for one in mine) == whole.minor and _own(mine, (whole,), ours, theirs):
                        left = tuple(one for one in theirs if one is not whole)
                        yield from (True for _ in divided(others, left))


def _own(
    mine: tuple[Payment, ...], yours: tuple[Payment, ...], ours: tuple[Payment, ...], theirs: tuple[Payment, ...]
) -> bool:
    """A payment that both sides know is on both sides of a division, or on none."""
    common = {one.name for one in ours} & {one.name for one in theirs}
    return {one.name for one in mine} & common == {one.name for one in yours} & common


@settings(max_examples=150, deadline=None)
@given(OURS, THEIRS)
@example([("a", 10)], [("u", 5), ("v", 5)])
@example([("a", 10), ("b", 3)], [("u", 5), ("v", 8)])
@example([("a", 10), ("b", 3)], [("b", 5), ("u", 8)])
def test_the_rule_finds_whole_divisions_and_nothing_else_agrees(
    ours: list[tuple[str, int]], theirs: list[tuple[str, int]]
) -> None:
    mine = tuple(Payment(name, minor) for name, minor in ours)
    yours = tuple(Payment(name, minor) for name, minor in theirs)
    if not mine and not yours:
        return
    ways = set(divided(mine, yours))
    found = judged(books(mine, yours))
    agrees = found.outcome is Outcome.MATCHED
    plain = judged(books(mine, yours), PLAIN)
    if agrees and plain.outcome is not Outcome.MATCHED:
        assert ways, "it agrees, and no division of the payments explains that"
    # Equals go first, one by one, and parts oldest first: of several whole divisions it may miss the only one that is left.
    if len(mine) == 1 or len(yours) == 1:
        assert agrees is bool(ways)
        if agrees:
            assert (found.kind is K.MATCHED_IN_PARTS) is (ways == {True})
    assert (found.difference_minor, found.ours, found.theirs) == (plain.difference_minor, plain.ours, plain.theirs)
    if plain.outcome is Outcome.MATCHED:
        assert agrees, "what agrees without the rule agrees with it"


assert CUT > LONG_AGO + 11 * HOUR
