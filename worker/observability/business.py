"""The books in the Prometheus format: what was sampled last, with ages as they are at the moment of reading.

All of it is true of the books and not of this process: several replicas show the same, so it is read with `max`.
Until the first sample there is nothing; a sample that is not renewed grows old where everybody can see it.
"""

import time
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.observability.figures import Books, OpenBreaks


class BusinessCollector(Collector):
    """Shows the newest sample; give it to a registry."""

    def __init__(self) -> None:
        self._books: Books | None = None

    def show(self, books: Books) -> None:
        """Replace what is shown."""
        self._books = books

    def describe(self) -> Iterable[Metric]:
        """Return what there may be, so that a registry knows the names before the first sample."""
        return _families()

    def collect(self) -> Iterable[Metric]:
        """Return everything, or nothing before the first sample."""
        return [] if self._books is None else _filled(self._books, time.time())


def _families() -> list[Metric]:
    account = ["shop", "provider", "currency"]
    return [
        GaugeMetricFamily("orders_in_state", "Orders by the state they stand in.", labels=["shop", "state"]),
        CounterMetricFamily(
            "orders_captured_minor", "Money captured since the books began, minor units.", labels=account
        ),
        CounterMetricFamily(
            "orders_refunded_minor", "Money refunded since the books began, minor units.", labels=account
        ),
        GaugeMetricFamily(
            "orders_open_breaks", "Open breaks by kind and age.", labels=["shop", "provider", "kind", "age"]
        ),
        GaugeMetricFamily(
            "orders_open_breaks_at_risk_minor",
            "What may be lost through the open breaks, minor units.",
            labels=[*account, "age"],
        ),
        GaugeMetricFamily(
            "orders_open_breaks_oldest_seconds", "Age of the oldest open break.", labels=["shop", "provider"]
        ),
        GaugeMetricFamily("orders_events_waiting", "Events received that nothing has become of yet."),
        GaugeMetricFamily("orders_events_oldest_waiting_seconds", "Age of the oldest of them; 0 when there is none."),
        GaugeMetricFamily(
            "orders_dead_events", "Events of the last day that nothing could process.", labels=["outcome"]
        ),
        GaugeMetricFamily(
            "orders_runs",
            "Reconciliations that began within the last day, by verdict.",
            labels=["shop", "provider", "verdict"],
        ),
        GaugeMetricFamily(
            "orders_last_run_timestamp_seconds",
            "When the newest reconciliation of the last day ended, with its verdict.",
            labels=["shop", "provider", "verdict"],
        ),
        GaugeMetricFamily("orders_books_sampled_timestamp_seconds", "When all of this was read from the books."),
    ]


def _filled(books: Books, now: float) -> list[Metric]:
    families = _families()
    (
        states, captured, refunded, breaks, at_risk, oldest_break, waiting, oldest_event, dead, runs, last_runs, sampled,
    ) = families  # fmt: skip
    for (shop, state), count in books.orders.items():
        _put(states, (shop, state), count)
    for account, moved in books.money.items():
        labels = (account.shop, account.provider, account.currency)
        _put(captured, labels, moved.captured_minor, "_total")
        _put(refunded, labels, moved.refunded_minor, "_total")
    counts: dict[tuple[str, ...], int] = {}
    amounts: dict[tuple[str, ...], int] = {}
    for item in books.breaks:
        _add(counts, (item.shop, item.provider, item.kind, item.age), item.count)
        _add(amounts, (item.shop, item.provider, item.currency, item.age), item.at_risk_minor)
    for key, count in counts.items():
        _put(breaks, key, count)
    for key, amount in amounts.items():
        _put(at_risk, key, amount)
    for key, since in _oldest(books.breaks).items():
        _put(oldest_break, key, now - since)
    _put(waiting, (), books.waiting_events)
    _put(oldest_event, (), 0 if books.oldest_event_at is None else max(0.0, now - books.oldest_event_at.timestamp()))
    for outcome, count in books.dead_events.items():
        _put(dead, (outcome,), count)
    for (shop, provider, verdict), count in books.runs.items():
        _put(runs, (shop, provider, verdict or "running"), count)
    for run in books.last_runs:
        _put(last_runs, (run.shop, run.provider, run.verdict), run.finished_at.timestamp())
    _put(sampled, (), books.at.timestamp())
    return families


def _oldest(breaks: Iterable[OpenBreaks]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for item in breaks:
        key = (item.shop, item.provider)
        found[key] = min(found.get(key, item.oldest_at.timestamp()), item.oldest_at.timestamp())
    return found


def _add(sums: dict[tuple[str, ...], int], key: tuple[str, ...], amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount


def _put(family: Metric, labels: tuple[str, ...], value: float, suffix: str = "") -> None:
    names: tuple[str, ...] = getattr(family, "_labelnames", ())
    family.add_sample(family.name + suffix, dict(zip(names, labels, strict=True)), value)
