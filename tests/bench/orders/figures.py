"""The benchmark's figures: what each means, and what is promised of some.

Rates are workflows completed a second, 16 of them under way at once. Medians over the rounds; ratios of each round's own.
"""

from collections.abc import Mapping

from tests.bench.figures import Target

SHAPES: Mapping[str, str] = {
    "orders": "orders, from their start to their end",
    "normal": "bare workflows of as many normal activities that do nothing",
    "eager": "bare workflows started eagerly, of as many local activities that do nothing",
    "waiting": "the same, but for an update that is waited for before the last of them",
}
_PARTS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "worker": "the worker's process",
        "server": "the Temporal server",
        "database": "MariaDB",
        "outside": "the simulated provider and warehouse, which are not ours",
        "client": "who starts the orders and tells of their parcels",
    },
    "normal": {"worker": "worker and client, in one process", "server": "the Temporal server"},
    "eager": {"worker": "worker and client, in one process", "server": "the Temporal server"},
    "waiting": {"worker": "worker and client, in one process", "server": "the Temporal server"},
}

DOCUMENTED: Mapping[str, str] = {
    **{
        name: meaning
        for shape, what in SHAPES.items()
        for name, meaning in {
            f"{shape}_rps": f"{what}: a second",
            f"{shape}_rps_least": "the worst round",
            f"{shape}_rps_most": "the best round",
            **{f"{shape}_{part}_cpu_ms": f"CPU-ms for one: {whose}" for part, whose in _PARTS[shape].items()},
            f"{shape}_foreign_cores": "cores that worked for something else meanwhile",
        }.items()
    },
    "orders_to_normal": "orders a second, as a ratio to the bare workflow of normal activities",
    "orders_to_normal_least": "the worst round",
    "orders_to_normal_most": "the best round",
    "orders_to_eager": "orders a second, as a ratio to the fastest bare shape",
    "orders_to_eager_least": "the worst round",
    "orders_to_eager_most": "the best round",
    "orders_to_waiting": "orders a second, as a ratio to the fastest bare shape that waits as an order does",
    "orders_to_waiting_least": "the worst round",
    "orders_to_waiting_most": "the best round",
    "cpu_to_normal": "CPU an order of worker, client and Temporal, as a ratio to the same of normal activities",
    "cpu_to_eager": "the same, as a ratio to the fastest bare shape",
    "cpu_to_waiting": "the same, as a ratio to the one that waits",
    "orders_sql_statements": "SQL statements an order, of everything in the worker",
    "orders_commits": "transactions an order",
    # From the history of one order.
    "history_events": "events in the history of one happy order",
    "history_activities": "normal activities of it",
    "history_local_activities": "local activities of it",
    "history_workflow_tasks": "workflow tasks of it",
    "history_bytes": "size of that history",
}

TARGETS = (
    Target("orders_to_normal", 1.0, at_least=True),
    Target("orders_to_eager", 0.6, at_least=True),
)
