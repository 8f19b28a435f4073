"""Every query of the ports must be served by an index: EXPLAIN is asked about what the stores really send."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Date, Engine, Table, event, insert

from tests.integration.own_database import new_database
from worker.domain.outbound import MessageState
from worker.domain.stock import Fate
from worker.domain.user import UserState
from worker.repositories import schema
from worker.repositories.database import MysqlDatabase
from worker.repositories.times import UtcDateTime
from worker.services.figures import edges
from worker.services.ports import Transaction

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
ROWS = 2500
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Recorded:
    engine: Engine
    statements: list[tuple[str, Any]]


CHILDREN = {
    "order_trail",
    "order_entries",
    "run_statements",
    "run_findings",
    "break_actions",
    "repair_attempts",
    "alert_notices",
    "statement_lines",
    "statement_rejects",
}


def _value(table: Table, column: Column[Any], number: int) -> Any:
    """Return something plausible for a column, spread over the rows; children come ten to an owner."""
    if table.name == "outbound_messages" and column.name == "state":
        return ("pending", "delivered", "dead")[number % 3] if number % 50 == 0 else "delivered"
    spread = {"shop": 3, "provider": 3, "source": 3, "state": 7, "status": 7, "outcome": 7}
    if column.name in spread:
        return f"{column.name}-{number % spread[column.name]}"
    if isinstance(column.type, UtcDateTime):
        return NOW + timedelta(minutes=number)
    if isinstance(column.type, Date):
        return (NOW + timedelta(days=number // 10)).date()
    if isinstance(column.type, JSON):
        return []
    if column.type.python_type is bool:
        return bool(number % 2)
    if column.type.python_type is int:
        return number
    if table.name == "book_entries" and column.name == "kind":
        return "capture"
    return str(number // 10 if table.name in CHILDREN and column.name != "currency" else number)


@pytest.fixture(scope="module")
def recorded(database_url: str) -> Iterator[Recorded]:
    with new_database(database_url) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
            for table in schema.METADATA.sorted_tables:
                columns = [column for column in table.columns if column.autoincrement is not True]
                rows = [{column.name: _value(table, column, n) for column in columns} for n in range(1, ROWS)]
                connection.execute(insert(table).prefix_with("IGNORE"), rows)
                connection.exec_driver_sql("ANALYZE TABLE " + table.name)
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 1")
        seen: list[tuple[str, Any]] = []

        def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if not statement.startswith(("INSERT", "EXPLAIN")):
                seen.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", remember)
        yield Recorded(engine, seen)


def _ids(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


QUERIES: dict[str, Callable[[Transaction], object]] = {
    "orders.get": lambda tx: tx.orders.get("shop-1", "none"),
    "orders.count_by_state": lambda tx: tx.orders.count_by_state("shop-1"),
    "orders.trail": lambda tx: tx.orders.trail("shop-1", "1"),
    "orders.recent": lambda tx: tx.orders.recent("shop-1", state=None, limit=0),
    "orders.recent by state": lambda tx: tx.orders.recent("shop-1", state="x", limit=20),
    "orders.recent since": lambda tx: tx.orders.recent("shop-1", state=None, limit=20, since=NOW + 20 * DAY),
    "timeline.of_order": lambda tx: tx.timeline.of_order("shop-1", "1"),
    "orders.for_reconciliation": lambda tx: tx.orders.for_reconciliation("shop-1", NOW - HOUR, NOW, _ids(1)),
    "payments.of_order": lambda tx: tx.payments.of_order("shop-x", "1"),
    "payments.order_of_payment": lambda tx: tx.payments.order_of_payment("shop-1", "provider-1", _ids(1, 2)),
    "payments.entries_of_order": lambda tx: tx.payments.entries_of_order("shop-x", "1"),
    "payments.entries": lambda tx: list(tx.payments.entries("shop-1", "provider-1", NOW - HOUR, NOW)),
    "shipments.of_order": lambda tx: tx.shipments.of_order("shop-x", "1"),
    "stock.of_order": lambda tx: tx.stock.of_order("shop-1", "1"),
    "stock.level": lambda tx: tx.stock.level("shop-1", "none"),
    "stock.levels": lambda tx: tx.stock.levels("shop-1", at_most=None, limit=20),
    "stock.movements": lambda tx: tx.stock.movements("shop-1", "sku-1", 20),
    "stock.holders": lambda tx: tx.stock.holders("shop-1", "sku-1", 20),
    "stock.settle": lambda tx: tx.stock.settle("shop-1", "1", Fate.RELEASED, NOW, "test"),
    "inbox.recent": lambda tx: tx.inbox.recent(source=None, outcome=None, limit=0),
    "inbox.recent by source": lambda tx: tx.inbox.recent(source="source-1", outcome=None, limit=0),
    "inbox of one event": lambda tx: tx.inbox.recent(source=None, outcome=None, limit=9, event_id="event-1"),
    "inbox.recent by outcome": lambda tx: tx.inbox.recent(source=None, outcome="outcome-1", limit=0),
    "stuck.listed": lambda tx: tx.stuck.listed(10),
    "outbound.due": lambda tx: tx.outbound.due("1", NOW, 20),
    "outbound.get": lambda tx: tx.outbound.get("none", "nobody"),
    "outbound.by_id": lambda tx: tx.outbound.by_id("none"),
    "outbound.listed": lambda tx: tx.outbound.listed(MessageState.DEAD, subscription=None, limit=0),
    "outbound.of_order": lambda tx: tx.outbound.of_order("shop-x", "1"),
    "outbound.counts": lambda tx: tx.outbound.counts(),
    "outbound.died": lambda tx: tx.outbound.died(NOW),
    "outbound.dead": lambda tx: tx.outbound.dead("shop-1"),
    "outbound.forget": lambda tx: tx.outbound.forget(MessageState.DELIVERED, NOW - 900 * DAY),
    "users.get": lambda tx: tx.users.get("none"),
    "users.move": lambda tx: tx.users.move("none", UserState.PENDING, UserState.ACTIVE, NOW),
    "runs.get": lambda tx: tx.runs.get("1"),
    "runs.recent": lambda tx: tx.runs.recent(None, 0),
    "runs.recent of shop": lambda tx: tx.runs.recent("shop-1", 0),
    "runs.before": lambda tx: tx.runs.before("shop-1", "provider-1", "api", NOW),
    "runs.after": lambda tx: tx.runs.after("shop-1", "provider-1", "api", NOW),
    "runs.of_window": lambda tx: tx.runs.of_window("shop-1", "provider-1", "api", NOW - HOUR, NOW),
    "runs.closes": lambda tx: tx.runs.closes("shop-1", "provider-1", NOW - HOUR),
    "runs.statements": lambda tx: tx.runs.statements("none"),
    "runs.findings": lambda tx: tx.runs.findings("none"),
    "runs.each_finding": lambda tx: list(tx.runs.each_finding("none", breaks=False)),
    "runs.differing": lambda tx: list(tx.runs.differing("none")),
    "runs.watermark": lambda tx: tx.runs.watermark("shop-1", "provider-1"),
    "breaks.open": lambda tx: tx.breaks.open("shop-1", "provider-1"),
    "breaks.by_ids": lambda tx: tx.breaks.by_ids(["none", "nobody"]),
    "breaks.history": lambda tx: tx.breaks.history("none"),
    "breaks.listed": lambda tx: tx.breaks.listed(None, status=None, limit=0),
    "breaks.listed of shop": lambda tx: tx.breaks.listed("shop-1", status=None, limit=0),
    "breaks.listed by owner": lambda tx: tx.breaks.listed("shop-1", status=None, limit=0, owner="none"),
    "breaks.listed of an order": lambda tx: tx.breaks.listed("shop-1", status="open", limit=20, order_id="7"),
    "breaks.lapsed": lambda tx: tx.breaks.lapsed("shop-1", "provider-1", NOW),
    "audit.head": lambda tx: tx.audit.head("shop-1"),
    "audit.entries": lambda tx: list(tx.audit.entries("shop-1", upto=20)),
    "audit.surplus": lambda tx: tx.audit.surplus("shop-1"),
    "audit.listed": lambda tx: tx.audit.listed("shop-1", subject=None, actor=None, action=None, limit=20),
    "audit.listed of subject": lambda tx: tx.audit.listed("shop-1", subject="9", actor=None, action=None, limit=20),
    "audit.about": lambda tx: tx.audit.about(_ids(1, 2)),
    "audit.unsealed": lambda tx: tx.audit.unsealed("shop-1"),
    "repairs.of_breaks": lambda tx: tx.repairs.of_breaks(["none", "nobody"]),
    "repairs.cut_off": lambda tx: tx.repairs.cut_off("none"),
    "alerts.newest": lambda tx: tx.alerts.newest("shop-1", "provider-1", "none"),
    "alerts.pending": lambda tx: tx.alerts.pending(NOW + timedelta(days=9)),
    "alerts.get": lambda tx: tx.alerts.get("none"),
    "alerts.notices": lambda tx: tx.alerts.notices("none"),
    "alerts.listed": lambda tx: tx.alerts.listed(None, 0),
    "alerts.listed by state": lambda tx: tx.alerts.listed("state-1", 0),
    "statements.lines": lambda tx: list(tx.statements.lines("none", "none")),
    "statements.get": lambda tx: tx.statements.get("none", "none"),
    "statements.marks": lambda tx: tx.statements.marks("none", "stripe"),
    "numbers.complete": lambda tx: tx.numbers.complete("none"),
    "numbers.lacking": lambda tx: tx.numbers.lacking("none"),
    "numbers.without": lambda tx: tx.numbers.without("shop-1", ["1", "2"]),
    "numbers.fill": lambda tx: tx.numbers.fill("shop-1", {"none": "1"}),
    "statements.recent": lambda tx: tx.statements.recent("shop-1", 0),
    "bank.entries": lambda tx: list(tx.bank.entries("shop-1", NOW.date() - 9 * DAY, NOW.date() - 8 * DAY)),
    "bank.covered": lambda tx: tx.bank.covered("shop-1", NOW - HOUR, NOW),
    "figures.last_entry": lambda tx: tx.figures.last_entry(),
    "figures.moved": lambda tx: tx.figures.moved(2000, 2100),
    "figures.orders": lambda tx: tx.figures.orders(["shop-1"], ["state-1", "state-2"]),
    "figures.open_breaks": lambda tx: tx.figures.open_breaks(["shop-1"], edges(NOW)),
    "figures.waiting_events": lambda tx: tx.figures.waiting_events(),
    "figures.events": lambda tx: tx.figures.events(["outcome-1"], NOW),
    "figures.runs": lambda tx: tx.figures.runs(["shop-1"], NOW + 30 * HOUR),
    "figures.last_runs": lambda tx: tx.figures.last_runs(["shop-1"], NOW + 30 * HOUR),
    "statements.rejects": lambda tx: tx.statements.rejects("none", "none"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_whole_table(recorded: Recorded, name: str) -> None:
    recorded.statements.clear()
    MysqlDatabase(recorded.engine).transact(QUERIES[name])
    sent = list(recorded.statements)
    assert sent
    with recorded.engine.connect() as connection:
        for statement, parameters in sent:
            # LIMIT 0 above keeps rows of made-up states from being read; EXPLAIN must see a real limit.
            asked = {key: 20 if key == "param_1" and value == 0 else value for key, value in parameters.items()}
            for row in connection.exec_driver_sql("EXPLAIN " + statement, asked).mappings():
                extra = row["Extra"] or ""
                if (row["table"] or "").startswith("<derived"):
                    continue  # what a subquery found, all of which is wanted; its own plan is a row of its own
                assert row["type"] != "ALL", (statement, dict(row))
                if "no matching" not in extra.lower() and "Impossible" not in extra and "optimized away" not in extra:
                    assert row["key"], (statement, dict(row))
                if "recent" in name or "listed" in name:
                    assert "filesort" not in extra, (statement, dict(row))


def test_the_breaks_of_an_order_are_found_by_it(recorded: Recorded) -> None:
    """However many there are: by risk alone, the database would read all that is at greater risk."""
    recorded.statements.clear()
    MysqlDatabase(recorded.engine).transact(
        lambda tx: tx.breaks.listed("shop-1", status="open", limit=20, order_id="7")
    )
    ((statement, parameters),) = recorded.statements
    with recorded.engine.connect() as connection:
        (row,) = connection.exec_driver_sql("EXPLAIN " + statement, parameters).mappings()
    assert row["key"] == "breaks_by_order"
    assert int(row["rows"]) < ROWS / 100
