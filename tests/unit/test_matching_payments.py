"""Every rule of the payments leg fires on a corrupted copy of clean books, and nothing else does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.matching_books import (
    BEFORE_WINDOW,
    CUT,
    HORIZON,
    JUST_NOW,
    SCOPE,
    clean,
    entry,
    exceptions,
    line,
    only,
)
from worker.domain.finding import Finding, FindingKind, Outcome, Repair
from worker.domain.ledger import LineKind
from worker.domain.matching.issue import MAX_FACTS
from worker.domain.payment import BookEntry, EntryKind

K = FindingKind


def test_clean_books_match_on_every_key() -> None:
    findings = clean().payments()
    assert len(findings) == 12
    assert {(f.kind, f.outcome, f.difference_minor, f.at_risk_minor) for f in findings} == {
        (K.MATCHED, Outcome.MATCHED, 0, 0)
    }
    first = findings[0]
    assert (first.key, first.order_id, first.ours_minor) == ("order/000", "000", 900)
    assert [fact.record for fact in first.ours] == ["capture", "refund"]
    assert [fact.record for fact in first.theirs] == ["charge", "refund"]


def test_a_charge_that_our_books_lack_is_missing_internal_and_repairable() -> None:
    books = clean()
    books.entries = [e for e in books.entries if e.order_id != "001"]
    found = only(books.payments(), K.MISSING_INTERNAL)
    assert (found.key, found.ours_minor, found.theirs_minor, found.at_risk_minor) == ("order/001", 0, 1001, 1001)
    assert (found.repair, found.repair_reference) == (Repair.DELIVER_PAYMENT, "001")
    assert found.break_on is None


def test_a_charge_of_no_known_order_has_its_payment_as_key_and_no_repair() -> None:
    books = clean()
    books.lines.append(line("stranger", 500, known=False))
    found = only(books.payments(), K.MISSING_INTERNAL)
    assert (found.key, found.order_id, found.repair) == ("payment/pi_stranger", "", Repair.NONE)


def test_our_payment_reference_outranks_the_order_id_of_the_line() -> None:
    books = clean()
    books.lines = [replace(each, order_id="wrong") if each.order_id == "004" else each for each in books.lines]
    books.order_of_payment = {"pi_004": "004"}
    assert exceptions(books.payments()) == []


def test_a_young_charge_is_pending_until_its_grace_ends() -> None:
    books = clean()
    books.lines.append(line("late", 700, at=JUST_NOW))
    found = only(books.payments(), K.MISSING_INTERNAL, Outcome.PENDING)
    assert found.break_on == JUST_NOW + SCOPE.payment_grace
    assert found.repair is Repair.NONE
    books.lines[-1] = line("late", 700, at=CUT - SCOPE.payment_grace)
    assert only(books.payments(), K.MISSING_INTERNAL).repair is Repair.DELIVER_PAYMENT


def test_a_capture_that_the_ledger_lacks_is_missing_external() -> None:
    books = clean()
    books.lines = [each for each in books.lines if each.order_id != "002"]
    found = only(books.payments(), K.MISSING_EXTERNAL)
    assert (found.difference_minor, found.at_risk_minor, found.repair) == (-1002, 1002, Repair.ASK_PROVIDER)


@pytest.mark.parametrize(("by", "kind"), [(-1, K.AMOUNT_UNDER), (1, K.AMOUNT_OVER)])
def test_one_cent_is_a_break_at_once_and_there_is_no_tolerance(by: int, kind: FindingKind) -> None:
    books = clean()
    books.lines[0] = replace(books.lines[0], gross_minor=1000 + by, created_at=JUST_NOW)
    found = only(books.payments(), kind)
    assert (found.difference_minor, found.at_risk_minor) == (by, 1)


def test_plus_ten_and_minus_ten_stay_two() -> None:
    books = clean()
    books.lines[-1] = replace(books.lines[-1], gross_minor=books.lines[-1].gross_minor + 10)
    books.lines[0] = replace(books.lines[0], gross_minor=books.lines[0].gross_minor - 10)
    assert [(f.key, f.kind) for f in exceptions(books.payments())] == [
        ("order/000", K.AMOUNT_UNDER),
        ("order/011", K.AMOUNT_OVER),
    ]
    (bridge,) = books.bridge()
    assert bridge.theirs_minor == bridge.ours_minor
    assert [(step.code, step.amount_minor) for step in bridge.lines] == [("amount_under", -10), ("amount_over", 10)]


def test_a_partial_capture_and_the_reversal_of_the_rest_are_one_capture() -> None:
    books = clean()
    books.entries.append(entry("part", 3000))
    books.lines += [line("part", 5000), line("part", -2000, LineKind.PARTIAL_CAPTURE_REVERSAL)]
    assert exceptions(books.payments()) == []


def test_an_authorisation_reversed_whole_is_no_payment() -> None:
    books = clean()
    books.lines += [line("void", 5000), line("void", -5000, LineKind.PARTIAL_CAPTURE_REVERSAL)]
    assert exceptions(books.payments()) == []


def test_another_currency_is_a_mismatch_in_each_currency() -> None:
    books = clean()
    books.lines[-1] = replace(books.lines[-1], currency="USD")
    found = exceptions(books.payments())
    assert [(f.key, f.currency, f.kind, f.ours_minor, f.theirs_minor) for f in found] == [
        ("order/011", "EUR", K.CURRENCY_MISMATCH, 1011, 0),
        ("order/011", "USD", K.CURRENCY_MISMATCH, 0, 1011),
    ]
    assert all(len(f.ours) == len(f.theirs) == 1 for f in found)
    assert [each.residual_minor for each in books.bridge()] == [0, 0]


def test_two_payments_for_an_order_of_which_we_hold_one() -> None:
    books = clean()
    books.lines.append(line("001", 1001, payment="pi_double", at=JUST_NOW))
    found = only(books.payments(), K.DUPLICATE_EXTERNAL)
    assert (found.at_risk_minor, found.difference_minor) == (1001, 1001)
    assert "pi_double" in found.cause


def test_a_double_charge_given_back_whole_at_the_provider_is_no_difference() -> None:
    books = clean()
    books.lines += [line("001", 1001, payment="pi_double"), line("001", -1001, payment="pi_double", source="re_x")]
    assert exceptions(books.payments()) == []
    matched = next(f for f in books.payments() if f.key == "order/001")
    assert "pi_double" in matched.cause


@pytest.mark.parametrize("index", [0, 1, 4])
def test_a_row_that_stands_twice_in_the_ledger_is_counted(index: int) -> None:
    books = clean()
    books.lines.append(books.lines[index])
    found = only(books.payments(), K.DUPLICATE_EXTERNAL)
    assert found.difference_minor == books.lines[index].gross_minor
    assert found.at_risk_minor == abs(books.lines[index].gross_minor)


def test_a_repeated_row_is_seen_even_where_the_sums_agree() -> None:
    books = clean()
    books.entries.append(entry("001", 1001, payment="pi_second"))
    books.lines.append(books.lines[2])
    assert books.lines[-1].order_id == "001"
    found = only(books.payments(), K.DUPLICATE_EXTERNAL)
    assert found.difference_minor == 0
    assert "our books hold" not in found.cause
    assert "we booked 2 payments" in found.cause


def test_one_charge_booked_under_two_line_ids() -> None:
    books = clean()
    books.lines.append(replace(books.lines[2], line_id="txn_again"))
    assert only(books.payments(), K.DUPLICATE_EXTERNAL).at_risk_minor == 1001


def test_several_captures_of_one_charge_are_legal() -> None:
    books = clean()
    books.entries += [entry("multi", 500, reference="a"), entry("multi", 500, reference="b")]
    books.lines += [line("multi", 500, line_id="txn_a"), line("multi", 500, line_id="txn_b")]
    assert exceptions(books.payments()) == []


def test_two_captures_of_ours_for_one_payment_outside() -> None:
    books = clean()
    books.entries.append(entry("001", 1001, payment="pi_other", at=JUST_NOW))
    found = only(books.payments(), K.DUPLICATE_INTERNAL)
    assert (found.difference_minor, found.at_risk_minor) == (-1001, 1001)


def test_an_entry_booked_twice() -> None:
    books = clean()
    books.entries.append(books.entries[1])
    assert only(books.payments(), K.DUPLICATE_INTERNAL).at_risk_minor == 100


def test_a_second_payment_of_another_amount_may_still_arrive() -> None:
    books = clean()
    books.entries.append(entry("001", 50, payment="pi_rest", at=JUST_NOW))
    assert only(books.payments(), K.MISSING_EXTERNAL, Outcome.PENDING).at_risk_minor == 50


def test_a_refund_that_the_provider_did_not_make() -> None:
    books = clean()
    books.lines = [each for each in books.lines if not (each.order_id == "003" and each.kind is LineKind.REFUND)]
    found = only(books.payments(), K.REFUND_MISSING)
    assert (found.difference_minor, found.at_risk_minor) == (100, 100)


def test_a_refund_that_failed_counts_as_not_made() -> None:
    books = clean()
    books.lines.append(line("003", 100, LineKind.REFUND_FAILURE))
    assert "failed" in only(books.payments(), K.REFUND_MISSING).cause


def test_a_refund_that_we_do_not_know() -> None:
    books = clean()
    books.lines.append(line("001", -40))
    found = only(books.payments(), K.REFUND_EXCEEDS)
    assert (found.difference_minor, found.at_risk_minor) == (-40, 40)


def test_the_refund_that_is_alone_decides_how_long_to_wait() -> None:
    books = clean()
    books.entries.append(entry("003", -40, reference="re_new", at=JUST_NOW))
    assert only(books.payments(), K.REFUND_MISSING, Outcome.PENDING).break_on == JUST_NOW + SCOPE.payment_grace
    # The same refund, old, next to a young one that both sides hold: the old one is a break.
    books.entries[-1] = entry("003", -40, reference="re_new")
    books.entries.append(entry("003", -7, reference="re_both", at=JUST_NOW))
    books.lines.append(line("003", -7, line_id="txn_both", source="re_both", at=JUST_NOW))
    assert only(books.payments(), K.REFUND_MISSING).at_risk_minor == 40


def test_a_dispute_that_we_did_not_hear_of_is_a_break_until_it_is_won() -> None:
    books = clean()
    books.lines.append(line("001", -1001, LineKind.DISPUTE, at=JUST_NOW, fee=1500))
    found = only(books.payments(), K.DISPUTED, Outcome.PENDING)
    assert found.break_on == JUST_NOW + SCOPE.payment_grace
    books.lines[-1] = line("001", -1001, LineKind.DISPUTE, fee=1500)
    late = only(books.payments(), K.DISPUTED)
    assert (late.at_risk_minor, late.repair) == (1001, Repair.DELIVER_DISPUTE)
    books.lines.append(line("001", 1001, LineKind.DISPUTE_REVERSAL))
    assert exceptions(books.payments()) == []


def disputed(minor: int, kind: EntryKind = EntryKind.DISPUTE) -> BookEntry:
    return replace(entry("001", minor, reference="dp_1"), kind=kind)


def test_a_dispute_that_our_books_hold_agrees_and_so_does_its_return() -> None:
    books = clean()
    books.entries.append(disputed(-1001))
    books.lines.append(line("001", -1001, LineKind.DISPUTE, source="dp_1"))
    assert exceptions(books.payments()) == []
    assert sum(f.difference_minor for f in books.payments()) == 0
    books.lines.append(line("001", 1001, LineKind.DISPUTE_REVERSAL, source="dp_1"))
    lost = only(books.payments(), K.DISPUTED)
    assert (lost.difference_minor, lost.at_risk_minor, lost.repair) == (1001, 1001, Repair.DELIVER_DISPUTE)
    assert "came back from a dispute that was won" in lost.cause
    books.entries.append(disputed(1001, EntryKind.DISPUTE_REVERSAL))
    assert exceptions(books.payments()) == []


@pytest.mark.parametrize(
    ("kind", "minor", "cause"),
    [
        (EntryKind.DISPUTE, -1001, "as withdrawn by a dispute that the provider did not withdraw"),
        (EntryKind.DISPUTE_REVERSAL, 1001, "as returned by a dispute that the provider did not return"),
    ],
)
def test_a_dispute_that_only_our_books_hold_is_no_lost_message(kind: EntryKind, minor: int, cause: str) -> None:
    books = clean()
    books.entries.append(disputed(minor, kind))
    found = only(books.payments(), K.DISPUTED)
    assert (found.difference_minor, found.at_risk_minor, found.repair) == (-minor, 1001, Repair.NONE)
    assert cause in found.cause


def test_a_dispute_won_after_it_was_opened_before_the_horizon_is_a_lost_message() -> None:
    books = clean()
    books.lines.append(line("001", 1001, LineKind.DISPUTE_REVERSAL))
    assert only(books.payments(), K.DISPUTED).repair is Repair.DELIVER_DISPUTE


@pytest.mark.parametrize("kind", [LineKind.ADJUSTMENT, LineKind.UNCLASSIFIED])
def test_money_that_no_order_explains_is_a_warning_per_line(kind: LineKind) -> None:
    books = clean()
    books.lines.append(replace(line("x", -55, kind, line_id="txn_odd", known=False), type_text="mystery"))
    found = only(books.payments(), K.UNCLASSIFIED, Outcome.WARNING)
    assert (found.key, found.difference_minor) == ("line/txn_odd", -55)
    assert "mystery" in found.cause


@pytest.mark.parametrize("kind", [LineKind.FEE, LineKind.PAYOUT, LineKind.TRANSFER])
def test_fees_and_payouts_are_not_order_money_but_their_repeats_are_seen(kind: LineKind) -> None:
    books = clean()
    books.lines.append(line("x", -55, kind, line_id="txn_odd", payment=""))
    assert exceptions(books.payments()) == []
    books.lines.append(books.lines[-1])
    found = only(books.payments(), K.DUPLICATE_EXTERNAL, Outcome.WARNING)
    assert (found.difference_minor, found.at_risk_minor) == (0, 55)


def test_the_worst_class_names_the_finding_and_the_rest_is_in_its_cause() -> None:
    books = clean()
    books.lines.append(line("001", -40, at=JUST_NOW))
    books.lines[2] = replace(books.lines[2], gross_minor=991)
    assert books.lines[2].order_id == "001"
    found = only(books.payments(), K.AMOUNT_UNDER)
    assert (found.difference_minor, found.at_risk_minor, found.break_on) == (-50, 50, None)
    assert "gave back" in found.cause
    assert "within its grace" in found.cause


def test_movements_at_the_cut_and_later_are_ignored_on_both_sides() -> None:
    books = clean()
    books.lines.append(line("next", 100, at=CUT))
    books.entries.append(entry("later", 100, at=CUT + timedelta(hours=1)))
    assert len(books.payments()) == 12


def test_a_pair_that_straddles_the_horizon_is_not_torn_apart() -> None:
    books = clean()
    books.entries.append(entry("edge", 100, at=HORIZON - timedelta(seconds=1)))
    books.lines.append(line("edge", 100, at=HORIZON + timedelta(seconds=1)))
    assert exceptions(books.payments()) == []


def test_what_only_one_side_shows_before_the_horizon_is_left_out_on_both() -> None:
    books = clean()
    # The caller read our order's whole history, but the ledger only from the margin on.
    books.entries += [entry("old", 100, at=HORIZON - timedelta(days=30)), entry("old", -100)]
    books.lines.append(line("old", -100))
    matched = next(f for f in books.payments() if f.key == "order/old")
    assert (matched.kind, matched.ours_minor, matched.theirs_minor) == (K.MATCHED, -100, -100)
    books.lines.append(line("older", 100, at=HORIZON - timedelta(seconds=1)))
    assert [f for f in books.payments() if f.key == "order/older"] == []


def test_evidence_is_capped_and_says_so() -> None:
    books = clean()
    for number in range(MAX_FACTS + 5):
        books.lines.append(line("003", -1, line_id=f"txn_{number}", source=f"re_{number}"))
    found = only(books.payments(), K.REFUND_EXCEEDS)
    assert len(found.theirs) == MAX_FACTS
    assert f"oldest {MAX_FACTS} of their {MAX_FACTS + 7} records" in found.cause
    assert found.difference_minor == -(MAX_FACTS + 5)


def test_a_difference_before_the_window_is_still_found() -> None:
    books = clean()
    books.lines.append(line("old", 300, at=BEFORE_WINDOW))
    assert only(books.payments(), K.MISSING_INTERNAL).difference_minor == 300


def of_two_payments(first: int, second: int) -> Finding:
    """Return what is found of an order whose payments we booked with 100.00 and 50.00."""
    books = clean()
    books.entries += [entry("two", 10_000, payment="pi_a"), entry("two", 5_000, payment="pi_b")]
    books.lines += [line("two", first, payment="pi_a"), line("two", second, payment="pi_b")]
    books.order_of_payment |= {"pi_a": "two", "pi_b": "two"}
    (found,) = [one for one in books.payments() if one.key == "order/two"]
    return found


def test_too_much_for_one_payment_does_not_hide_too_little_for_another_of_the_order() -> None:
    found = of_two_payments(11_000, 4_000)
    assert (found.kind, found.outcome) == (K.AMOUNT_UNDER, Outcome.BREAK)
    assert (found.difference_minor, found.at_risk_minor) == (0, 2_000)
    assert "EUR 10.00 less than we booked" in found.cause
    assert "EUR 10.00 more than we booked" in found.cause


@pytest.mark.parametrize(
    ("first", "second", "at_risk"), [(11_000, 4_500, 1_500), (9_000, 4_500, 1_500), (10_000, 5_000, 0)]
)
def test_what_differs_of_each_payment_is_at_risk(first: int, second: int, at_risk: int) -> None:
    found = of_two_payments(first, second)
    assert (found.difference_minor, found.at_risk_minor) == (first + second - 15_000, at_risk)
