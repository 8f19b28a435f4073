"""Made books: they agree to the cent whatever their size and seed, and the SQL makes the same ones as the Python."""

import csv
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.books import statement
from infra.local.books.bulk import HARMS, BulkBooks, bulk
from infra.local.books.market import TENDERS, Course
from infra.local.books.plan import Plan
from infra.local.books.records import Payouts, records
from tests.books.filled import filled
from tests.books.from_bulk import from_bulk
from worker.domain.errors import InvalidInput
from worker.domain.finding import FindingKind, Leg, Verdict
from worker.domain.ledger import LedgerLine, LineKind
from worker.statements.parse import parse

PLANS = st.builds(Plan, size=st.integers(1, 120), seed=st.integers(0, 999_999), days=st.integers(1, 40))


@pytest.fixture(scope="module")
def harmed() -> Iterator[BulkBooks]:
    with bulk(Plan(size=4000, seed=7, days=3), harm=60_000) as books:
        yield books


@settings(max_examples=40, deadline=None)
@given(PLANS, st.integers(0, 100))
def test_clean_books_are_reconciled_whichever_part_of_them_is_the_window(plan: Plan, share: int) -> None:
    books = filled(plan)
    window_start = plan.start + (plan.end - plan.start) * share / 101
    for scope in (plan.scope(), plan.scope(window_start)):
        answer = books.judged(scope)
        assert [(f.key, f.kind, f.cause) for f in answer.exceptions] == []
        assert answer.verdict is Verdict.RECONCILED
        assert {s.residual_minor for s in answer.statements} <= {0}
        assert all(line.code == "timing" for s in answer.statements for line in s.lines)


def test_every_course_currency_and_kind_of_line_takes_part_in_an_afternoon_s_worth_of_orders() -> None:
    made = list(records(Plan(size=3000)))
    assert {each.story.course for each in made} == set(Course)
    assert {each.own.currency for each in made} == {tender.code for tender in TENDERS}
    kinds = {line.kind for each in made for line in each.lines}
    assert kinds == {LineKind(kind) for kind in LineKind} - {
        LineKind.FEE, LineKind.PAYOUT, LineKind.ADJUSTMENT, LineKind.TRANSFER, LineKind.UNCLASSIFIED,
    }  # fmt: skip
    steps = {tender.code: tender.step for tender in TENDERS}
    amounts = [(m, line.currency) for r in made for line in r.lines for m in (line.gross_minor, line.fee_minor)]
    assert [(minor, code) for minor, code in amounts if minor % steps[code]] == []
    ids = Counter(line.line_id for each in made for line in each.lines)
    assert ids.most_common(1)[0][1] == 1


def test_books_follow_from_their_seed_and_take_no_memory() -> None:
    def peak(size: int) -> int:
        tracemalloc.start()
        try:
            payouts = Payouts(Plan(size=size))
            for made in records(Plan(size=size)):
                payouts.seen(made.lines)
            assert sum(1 for _ in payouts.lines()) >= len(TENDERS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)  # what is cached at the first use does not count
    assert peak(1200) < peak(200) + 50_000
    assert list(records(Plan(size=50))) == list(records(Plan(size=50)))
    assert list(records(Plan(size=50))) != list(records(Plan(size=50, seed=2)))
    with pytest.raises(InvalidInput):
        Plan(size=0)
    with pytest.raises(InvalidInput):
        Plan(size=1, start=Plan(size=1).start + timedelta(hours=1))


@pytest.mark.parametrize("plan", [Plan(size=2500, seed=3, days=30), Plan(size=700, seed=999_999)])
def test_the_sql_makes_the_same_books_row_by_row(plan: Plan) -> None:
    ours = filled(plan)
    with bulk(plan) as made:
        theirs = from_bulk(made)
        assert made.count("expected") == 0
    for name in ("own", "shop", "parcels"):
        assert getattr(theirs.books, name) == getattr(ours.books, name), name
    assert sorted(theirs.books.entries, key=lambda e: e.reference + e.kind) == sorted(
        ours.books.entries, key=lambda e: e.reference + e.kind
    )
    assert by_id(theirs.books.lines) == by_id(ours.books.lines)
    assert theirs.books.order_of_payment == ours.books.order_of_payment
    assert theirs.judged().verdict is Verdict.RECONCILED


def test_of_harmed_books_exactly_the_harm_is_found(harmed: BulkBooks) -> None:
    """The benchmark's data say themselves what must be found in them; here the rules agree, finding by finding."""
    answer = from_bulk(harmed).judged()
    found = {
        (f.key, f.currency, str(f.kind), str(f.outcome), f.ours_minor, f.theirs_minor, f.at_risk_minor)
        for f in answer.exceptions
        if f.leg is Leg.PAYMENTS
    }
    rows = harmed.connection.execute("SELECT * EXCLUDE (number) FROM expected").fetchall()
    assert found == set(rows)
    assert len(found) == len(rows)
    assert {kind for _, _, kind, *_ in rows} == {
        FindingKind.MISSING_EXTERNAL, FindingKind.MISSING_INTERNAL, FindingKind.AMOUNT_UNDER, FindingKind.AMOUNT_OVER,
        FindingKind.CURRENCY_MISMATCH, FindingKind.DUPLICATE_EXTERNAL, FindingKind.REFUND_EXCEEDS,
        FindingKind.REFUND_MISSING, FindingKind.DISPUTED, FindingKind.UNCLASSIFIED,
    }  # fmt: skip
    assert {s.residual_minor for s in answer.statements} == {0}
    done = dict(harmed.connection.execute("SELECT harm, count(*) FROM stories WHERE harm <> '' GROUP BY 1").fetchall())
    assert set(done) == {*HARMS, "refund_lost"}
    assert 150 < sum(done.values()) < 330, "about 60,000 in a million"


def test_the_statement_file_is_read_back_as_the_lines_it_was_made_of(harmed: BulkBooks, tmp_path: Path) -> None:
    path = harmed.write("statement", tmp_path / "stripe.csv")
    read = parse(path.name, path.read_bytes(), shop="main")
    assert read.rejects == ()
    items = [line for line in from_bulk(harmed).books.lines if line.kind is not LineKind.PAYOUT]
    # When a payout leaves, and how was paid, is told by the file alone.
    assert by_id([replace(line, payout_at=None, method="") for line in read.lines]) == by_id(items)


def test_both_generators_write_the_same_statement(tmp_path: Path) -> None:
    plan = Plan(size=500, days=2)
    rows = statement.write(tmp_path / "ours.csv", (line for made in records(plan) for line in made.lines))
    with bulk(plan) as made:
        made.write("statement", tmp_path / "theirs.csv")
    ours, theirs = (
        list(csv.DictReader((tmp_path / f"{name}.csv").read_text("utf-8").splitlines())) for name in ("ours", "theirs")
    )
    assert sorted(ours, key=str) == sorted(theirs, key=str)
    assert len(ours) == rows > 500


def by_id(lines: list[LedgerLine] | tuple[LedgerLine, ...]) -> list[LedgerLine]:
    return sorted(lines, key=lambda line: (line.line_id, line.gross_minor))
