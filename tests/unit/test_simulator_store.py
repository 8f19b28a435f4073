"""The simulator's store and clock: order, lookups, atomicity, time that moves on command."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.simulator.clock import Clock
from infra.local.simulator.store import Document, Store

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite3")
    yield opened
    opened.close()


def ids(documents: list[Document]) -> list[str]:
    return [document["id"] for document in documents]


def test_documents_keep_their_place_when_rewritten(store: Store) -> None:
    for name in "abc":
        store.put("things", name, {"id": name, "n": 1})
    store.put("things", "a", {"id": "a", "n": 2})
    assert ids(store.all("things")) == ["a", "b", "c"]
    assert ids(store.all("things", newest_first=True, where=lambda doc: doc["n"] == 1)) == ["c", "b"]
    assert store.get("things", "a") == {"id": "a", "n": 2}
    assert (store.get("things", "d"), store.get("others", "a"), store.count("things")) == (None, None, 3)


def test_a_failed_transaction_leaves_nothing_and_a_nested_one_joins(store: Store) -> None:
    numbers: list[int] = []

    def fail_half_way() -> None:
        with store.transaction():
            store.put("things", "a", {"id": "a"})
            with store.transaction():
                store.put("things", "b", {"id": "b"})
            numbers.append(store.next_number("orders"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert (store.count("things"), store.next_number("orders")) == (0, numbers[0])


def test_a_lookup_sees_nested_keys_and_later_changes(store: Store) -> None:
    store.put("charges", "a", {"id": "a", "metadata": {"order_id": "7"}})
    store.declare("charges", "metadata.order_id")
    store.put("charges", "b", {"id": "b", "metadata": {"order_id": "7"}})
    store.put("charges", "c", {"id": "c", "metadata": {}})
    store.put("others", "x", {"id": "x", "metadata": {"order_id": "7"}})
    assert ids(store.index("charges", "metadata.order_id", "7")) == ["a", "b"]
    store.put("charges", "a", {"id": "a", "metadata": {"order_id": "8"}})
    assert ids(store.index("charges", "metadata.order_id", "7", newest_first=True)) == ["b"]
    with pytest.raises(KeyError):
        store.index("charges", "status", "paid")


@given(
    numbers=st.lists(st.integers(0, 20) | st.none(), max_size=400),
    low=st.integers(0, 20) | st.none(),
    newest_first=st.booleans(),
    skipped=st.integers(0, 400),
)
def test_ordered_reading_is_a_sort(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int | None],
    low: int | None,
    newest_first: bool,
    skipped: int,
) -> None:
    store = Store(tmp_path_factory.mktemp("ordered") / "state.sqlite3")
    store.declare("things", "n")
    with store.transaction():
        for position, number in enumerate(numbers):
            store.put("things", str(position), {"id": str(position), "n": number})
    kept = [(n, i) for i, n in enumerate(numbers) if n is not None and (low is None or n >= low)]
    expected = [str(i) for _, i in sorted(kept, reverse=newest_first)]
    cursor = expected[skipped] if skipped < len(expected) else None
    found = store.ordered("things", "n", low=low, newest_first=newest_first, beyond=cursor)
    assert ids(list(found)) == (expected[skipped + 1 :] if cursor is not None else expected)
    store.close()


def test_scanning_goes_on_from_a_cursor_in_either_direction(store: Store) -> None:
    store.declare("things", "kind")
    with store.transaction():
        for number in range(300):
            store.put("things", f"t{number}", {"id": f"t{number}", "kind": number % 2})
    odd = [f"t{number}" for number in range(1, 300, 2)]
    assert ids(list(store.scan("things", key="kind", value=1))) == odd
    assert ids(list(store.scan("things", key="kind", value=1, newest_first=True, beyond="t5"))) == ["t3", "t1"]
    assert ids(list(store.scan("things", beyond="t297"))) == ["t298", "t299"]
    with pytest.raises(KeyError):
        list(store.scan("things", beyond="t300"))


def test_ids_of_two_runs_differ_and_go_on_after_a_restart(tmp_path: Path) -> None:
    first, second = Store(tmp_path / "1"), Store(tmp_path / "2")
    made = {first.next_id("pi"), second.next_id("pi")}
    first.close()
    first = Store(tmp_path / "1")
    made.add(first.next_id("pi"))
    assert len(made) == 3
    first.close()
    second.close()


def test_time_moves_on_command_and_stays_moved(store: Store) -> None:
    clock = Clock(store)
    clock.set(MIDNIGHT.isoformat())
    clock.advance(3600)
    assert timedelta(0) <= Clock(store).now() - (MIDNIGHT + timedelta(hours=1)) < timedelta(seconds=30)
    for wrong in ("2030-01-01T00:00:00", "tomorrow"):
        with pytest.raises(ValueError, match=r"zone|isoformat"):
            clock.set(wrong)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_timers_fire_in_order_each_at_its_own_time(store: Store) -> None:
    clock, seen = Clock(store), list[tuple[str, datetime]]()
    clock.set(MIDNIGHT.isoformat())

    def ring(payload: Document) -> None:
        seen.append((payload["name"], clock.now()))
        if payload["name"] == "daily" and len(seen) < 4:
            clock.call_later(86_400, "ring", payload)

    clock.on("ring", ring)
    clock.call_at(MIDNIGHT + timedelta(days=2, hours=1), "ring", {"name": "once"})
    clock.call_at(MIDNIGHT + timedelta(days=1), "ring", {"name": "daily"})
    cancelled = clock.call_at(MIDNIGHT + timedelta(days=1), "ring", {"name": "never"})
    assert (clock.cancel(cancelled), clock.cancel(cancelled)) == (True, False)
    clock.advance(86_300)
    assert seen == []
    clock.advance(10 * 86_400)
    assert seen == [
        ("daily", MIDNIGHT + timedelta(days=1)),
        ("daily", MIDNIGHT + timedelta(days=2)),
        ("once", MIDNIGHT + timedelta(days=2, hours=1)),
        ("daily", MIDNIGHT + timedelta(days=3)),
    ]


def test_a_timer_that_fails_is_undone_and_does_not_stop_the_next(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(store)

    def broken(_: Document) -> None:
        store.put("things", "half", {})
        raise RuntimeError("broken on purpose")

    clock.on("broken", broken)
    clock.on("works", lambda _: store.put("things", "whole", {}))
    clock.call_later(1, "broken", {})
    clock.call_later(2, "works", {})
    clock.advance(5)
    assert (store.get("things", "half"), store.get("things", "whole")) == (None, {})
    assert "broken on purpose" in caplog.text


async def test_timers_outlive_a_restart_and_fire_by_themselves(store: Store) -> None:
    Clock(store).call_later(0.05, "ring", {"name": "kept"})
    rung = asyncio.Event()
    clock = Clock(store)
    clock.on("ring", lambda payload: rung.set() if payload == {"name": "kept"} else None)
    running = asyncio.create_task(clock.run())
    async with asyncio.timeout(60):
        await rung.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert store.count("timers") == 0
