"""Statement files taken in on a real database: once, whole or row by row, bank entries once over overlapping files."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.integration.bank_files import Booking, camt
from tests.integration.own_database import at_once, migrated_database
from tests.unit.lake_books import lake_in
from tests.unit.statement_files import changed, sample
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, BankStatus, LedgerLine, LineKind
from worker.domain.window import Span
from worker.gateways.folder_store import FolderStore
from worker.lake.gathering import Lake
from worker.repositories.database import MysqlDatabase
from worker.repositories.paging import PAGE
from worker.services.continuity import bank_currencies
from worker.services.ports import RejectedRow, StatementFile, StatementScope, Transaction
from worker.statements.importing import Imported, StatementImport
from worker.statements.parse import parse

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    """Shared by the tests of this file: each uses a shop of its own."""
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture(scope="module")
def database(engine: Engine) -> MysqlDatabase:
    return MysqlDatabase(engine)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_in(tmp_path / "lake")


def kept(lake: Lake, file: StatementFile) -> list[LedgerLine]:
    batch = lake.batches.find(file.shop, file.provider, file.sha256)
    assert batch is not None
    return list(lake.batches.lines(batch))


def test_a_file_is_taken_once_whatever_it_is_called(database: MysqlDatabase, store: FolderStore, lake: Lake) -> None:
    content = sample("paypal_en.csv")
    taking = StatementImport(database, store, lambda: lake, "once")
    first, again = [taking.take(name, content, NOW) for name in ("activity.csv", "copy of activity.csv")]
    assert (first.added, again.added) == (True, False)
    stored = database.transact(lambda tx: tx.statements.get("once", first.file.sha256))
    assert stored == first.file
    assert (first.file.name, first.file.provider, first.file.rows) == ("activity.csv", "paypal", 10)
    assert sorted(kept(lake, first.file), key=repr) == sorted(parse("x", content).lines, key=repr)
    assert store.get(f"statements/paypal/{first.file.sha256}.csv") == content
    assert database.transact(lambda tx: tx.statements.recent("once", 5)) == [first.file]


def stored(
    database: MysqlDatabase, shop: str, sha256: str
) -> tuple[StatementFile | None, list[StatementFile], list[RejectedRow]]:
    """Return a shop's file, all its files, and the rows of the one that could not be read."""

    def work(tx: Transaction) -> tuple[StatementFile | None, list[StatementFile], list[RejectedRow]]:
        files = tx.statements
        return files.get(shop, sha256), files.recent(shop, 5), files.rejects(shop, sha256)

    return database.transact(work)


def booked(database: MysqlDatabase, shop: str) -> list[int]:
    entries = database.transact(lambda tx: list(tx.bank.entries(shop, date(2026, 9, 1), date(2026, 9, 9))))
    return [entry.amount_minor for entry in entries]


def test_one_file_serves_every_shop_on_the_account_each_for_itself(
    database: MysqlDatabase, store: FolderStore, lake: Lake
) -> None:
    content = changed(sample("shopify_transactions.csv"), 3, {"Net": "1.00"})
    shops = [f"shop-{number}" for number in range(4)]

    def take(number: int) -> Imported:
        return StatementImport(database, store, lambda: lake, shops[number % 4]).take("x.csv", content, NOW)

    taken = at_once(8, take)
    for number, shop in enumerate(shops):
        mine = [taken[number], taken[number + 4]]
        assert sorted(one.added for one in mine) == [False, True], "once for each shop, however often at once"
        file = mine[0].file
        found, recent, rejects = stored(database, shop, file.sha256)
        assert (found, recent) == (file, [file])
        parsed = parse("x.csv", content, shop=shop)
        assert rejects == list(parsed.rejects) != []
        assert sorted(kept(lake, file), key=repr) == sorted(parsed.lines, key=repr)
    assert stored(database, "nobody", taken[0].file.sha256) == (None, [], [])


def test_one_bank_statement_serves_two_shops_and_one_that_an_older_release_took_in_stays_its_shop_s(
    database: MysqlDatabase, store: FolderStore, lake: Lake, engine: Engine
) -> None:
    content = camt(
        date(2026, 9, 1), date(2026, 9, 3), [Booking(on=date(2026, 9, 2), minor=500, text="po_1", payer="S")]
    )
    first = StatementImport(database, store, lambda: lake, "one").take("bank.xml", content, NOW)
    with engine.begin() as connection:
        older = text("UPDATE statement_files SET content_sha256 = NULL WHERE shop = 'one'")
        connection.execute(older)
    again, second = (
        StatementImport(database, store, lambda: lake, shop).take("bank.xml", content, NOW) for shop in ("one", "two")
    )
    assert [one.added for one in (first, again, second)] == [True, False, True]
    assert (first.new_entries, second.new_entries) == (1, 1)
    for shop in ("one", "two"):
        assert [file.sha256 for file in stored(database, shop, first.file.sha256)[1]] == [first.file.sha256]
        assert booked(database, shop) == [500]
    # A release that knows one file of a SHA-256 finds one.
    with engine.connect() as connection:
        known = text("SELECT shop FROM statement_files WHERE sha256 = :sha256")
        assert connection.execute(known, {"sha256": first.file.sha256}).scalar_one() == "one"


def test_a_damaged_file_is_kept_row_by_row_or_refused_whole(
    database: MysqlDatabase, store: FolderStore, lake: Lake
) -> None:
    content = changed(sample("shopify_transactions.csv"), 3, {"Net": "1.00"})
    with pytest.raises(InvalidStatement, match=r"refused as a whole.*line 3, net: gross -88.21 less fee 0.00 is not"):
        StatementImport(database, store, lambda: lake, "whole", whole=True).take("x.csv", content, NOW)
    assert database.transact(lambda tx: tx.statements.recent("whole", 5)) == []
    assert store.names("statements/") == []
    assert lake.batches.find("whole", "shopify_payments", hashlib.sha256(content).hexdigest()) is None
    taken = StatementImport(database, store, lambda: lake, "rows").take("x.csv", content, NOW)
    assert (taken.added, taken.file.rejected, taken.read.made) == (True, 1, 6)
    rejects = database.transact(lambda tx: tx.statements.rejects(taken.file.shop, taken.file.sha256))
    assert [(one.line, one.column) for one in rejects] == [(3, "net")]


def test_a_file_that_contradicts_itself_is_refused_whole_and_one_that_repeats_a_row_is_not(
    database: MysqlDatabase, store: FolderStore, lake: Lake
) -> None:
    taking = StatementImport(database, store, lambda: lake, "contradiction", whole=True)
    cut_off = b"".join(sample("paypal_settlement.csv").splitlines(keepends=True)[:8])
    with pytest.raises(InvalidStatement, match="no SC record closes the section"):
        taking.take("x", cut_off, NOW)
    lines = sample("shopify_transactions.csv").splitlines(keepends=True)
    assert taking.take("x", b"".join([*lines, lines[1]]), NOW).added, "the comparison counts repeats"


def test_lines_of_other_shops_are_counted_apart(database: MysqlDatabase, store: FolderStore, lake: Lake) -> None:
    content = sample("stripe_payout.csv").replace(b",main,1001", b",other,1001")
    taken = StatementImport(database, store, lambda: lake, "main").take("x", content, NOW)
    assert (taken.foreign, taken.read.made) == (2, 10)
    assert sum(line.shop == "other" for line in kept(lake, taken.file)) == 2


def test_what_a_file_tells_of_is_stored_with_it(database: MysqlDatabase, store: FolderStore, lake: Lake) -> None:
    taking = StatementImport(database, store, lambda: lake, "scopes")
    names = ("stripe_history.csv", "stripe_payouts.csv", "camt053.xml")
    taken = {name: taking.take(name, sample(name), NOW).file for name in names}
    assert [file.scope for file in taken.values()] == [
        StatementScope.LEDGER,
        StatementScope.PAYOUTS,
        StatementScope.BANK,
    ]
    for file in taken.values():
        assert database.transact(lambda tx, file=file: tx.statements.get(file.shop, file.sha256)) == file  # type: ignore[misc]
    assert store.names("statements/bank/") == [f"statements/bank/{taken['camt053.xml'].sha256}.xml"]
    assert {line.kind for line in kept(lake, taken["stripe_payouts.csv"])} == {
        LineKind.PAYOUT,
        LineKind.TRANSFER,
    }, "what came back of a payout is carried to the next"


def entries(database: MysqlDatabase, shop: str, start: date, end: date) -> list[BankEntry]:
    return database.transact(lambda tx: list(tx.bank.entries(shop, start, end)))


def test_bank_entries_of_overlapping_files_are_there_once(
    database: MysqlDatabase, store: FolderStore, lake: Lake
) -> None:
    taking = StatementImport(database, store, lambda: lake, "bank")
    day = sample("camt053.xml").replace(b"STMT-1", b"DAY-9")
    month = sample("camt053.xml").replace(b"STMT-1", b"MONTH-9").replace(b">1000.00<", b">900.00<")
    first = taking.take("day.xml", day, NOW)
    second = taking.take("month.xml", month, NOW)
    assert (first.new_entries, second.new_entries) == (4, 0)
    stored = entries(database, "bank", date(2026, 9, 1), date(2026, 10, 1))
    assert set(stored) == set(parse("x", day).entries)
    assert [entry.booked_on for entry in stored] == sorted(entry.booked_on for entry in stored)
    assert entries(database, "bank", date(2026, 9, 22), date(2026, 9, 23)) == []
    assert entries(database, "other", date(2026, 9, 1), date(2026, 10, 1)) == []


def entry(number: int, **changes: object) -> BankEntry:
    made = BankEntry(
        account=f"A{number % 2}",
        entry_id=f"e{number}",
        amount_minor=number,
        currency="EUR",
        booked_on=date(2026, 1, 1) + timedelta(days=number % 5),
        references=("one", "zwei"),
        text="text",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def bank_file(shop: str, sha256: str, start: datetime = NOW, end: datetime = NOW + DAY) -> StatementFile:
    return StatementFile(
        sha256=sha256,
        shop=shop,
        provider="bank",
        format="camt053",
        name=sha256,
        imported_at=NOW,
        rows=0,
        rejected=0,
        first_at=start,
        last_at=end,
        checks={},
        scope=StatementScope.BANK,
    )


def keep(database: MysqlDatabase, file: StatementFile, *some: BankEntry) -> int:
    def stored(tx: Transaction) -> int:
        tx.statements.add(file, [])
        return tx.bank.add(file.shop, file.sha256, some)

    return database.transact(stored)


def test_a_pending_entry_is_taken_over_by_the_file_in_which_it_is_booked(database: MysqlDatabase) -> None:
    pending = entry(1, status=BankStatus.PENDING, amount_minor=999)
    booked = entry(1, value_on=date(2026, 1, 9), counterparty="Stripe", reversal=True)
    assert keep(database, bank_file("pending", "p1"), pending) == 1
    assert keep(database, bank_file("pending", "p2"), booked) == 1
    assert entries(database, "pending", date(2026, 1, 1), date(2026, 2, 1)) == [booked]
    assert keep(database, bank_file("pending", "p3"), replace(pending, amount_minor=1), entry(1, amount_minor=7)) == 0
    assert entries(database, "pending", date(2026, 1, 1), date(2026, 2, 1)) == [booked], "what is booked stays"


def test_many_entries_come_by_day_account_and_id(database: MysqlDatabase) -> None:
    some = [entry(number) for number in range(PAGE + 7)]
    assert keep(database, bank_file("many", "m1"), *some) == PAGE + 7
    stored = entries(database, "many", date(2026, 1, 1), date(2026, 1, 6))
    assert stored == sorted(some, key=lambda one: (one.booked_on, one.account, one.entry_id))


def test_two_files_of_one_account_that_come_at_once_lose_nothing(database: MysqlDatabase) -> None:
    some = [entry(number) for number in range(40)]
    files = [bank_file("race", f"r{number}") for number in range(2)]
    new = at_once(2, lambda number: keep(database, files[number], *some[:: -1 if number else 1]))
    assert sum(new) == 40
    assert len(entries(database, "race", date(2026, 1, 1), date(2026, 1, 6))) == 40


def test_the_time_that_bank_files_cover(database: MysqlDatabase) -> None:
    for number in range(4):
        keep(database, bank_file("covered", f"c{number}", NOW + number * DAY, NOW + (number + 1) * DAY))
    spans = database.transact(lambda tx: tx.bank.covered("covered", NOW + DAY, NOW + 3 * DAY))
    assert spans == [Span(NOW + DAY, NOW + 2 * DAY), Span(NOW + 2 * DAY, NOW + 3 * DAY)]
    assert database.transact(lambda tx: tx.bank.covered("covered", NOW - DAY, NOW)) == []


def test_a_bank_statement_without_a_booking_tells_of_its_account(
    database: MysqlDatabase, store: FolderStore, lake: Lake
) -> None:
    quiet = camt(date(2026, 9, 1), date(2026, 9, 3), [])
    StatementImport(database, store, lambda: lake, "quiet").take("bank.xml", quiet, NOW)

    def told(start: datetime) -> list[str]:
        return database.transact(lambda tx: bank_currencies(tx, "quiet", start))

    assert told(datetime(2026, 9, 2, tzinfo=UTC)) == ["EUR"]
    assert told(datetime(2026, 9, 10, tzinfo=UTC)) == []
