"""Blocks of our books on their way into the lake: the next is made while one is worked on, and nothing is left under way."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.lake_books import lake_in
from tests.unit.matching_books import line
from worker.domain.errors import DatabaseUnavailable
from worker.lake.engine import EngineLimits
from worker.lake.entries import ahead
from worker.lake.files import LakeFiles
from worker.lake.gathering import Lake
from worker.services.ports.lake import FIELD_END, TEXT_COLUMNS, EntryBlock

PATIENCE = 60
BLOCK = EntryBlock(shop="main", provider="stripe", rows=0, text=b"")


def test_the_next_block_is_asked_for_while_one_is_worked_on() -> None:
    asked = threading.Event()

    def blocks() -> Iterator[EntryBlock]:
        yield BLOCK
        asked.set()
        yield BLOCK

    with closing(ahead(blocks())) as found:
        next(found)
        assert asked.wait(PATIENCE)
        assert len(list(found)) == 1


def test_whoever_stops_early_waits_for_the_block_that_was_asked_for() -> None:
    going_on, under_way = threading.Event(), threading.Event()
    done = []

    def blocks() -> Iterator[EntryBlock]:
        yield BLOCK
        under_way.set()
        assert going_on.wait(PATIENCE)
        done.append(True)
        yield BLOCK

    found = ahead(blocks())
    next(found)
    assert under_way.wait(PATIENCE)
    threading.Timer(0.05, going_on.set).start()
    found.close()
    assert done


def test_what_the_books_fail_with_is_what_gathering_fails_with(tmp_path: Path) -> None:
    def blocks() -> Iterator[EntryBlock]:
        yield replace(BLOCK, rows=1, text=b"o-1,capture,p-1,p-1,100,EUR,2026-03-01 00:00:00,card")
        raise DatabaseUnavailable("away")

    with lake_in(tmp_path).gathering("main", "stripe", "run-1") as gathering:
        gathering.lines([])
        with pytest.raises(DatabaseUnavailable, match="away"):
            gathering.entries(blocks())


def many(rows: int, at_once: int = 10_000) -> Iterator[EntryBlock]:
    """Yield blocks of so many captures, each of an order of its own."""
    for first in range(0, rows, at_once):
        told = (
            {
                "order_id": f"o-{number}",
                "kind": "capture",
                "reference": f"pi_{number:024d}",
                "payment_reference": f"pi_{number:024d}",
                "amount_minor": "100",
                "currency": "EUR",
                "occurred_at": "2026-03-01 00:00:00",
                "method": "card",
            }
            for number in range(first, first + at_once)
        )
        text = "".join(FIELD_END.decode().join(each[name] for name in TEXT_COLUMNS) + "\n" for each in told)
        yield replace(BLOCK, rows=at_once, text=text.encode(), quoted=False)


def test_the_buckets_of_very_many_entries_do_not_wait_in_the_engine(tmp_path: Path) -> None:
    """As at ten million orders, where cutting within the engine took more than it may have: so many buckets, in little."""
    limits = EngineLimits(memory_mb=12, spill=tmp_path)
    lake = Lake(LakeFiles.in_folder(tmp_path), limits, rows_per_bucket=1, keys_per_piece=1000)
    with lake.gathering("main", "stripe", "run-1") as gathering:
        gathering.lines([line(f"o-{number}", 100) for number in range(256)])
        gathering.entries(many(60_000))
        gathered = gathering.seal({})
    assert (gathered.buckets, gathered.rows) == (256, 60_256)
