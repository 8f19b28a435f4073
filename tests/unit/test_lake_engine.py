"""The engine is kept from block to block, and nothing that a block made or changed is there in the next."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import duckdb
import pytest

from worker.domain.errors import NoRoom
from worker.lake.engine import EngineLimits, engine


def asked(limits: EngineLimits, question: str) -> object:
    with engine(limits) as opened:
        return opened.connection.execute(question).fetchone()


def test_a_block_meets_nothing_of_the_one_before() -> None:
    limits = EngineLimits(threads=2)
    with engine(limits) as opened:
        opened.connection.execute("create temp table left_over as select 1")
        opened.connection.execute("create temp view seen as select 1")
        opened.connection.execute("set threads = 1")
        folder = opened.folder
    assert not folder.exists()
    assert len(limits.kept) == 1
    assert asked(limits, "select current_setting('threads')") == (2,)
    named = (
        "select count(*) from (from duckdb_tables() select table_name union all from duckdb_views() select view_name)"
    )
    assert asked(limits, f"{named} where table_name in ('left_over', 'seen')") == (0,)


def test_an_engine_whose_block_failed_is_not_used_again() -> None:
    limits = EngineLimits()
    assert asked(limits, "select 1") == (1,)
    ((before, *_),) = limits.kept
    with pytest.raises(LookupError), engine(limits):
        raise LookupError
    assert limits.kept == []
    with pytest.raises(duckdb.ConnectionException):
        before.execute("select 1")
    assert asked(limits, "select 1") == (1,)


def test_what_does_not_fit_goes_to_the_place_for_it_and_is_gone_with_the_block(tmp_path: Path) -> None:
    limits = EngineLimits(memory_mb=40, threads=1, spill=tmp_path)
    with engine(limits) as opened:
        opened.connection.execute("create temp table much as select i, random() as r from range(5_000_000) as t(i)")
        assert [path for path in tmp_path.rglob("*.tmp") if path.is_file()]
    assert list(tmp_path.iterdir()) == []


TO_A_FULL_DISK = "copy (select range as i from range(1_000_000)) to '/dev/full' (format csv)"
MORE_THAN_FITS = "create temp table much as select i, random() as r from range(5_000_000) as t(i)"


@pytest.mark.parametrize("statement", [TO_A_FULL_DISK, MORE_THAN_FITS])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(tmp_path: Path, statement: str) -> None:
    limits = EngineLimits(memory_mb=40, threads=1, spill=tmp_path)
    small = "set max_temp_directory_size = '2MB'"  # as it is by itself where 2 MB are left
    with pytest.raises(NoRoom, match=f"MB are left .* at {tmp_path}"), engine(limits) as opened:
        opened.connection.execute(f"{small}; {statement}")
    assert (list(tmp_path.iterdir()), limits.kept) == ([], [])
    assert asked(limits, "select 1") == (1,), "once there is room it goes on"


def test_parts_stand_beside_each_other_and_never_beside_the_whole() -> None:
    limits = EngineLimits(threads=2, memory_mb=112)
    both, let_go = Barrier(3), Event()

    def part() -> tuple[object, ...]:
        with engine(limits, part=True) as opened:
            asked_for = opened.connection.execute("select current_setting('threads'), current_setting('memory_limit')")
            found = asked_for.fetchone()
            both.wait(60)
            assert let_go.wait(60)
            assert not entered.is_set()
            return found or ()

    def all_of_it() -> object:
        with engine(limits) as opened:
            entered.set()
            return opened.connection.execute("select current_setting('threads')").fetchone()

    entered = Event()
    with ThreadPoolExecutor(3) as pool:
        parts = [pool.submit(part) for _ in range(2)]
        both.wait(60)
        whole = pool.submit(all_of_it)
        assert not entered.wait(0.2)
        let_go.set()
        assert whole.result(60) == (2,)
        assert [one.result(60) for one in parts] == [(1, "53.4 MiB")] * 2
    assert len(limits.kept) == 2
