"""The books as numbers, on a real database: equal to the books, whoever samples them and however often."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from tests.integration.own_database import at_once, emptied, migrated_database
from worker.domain.order import OrderState
from worker.observability.figures import Account, Moved
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import BOOK_ENTRIES, BREAKS, INBOX, ORDERS, RUNS
from worker.services import figures
from worker.services.figures import BusinessFigures

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def own(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def engine(own: Engine) -> Engine:
    emptied(own)
    return own


def entries(count: int, seed: int, first: int = 0) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    kinds = [chance.choice(["capture", "capture", "refund"]) for _ in range(count)]
    return [
        {
            "provider": chance.choice(["stripe", "paypal"]),
            "kind": kind,
            "reference": f"r{first + number}",
            "payment_reference": "p",
            "shop": chance.choice(["main", "other"]),
            "order_id": "o",
            "amount_minor": chance.randrange(10**6) * (1 if kind == "capture" else -1),
            "currency": chance.choice(["EUR", "JPY", "KWD"]),
            "occurred_at": NOW - chance.randrange(10**6) * timedelta(seconds=1),
        }
        for number, kind in enumerate(kinds)
    ]


def truth(rows: list[dict[str, Any]]) -> dict[Account, Moved]:
    found: dict[Account, Moved] = {}
    for row in rows:
        account = Account(row["shop"], row["provider"], row["currency"])
        amount = row["amount_minor"]
        one = Moved(captured_minor=amount) if row["kind"] == "capture" else Moved(refunded_minor=-amount)
        found[account] = found.get(account, Moved()).plus(one)
    return found


def sampler(engine: Engine, clock: Clock | None = None) -> BusinessFigures:
    return BusinessFigures(MysqlDatabase(engine), clock or Clock(), ["main", "other", "main"])


def test_money_is_that_of_the_books_to_the_cent_while_they_grow(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_UNSETTLED", 50)
    monkeypatch.setattr(figures, "_BLOCK", 70)
    rows: list[dict[str, Any]] = []
    old = sampler(engine)
    for round_ in range(6):
        more = entries(120, seed=round_, first=len(rows))
        rows += more
        with engine.begin() as connection:
            connection.execute(insert(BOOK_ENTRIES), more)
        assert dict(old.sample().money) == truth(rows)
    assert dict(sampler(engine).sample().money) == truth(rows), "a replica that comes later says the same"
    assert old._settled_upto > 500, "what is settled is not read again"


def test_an_entry_that_is_committed_late_is_not_lost(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_UNSETTLED", 20)
    first, late, after = entries(30, 1), entries(3, 2, first=30), entries(10, 3, first=40)
    watching = sampler(engine)
    with engine.begin() as connection:
        connection.execute(insert(BOOK_ENTRIES), first)
    with engine.connect() as slow:
        slow.execute(insert(BOOK_ENTRIES), late)  # their numbers are given, and nobody sees them yet
        with engine.begin() as connection:
            connection.execute(insert(BOOK_ENTRIES), after)
        assert dict(watching.sample().money) == truth(first + after)
        slow.commit()
    assert dict(watching.sample().money) == truth(first + late + after)


def test_what_was_changed_behind_its_back_shows_after_a_day(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_UNSETTLED", 0)
    clock, rows = Clock(), entries(40, 5)
    watching = sampler(engine, clock)
    with engine.begin() as connection:
        connection.execute(insert(BOOK_ENTRIES), rows)
    watching.sample()
    with engine.begin() as connection:
        connection.execute(text("UPDATE book_entries SET amount_minor = amount_minor * 2"))
    assert dict(watching.sample().money) == truth(rows)
    clock.at += DAY
    doubled = [{**row, "amount_minor": row["amount_minor"] * 2} for row in rows]
    assert dict(watching.sample().money) == truth(doubled)


def order(number: int, state: str, shop: str = "main") -> dict[str, Any]:
    return {
        "shop": shop, "order_id": str(number), "currency": "EUR", "total_minor": 1, "shipping_minor": 0,
        "discount_minor": 0, "tax_minor": 0, "positions": [], "customer_id": "c", "payment_mode": "capture",
        "origin": "test", "state": state, "state_reason": "", "placed_at": NOW, "updated_at": NOW, "trail_length": 1,
    }  # fmt: skip


def test_every_state_has_a_count_and_ended_orders_are_counted_now_and_then(engine: Engine) -> None:
    clock = Clock()
    watching = sampler(engine, clock)
    with engine.begin() as connection:
        connection.execute(insert(ORDERS), [order(n, "paid") for n in range(3)] + [order(9, "completed", "other")])
        connection.execute(insert(ORDERS), [order(1, "paid", "a shop that is not in the settings")])
    counts = watching.sample().orders
    assert {key: count for key, count in counts.items() if count} == {("main", "paid"): 3, ("other", "completed"): 1}
    assert set(counts) == {(shop, str(state)) for shop in ("main", "other") for state in OrderState}
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'completed' WHERE shop = 'main'"))
    assert watching.sample().orders["main", "paid"] == 0
    clock.at += timedelta(minutes=5)
    assert watching.sample().orders["main", "completed"] == 3


def a_break(number: int, age: timedelta, **changes: Any) -> dict[str, Any]:
    return {
        "break_id": str(number), "shop": "main", "provider": "stripe", "status": "new", "leg": "payments",
        "kind": "missing_external", "currency": "EUR", "order_id": "o", "at_risk_minor": 100,
        "first_seen_at": NOW - age, "last_seen_at": NOW, "first_movement_at": NOW, "runs_seen": 1,
        "repair_state": "none", "resolution": "", "finding": {}, **changes,
    }  # fmt: skip


def test_open_breaks_by_kind_and_age_with_the_amount_at_risk(engine: Engine) -> None:
    second = timedelta(seconds=1)
    rows = [
        a_break(1, DAY - second),
        a_break(2, DAY),
        a_break(3, 2 * DAY, at_risk_minor=50),
        a_break(4, 3 * DAY, kind="disputed", status="persisting"),
        a_break(5, 8 * DAY, currency="JPY", status="reopened"),
        a_break(6, 8 * DAY, status="resolved"),
        a_break(7, 8 * DAY, shop="a shop that is not in the settings"),
        a_break(8, -HOUR, provider="paypal"),
    ]
    with engine.begin() as connection:
        connection.execute(insert(BREAKS), rows)
    found = {
        (item.provider, item.kind, item.currency, item.age): (item.count, item.at_risk_minor)
        for item in sampler(engine).sample().breaks
    }
    assert found == {
        ("stripe", "missing_external", "EUR", "0-1d"): (1, 100),
        ("stripe", "missing_external", "EUR", "1-3d"): (2, 150),
        ("stripe", "disputed", "EUR", "3-7d"): (1, 100),
        ("stripe", "missing_external", "JPY", ">7d"): (1, 100),
        ("paypal", "missing_external", "EUR", "0-1d"): (1, 100),
    }


def test_events_and_runs(engine: Engine) -> None:
    def event(number: int, outcome: str, age: timedelta) -> dict[str, Any]:
        return {
            "event_id": str(number), "source": "stripe", "topic": "t", "origin": "webhook", "body_sha256": "",
            "received_at": NOW - age, "workflow_id": "w", "run_id": "r", "outcome": outcome, "detail": "",
        }  # fmt: skip

    def run(number: int, verdict: str, age: timedelta) -> dict[str, Any]:
        return {
            "run_id": str(number), "shop": "main", "provider": "stripe", "window_start": NOW, "window_end": NOW,
            "source": "api", "requested_by": "", "workflow_id": "w", "started_at": NOW - age,
            "finished_at": NOW - age + HOUR if verdict else None, "verdict": verdict,
            "incomplete_because": [], "report": "",
        }  # fmt: skip

    with engine.begin() as connection:
        told = [
            ("received", HOUR),
            ("received", 3 * HOUR),
            ("unmatched", HOUR),
            ("unreadable", 2 * DAY),
            ("applied", HOUR),
        ]
        connection.execute(insert(INBOX), [event(number, *each) for number, each in enumerate(told)])
        made = [("breaks", 5 * HOUR), ("reconciled", 3 * HOUR), ("", HOUR), ("incomplete", 2 * DAY)]
        connection.execute(insert(RUNS), [run(number, *each) for number, each in enumerate(made)])
    books = sampler(engine).sample()
    assert (books.waiting_events, books.oldest_event_at) == (2, NOW - 3 * HOUR)
    assert books.dead_events == {"unmatched": 1, "unreadable": 0}
    assert Counter(books.runs) == {("main", "stripe", verdict): 1 for verdict in ("breaks", "reconciled", "")}
    assert [(run.verdict, run.finished_at) for run in books.last_runs] == [("reconciled", NOW - 2 * HOUR)]


def test_replicas_that_sample_at_once_say_the_same_and_lock_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(BOOK_ENTRIES), entries(500, 7))
        connection.execute(insert(BREAKS), [a_break(number, DAY) for number in range(20)])
    with engine.begin() as writing:
        writing.execute(text("UPDATE breaks SET runs_seen = runs_seen + 1"))
        writing.execute(text("UPDATE book_entries SET method = 'card'"))
        samples = at_once(4, lambda _: sampler(engine).sample())
    assert all(each == samples[0] for each in samples)
