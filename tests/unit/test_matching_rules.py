"""What the rules of a provider allow, and what they report: each fires on one corruption of clean books, none on clean."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.matching_books import CUT, JUST_NOW, LONG_AGO, SCOPE, Books, clean, entry, exceptions, line, only, own
from worker.domain.errors import InvalidInput
from worker.domain.finding import Finding, FindingKind, Outcome
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.bridge import statements
from worker.domain.matching.disputed import disputes
from worker.domain.matching.payments import match_payments
from worker.domain.matching.rules import Compared, FeeSchedule, Grace, Moved, Reference, Rules, Side, Tolerance
from worker.domain.matching.shipments import match_shipments
from worker.domain.matching.suggestions import suggested
from worker.domain.payment import EntryKind

K = FindingKind
DAY = timedelta(days=1)
CARD = FeeSchedule(method="card", country="DE", basis_points=140, fixed_minor=16, variance_minor=1)
OTHER = FeeSchedule(basis_points=290, fixed_minor=30)
RULES = Rules(
    provider="stripe",
    tolerances={"EUR": Tolerance(absolute_minor=3, relative_bp=100)},
    graces=(Grace(method="sepa_debit", external=5 * DAY),),
    fees=(CARD, OTHER),
)


def fee_of(gross: int) -> int:
    return CARD.expected(gross, 1)


def agreed(size: int = 12) -> Books:
    """Clean books whose fees are as agreed, paid by German cards."""
    books = clean(size)
    books.lines = [
        replace(x, method="card", country="DE", fee_minor=fee_of(x.gross_minor), net_minor=x.gross_minor)
        if x.kind is LineKind.CHARGE
        else x
        for x in books.lines
    ]
    return books


def found(books: Books, rules: Rules = RULES) -> tuple[Finding, ...]:
    findings = match_payments(books.entries, books.lines, books.order_of_payment, SCOPE, rules)
    bridges = statements(books.entries, books.lines, findings, books.order_of_payment, SCOPE, rules)
    assert all(bridge.ties for bridge in bridges)
    return findings


def told(findings: tuple[Finding, ...]) -> list[tuple[str, FindingKind, Outcome, int, int]]:
    return [
        (f.key, f.kind, f.outcome, f.difference_minor, f.at_risk_minor) for f in findings if f.kind is not K.MATCHED
    ]


def change(order: str, **changes: object) -> Callable[[Books], None]:
    def mutate(books: Books) -> None:
        at = next(i for i, x in enumerate(books.lines) if x.order_id == order and x.kind is LineKind.CHARGE)
        books.lines[at] = replace(books.lines[at], **changes)  # type: ignore[arg-type]

    return mutate


def add(*lines: LedgerLine) -> Callable[[Books], None]:
    return lambda books: books.lines.extend(lines)


def converted(
    order: str, customer: int, settled: int, kind: LineKind = LineKind.CHARGE, at: object = LONG_AGO
) -> LedgerLine:
    base = line(order, settled, kind, at=at)  # type: ignore[arg-type]
    return replace(base, currency="AED", customer_currency="SAR", customer_minor=customer)


def exchange(refund_settled: int) -> Callable[[Books], None]:
    """An order paid in SAR, settled in AED, given back whole at another rate; our books hold SAR."""

    def mutate(books: Books) -> None:
        books.entries += [entry("fx", 101040, currency="SAR"), entry("fx", -101040, currency="SAR")]
        # The refund states the customer's amount without a sign, as a real export does.
        charge = replace(converted("fx", 101040, 98821), fee_minor=OTHER.expected(98821, 1))
        books.lines += [charge, converted("fx", 101040, refund_settled, LineKind.REFUND)]

    return mutate


MUTATIONS: dict[str, tuple[Callable[[Books], None], list[tuple[str, FindingKind, Outcome, int, int]]]] = {
    "three cents less, within both bounds": (
        change("005", gross_minor=1002),
        [("order/005", K.MATCHED_WITHIN_TOLERANCE, Outcome.MATCHED, -3, 0)],
    ),
    "four cents less, beyond the absolute bound": (
        change("005", gross_minor=1001),
        [("order/005", K.AMOUNT_UNDER, Outcome.BREAK, -4, 4)],
    ),
    "a fee of ten cents too much": (
        change("004", fee_minor=fee_of(1004) + 10),
        [("order/004", K.FEE_VARIANCE, Outcome.WARNING, 0, 10)],
    ),
    "a fee of ten cents too little loses nothing": (
        change("004", fee_minor=fee_of(1004) - 10),
        [("order/004", K.FEE_VARIANCE, Outcome.WARNING, 0, 0)],
    ),
    "the fee of another country": (
        change("004", country="US"),
        [("order/004", K.FEE_VARIANCE, Outcome.WARNING, 0, 0)],
    ),
    "a fee within its variance": (change("004", fee_minor=fee_of(1004) + 1), []),
    "converted and given back at one rate": (exchange(-98821), []),
    "converted and given back at nearly one rate": (
        exchange(-98000),
        [("fx/SAR/order/fx", K.FX_DIFFERENCE, Outcome.MATCHED, 821, 0)],
    ),
    "converted and given back at quite another rate": (
        exchange(-110000),
        [("fx/SAR/order/fx", K.FX_DIFFERENCE, Outcome.WARNING, -11179, 11179)],
    ),
}


def test_clean_books_have_no_finding_under_any_rule() -> None:
    assert told(found(agreed())) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_rule_fires_on_its_corruption_alone(name: str) -> None:
    mutate, expected = MUTATIONS[name]
    books = agreed()
    mutate(books)
    assert told(found(books)) == expected


def test_a_tolerance_is_a_line_of_the_bridge_and_written_off_in_the_roll_forward() -> None:
    books = agreed()
    change("005", gross_minor=1002)(books)
    findings = found(books)
    (bridge,) = statements(books.entries, books.lines, findings, {}, SCOPE, RULES)
    assert [(s.code, s.count, s.amount_minor) for s in bridge.lines] == [("matched_within_tolerance", 1, -3)]
    assert bridge.roll is not None
    assert [(s.code, s.amount_minor) for s in bridge.roll.lines] == [("movements", -3), ("accepted", 3)]
    assert (bridge.roll.closing_count, bridge.roll.closing_minor) == (0, 0)


def test_ten_too_much_and_ten_too_little_are_two_breaks_whatever_is_tolerated() -> None:
    books = agreed()
    change("003", gross_minor=1013)(books)
    change("004", gross_minor=994)(books)
    broken = {f.order_id: f.difference_minor for f in found(books) if f.outcome is Outcome.BREAK}
    assert broken == {"003": 10, "004": -10}
    (bridge,) = statements(books.entries, books.lines, found(books), {}, SCOPE, RULES)
    assert bridge.theirs_minor == bridge.ours_minor
    assert [(s.code, s.amount_minor) for s in bridge.lines] == [("amount_under", -10), ("amount_over", 10)]


def test_a_tolerance_never_excuses_what_is_missing_or_stands_twice() -> None:
    wide = Rules(tolerances={"EUR": Tolerance(absolute_minor=10**6)})
    books = clean()
    books.lines += [books.lines[3], line("lost", 30)]
    books.entries.append(entry("gone", 11))
    kinds = {f.kind for f in found(books, wide) if f.outcome is Outcome.BREAK}
    assert kinds == {K.DUPLICATE_EXTERNAL, K.MISSING_INTERNAL, K.MISSING_EXTERNAL}


def test_refunds_may_differ_within_the_tolerance_too() -> None:
    books = clean()
    at = next(i for i, x in enumerate(books.lines) if x.kind is LineKind.REFUND)
    books.lines[at] = replace(books.lines[at], gross_minor=-99)
    assert only(found(books, Rules()), K.REFUND_MISSING).difference_minor == 1
    (tolerated,) = told(found(books, Rules(tolerances={"EUR": Tolerance(absolute_minor=1)})))
    assert tolerated[1:] == (K.MATCHED_WITHIN_TOLERANCE, Outcome.MATCHED, 1, 0)


@pytest.mark.parametrize(
    ("tolerance", "ours", "apart", "allowed"),
    [
        (Tolerance(), 1000, 0, True),
        (Tolerance(), 1000, 1, False),
        (Tolerance(absolute_minor=5), 1000, -5, True),
        (Tolerance(absolute_minor=5), 1000, 6, False),
        (Tolerance(relative_bp=10), 1000, 1, True),
        (Tolerance(relative_bp=10), 999, 1, False),
        (Tolerance(relative_bp=10), -1000, -1, True),
        (Tolerance(absolute_minor=5, relative_bp=10), 100_000, 6, False),
        (Tolerance(absolute_minor=5, relative_bp=10), 1000, 2, False),
    ],
)
def test_both_bounds_of_a_tolerance_must_hold(tolerance: Tolerance, ours: int, apart: int, allowed: bool) -> None:
    assert tolerance.allows(ours, apart) is allowed


def test_grace_by_method_and_side() -> None:
    rules = Rules(
        graces=(
            Grace(external=3 * DAY),
            Grace(method="sepa_debit", external=5 * DAY),
            Grace(method="cash", internal=timedelta(0)),
        )
    )
    hour = timedelta(hours=1)
    assert rules.grace(Side.INTERNAL, [], hour) == hour
    assert rules.grace(Side.EXTERNAL, [], hour) == 3 * DAY
    assert rules.grace(Side.EXTERNAL, ["card"], hour) == 3 * DAY
    assert rules.grace(Side.EXTERNAL, ["card", "sepa_debit"], hour) == 5 * DAY
    assert rules.grace(Side.INTERNAL, ["cash"], hour) == timedelta(0)
    assert rules.longest_grace(hour) == 5 * DAY
    books = clean()
    books.entries.append(replace(entry("slow", 40, at=LONG_AGO), method="sepa_debit"))
    books.lines.append(replace(line("cash", 7, at=JUST_NOW), method="cash"))
    pending, broken = (f for f in found(books, rules) if f.kind is not K.MATCHED and f.order_id in {"slow", "cash"})
    if pending.order_id == "cash":
        pending, broken = broken, pending
    assert (pending.order_id, pending.outcome, pending.break_on) == ("slow", Outcome.PENDING, LONG_AGO + 5 * DAY)
    assert (broken.order_id, broken.outcome) == ("cash", Outcome.BREAK)


def refund_of_ours(books: Books) -> None:
    books.entries.append(entry("001", -300))


def refund_of_theirs(books: Books) -> None:
    books.lines.append(line("001", -300))


def dispute_of_ours(books: Books) -> None:
    books.entries.append(replace(entry("001", -1001), kind=EntryKind.DISPUTE, reference="dp_1"))


def dispute_of_theirs(books: Books) -> None:
    books.lines.append(line("001", -1001, LineKind.DISPUTE, source="dp_1"))


def payment_of_ours(books: Books) -> None:
    books.entries.append(entry("late", 4000))


@pytest.mark.parametrize(
    ("harm", "kind", "moved", "side"),
    [
        (refund_of_ours, K.REFUND_MISSING, Moved.REFUND, Side.EXTERNAL),
        (refund_of_theirs, K.REFUND_EXCEEDS, Moved.REFUND, Side.INTERNAL),
        (dispute_of_ours, K.DISPUTED, Moved.DISPUTE, Side.EXTERNAL),
        (dispute_of_theirs, K.DISPUTED, Moved.DISPUTE, Side.INTERNAL),
        (payment_of_ours, K.MISSING_EXTERNAL, Moved.PAYMENT, Side.EXTERNAL),
    ],
)
def test_what_was_moved_has_a_grace_of_its_own_that_no_other_kind_and_no_other_side_gets(
    harm: Callable[[Books], None], kind: FindingKind, moved: Moved, side: Side
) -> None:
    books = clean()
    harm(books)
    assert only(found(books, Rules()), kind).outcome is Outcome.BREAK
    for of in Moved:
        for late in Side:
            own = Grace(moved=of, internal=DAY) if late is Side.INTERNAL else Grace(moved=of, external=DAY)
            patient = (of, late) == (moved, side)
            item = only(found(books, Rules(graces=(own,))), kind, Outcome.PENDING if patient else Outcome.BREAK)
            assert not patient or item.break_on == LONG_AGO + DAY


def test_the_narrowest_grace_counts_first_by_what_was_moved_then_by_method() -> None:
    hour = timedelta(hours=1)
    graces = (
        Grace(external=2 * DAY),
        Grace(method="sepa_debit", external=3 * DAY),
        Grace(moved=Moved.REFUND, external=4 * DAY),
        Grace(moved=Moved.REFUND, method="sepa_debit", external=DAY),
    )

    def of(number: int, moved: Moved, method: str) -> timedelta:
        return Rules(graces=graces[:number]).grace(Side.EXTERNAL, [method], hour, moved)

    assert [of(number, Moved.REFUND, "sepa_debit") for number in range(5)] == [
        hour,
        *(days * DAY for days in (2, 3, 4, 1)),
    ]
    assert [of(number, Moved.REFUND, "card") for number in range(5)] == [hour, *(days * DAY for days in (2, 2, 4, 4))]
    assert [of(number, Moved.DISPUTE, "sepa_debit") for number in (3, 4)] == [3 * DAY, 3 * DAY]
    assert Rules(graces=graces).longest_grace(hour) == 4 * DAY, "so far back a run must look"


def test_the_references_of_the_rules_find_the_order_in_their_order() -> None:
    books = Books()
    odd = replace(line("x", 500, payment="pi_x", source="ch_x"), order_id="merchant")
    books.lines.append(odd)
    books.order_of_payment = {"pi_x": "ours", "ch_x": "by_charge"}

    def key(*references: Reference) -> str:
        return only(found(books, Rules(references=references)), K.MISSING_INTERNAL).key

    assert key(Reference.PAYMENT, Reference.ORDER) == "order/ours"
    assert key(Reference.ORDER, Reference.PAYMENT) == "order/merchant"
    assert key(Reference.SOURCE) == "order/by_charge"
    books.order_of_payment = {}
    assert key(Reference.PAYMENT, Reference.SOURCE) == "payment/pi_x"


def test_a_converted_payment_is_no_currency_mismatch_and_the_net_is_in_the_currency_of_settlement() -> None:
    books = Books(
        entries=[entry("fx", 101040, currency="SAR")],
        lines=[replace(converted("fx", 101040, 98821), fee_minor=5768, net_minor=93053)],
    )
    findings = found(books, Rules())
    assert exceptions(findings) == []
    aed, sar = statements(books.entries, books.lines, findings, {}, SCOPE, Rules())
    assert (sar.ours_minor, sar.theirs_minor, sar.converted_minor, sar.net_minor) == (101040, 101040, -101040, 0)
    assert (aed.theirs_minor, aed.fees_minor, aed.converted_minor, aed.net_minor) == (0, 5768, 98821, 93053)
    settlement = Rules(compared=Compared.SETTLEMENT)
    assert {f.kind for f in found(books, settlement)} == {K.CURRENCY_MISMATCH}
    books.entries = [entry("fx", 98821, currency="AED")]
    assert exceptions(found(books, settlement)) == []


def test_the_rate_of_a_partial_refund_is_that_of_its_charge() -> None:
    books = Books(
        entries=[entry("fx", 10000, currency="SAR"), entry("fx", -3333, currency="SAR")],
        lines=[converted("fx", 10000, 9781), converted("fx", -3333, -3261, LineKind.REFUND)],
    )
    assert told(found(books, Rules())) == [], "a minor unit is rounding"
    books.lines[1] = replace(books.lines[1], gross_minor=-3262)
    assert told(found(books, Rules()))[0][1:4] == (K.FX_DIFFERENCE, Outcome.MATCHED, -2)


def test_a_fee_schedule_can_break_or_be_silent() -> None:
    books = agreed()
    change("004", fee_minor=99)(books)
    assert only(found(books, replace(RULES, fee_variance=Outcome.BREAK)), K.FEE_VARIANCE).at_risk_minor == 69
    silent = told(found(books, replace(RULES, fee_variance=Outcome.MATCHED)))
    assert silent == [("order/004", K.FEE_VARIANCE, Outcome.MATCHED, 0, 0)]
    only_cards = replace(RULES, fees=(CARD,))
    change("004", method="klarna")(books)
    assert told(found(books, only_cards)) == [], "nothing was agreed about it"


def test_a_variance_of_a_fee_is_a_share_of_the_expected_one() -> None:
    schedule = FeeSchedule(basis_points=100, variance_bp=1000)
    assert schedule.expected(10_050, 1) == 101, "half a minor unit is rounded up"
    assert [schedule.varies(100, actual) for actual in (89, 90, 110, 111)] == [True, False, False, True]
    assert not replace(schedule, variance_minor=11).varies(100, 111), "the wider of both variances counts"


def test_the_fee_of_a_partial_capture_is_judged_over_the_whole_payment() -> None:
    books = agreed()
    change("004", gross_minor=1500, fee_minor=fee_of(1500))(books)
    reversal = line("004", -496, LineKind.PARTIAL_CAPTURE_REVERSAL)
    books.lines.append(reversal)
    assert told(found(books))[0][1] is K.FEE_VARIANCE
    books.lines[-1] = replace(reversal, fee_minor=fee_of(1004) - fee_of(1500))
    assert told(found(books)) == []


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (Tolerance, {"absolute_minor": -1}),
        (Grace, {"internal": -DAY}),
        (FeeSchedule, {"basis_points": -1}),
        (Rules, {"references": ()}),
        (Rules, {"date_window": -DAY}),
        (Rules, {"fee_variance": Outcome.PENDING}),
        (Rules, {"fx_allowed_bp": -1}),
    ],
    ids=str,
)
def test_rules_that_mean_nothing_are_refused(rule: Callable[..., object], values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        rule(**values)


def test_equal_amounts_without_a_reference_are_suggested_to_each_other_and_never_matched() -> None:
    books = clean()
    books.entries += [entry("one", 4990), entry("two", 4990), entry("other", 5000)]
    books.lines += [
        line("?", 4990, payment="pi_loose", known=False),
        line("!", 4990, LineKind.UNCLASSIFIED, payment="", line_id="txn_odd"),
        line("old", 4990, payment="pi_old", known=False, at=LONG_AGO - 2 * DAY),
    ]
    findings = suggested(found(books, Rules()), Rules())
    assert suggested(findings, Rules()) == findings
    named = {f.key: (f.kind, f.outcome, set(f.suggestions)) for f in findings if f.kind is not K.MATCHED}
    loose = {"payment/pi_loose", "line/txn_odd"}
    assert named == {
        "order/one": (K.MISSING_EXTERNAL, Outcome.BREAK, loose),
        "order/two": (K.MISSING_EXTERNAL, Outcome.BREAK, loose),
        "order/other": (K.MISSING_EXTERNAL, Outcome.BREAK, set()),
        "payment/pi_loose": (K.MISSING_INTERNAL, Outcome.BREAK, {"order/one", "order/two"}),
        "line/txn_odd": (K.UNCLASSIFIED, Outcome.WARNING, {"order/one", "order/two"}),
        "payment/pi_old": (K.MISSING_INTERNAL, Outcome.BREAK, set()),
    }


def reversal(books: Books, rules: Rules = RULES) -> list[tuple[str, FindingKind, Outcome, int, int]]:
    held = disputes(found(books, Rules()))
    return told(match_shipments(books.own, books.parcels, SCOPE, rules, held))


def test_money_that_went_back_after_the_parcel_left() -> None:
    books = clean()
    assert reversal(books) == []
    books.own[5] = own("005", 1005, refunded_minor=1005)
    assert reversal(books) == [("order/005", K.REVERSED_AFTER_FULFILMENT, Outcome.MATCHED, 0, 0)]
    warned = reversal(books, replace(RULES, reversed_after_fulfilment=Outcome.WARNING))
    assert warned == [("order/005", K.REVERSED_AFTER_FULFILMENT, Outcome.WARNING, 0, 1005)]
    books.own[5] = own("005", 1005, refunded_minor=1004)
    assert reversal(books) == [], "a part of the money is kept"
    books.lines.append(line("005", -1, LineKind.DISPUTE))
    assert reversal(books) == [("order/005", K.REVERSED_AFTER_FULFILMENT, Outcome.WARNING, 0, 0)]
    books.lines.append(line("005", 1, LineKind.DISPUTE_REVERSAL))
    assert reversal(books) == [], "the dispute was won"
    books.own[5] = own("005", 1005, refunded_minor=1004, disputed_minor=1)
    assert reversal(books) == [("order/005", K.REVERSED_AFTER_FULFILMENT, Outcome.WARNING, 0, 0)], "by our own books"


def test_everything_dated_at_the_cut_belongs_to_the_next_run_under_rules_too() -> None:
    books = agreed()
    books.lines.append(converted("fx", 100, 98, at=CUT))
    assert told(found(books)) == []
    assert {e.kind for e in books.entries} == {EntryKind.CAPTURE, EntryKind.REFUND}
