"""Book entries in bulk: the blocks hold exactly what the rows do, whatever the texts and however the rows lie."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.own_database import migrated_database
from tests.unit.lake_books import lake_in
from worker.domain.payment import BookEntry, EntryKind
from worker.lake.columns import items_of
from worker.lake.entries import read_block
from worker.repositories.database import MysqlDatabase
from worker.repositories.entry_blocks import entry_blocks
from worker.services.ports.lake import EntryBlock

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)
TEXTS = ("plain", 'a "quoted" one', "comma, and\nline", "tab\tand \\ backslash", "Zürich 東京 😀", "'; --", "trailing ",
         "parted\x1fby what parts", "\x1f\n\r")  # fmt: skip


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as made:
        yield made


def booked(number: int, *, shop: str = "main", at: datetime | None = None) -> BookEntry:
    text = f"{TEXTS[number % len(TEXTS)]} {number}"
    return BookEntry(
        shop=shop,
        order_id=text,
        provider="stripe",
        kind=EntryKind.REFUND if number % 5 == 0 else EntryKind.CAPTURE,
        reference=f"{shop} {text}",
        payment_reference=text,
        amount_minor=(-1 if number % 5 == 0 else 1) * number * 10**9,
        currency="EUR",
        method=("", "card", "sepa_debit")[number % 3],
        occurred_at=at or START + timedelta(microseconds=number * 7),
    )


@pytest.fixture(scope="module")
def entries(engine: Engine) -> list[BookEntry]:
    made = [booked(number) for number in range(60)]
    outside = [booked(100, at=END), booked(101, at=START - timedelta(microseconds=1)), booked(7, shop="another")]
    elsewhere = replace(booked(102), provider="adyen")
    posted = MysqlDatabase(engine).transact(
        lambda tx: [tx.payments.post(entry) for entry in (*made, *outside, elsewhere)]
    )
    assert all(posted)
    return made


def read(blocks: list[EntryBlock]) -> list[BookEntry]:
    found = [entry for block in blocks for entry in items_of(BookEntry, read_block(block))]
    return sorted(found, key=lambda entry: entry.occurred_at)


@pytest.mark.parametrize("rows", [1, 7, 59, 60, 1000])
@pytest.mark.parametrize(
    ("most", "sparse"),
    [(0, 0), (0, 8), (2, 0)],
    ids=["by the index of times", "by the part of the primary key", "by the primary key"],
)
def test_blocks_hold_what_rows_do(
    engine: Engine, entries: list[BookEntry], rows: int, most: int, sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.repositories.entry_blocks.MOST", most)
    monkeypatch.setattr("worker.repositories.entry_blocks.SPARSE", sparse)
    with engine.connect() as connection:
        blocks = list(entry_blocks(connection, "main", "stripe", START, END, rows))
    assert sum(block.rows for block in blocks) == 60
    assert len(blocks) >= 60 // rows
    assert read(blocks) == entries
    # What parts the fields stands within some texts: a block that holds one is quoted, and no other is.
    assert [block.quoted for block in blocks] == [
        any(mark in entry.order_id for entry in items_of(BookEntry, read_block(block)) for mark in "\x1f\n\r")
        for block in blocks
    ]


def test_a_shop_without_entries_has_no_block(engine: Engine, entries: list[BookEntry]) -> None:
    assert entries
    assert MysqlDatabase(engine).transact(lambda tx: list(tx.payments.entry_blocks("none", "stripe", START, END))) == []


def test_a_block_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    block = EntryBlock(
        shop="main",
        provider="stripe",
        rows=2,
        text=b'"1","capture","pi","pi",100,"EUR",2026-03-01 00:00:00.000000,"card"',
    )
    with lake_in(tmp_path).gathering("main", "stripe", "run") as gathering:
        gathering.lines([])
        with pytest.raises(Exception, match="2 book entries came with 1"):
            gathering.entries([block])
