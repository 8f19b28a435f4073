"""Payouts against their lines and against the bank: each fault is one finding, of the right amount and on the right leg."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.matching_books import CUT, HORIZON, LONG_AGO, SCOPE, line
from worker.domain.finding import Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LineKind
from worker.domain.matching.bank import BankCredit, match_bank
from worker.domain.matching.bridge import statements_of
from worker.domain.matching.payouts import PayoutStatus, PayoutSums, match_payouts, payout_sums
from worker.domain.matching.rejects import UnreadRow, rejected_rows
from worker.domain.matching.rules import Rules
from worker.domain.matching.suggestions import suggested
from worker.domain.matching.verdict import verdict
from worker.domain.window import Span

K = FindingKind
DAY = timedelta(days=1)
OLD = CUT - 4 * DAY
RULES = Rules(provider="stripe")
COVERED = Span(HORIZON, CUT)


def payout(name: str, minor: int = 10_000, *, at: datetime = OLD, **changes: object) -> PayoutSums:
    base = PayoutSums(
        payout_id=name,
        currency="EUR",
        amount_minor=minor,
        status=PayoutStatus.PAID,
        arrives_at=at,
        lines_minor=minor,
        counts={LineKind.CHARGE: 3, LineKind.REFUND: 1},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def credit(name: str, minor: int = 10_000, *texts: str, at: datetime = OLD, currency: str = "EUR") -> BankCredit:
    return BankCredit(credit_id=name, amount_minor=minor, currency=currency, booked_at=at, references=texts)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, FindingKind, Outcome, int]]:
    return [(f.key, f.kind, f.outcome, f.difference_minor) for f in findings if f.kind is not K.MATCHED]


def bank(payouts: list[PayoutSums], booked: list[BankCredit], covered: Span = COVERED) -> tuple[Finding, ...]:
    return match_bank(payouts, booked, covered, SCOPE, RULES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"lines_minor": 9_990}, (K.PAYOUT_INCOMPLETE, Outcome.BREAK, 10)),
        ({"lines_minor": 10_010}, (K.PAYOUT_INCOMPLETE, Outcome.BREAK, -10)),
        ({"lines_minor": 0, "counts": {}}, (K.PAYOUT_INCOMPLETE, Outcome.BREAK, 10_000)),
        ({"lines_minor": 0, "at": CUT - DAY / 2}, (K.PAYOUT_INCOMPLETE, Outcome.PENDING, 10_000)),
        ({"lines_minor": 0, "automatic": False}, (K.PAYOUT_NOT_ITEMISABLE, Outcome.MATCHED, 0)),
        ({"lines_minor": 0, "status": PayoutStatus.FAILED}, (K.PAYOUT_FAILED, Outcome.WARNING, 0)),
    ],
    ids=str,
)
def test_the_lines_of_a_payout_sum_to_it(
    changes: dict[str, object], expected: tuple[FindingKind, Outcome, int] | None
) -> None:
    found = match_payouts([payout("po_ok"), payout("po_1", **changes)], SCOPE, RULES)  # type: ignore[arg-type]
    assert told(found) == ([("payout/po_1", *expected)] if expected else [])
    assert {finding.leg for finding in found} == {Leg.PAYOUTS}


def test_what_is_not_sent_yet_or_belongs_to_other_runs_is_not_judged() -> None:
    others = [
        payout("po_soon", status=PayoutStatus.SCHEDULED, lines_minor=0),
        payout("po_older", at=HORIZON - DAY, lines_minor=0),
        payout("po_later", at=CUT, lines_minor=0),
    ]
    assert match_payouts(others, SCOPE, RULES) == ()
    assert bank(others, []) == ()


def test_the_sums_of_a_settlement_file_are_made_of_its_lines() -> None:
    lines = [
        replace(line("a", 1000, fee=30), payout_id="380"),
        replace(line("a", -100), payout_id="380"),
        replace(line("b", 500), payout_id="open"),
        line("c", 7),
        replace(line("p", -870, LineKind.PAYOUT, payment="", at=LONG_AGO), payout_id="380"),
        replace(line("q", -99, LineKind.PAYOUT, payment="", line_id="alone"), payout_id="untold"),
    ]
    (sums,) = payout_sums(lines)
    assert (sums.payout_id, sums.amount_minor, sums.lines_minor, sums.arrives_at) == ("380", 870, 870, LONG_AGO)
    assert sums.counts == {LineKind.CHARGE: 1, LineKind.REFUND: 1}
    assert told(match_payouts([sums], SCOPE, RULES)) == []
    (short,) = payout_sums([lines[0], lines[4]])
    assert told(match_payouts([short], SCOPE, RULES)) == [("payout/380", K.PAYOUT_INCOMPLETE, Outcome.PENDING, -100)]


def test_a_payout_is_found_at_the_bank_by_any_of_its_names_as_a_word() -> None:
    payouts = [payout("po_1"), payout("po_2", references=("TRACE77",)), payout("po_12", 5)]
    booked = [
        credit("c1", 10_000, "STRIPE PAYMENTS", "ref: PO_1/2026"),
        credit("c2", 10_000, "sepa credit trace77"),
        credit("c3", 5, "po_12"),
    ]
    found = bank(payouts, booked)
    assert told(found) == []
    assert [finding.key for finding in found] == ["payout/po_1", "payout/po_12", "payout/po_2"]
    assert {finding.leg for finding in found} == {Leg.BANK}


@pytest.mark.parametrize(
    ("booked", "expected"),
    [
        ([], (K.PAYOUT_MISSING_AT_BANK, -10_000)),
        ([credit("c", 9_900, "po_1")], (K.PAYOUT_AMOUNT_DIFFERS, -100)),
        ([credit("c", 10_100, "po_1")], (K.PAYOUT_AMOUNT_DIFFERS, 100)),
        ([credit("c", 4_000, "po_1"), credit("d", 6_000, "po_1")], None),
        ([credit("c", 10_000, "po_1"), credit("d", 10_000, "po_1")], (K.DUPLICATE_EXTERNAL, 10_000)),
        ([credit("c", 10_000, "po_1", currency="USD")], (K.CURRENCY_MISMATCH, -10_000)),
    ],
    ids=["missing", "less", "more", "in two parts", "twice", "another currency"],
)
def test_each_fault_at_the_bank_is_one_break(
    booked: list[BankCredit], expected: tuple[FindingKind, int] | None
) -> None:
    found = bank([payout("po_1"), payout("po_ok")], [*booked, credit("ok", 10_000, "po_ok")])
    assert told(found) == ([("payout/po_1", expected[0], Outcome.BREAK, expected[1])] if expected else [])


def test_a_credit_from_the_provider_without_a_payout_is_a_break_and_other_peoples_money_is_not() -> None:
    booked = [credit("c1", 777, "Stripe Technology Europe"), credit("c2", 777, "rent"), credit("old", 5, "stripe")]
    booked[2] = replace(booked[2], booked_at=HORIZON - DAY)
    found = bank([], booked)
    assert told(found) == [("credit/c1", K.BANK_CREDIT_WITHOUT_PAYOUT, Outcome.BREAK, 777)]
    named = replace(RULES, bank_names=("RENT",))
    assert [f.key for f in match_bank([], booked, COVERED, SCOPE, named)] == ["credit/c2"]


def test_an_equal_amount_without_a_name_is_suggested_never_matched() -> None:
    found = suggested(bank([payout("po_1")], [credit("c1", 10_000, "STRIPE")]), RULES)
    assert [(f.key, f.kind, f.outcome, f.suggestions) for f in found] == [
        ("credit/c1", K.BANK_CREDIT_WITHOUT_PAYOUT, Outcome.BREAK, ("payout/po_1",)),
        ("payout/po_1", K.PAYOUT_MISSING_AT_BANK, Outcome.BREAK, ("credit/c1",)),
    ]


def test_one_credit_may_hold_several_payouts_and_its_difference_counts_once() -> None:
    payouts = [payout("po_1", 100), payout("po_2", 200), payout("po_3", 50)]
    whole = [credit("c", 300, "po_1 po_2"), credit("d", 50, "po_3")]
    found = bank(payouts, whole)
    assert told(found) == []
    assert found[0].cause == "booked together with po_2"
    found = bank(payouts, [replace(whole[0], amount_minor=290), whole[1]])
    assert told(found) == [("payout/po_1", K.PAYOUT_AMOUNT_DIFFERS, Outcome.BREAK, -10)]
    assert sum(f.theirs_minor for f in found) == 340


def test_payouts_of_two_currencies_in_one_credit_are_never_added_up() -> None:
    """A credit in a third currency names both: each currency has its own difference, to its own cent."""
    payouts = [payout("po_1"), payout("po_2", 7_000, currency="USD"), payout("po_3", 500)]
    found = told(bank(payouts, [credit("c1", 15_000, "po_1 po_2 po_3", currency="CHF")]))
    assert found == [
        ("payout/po_1", K.CURRENCY_MISMATCH, Outcome.BREAK, -10_500),
        ("payout/po_2", K.CURRENCY_MISMATCH, Outcome.BREAK, -7_000),
    ]


def test_a_payout_that_comes_in_parts_has_the_grace_of_the_bank_for_the_rest_where_parts_are_allowed() -> None:
    late, first = CUT - DAY, credit("c1", 4_000, "po_1", at=CUT - DAY / 2)
    rest = credit("c2", 6_000, "po_1", at=CUT - DAY / 4)
    allowed = replace(RULES, many_to_one=True)
    some = [payout("po_1", at=late)]
    assert told(bank(some, [first])) == [("payout/po_1", K.PAYOUT_AMOUNT_DIFFERS, Outcome.BREAK, -6_000)]
    (waiting,) = match_bank(some, [first], COVERED, SCOPE, allowed)
    assert (waiting.outcome, waiting.break_on) == (Outcome.PENDING, late + allowed.bank_grace)
    assert told(match_bank(some, [first, rest], COVERED, SCOPE, allowed)) == []
    over = replace(allowed, bank_grace=DAY / 2)
    assert told(match_bank(some, [first], COVERED, SCOPE, over))[0][2] is Outcome.BREAK
    more = credit("c3", 7_000, "po_1")
    assert told(match_bank(some, [first, more], COVERED, SCOPE, allowed))[0][1:3] == (
        K.PAYOUT_AMOUNT_DIFFERS,
        Outcome.BREAK,
    )


def test_the_bank_has_its_grace_and_silence_counts_only_for_days_it_told_of() -> None:
    fresh = payout("po_1", at=CUT - DAY)
    (found,) = bank([fresh], [])
    assert (found.outcome, found.break_on) == (Outcome.PENDING, fresh.arrives_at + RULES.bank_grace)
    assert bank([payout("po_1")], [], Span(HORIZON, OLD + DAY)) == (), "the file ends before the bank's grace does"
    assert bank([payout("po_1")], [], Span(OLD + DAY, CUT)) == (), "the file starts after the payout was due"
    assert told(bank([payout("po_1")], []))[0][1] is K.PAYOUT_MISSING_AT_BANK


def test_a_failed_payout_must_not_be_at_the_bank() -> None:
    failed = payout("po_1", status=PayoutStatus.FAILED)
    assert bank([failed], []) == ()
    assert told(bank([failed], [credit("c", 10_000, "po_1")])) == [
        ("payout/po_1", K.STATUS_MISMATCH, Outcome.BREAK, 10_000)
    ]
    returned = [credit("c", 10_000, "po_1"), credit("d", -10_000, "return of po_1")]
    assert told(bank([failed], returned)) == []


def test_a_row_that_could_not_be_read_is_listed_and_no_run_with_one_is_complete() -> None:
    rows = [
        UnreadRow(file="july.csv", line=7, column="net", reason="not a plain decimal amount: '1,2,3'", read_at=CUT),
        UnreadRow(file="july.csv", line=9, column="", reason="has 3 cells where the header has 20", read_at=CUT),
    ]
    found = rejected_rows(rows, Leg.PAYMENTS)
    assert [f.cause for f in found] == [
        "july.csv, line 7, column net: not a plain decimal amount: '1,2,3'",
        "july.csv, line 9: has 3 cells where the header has 20",
    ]
    assert {(f.kind, f.outcome) for f in found} == {(K.REJECTED_ROW, Outcome.WARNING)}
    assert len({f.key for f in found}) == 2
    assert statements_of([], found) == (), "what the rows said of money is not known"
    assert verdict(found, [], ()) == "incomplete"
