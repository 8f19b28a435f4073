"""What the books say, in the Prometheus format: every figure once, ages at the moment of reading, nothing stale."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from worker.domain.finding import FindingKind
from worker.domain.matching.ageing import BUCKETS
from worker.domain.order import OrderState
from worker.housekeeping import books as books_job
from worker.observability.figures import Account, Books, LastRun, Moved, OpenBreaks
from worker.observability.metrics import Metrics

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def group(currency: str, count: int, at_risk: int, hours: int, kind: str = "missing_external") -> OpenBreaks:
    return OpenBreaks(
        shop="main",
        provider="stripe",
        kind=kind,
        currency=currency,
        age=BUCKETS[0] if hours < 24 else BUCKETS[1],
        count=count,
        at_risk_minor=at_risk,
        oldest_at=NOW - hours * HOUR,
    )


SAMPLE = Books(
    at=NOW,
    orders={("main", "paid"): 3, ("main", "completed"): 1_000_000},
    money={Account("main", "stripe", "EUR"): Moved(captured_minor=9_007_199_254_740_991, refunded_minor=250)},
    breaks=(group("EUR", 2, 300, 30), group("JPY", 1, 7, 30), group("EUR", 1, 50, 1, "disputed")),
    oldest_event_at=NOW - HOUR,
    waiting_events=4,
    dead_events={"unmatched": 1, "unreadable": 0},
    runs={("main", "stripe", "reconciled"): 24, ("main", "stripe", ""): 1},
    last_runs=(LastRun(shop="main", provider="stripe", verdict="breaks", finished_at=NOW),),
)


def shown(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return shown(metrics)[f"{name}{sorted(labels.items())}"]


async def test_a_sample_is_shown_whole_and_replaces_the_one_before() -> None:
    metrics = Metrics()
    await books_job(lambda: SAMPLE, metrics).run()
    of = {"shop": "main", "provider": "stripe"}
    assert value(metrics, "orders_in_state", shop="main", state="completed") == 1_000_000
    assert value(metrics, "orders_captured_minor_total", **of, currency="EUR") == 9_007_199_254_740_991
    assert value(metrics, "orders_refunded_minor_total", **of, currency="EUR") == 250
    assert value(metrics, "orders_open_breaks", **of, kind="missing_external", age="1-3d") == 3
    assert value(metrics, "orders_open_breaks_at_risk_minor", **of, currency="EUR", age="1-3d") == 300
    assert value(metrics, "orders_open_breaks_at_risk_minor", **of, currency="JPY", age="1-3d") == 7
    assert value(metrics, "orders_events_waiting") == 4
    assert value(metrics, "orders_dead_events", outcome="unreadable") == 0
    assert value(metrics, "orders_runs", **of, verdict="running") == 1
    assert value(metrics, "orders_last_run_timestamp_seconds", **of, verdict="breaks") == NOW.timestamp()
    assert 30 * 3600 <= value(metrics, "orders_open_breaks_oldest_seconds", **of) < 31 * 3600
    metrics.show_books(Books(at=NOW))
    assert value(metrics, "orders_events_oldest_waiting_seconds") == 0
    assert not any("stripe" in series or "paid" in series for series in shown(metrics))


def test_an_event_that_waits_grows_older_without_a_new_sample() -> None:
    metrics = Metrics()
    metrics.show_books(SAMPLE)
    first = value(metrics, "orders_events_oldest_waiting_seconds")
    time.sleep(0.01)
    assert value(metrics, "orders_events_oldest_waiting_seconds") > first >= 3600


def test_before_the_first_sample_there_is_no_figure_rather_than_a_wrong_one() -> None:
    assert not any("orders_in_state" in series or "minor" in series for series in shown(Metrics()))


def test_names_follow_the_conventions_and_labels_are_bounded() -> None:
    metrics = Metrics()
    metrics.show_books(SAMPLE)
    bounded = {"shop", "provider", "currency", "state", "kind", "age", "verdict", "outcome"}
    bounded |= {"queue", "activity", "job", "code", "action", "subscription", "le"}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        assert re.fullmatch(r"orders(_[a-z]+)+", family.name), family.name
        assert family.documentation.endswith((".", "code."))
        assert not re.search(r"_(ms|millis|minutes|hours|days|cents)$", family.name)
        for sample in family.samples:
            assert set(sample.labels) <= bounded
            assert (family.type == "counter") == sample.name.endswith(("_total", "_created")), sample.name


def test_the_most_series_a_shop_can_have_are_few() -> None:
    breaks = len(FindingKind) * len(BUCKETS)
    assert len(OrderState) + breaks < 150, "for each shop and provider; currencies and queues come on top"


async def test_a_failing_sample_leaves_the_last_one_and_its_time() -> None:
    metrics = Metrics()
    metrics.show_books(SAMPLE)

    def away() -> Books:
        raise ConnectionRefusedError

    result = await asyncio.gather(books_job(away, metrics).run(), return_exceptions=True)
    assert isinstance(result[0], ConnectionRefusedError)
    assert value(metrics, "orders_books_sampled_timestamp_seconds") == NOW.timestamp()
