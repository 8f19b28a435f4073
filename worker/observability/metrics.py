"""The worker's own figures, for Prometheus: what the business asks ("what broke, how old, how much waits").

One `Metrics` per process, with its own registry, so that tests may have many. Labels are bounded sets: activity
names, queues, error codes, currencies, never ids. Amounts are minor units, times are seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from worker.observability.business import BusinessCollector
from worker.observability.figures import Books

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in one task queue, of one kind (`workflow` or `activity`)."""

    queue: str
    kind: str
    tasks: int
    oldest_seconds: float
    pollers: int
    own_poll_seconds: float | None = None
    """How long ago this process asked for a task of it; None when the server knows of no poll."""


class Metrics:
    """All figures of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.activities = Counter(
            "orders_activities",
            "Activity attempts by outcome: completed, cancelled or the error's code.",
            ["queue", "activity", "outcome"],
            registry=self.registry,
        )
        self.activity_seconds = Histogram(
            "orders_activity_seconds",
            "Duration of activity attempts.",
            ["queue", "activity"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.last_activity = Gauge(
            "orders_last_activity_timestamp_seconds", "When an activity last ended here.", registry=self.registry
        )
        self.upkeep = Counter(
            "orders_upkeep", "Housekeeping jobs by outcome.", ["job", "outcome"], registry=self.registry
        )
        self._stuck = Gauge(
            "orders_stuck_steps",
            "Steps that keep failing for longer than worker.stuck_after_seconds.",
            ["activity", "code"],
            registry=self.registry,
        )
        self.failing_tasks = Gauge(
            "orders_failing_workflows", "Workflows that cannot go on because their code fails.", registry=self.registry
        )
        self.schedule_drift = Gauge(
            "orders_schedule_drift",
            "Declared schedules by what the last plan found.",
            ["action"],
            registry=self.registry,
        )
        self._schedules_missed = Gauge(
            "orders_schedules_missed",
            "Schedules that should have started a reconciliation and did not.",
            registry=self.registry,
        )
        self._runs_failed = Gauge(
            "orders_runs_failed",
            "Reconciliations that ended with an error within the last hour.",
            registry=self.registry,
        )
        self._business = BusinessCollector()
        self.registry.register(self._business)
        self._waiting = Gauge(
            "orders_queue_backlog", "Tasks waiting in a task queue.", ["queue", "kind"], registry=self.registry
        )
        self._waiting_seconds = Gauge(
            "orders_queue_backlog_oldest_seconds",
            "Age of the oldest task waiting.",
            ["queue", "kind"],
            registry=self.registry,
        )
        self._letters = Gauge(
            "orders_outbound_messages",
            "Webhooks we send that are pending, and dead letters.",
            ["subscription", "state"],
            registry=self.registry,
        )
        self._pollers = Gauge(
            "orders_queue_pollers", "Workers that poll a task queue.", ["queue", "kind"], registry=self.registry
        )

    def show_books(self, books: Books) -> None:
        """Show a new sample of the books: what is not in it any more is gone, not stale."""
        self._business.show(books)

    def show_runs(self, *, missed: int, failed: int) -> None:
        """Set how many schedules missed their run, and how many runs failed within the last hour."""
        self._schedules_missed.set(missed)
        self._runs_failed.set(failed)

    def show_stuck(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Replace the gauge of stuck steps; the counts are by activity and error code."""
        self._stuck.clear()
        for (activity, code), count in counts.items():
            self._stuck.labels(activity, code).set(count)

    def show_backlog(self, backlog: Iterable[Backlog]) -> None:
        """Set the backlog gauges of the queues named."""
        for item in backlog:
            self._waiting.labels(item.queue, item.kind).set(item.tasks)
            self._waiting_seconds.labels(item.queue, item.kind).set(item.oldest_seconds)
            self._pollers.labels(item.queue, item.kind).set(item.pollers)

    def show_letters(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Replace the gauge of webhooks from counts by subscription and state."""
        self._letters.clear()
        for (subscription, state), messages in counts.items():
            self._letters.labels(subscription, state).set(messages)

    def show_drift(self, counts: Mapping[str, int]) -> None:
        """Set the drift gauges from a plan's counts by action."""
        for action, count in counts.items():
            self.schedule_drift.labels(action).set(count)

    def exposition(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self.registry)
