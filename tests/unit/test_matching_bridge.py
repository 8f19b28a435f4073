"""The bridge closes to the minor unit, and stops closing as soon as anything is left out."""

from dataclasses import replace

import pytest

from tests.unit.matching_books import BEFORE_WINDOW, CUT, JUST_NOW, SCOPE, clean, entry, exceptions, line
from worker.domain.finding import FindingKind, Leg, Outcome, SettledAs, Settlement
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.bridge import statements
from worker.domain.matching.payments import SEVERITY
from worker.domain.matching.verdict import verdict


def test_clean_books_need_no_lines() -> None:
    (bridge,) = clean().bridge()
    total = sum(1000 + n for n in range(12)) - 4 * 100
    assert (bridge.currency, bridge.ours_minor, bridge.theirs_minor) == ("EUR", total, total)
    assert (bridge.lines, bridge.residual_minor) == ((), 0)
    assert (bridge.fees_minor, bridge.net_minor) == (360, total - 360)


def test_lines_come_in_a_fixed_order_with_counts_and_amounts() -> None:
    books = clean()
    books.lines += [
        line("late", 70, at=JUST_NOW),
        line("lost", 30),
        line("lost2", 5),
        line("x", -8, LineKind.ADJUSTMENT, line_id="txn_odd"),
        line("001", -1, LineKind.DISPUTE),
    ]
    books.entries.append(entry("gone", 11))
    (bridge,) = books.bridge()
    assert [(step.code, step.count, step.amount_minor) for step in bridge.lines] == [
        ("missing_internal", 2, 35),
        ("missing_external", 1, -11),
        ("disputed", 1, -1),
        ("unclassified", 1, -8),
        ("pending_missing_internal", 1, 70),
    ]
    assert bridge.residual_minor == 0


def test_a_pair_with_one_leg_before_the_window_is_timing() -> None:
    books = clean()
    books.entries.append(entry("slow", 80, at=BEFORE_WINDOW))
    books.lines.append(line("slow", 80))
    (bridge,) = books.bridge()
    assert bridge.theirs_minor - bridge.ours_minor == 80
    assert [(step.code, step.count, step.amount_minor) for step in bridge.lines] == [("timing", 1, 80)]
    assert exceptions(books.payments()) == []


def test_an_old_difference_is_a_break_and_its_timing() -> None:
    books = clean()
    books.lines.append(line("old", 300, at=BEFORE_WINDOW))
    (bridge,) = books.bridge()
    assert bridge.theirs_minor == bridge.ours_minor
    assert [(step.code, step.amount_minor) for step in bridge.lines] == [("missing_internal", 300), ("timing", -300)]


def test_fees_of_lines_and_fee_lines_in_either_notation() -> None:
    books = clean(0)
    books.lines = [
        line("a", 1000, fee=30),
        line("f", -25, LineKind.FEE, payment="", line_id="txn_gross"),
        line("f", 0, LineKind.FEE, payment="", line_id="txn_fee", fee=5),
        line("p", -900, LineKind.PAYOUT, payment="", fee=2),
        line("old", 10, fee=99, at=BEFORE_WINDOW),
    ]
    (bridge,) = books.bridge()
    assert (bridge.theirs_minor, bridge.fees_minor, bridge.net_minor) == (1000, 62, 938)


def test_one_statement_per_currency_sorted() -> None:
    books = clean(2)
    books.lines.append(line("u", 500, currency="USD"))
    books.lines.append(line("c", 500, currency="CHF"))
    assert [each.currency for each in books.bridge()] == ["CHF", "EUR", "USD"]


@pytest.mark.parametrize("lost", [line("lost", 30), line("lost", 30, at=BEFORE_WINDOW), line("lost", 30, at=JUST_NOW)])
def test_a_finding_that_gets_lost_leaves_a_residual_and_the_run_is_incomplete(lost: LedgerLine) -> None:
    books = clean()
    books.lines.append(lost)
    findings = books.payments()
    assert books.bridge(findings=findings)[0].residual_minor == 0
    (bridge,) = books.bridge(findings=[f for f in findings if f.key != "order/lost"])
    assert bridge.residual_minor == 30
    assert verdict(findings, [bridge], ()) == "incomplete"


def test_a_movement_that_no_finding_covers_leaves_a_residual() -> None:
    books = clean()
    found = books.payments()
    (bridge,) = statements(books.entries, [*books.lines, line("extra", 9)], found, {}, SCOPE)
    assert bridge.residual_minor == 9


def test_findings_of_other_legs_do_not_enter() -> None:
    books = clean()
    books.shop.pop()
    others = [f for f in books.orders() if f.leg is Leg.ORDERS]
    assert books.bridge(findings=[*books.payments(), *others])[0].residual_minor == 0


def test_every_kind_of_the_payments_leg_has_a_label() -> None:
    books = clean()
    base = books.payments()[0]
    for kind in SEVERITY:
        (bridge,) = books.bridge(findings=[replace(base, kind=kind)])
        assert bridge.lines[0].label
    assert FindingKind.MATCHED not in SEVERITY


SETTLED = Settlement(how=SettledAs.RESOLVED, by="ada", at=CUT, reason="paid back by hand")


def test_what_a_person_settled_is_a_line_of_its_own_and_open_no_more() -> None:
    books = clean()
    books.lines += [line("lost", 30), line("other", 7)]
    findings = tuple(
        replace(f, outcome=Outcome.WARNING, settlement=SETTLED) if f.order_id == "lost" else f for f in books.payments()
    )
    (bridge,) = books.bridge(findings=findings)
    assert [(step.code, step.amount_minor) for step in bridge.lines] == [("missing_internal", 7), ("settled", 30)]
    assert bridge.roll is not None
    assert [(step.code, step.amount_minor) for step in bridge.roll.lines] == [("movements", 37), ("accepted", -30)]
    assert (bridge.roll.closing_count, bridge.roll.closing_minor) == (1, 7)
    assert bridge.ties
