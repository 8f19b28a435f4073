import dataclasses
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from tests.integration.own_database import at_once, migrated_database
from tests.unit.reports_sample import worded
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.finding import (
    Break,
    BreakStatus,
    Fact,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    RepairState,
    RollForward,
    Statement,
    StatementLine,
    break_id,
)
from worker.repositories.database import MysqlDatabase
from worker.services.ports import BreakAction, Run, Transaction

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    """Shared by the tests of this file: each uses a shop of its own."""
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture(scope="module")
def database(engine: Engine) -> MysqlDatabase:
    return MysqlDatabase(engine)


def run(run_id: str, shop: str = "main") -> Run:
    return Run(
        run_id=run_id,
        shop=shop,
        provider="stripe",
        window_start=NOW - HOUR,
        window_end=NOW,
        source="api",
        requested_by="schedule",
        workflow_id=f"reconcile/{shop}/stripe/x",
        started_at=NOW,
    )


def finished(begun: Run) -> Run:
    return replace(
        begun,
        finished_at=NOW + timedelta(seconds=3),
        verdict="breaks",
        counts={"matched": 5, "breaks_new": 1},
        incomplete_because=("the warehouse did not answer",),
        report="reports/x.html",
    )


def finding(number: int = 1, at_risk: int = 200) -> Finding:
    return Finding(
        leg=Leg.PAYMENTS,
        key=f"order/{number}",
        kind=FindingKind.AMOUNT_UNDER,
        outcome=Outcome.BREAK,
        currency="EUR",
        ours_minor=500,
        theirs_minor=300,
        at_risk_minor=at_risk,
        order_id=str(number),
        break_on=NOW,
        cause="captured “in part”",
        ours=(Fact(record="capture", reference="pi_1", amount_minor=500, currency="EUR", at=NOW, status="captured"),),
        theirs=(Fact(record="order", reference="1", amount_minor=None, currency="EUR", at=NOW),),
        repair=Repair.DELIVER_PAYMENT,
        repair_reference="pi_1",
    )


STATEMENTS = [
    Statement(
        currency="EUR",
        ours_minor=500,
        theirs_minor=300,
        lines=(StatementLine(code="amount_under", label="They show less", count=1, amount_minor=-200),),
        fees_minor=7,
        net_minor=298,
        converted_minor=5,
        roll=RollForward(
            previous_run="r0",
            opening_count=2,
            opening_minor=-30,
            lines=(StatementLine(code="movements", label="Moved in the window", count=0, amount_minor=-200),),
            closing_count=3,
            closing_minor=-230,
            opened=2,
            cleared=1,
        ),
    ),
    Statement(currency="USD", ours_minor=0, theirs_minor=0, lines=()),
]


def test_a_run_is_begun_finished_and_read_back(database: MysqlDatabase) -> None:
    begun = run("r1", "life")
    findings = [finding(number) for number in (3, 1, 2)]
    assert database.transact(lambda tx: tx.runs.get("r1")) is None
    database.transact(lambda tx: tx.runs.begin(begun))
    assert database.transact(lambda tx: tx.runs.get("r1")) == begun
    database.transact(lambda tx: tx.runs.finish(finished(begun), STATEMENTS[::-1], map(worded, findings)))
    assert database.transact(lambda tx: tx.runs.get("r1")) == finished(begun)
    assert database.transact(lambda tx: tx.runs.statements("r1")) == STATEMENTS
    assert database.transact(lambda tx: tx.runs.findings("r1")) == findings


def test_statements_of_the_first_release_are_read(database: MysqlDatabase, engine: Engine) -> None:
    """It stored the lines of a bridge alone."""
    begun = run("r-old", "old")
    database.transact(lambda tx: tx.runs.begin(begun))
    database.transact(lambda tx: tx.runs.finish(finished(begun), STATEMENTS, []))
    with engine.begin() as connection:
        lines = json.dumps([dataclasses.asdict(line) for line in STATEMENTS[0].lines])
        connection.execute(
            text("UPDATE run_statements SET bridge = :lines WHERE run_id = 'r-old' AND currency = 'EUR'"),
            {"lines": lines},
        )
    before, _ = database.transact(lambda tx: tx.runs.statements("r-old"))
    assert before == replace(STATEMENTS[0], converted_minor=0, roll=None)


def store(database: MysqlDatabase, begun: Run, done: Run) -> None:
    database.transact(lambda tx: tx.runs.begin(begun))
    database.transact(lambda tx: tx.runs.finish(done, [], []))


def test_the_run_before_is_the_first_complete_one_that_ends_where_a_window_starts(database: MysqlDatabase) -> None:
    failed = run("b0", "chain")
    first = replace(run("b1", "chain"), started_at=failed.started_at + HOUR / 2)
    later = replace(run("b2", "chain"), started_at=first.started_at + HOUR)
    other = replace(run("b4", "chain"), source="statement:abc", started_at=first.started_at + 3 * HOUR)
    for one, verdict in ((failed, "incomplete"), (first, "breaks"), (later, "reconciled"), (other, "breaks")):
        store(database, one, replace(finished(one), verdict=verdict))
    end = first.window_end

    def before(source: str, at: datetime) -> str | None:
        found = database.transact(lambda tx: tx.runs.before("chain", first.provider, source, at))
        return None if found is None else found.run_id

    assert before(first.source, end) == "b1"
    assert before("statement:abc", end) == "b4"
    assert before(first.source, end + HOUR) is None


def test_an_unfinished_run_is_started_over(database: MysqlDatabase) -> None:
    again = replace(run("r2"), started_at=NOW + HOUR, requested_by="operator")
    database.transact(lambda tx: tx.runs.begin(run("r2")))
    database.transact(lambda tx: tx.runs.begin(again))
    assert database.transact(lambda tx: tx.runs.get("r2")) == again


def test_a_finished_run_never_changes(database: MysqlDatabase) -> None:
    begun = run("r3")
    database.transact(lambda tx: tx.runs.begin(begun))
    database.transact(lambda tx: tx.runs.finish(finished(begun), STATEMENTS, [worded(finding())]))
    database.transact(lambda tx: tx.runs.begin(replace(begun, started_at=NOW + HOUR)))
    other = replace(finished(begun), verdict="reconciled")
    database.transact(lambda tx: tx.runs.finish(other, [], []))
    assert database.transact(lambda tx: tx.runs.get("r3")) == finished(begun)
    assert database.transact(lambda tx: tx.runs.statements("r3")) == STATEMENTS
    assert database.transact(lambda tx: tx.runs.findings("r3")) == [finding()]


def test_of_eight_finishers_at_once_one_is_stored_whole(database: MysqlDatabase) -> None:
    begun = run("r4")
    database.transact(lambda tx: tx.runs.begin(begun))

    def finish(number: int) -> None:
        own = replace(finished(begun), verdict=f"verdict {number}")
        database.transact(lambda tx: tx.runs.finish(own, STATEMENTS, [worded(finding(number))] * 3))

    at_once(8, finish)
    stored = database.transact(lambda tx: tx.runs.get("r4"))
    assert stored is not None
    winner = int(stored.verdict.removeprefix("verdict "))
    assert database.transact(lambda tx: tx.runs.findings("r4")) == [finding(winner)] * 3


def test_a_run_must_be_begun_and_have_an_end(database: MysqlDatabase) -> None:
    with pytest.raises(NotFound, match="never begun"):
        database.transact(lambda tx: tx.runs.finish(finished(run("none")), [], []))
    with pytest.raises(NotFound, match="never begun"):
        database.transact(lambda tx: tx.runs.set_report("none", "x"))
    with pytest.raises(InvalidInput, match="has no end"):
        database.transact(lambda tx: tx.runs.finish(run("none"), [], []))


def test_the_report_is_recorded(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.runs.begin(run("r5")))
    database.transact(lambda tx: tx.runs.set_report("r5", "reports/r5.html"))
    database.transact(lambda tx: tx.runs.set_report("r5", "reports/r5.html"))
    assert database.transact(lambda tx: tx.runs.get("r5")) == replace(run("r5"), report="reports/r5.html")


def test_recent_runs_newest_first(database: MysqlDatabase) -> None:
    for number in range(3):
        one = replace(run(f"n{number}", "recent"), started_at=NOW + timedelta(days=9, minutes=number))
        database.transact(lambda tx, one=one: tx.runs.begin(one))  # type: ignore[misc]
    assert [r.run_id for r in database.transact(lambda tx: tx.runs.recent("recent", 2))] == ["n2", "n1"]
    assert [r.run_id for r in database.transact(lambda tx: tx.runs.recent(None, 3))] == ["n2", "n1", "n0"]


def test_the_watermark_moves_only_without_a_hole(database: MysqlDatabase) -> None:
    def advance(start: int, end: int) -> int:
        reached = database.transact(
            lambda tx: tx.runs.advance_watermark("wm", "stripe", NOW + start * HOUR, NOW + end * HOUR)
        )
        assert reached == database.transact(lambda tx: tx.runs.watermark("wm", "stripe"))
        return (reached - NOW) // HOUR

    assert database.transact(lambda tx: tx.runs.watermark("wm", "stripe")) is None
    assert advance(0, 1) == 1
    assert advance(1, 2) == 2
    assert advance(3, 4) == 2  # would leave a hole
    assert advance(0, 1) == 2  # nothing new
    assert advance(0, 2) == 2
    assert advance(0, 3) == 3  # overlaps and goes on
    assert advance(3, 9) == 9
    assert database.transact(lambda tx: tx.runs.watermark("wm", "adyen")) is None


def test_locking_breaks_does_not_make_a_watermark(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.runs.lock("untouched", "stripe"))
    database.transact(lambda tx: tx.runs.lock("untouched", "stripe"))
    assert database.transact(lambda tx: tx.runs.watermark("untouched", "stripe")) is None
    database.transact(lambda tx: tx.runs.advance_watermark("untouched", "stripe", NOW, NOW + HOUR))
    assert database.transact(lambda tx: tx.runs.watermark("untouched", "stripe")) == NOW + HOUR


def test_eight_windows_in_any_order_leave_no_hole_behind_the_watermark(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.runs.advance_watermark("race", "stripe", NOW - HOUR, NOW))

    def advance(number: int) -> None:
        start = NOW + number * HOUR
        while database.transact(lambda tx: tx.runs.advance_watermark("race", "stripe", start, start + HOUR)) < start:
            pass

    at_once(8, advance)
    assert database.transact(lambda tx: tx.runs.watermark("race", "stripe")) == NOW + 8 * HOUR


def test_the_lock_serialises_the_breaks_of_a_shop_and_provider(database: MysqlDatabase) -> None:
    """Read, add one, write: without the lock, eight at once lose some (a row that does not exist cannot be locked)."""
    item = followed("serial", 1)

    def work(tx: Transaction) -> None:
        tx.runs.lock("serial", "stripe")
        current = tx.breaks.get(item.break_id)
        tx.breaks.save(item if current is None else replace(current, runs_seen=current.runs_seen + 1), None)

    at_once(8, lambda _: database.transact(work))
    stored = database.transact(lambda tx: tx.breaks.get(item.break_id))
    assert stored is not None
    assert stored.runs_seen == 8


def followed(shop: str, number: int, at_risk: int = 200, status: BreakStatus = BreakStatus.NEW) -> Break:
    return Break(
        break_id=break_id(shop, "stripe", Leg.PAYMENTS, f"order/{number}", "EUR"),
        shop=shop,
        provider="stripe",
        finding=finding(number, at_risk),
        status=status,
        first_seen_at=NOW - number * HOUR,
        last_seen_at=NOW,
        first_movement_at=NOW - timedelta(days=2),
    )


def action(name: str, detail: str = "") -> BreakAction:
    return BreakAction(at=NOW, actor="reconciliation", action=name, run_id="r1", detail=detail)


def test_a_break_keeps_its_history(database: MysqlDatabase) -> None:
    item = followed("history", 1)
    resolved = replace(
        item,
        status=BreakStatus.RESOLVED,
        runs_seen=3,
        repair_state=RepairState.DONE,
        repair_attempts=2,
        repair_next_at=NOW,
        repair_round=2,
        resolved_at=NOW,
        resolution="repaired",
        finding=replace(item.finding, kind=FindingKind.MATCHED, outcome=Outcome.MATCHED, at_risk_minor=0),
    )
    database.transact(lambda tx: tx.breaks.save(item, action("found", "amount_under")))
    assert database.transact(lambda tx: tx.breaks.get(item.break_id)) == item
    database.transact(lambda tx: tx.breaks.save(replace(item, runs_seen=2), None))
    database.transact(lambda tx: tx.breaks.save(resolved, action("resolved", "repaired")))
    assert database.transact(lambda tx: tx.breaks.get(item.break_id)) == resolved
    assert database.transact(lambda tx: tx.breaks.history(item.break_id)) == [
        action("found", "amount_under"),
        action("resolved", "repaired"),
    ]
    assert database.transact(lambda tx: tx.breaks.get("none")) is None
    assert database.transact(lambda tx: tx.breaks.history("none")) == []


def test_open_breaks_oldest_first_and_breaks_by_id(database: MysqlDatabase) -> None:
    items = [followed("open", n, status=s) for n, s in enumerate(BreakStatus)]
    foreign = followed("open-foreign", 1)
    for item in [*items, foreign]:
        database.transact(lambda tx, item=item: tx.breaks.save(item, None))  # type: ignore[misc]
    still_open = [item for item in reversed(items) if item.status is not BreakStatus.RESOLVED]
    assert database.transact(lambda tx: tx.breaks.open("open", "stripe")) == still_open
    assert database.transact(lambda tx: tx.breaks.open("open", "adyen")) == []
    ids = [items[3].break_id, foreign.break_id, *[f"unknown-{n}" for n in range(600)]]
    found = database.transact(lambda tx: tx.breaks.by_ids(ids))
    assert found == {items[3].break_id: items[3], foreign.break_id: foreign}
    assert database.transact(lambda tx: tx.breaks.by_ids([])) == {}


def test_listed_breaks_largest_risk_first(database: MysqlDatabase) -> None:
    for number, (at_risk, status) in enumerate(
        [(10**13, BreakStatus.NEW), (3 * 10**13, BreakStatus.RESOLVED), (2 * 10**13, BreakStatus.REOPENED)]
    ):
        item = followed("listed", number, at_risk, status)
        database.transact(lambda tx, item=item: tx.breaks.save(item, None))  # type: ignore[misc]

    def risks(shop: str | None, status: str | None, limit: int = 9) -> list[int]:
        found = database.transact(lambda tx: tx.breaks.listed(shop, status=status, limit=limit))
        return [item.finding.at_risk_minor // 10**13 for item in found]

    assert risks("listed", None) == [3, 2, 1]
    assert risks(None, None, 2) == [3, 2]
    assert risks("listed", "open") == [2, 1]
    assert risks("listed", "resolved") == [3]
    assert risks("listed", "persisting") == []


def test_naive_times_are_refused(database: MysqlDatabase) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.runs.begin(replace(run("naive"), started_at=naive)))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.runs.advance_watermark("naive", "stripe", NOW, naive))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.breaks.save(replace(followed("naive", 1), last_seen_at=naive), None))
    evidence = replace(finding(), break_on=naive)
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.breaks.save(replace(followed("naive", 1), finding=evidence), None))
    assert database.transact(lambda tx: tx.breaks.listed("naive", status=None, limit=1)) == []
