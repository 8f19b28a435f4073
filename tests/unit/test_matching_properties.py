"""What must hold of the payments leg for any books at all, however wrong."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.matching_books import CUT, HORIZON, SCOPE, clean, exceptions
from worker.domain.finding import Break, FindingKind, Leg, Outcome, break_id
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.bridge import statements
from worker.domain.matching.lifecycle import advance
from worker.domain.matching.movements import MONEY_KINDS
from worker.domain.matching.payments import match_payments
from worker.domain.payment import BookEntry, EntryKind

MARGIN = HORIZON - timedelta(hours=2)
TIMES = st.one_of(
    st.sampled_from([HORIZON, CUT, CUT - timedelta(seconds=1), SCOPE.window_start, SCOPE.read_from]),
    st.integers(0, int((CUT + timedelta(hours=3) - MARGIN).total_seconds())).map(
        lambda seconds: MARGIN + timedelta(seconds=seconds)
    ),
)
NAMES = st.sampled_from(["a", "b", "c"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD"])
AMOUNTS = st.one_of(st.sampled_from([-10, 10, 20]), st.integers(-500, 500))
ENTRIES = st.builds(
    BookEntry,
    shop=st.just("main"),
    order_id=NAMES,
    provider=st.just("stripe"),
    kind=st.sampled_from(EntryKind),
    reference=NAMES,
    payment_reference=NAMES,
    amount_minor=AMOUNTS,
    currency=CURRENCIES,
    occurred_at=TIMES,
)
LINES = st.builds(
    LedgerLine,
    line_id=st.sampled_from(["l1", "l2", "l3", "l4", "l5", "l6"]),
    provider=st.just("stripe"),
    kind=st.sampled_from(LineKind),
    currency=CURRENCIES,
    gross_minor=AMOUNTS,
    fee_minor=st.integers(-5, 5),
    net_minor=AMOUNTS,
    created_at=TIMES,
    payment_reference=st.sampled_from(["", "a", "b", "c"]),
    order_id=st.sampled_from(["", "a", "b"]),
    source_id=st.sampled_from(["", "a", "s1", "s2"]),
)
BOOKS = st.tuples(st.lists(ENTRIES, max_size=12), st.lists(LINES, max_size=14))
KNOWN = st.dictionaries(NAMES, NAMES, max_size=2)
many = settings(max_examples=150, deadline=None)


@many
@given(BOOKS, KNOWN)
def test_the_residual_is_always_zero_and_no_finding_can_be_dropped(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str]
) -> None:
    entries, lines = books
    findings = match_payments(entries, lines, known, SCOPE)
    whole = statements(entries, lines, findings, known, SCOPE)
    assert [each.residual_minor for each in whole] == [0] * len(whole)
    # The totals are those of a plain sum that knows nothing of keys.
    ours: defaultdict[str, int] = defaultdict(int)
    theirs: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        ours[entry.currency] += entry.amount_minor * SCOPE.in_window(entry.occurred_at)
    for line in lines:
        counts = SCOPE.in_window(line.created_at) and line.kind in MONEY_KINDS
        theirs[line.currency] += line.gross_minor * counts
    for each in whole:
        assert (each.ours_minor, each.theirs_minor) == (ours[each.currency], theirs[each.currency])
    for dropped in findings:
        rest = [finding for finding in findings if finding is not dropped]
        residuals = {s.currency: s.residual_minor for s in statements(entries, lines, rest, known, SCOPE)}
        assert residuals.get(dropped.currency, 0) == dropped.difference_minor


@many
@given(BOOKS, KNOWN)
def test_a_difference_is_never_called_a_match_and_money_at_risk_covers_it(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str]
) -> None:
    findings = match_payments(*books, known, SCOPE)
    assert list(findings) == sorted(findings, key=lambda finding: (finding.key, finding.currency))
    for finding in findings:
        assert (finding.kind is FindingKind.MATCHED) == (finding.outcome is Outcome.MATCHED)
        assert (finding.break_on is not None) == (finding.outcome is Outcome.PENDING)
        assert finding.at_risk_minor >= 0
        assert finding.ours or finding.theirs
        if finding.outcome is Outcome.MATCHED:
            assert finding.difference_minor == finding.at_risk_minor == 0
        else:
            assert finding.cause
        if finding.outcome is Outcome.PENDING:
            assert finding.break_on is not None
            assert finding.break_on > CUT
        if "came back from a dispute" not in finding.cause:
            assert finding.at_risk_minor >= abs(finding.difference_minor)


@many
@given(BOOKS, KNOWN, st.randoms(use_true_random=False))
def test_the_order_of_reading_changes_nothing(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str], chance: Random
) -> None:
    entries, lines = books
    before = (
        match_payments(entries, lines, known, SCOPE),
        statements(entries, lines, match_payments(entries, lines, known, SCOPE), known, SCOPE),
    )
    mixed_entries, mixed_lines = chance.sample(entries, len(entries)), chance.sample(lines, len(lines))
    findings = match_payments(mixed_entries, mixed_lines, known, SCOPE)
    assert (findings, statements(mixed_entries, mixed_lines, findings, known, SCOPE)) == before


@many
@given(BOOKS, KNOWN)
def test_ids_are_unique_and_the_lifecycle_is_idempotent(
    books: tuple[list[BookEntry], list[LedgerLine]], known: dict[str, str]
) -> None:
    findings = match_payments(*books, known, SCOPE)
    ids = {break_id("main", "stripe", f.leg, f.key, f.currency) for f in findings}
    assert len(ids) == len(findings)
    state: dict[str, Break] = {}
    seen = []
    for hour in (1, 2, 3):
        step = advance(
            state,
            findings,
            shop="main",
            provider="stripe",
            now=CUT + timedelta(hours=hour),
            scope=SCOPE,
            incomplete=False,
            legs_read=frozenset(Leg),
        )
        state |= {item.break_id: item for item in step.upserts}
        seen.append({(item.break_id, item.status, item.finding, item.first_seen_at) for item in step.upserts})
        assert all(item.runs_seen == hour for item in step.upserts)
    assert seen[1] == seen[2]
    assert {each[0] for each in seen[0]} == {each[0] for each in seen[1]}


@many
@given(st.sets(st.integers(0, 11)), st.integers(1, 3))
def test_every_repeated_row_is_counted(repeated: set[int], times: int) -> None:
    books = clean()
    rows = [books.lines[index] for index in sorted(repeated)]
    books.lines += rows * times
    found = exceptions(books.payments())
    assert {f.kind for f in found} <= {FindingKind.DUPLICATE_EXTERNAL}
    assert sum(f.at_risk_minor for f in found) == times * sum(abs(row.gross_minor) for row in rows)
    assert sum(f.difference_minor for f in found) == times * sum(row.gross_minor for row in rows)


@many
@given(st.dictionaries(st.integers(0, 11), st.integers(-50, 50).filter(bool), min_size=1))
def test_every_cent_is_its_own_finding(changes: dict[int, int]) -> None:
    books = clean()
    for number, by in changes.items():
        name = f"{number:03d}"
        books.entries = [
            replace(e, amount_minor=e.amount_minor + by) if e.order_id == name and e.kind is EntryKind.CAPTURE else e
            for e in books.entries
        ]
    found = {f.order_id: (f.kind, f.difference_minor) for f in exceptions(books.payments())}
    assert found == {
        f"{number:03d}": (FindingKind.AMOUNT_UNDER if by > 0 else FindingKind.AMOUNT_OVER, -by)
        for number, by in changes.items()
    }
