"""The page of figures: every series that Prometheus reads, and every figure that is written for CloudWatch."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import functions.metrics
import worker.observability.metrics
from functions.source_settings import SourceConfig, SourceSecret
from infra.docs.markdown import cell, code, codes, prose, section, table
from infra.docs.markdown import page as whole
from worker import cloudwatch
from worker.contract.settings import Secret
from worker.observability.emf import Figures
from worker.observability.metrics import Backlog

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric as it is read: a counter's name ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def page() -> str:
    """Return the page."""
    return whole(
        "Metrics",
        section(
            "The worker's, for Prometheus",
            "`GET /metrics` on the health port (`worker.health_port`). Below them the same answer has the metrics of "
            "Temporal's SDK, whose names begin with `temporal_`: "
            "[they are Temporal's](https://docs.temporal.io/references/sdk-metrics).",
            _of(of_worker()),
        ),
        section(
            "The functions', for Prometheus",
            prose(functions.metrics.__doc__ or ""),
            _of(of_functions()),
        ),
        section(
            "CloudWatch",
            "Written to the log once a minute where `metrics.emf_namespace` names a namespace. "
            "[Alarms](alerts.md#alarms-on-aws) look at them.",
            prose(cloudwatch.__doc__ or ""),
            table(
                ("figure", "unit", "dimensions", "meaning"),
                (
                    (code(name), unit, codes(figures.dimensions), cell(cloudwatch.MEANING.get(name, "")))
                    for figures in of_cloudwatch()
                    for name, (_, unit) in figures.values.items()
                ),
            ),
        ),
    )


def of_worker() -> list[Series]:
    """Return the series of a worker."""
    return list(_series(worker.observability.metrics.Metrics().registry))


def of_functions() -> list[Series]:
    """Return the series of a process that serves the functions."""
    secret = SourceSecret(value=Secret("made up"), name="1", added_at=_NOW, not_after=_NOW)
    source = SourceConfig(
        scheme="stripe", dialect="stripe", shop="main", secrets=(secret,), tolerance_seconds=300, topics=("*",)
    )
    return list(_series(functions.metrics.Metrics({"stripe": source}).registry))


def of_cloudwatch() -> list[Figures]:
    """Return a sample of each set of figures, as the code that reports them makes it."""
    backlog = Backlog(queue="orders", kind="workflow", tasks=0, oldest_seconds=0, pollers=1)
    return [
        *cloudwatch.of_queues([backlog]),
        *cloudwatch.of_breaks([], ["main"], _NOW),
        cloudwatch.of_work(missed_schedules=0, failed=0, dead=0, stuck=0, dead_webhooks=0),
    ]


def _series(registry: CollectorRegistry) -> Iterator[Series]:
    for collector in registry._collector_to_names:  # noqa: SLF001 - collecting tells no labels of a metric without samples
        labels = collector._labelnames if isinstance(collector, MetricWrapperBase) else ()  # noqa: SLF001
        # A collector of our own may have nothing to show yet, and tells what it would show.
        tells = getattr(collector, "describe", None)
        for family in collector.collect() if isinstance(collector, MetricWrapperBase) or tells is None else tells():
            named = labels or getattr(family, "_labelnames", ())
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Series(name=name, kind=family.type, labels=tuple(named), meaning=family.documentation)


def _of(found: list[Series]) -> str:
    return table(
        ("series", "type", "labels", "meaning"),
        ((code(one.name), one.kind, codes(one.labels), cell(one.meaning)) for one in found),
    )
