"""People at the desk and the engine beside them, on a real database: nothing is lost, doubled, netted or rewritten."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.integration.own_database import at_once, migrated_database
from tests.integration.test_repositories_runs import action, followed
from worker.domain.audit import AuditHead
from worker.domain.errors import Conflict
from worker.domain.finding import Break, BreakStatus, SettledAs
from worker.domain.intervention import Deed, Intervention, reopened, version
from worker.repositories import migrate
from worker.repositories.database import MysqlDatabase
from worker.services.audit import Proof, verify
from worker.services.break_desk import Answer, BreakDesk, Instruction, reopen_lapsed

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    def now(self) -> datetime:
        return NOW


class Office:
    """One shop of a database of its own, and short words for it."""

    def __init__(self, engine: Engine, shop: str) -> None:
        self.engine, self.shop = engine, shop
        self.database = MysqlDatabase(engine)
        self.desk = BreakDesk(self.database, Clock(), shop)

    def found(self, number: int, provider: str = "stripe") -> Break:
        item = replace(followed(self.shop, number), provider=provider)
        self.database.transact(lambda tx: tx.breaks.save(item, action("found", item.finding.kind)))
        return item

    def read(self, item: Break) -> Break:
        stored = self.database.transact(lambda tx: tx.breaks.get(item.break_id))
        assert stored is not None
        return stored

    def history(self, item: Break) -> list[tuple[str, str, str]]:
        told = self.database.transact(lambda tx: tx.breaks.history(item.break_id))
        return [(one.actor, one.action, one.words) for one in told]

    def proof(self, **expected: Any) -> Proof:
        return verify(self.database, self.shop, **expected)

    def act(self, *instructions: Instruction, dry_run: bool = False) -> Answer:
        return self.desk.carry_out(instructions, dry_run=dry_run)

    def sql(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values | {"shop": self.shop})


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    """Shared by the tests of this file: each uses a shop of its own."""
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def office(engine: Engine, request: pytest.FixtureRequest) -> Office:
    return Office(engine, request.node.name[:100])


def told(item: Break, deed: Deed = Deed.RESOLVE, seen: str = "", **changes: Any) -> Instruction:
    act = Intervention(deed=deed, actor="alice", reason="because")
    return Instruction(break_id=item.break_id, act=replace(act, **changes), seen_version=seen)


def test_a_decision_is_stored_with_who_when_and_why_and_can_be_taken_back(office: Office) -> None:
    item = office.found(1)
    end = NOW + 3 * DAY
    office.act(told(item, Deed.ASSIGN, new_owner="bob"))
    office.act(told(item, Deed.IGNORE, until=end, reason="the bank says \U0001f3e6"))
    stored = office.read(item)
    assert stored.settlement is not None
    decision = stored.settlement
    assert (decision.how, decision.by, decision.at, decision.until) == (SettledAs.IGNORED, "alice", NOW, end)
    assert (stored.status, stored.owner, stored.revision) == (BreakStatus.RESOLVED, "bob", 2)
    office.act(told(item, Deed.REOPEN, reason="no"))
    assert office.read(item) == replace(item, status=BreakStatus.REOPENED, owner="bob", revision=3)
    assert office.history(item) == [
        ("reconciliation", "found", "amount_under"),
        ("alice", "assigned", "nobody -> bob: because"),
        ("alice", "ignored", "until 2026-11-27 09:00 UTC: the bank says \U0001f3e6"),
        ("alice", "reopened", "was ignored by alice: no"),
    ]
    assert office.proof().fault is None


def test_all_or_nothing_and_a_dry_run_is_nothing(office: Office) -> None:
    items = [office.found(n) for n in range(3)]
    head = office.proof().head
    answer = office.act(*[told(item) for item in items], dry_run=True)
    assert [one.after.status for one in answer.done] == [BreakStatus.RESOLVED] * 3
    bad = replace(told(items[2]), break_id="unknown")
    answer = office.act(told(items[0]), told(items[1], reason=""), bad)
    assert [(one.break_id, one.column) for one in answer.problems] == [
        (items[1].break_id, "reason"),
        ("unknown", "break"),
    ]
    assert [office.read(item) for item in items] == items
    assert office.proof().head == head


def test_a_break_of_another_shop_is_not_there(office: Office, engine: Engine) -> None:
    theirs = Office(engine, office.shop + "-other").found(1)
    assert [one.column for one in office.act(told(theirs)).problems] == ["break"]
    ours = office.found(1)
    link = told(ours, Deed.LINK, link_to=f"break/{theirs.break_id}")
    assert [one.column for one in office.act(link).problems] == ["link_to"]


def test_linked_breaks_of_two_providers_both_say_so_and_stay_two(office: Office) -> None:
    one, other = office.found(1, "stripe"), office.found(2, "paypal")
    office.act(told(one, Deed.LINK, link_to=f"break/{other.break_id}"))
    office.act(told(one, Deed.LINK, link_to="order/17"))
    assert office.read(one).links == (f"break/{other.break_id}", "order/17")
    assert office.read(other).links == (f"break/{one.break_id}",)
    assert office.history(other)[-1] == ("alice", "linked", f"break/{one.break_id}: because")
    for item in (one, other):
        assert (office.read(item).status, office.read(item).finding) == (item.status, item.finding)
    again = office.act(told(other, Deed.LINK, link_to=f"break/{one.break_id}"))
    assert "already" in again.problems[0].why


def test_a_row_is_refused_when_its_break_changed_and_done_once_however_often_it_is_imported(office: Office) -> None:
    first, second = office.found(1), office.found(2)
    rows = [told(first, seen=version(first)), told(second, Deed.COMMENT, seen=version(second))]
    office.database.transact(lambda tx: tx.breaks.save(replace(first, runs_seen=9, last_seen_at=NOW), None))
    assert [one.repeated for one in office.act(*rows).done] == [False, False]
    head, stored = office.proof().head, office.read(first)
    assert [one.repeated for one in office.act(*rows).done] == [True, True]
    assert office.act(*rows, dry_run=True).problems == ()
    assert (office.proof().head, office.read(first)) == (head, stored)
    other = told(second, seen=version(second), reason="something else")
    (problem,) = office.act(other).problems
    assert (problem.column, "changed since" in problem.why) == ("version", True)


def test_of_eight_people_at_once_one_resolves_and_seven_are_told(office: Office) -> None:
    item = office.found(1)

    def resolve(number: int) -> Answer:
        return Office(office.engine, office.shop).act(told(item, actor=f"person-{number}"))

    answers = at_once(8, resolve)
    (winner,) = [one for one in answers if one.done]
    stored = office.read(item)
    assert stored.settlement is not None
    assert stored.settlement.by == winner.done[0].instruction.act.actor
    assert [one.problems[0].column for one in answers if one.problems] == ["action"] * 7
    assert [action for _, action, _ in office.history(item)] == ["found", "resolved"]


def test_an_engine_of_eight_threads_and_people_never_fork_the_chain(office: Office) -> None:
    items = [office.found(n, f"provider-{n}") for n in range(8)]

    def write(number: int) -> None:
        own = Office(office.engine, office.shop)
        for turn in range(5):
            if turn % 2:
                own.act(told(items[number], Deed.COMMENT, reason=f"remark {turn}"))
            else:
                stored = own.read(items[number])
                own.database.transact(lambda tx, stored=stored: tx.breaks.save(stored, action("class_changed", "x")))  # type: ignore[misc]

    at_once(8, write)
    proof = office.proof()
    assert proof.fault is None
    assert proof.head.sequence == 8 + 8 * 5
    for item in items:
        assert [name for _, name, _ in office.history(item)] == [
            "found",
            *["class_changed", "commented"] * 2,
            "class_changed",
        ]


def test_work_that_fails_leaves_no_trace_in_the_chain(office: Office) -> None:
    item = office.found(1)
    head = office.proof().head

    def work(tx: Any) -> None:
        tx.breaks.save(item, action("seen"))
        raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        office.database.transact(work)
    assert office.proof().head == head


TAMPERED = {
    "shop": "'elsewhere'",
    "sequence": "sequence + 1000",
    "happened_at": "happened_at + INTERVAL 1 MICROSECOND",
    "actor": "'mallory'",
    "action": "'seen'",
    "subject": "'break/0000000000000000'",
    "run_id": "'another'",
    "detail": "REPLACE(detail, ':', ': ')",
    "previous_hash": "REPEAT('f', 64)",
    "hash": "REPEAT('f', 64)",
}


def test_a_change_of_any_column_of_any_row_is_found_at_that_row(office: Office) -> None:
    item = office.found(1)
    for number in range(3):
        office.act(told(item, Deed.COMMENT, reason=f"remark {number}"))
    with office.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit_trail WHERE shop = :shop"), {"shop": office.shop})
        assert set(TAMPERED) == set(rows.keys())
        kept = [dict(row) for row in rows.mappings()]
    assert len(kept) == 4
    names = ", ".join(TAMPERED)
    restore = f"INSERT INTO audit_trail ({names}) VALUES ({', '.join(f':{name}' for name in TAMPERED)})"  # noqa: S608 - our own names
    for row in kept:
        for change in [
            *(f"UPDATE audit_trail SET {column} = {to}" for column, to in TAMPERED.items()),  # noqa: S608 - our own
            "DELETE FROM audit_trail",
        ]:
            office.sql(f"{change} WHERE shop = :shop AND sequence = :at", at=row["sequence"])
            fault = office.proof().fault
            assert fault is not None, (change, row["sequence"])
            assert fault.sequence == row["sequence"], change
            assert fault.what
            office.sql(
                "DELETE FROM audit_trail WHERE shop = 'elsewhere' OR shop = :shop AND (sequence = :at OR sequence > 900)",
                at=row["sequence"],
            )
            with office.engine.begin() as connection:
                connection.execute(text(restore), row)
            assert office.proof().fault is None


def test_a_tail_that_was_cut_or_grown_beside_its_head_is_found(office: Office) -> None:
    item = office.found(1)
    office.act(told(item, Deed.COMMENT))
    noted = office.proof().head
    office.sql(
        "INSERT INTO audit_trail SELECT shop, 3, happened_at, actor, action, subject, run_id, detail, hash, hash FROM audit_trail WHERE shop = :shop AND sequence = 2"
    )
    fault = office.proof().fault
    assert fault is not None
    assert (fault.sequence, "beyond" in fault.what) == (3, True)
    office.sql("DELETE FROM audit_trail WHERE shop = :shop AND sequence >= 2")
    fault = office.proof().fault
    assert fault is not None
    assert fault.sequence == 2
    # Whoever cuts the head as well is found by the head that was kept elsewhere.
    office.sql(
        "UPDATE audit_heads SET sequence = 1, hash = (SELECT hash FROM audit_trail WHERE shop = :shop) WHERE shop = :shop"
    )
    assert office.proof().fault is None
    fault = office.proof(expect_head=noted.hash, at=noted.sequence).fault
    assert fault is not None
    assert fault.sequence == 2


def test_a_head_kept_elsewhere_proves_what_was_before_it_and_lets_the_rest_grow(office: Office) -> None:
    item = office.found(1)
    noted = office.proof().head
    office.act(told(item, Deed.COMMENT))
    assert office.proof(expect_head=noted.hash.upper(), at=1).fault is None
    assert office.proof(expect_head=office.proof().head.hash).fault is None
    fault = office.proof(expect_head=noted.hash).fault
    assert fault is not None
    assert fault.sequence == 2


def test_what_an_older_release_wrote_is_history_at_once_and_in_the_chain_with_the_next_entry(office: Office) -> None:
    item = office.found(1)
    older = "INSERT INTO break_actions (break_id, happened_at, actor, action, run_id, detail) VALUES (:id, :at, 'reconciliation', :action, 'r9', '')"
    for number, name in enumerate(["class_changed", "repair_requested"]):
        office.sql(older, id=item.break_id, at=(NOW + number * DAY).replace(tzinfo=None), action=name)
    names = ["found", "class_changed", "repair_requested"]
    assert [name for _, name, _ in office.history(item)] == names
    assert office.proof().unsealed == 2
    office.act(told(item, Deed.COMMENT))
    assert [name for _, name, _ in office.history(item)] == [*names, "commented"]
    proof = office.proof()
    assert (proof.unsealed, proof.fault, proof.head.sequence) == (0, None, 4)
    office.sql(older, id=item.break_id, at=NOW.replace(tzinfo=None), action="reopened")
    migrate.upgrade(office.engine)
    assert (office.proof().unsealed, office.proof().head.sequence) == (0, 5)
    migrate.upgrade(office.engine)
    assert office.proof().head.sequence == 5


def test_a_decision_that_an_older_release_overwrote_is_no_decision(office: Office) -> None:
    item = office.found(1)
    office.act(told(item))
    office.sql(
        "UPDATE breaks SET resolved_at = resolved_at + INTERVAL 1 HOUR, resolution = 'agrees again' WHERE break_id = :id",
        id=item.break_id,
    )
    assert office.read(item).settlement is None


def test_what_is_ignored_for_a_time_is_reopened_by_the_engine_afterwards(office: Office) -> None:
    short, long, for_good = (office.found(n) for n in range(3))
    ends = [NOW + DAY, NOW + 2 * DAY, None]
    office.act(*[told(item, Deed.IGNORE, until=end) for item, end in zip((short, long, for_good), ends, strict=True)])

    def reopen(now: datetime) -> int:
        return reopen_lapsed(office.database, office.shop, "stripe", now)

    assert reopen(NOW + DAY - timedelta(microseconds=1)) == 0
    assert reopen(NOW + DAY) == 1
    assert reopen(NOW + DAY) == 0
    assert office.read(short) == replace(reopened(short), revision=1)
    assert office.history(short)[-1] == ("reconciliation", "reopened", "the time it was ignored for has ended")
    assert office.database.transact(lambda tx: tx.breaks.open(office.shop, "stripe")) == [office.read(short)]


def test_breaks_are_listed_by_owner_provider_and_who_settled_them(office: Office) -> None:
    mine, nobodys, ignored, resolved = office.found(1), office.found(2, "paypal"), office.found(3), office.found(4)
    office.act(told(mine, Deed.ASSIGN, new_owner="bob"), told(ignored, Deed.IGNORE), told(resolved))

    def listed(status: str | None = None, **chosen: Any) -> set[str]:
        found = office.database.transact(lambda tx: tx.breaks.listed(office.shop, status=status, limit=9, **chosen))
        return {item.break_id for item in found}

    assert listed(owner="bob") == {mine.break_id}
    assert listed("open", owner="") == {nobodys.break_id} == listed(provider="paypal")
    assert listed("ignored") == {ignored.break_id}
    assert listed("settled") == {ignored.break_id, resolved.break_id}


def test_a_break_that_was_settled_past_the_desk_is_named(office: Office) -> None:
    item, other = office.found(1), office.found(2)
    office.act(told(item), told(other, Deed.IGNORE))
    assert office.proof().holds
    settle = "UPDATE breaks SET settled_by = 'mallory' WHERE break_id = :id"
    office.sql(settle, id=item.break_id)
    proof = office.proof()
    assert (proof.fault, proof.unrecorded, proof.holds) == (None, (item.break_id,), False)
    office.sql(settle.replace("mallory", "alice"), id=item.break_id)
    never = office.found(3)
    office.sql(
        "UPDATE breaks SET status = 'resolved', settled_as = 'resolved', settled_by = 'alice', resolution = 'x', "
        "settled_at = first_seen_at, resolved_at = first_seen_at WHERE break_id = :id",
        id=never.break_id,
    )
    assert office.proof().unrecorded == (never.break_id,)


def test_an_empty_trail_is_whole(office: Office) -> None:
    assert office.proof() == Proof(shop=office.shop, head=AuditHead(), unsealed=0, fault=None)
