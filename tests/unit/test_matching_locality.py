"""With any rules at all: the parts of the books are judged as the whole is, and every minor unit stays explained."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.matching_books import CUT, SCOPE
from tests.unit.test_matching_properties import ENTRIES, KNOWN, LINES
from worker.domain.finding import Finding, FindingKind, Outcome, SettledAs, Settlement
from worker.domain.ledger import LedgerLine
from worker.domain.matching.bridge import statements, statements_of
from worker.domain.matching.movements import ORDER_KINDS, key_of
from worker.domain.matching.payments import match_payments
from worker.domain.matching.rollforward import items, opening_of
from worker.domain.matching.rules import Compared, FeeSchedule, Grace, Reference, Rules, Tolerance
from worker.domain.matching.scope import Scope
from worker.domain.matching.suggestions import suggested
from worker.domain.matching.sums import WindowSums, window_sums
from worker.domain.matching.verdict import verdict
from worker.domain.payment import BookEntry

SETTLED = Settlement(how=SettledAs.RESOLVED, by="ada", at=CUT, reason="known")
METHODS = st.sampled_from(["", "card", "sepa_debit"])
RICH_LINES = st.builds(
    replace,
    LINES,
    method=METHODS,
    country=st.sampled_from(["", "DE", "US"]),
    customer_currency=st.sampled_from(["", "", "EUR", "USD", "SAR"]),
    customer_minor=st.integers(-600, 600),
)
RICH_ENTRIES = st.builds(replace, ENTRIES, method=METHODS)
BOOKS = st.tuples(st.lists(RICH_ENTRIES, max_size=10), st.lists(RICH_LINES, max_size=12))
TOLERANCES = st.builds(Tolerance, absolute_minor=st.integers(0, 40), relative_bp=st.integers(0, 2000))
SPANS = st.one_of(st.none(), st.integers(0, 200).map(lambda hours: timedelta(hours=hours)))
WEIGHTS = st.sampled_from([Outcome.MATCHED, Outcome.WARNING, Outcome.BREAK])
RULES = st.builds(
    Rules,
    provider=st.just("stripe"),
    references=st.lists(st.sampled_from(Reference), min_size=1, max_size=3, unique=True).map(tuple),
    compared=st.sampled_from(Compared),
    date_window=st.integers(0, 5).map(lambda days: timedelta(days=days)),
    many_to_one=st.booleans(),
    tolerances=st.dictionaries(st.sampled_from(["EUR", "USD", "SAR"]), TOLERANCES),
    graces=st.lists(st.builds(Grace, method=METHODS, internal=SPANS, external=SPANS), max_size=3).map(tuple),
    fees=st.lists(
        st.builds(
            FeeSchedule,
            method=METHODS,
            country=st.sampled_from(["", "DE"]),
            basis_points=st.integers(0, 300),
            fixed_minor=st.integers(0, 5),
            variance_minor=st.integers(0, 3),
        ),
        max_size=2,
    ).map(tuple),
    fee_variance=WEIGHTS,
    fx_difference=WEIGHTS,
)
many = settings(max_examples=40, deadline=None)


def key_behind(finding: Finding) -> str:
    """The key of the books that a finding is made of: an exchange difference is of its order's key."""
    return finding.key.split("/", 2)[2] if finding.key.startswith("fx/") else finding.key


def keyed(line: LedgerLine, known: dict[str, str], rules: Rules) -> set[str]:
    names = {f"line/{line.line_id}", f"repeated/{line.line_id}"}
    return {key_of(line, known, rules)} if line.kind in ORDER_KINDS else names


@many
@given(BOOKS, KNOWN, RULES, st.randoms(use_true_random=False))
def test_a_part_of_the_keys_is_judged_as_the_whole_is(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str], rules: Rules, chance: Random
) -> None:
    entries, lines = books
    whole = match_payments(entries, lines, known, SCOPE, rules)
    keys = {key_behind(finding) for finding in whole} | {f"order/{entry.order_id}" for entry in entries}
    some = {key for key in sorted(keys) if chance.random() < 0.5}
    # A line that is no order money stands under either of two keys; it is taken where one of them is.
    some |= {n for line in lines for n in keyed(line, known, rules) if keyed(line, known, rules) & some}
    part = match_payments(
        [entry for entry in entries if f"order/{entry.order_id}" in some],
        [line for line in lines if keyed(line, known, rules) & some],
        known,
        SCOPE,
        rules,
    )
    assert part == tuple(finding for finding in whole if key_behind(finding) in some)


@many
@given(BOOKS, KNOWN, RULES)
def test_with_any_rules_the_bridge_and_the_first_roll_forward_close(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str], rules: Rules
) -> None:
    entries, lines = books
    findings = suggested(match_payments(entries, lines, known, SCOPE, rules), rules)
    whole = statements(entries, lines, findings, known, SCOPE, rules)
    assert all(each.ties for each in whole)
    for each in whole:
        assert each.roll is not None
        assert each.roll.closing_count == sum(item.open for item in items(findings, each.currency).values())
    for finding in findings:
        assert (finding.break_on is not None) == (finding.outcome is Outcome.PENDING)
        if finding.kind is FindingKind.MATCHED:
            assert finding.difference_minor == 0
        if finding.outcome is Outcome.MATCHED:
            assert finding.at_risk_minor == 0
    # Lost on the way: whoever looks at the bridge alone sees it.
    for dropped in findings:
        rest = [finding for finding in findings if finding is not dropped]
        found = {s.currency: s.residual_minor for s in statements(entries, lines, rest, known, SCOPE, rules)}
        expected = 0 if dropped.kind is FindingKind.FX_DIFFERENCE else dropped.difference_minor
        assert found.get(dropped.currency, 0) == expected


@many
@given(BOOKS, KNOWN, RULES)
def test_sums_of_parts_make_the_same_statements_without_the_findings_that_agree(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str], rules: Rules
) -> None:
    entries, lines = books
    findings = match_payments(entries, lines, known, SCOPE, rules)
    told = [finding for finding in findings if finding.kind is not FindingKind.MATCHED]
    sums: dict[str, WindowSums] = {}
    parts: defaultdict[str, tuple[list[BookEntry], list[LedgerLine]]] = defaultdict(lambda: ([], []))
    for entry in entries:
        parts[f"order/{entry.order_id}"][0].append(entry)
    for line in lines:
        parts[min(keyed(line, known, rules))][1].append(line)
    for some_entries, some_lines in parts.values():
        for one in window_sums(some_entries, some_lines, known, SCOPE, rules):
            sums[one.currency] = sums[one.currency] + one if one.currency in sums else one
    assert statements_of(sums.values(), told) == statements(entries, lines, findings, known, SCOPE, rules)


NEXT = Scope(
    window_start=CUT,
    window_end=CUT + timedelta(days=1),
    horizon_start=CUT - timedelta(days=3),
    payment_grace=SCOPE.payment_grace,
    shipment_grace=SCOPE.shipment_grace,
    order_grace=SCOPE.order_grace,
)
LATER = st.integers(-4 * 86400, 86399).map(lambda seconds: CUT + timedelta(seconds=seconds))


@many
@given(
    BOOKS,
    st.lists(st.builds(replace, RICH_ENTRIES, occurred_at=LATER), max_size=6),
    st.lists(st.builds(replace, RICH_LINES, created_at=LATER), max_size=6),
    KNOWN,
    RULES,
    st.randoms(use_true_random=False),
)
def test_consecutive_runs_roll_forward_whatever_came_late_or_left(
    books: tuple[list[BookEntry], list[LedgerLine]],
    more_entries: list[BookEntry],
    more_lines: list[LedgerLine],
    known: dict[str, str],
    rules: Rules,
    chance: Random,
) -> None:
    """The first run sees a part of the books; by the second, some was booked late, some moved, some was taken out."""
    entries, lines = books
    first = match_payments(entries, lines, known, SCOPE, rules)
    first = tuple(replace(f, settlement=SETTLED) if chance.random() < 0.2 and f.difference_minor else f for f in first)
    stored = statements(entries, lines, first, known, SCOPE, rules)
    told = [finding for finding in first if finding.kind is not FindingKind.MATCHED]
    openings = opening_of("first", stored, told)
    entries = [entry for entry in entries if chance.random() < 0.9] + more_entries
    lines = [line for line in lines if chance.random() < 0.9] + more_lines
    second = match_payments(entries, lines, known, NEXT, rules)
    closing = statements(entries, lines, second, known, NEXT, rules, openings)
    assert [(s.currency, s.residual_minor, s.roll.residual_minor if s.roll else None) for s in closing] == [
        (s.currency, 0, 0) for s in closing
    ]
    by_currency = {s.currency: s for s in closing}
    for before in stored:
        after = by_currency.get(before.currency)
        assert before.roll is not None
        if after is None or after.roll is None:
            assert not before.roll.closing_minor
        else:
            assert after.roll.opening_minor == before.roll.closing_minor
            opened, cleared = after.roll.opened, after.roll.cleared
            assert after.roll.closing_count == before.roll.closing_count + opened - cleared
    for currency, opening in (openings or {}).items():
        for key, item in opening.items.items():
            if item.open and item.minor:
                kept = {name: other for name, other in opening.items.items() if name != key}
                lossy = {**(openings or {}), currency: replace(opening, items=kept)}
                answer = statements(entries, lines, second, known, NEXT, rules, lossy)
                (roll,) = [s.roll for s in answer if s.currency == currency]
                assert roll is not None
                assert roll.residual_minor == -item.minor, "an item that the records lost shows"
                assert verdict(second, answer, ()) == "incomplete"
