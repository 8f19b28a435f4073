"""Blocks of our books on their way into the lake: the next is made while one is worked on, and nothing is left under way."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.lake_books import lake_in
from worker.domain.errors import DatabaseUnavailable
from worker.lake.entries import ahead
from worker.services.ports.lake import EntryBlock

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
