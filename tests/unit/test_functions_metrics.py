"""What is counted, under which labels, and that the counts can be read."""

import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from functions.metrics import Metrics, serve
from functions.source_settings import SourceConfig, SourceSecret
from infra.local.freeports import free_port
from worker.contract.settings import Secret

NOW = datetime.now(UTC)
SOURCE = SourceConfig(
    scheme="stripe",
    dialect="stripe",
    shop="main",
    secrets=(
        SourceSecret(value=Secret("whsec_new"), name="2026-11", added_at=NOW - timedelta(hours=1)),
        SourceSecret(value=Secret("whsec_old"), not_after=NOW + timedelta(hours=1)),
    ),
    tolerance_seconds=300,
    topics=("*",),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics({"stripe": SOURCE})


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("status", "notes", "result", "reason"),
    [
        (202, {"outcome": "accepted"}, "accepted", ""),
        (200, {"outcome": "duplicate"}, "duplicate", ""),
        (200, {"outcome": "ignored"}, "ignored", ""),
        (200, {"outcome": None}, "ok", ""),
        (200, {"outcome": "whatever else"}, "ok", ""),
        (401, {"problem": "signature_invalid", "rejection": "mismatch"}, "refused", "mismatch"),
        (422, {"problem": "invalid"}, "refused", "invalid"),
        (429, {"problem": "rate_limited"}, "refused", "rate_limited"),
        (503, {"problem": "overloaded"}, "shed", "overloaded"),
        (503, {"problem": "temporal_unavailable"}, "unavailable", "temporal_unavailable"),
        (None, {}, "broken", ""),
    ],
)
def test_a_request_is_counted_by_what_became_of_it(
    metrics: Metrics, status: int | None, notes: Mapping[str, object], result: str, reason: str
) -> None:
    metrics.began()
    assert value(metrics, "functions_in_flight") == 1
    metrics.ended(status, 0.02, {"route": "/r", "source": "stripe", **notes})
    labels = {"route": "/r", "source": "stripe", "result": result, "reason": reason}
    assert value(metrics, "functions_requests_total", **labels) == 1
    assert value(metrics, "functions_in_flight") == 0
    assert value(metrics, "functions_request_seconds_bucket", route="/r", le="0.025") == 1
    assert value(metrics, "functions_request_seconds_bucket", route="/r", le="0.01") == 0
    assert value(metrics, "functions_shed_total") == (result == "shed")


def test_secrets_are_shown_by_name_with_use_age_and_end(metrics: Metrics) -> None:
    # The source was made when this module was collected, which a whole suite may do minutes before.
    before = datetime.now(UTC)
    metrics.ended(202, 0.01, {"route": "/r", "source": "stripe", "secret": "2026-11"})
    assert value(metrics, "functions_secret_used_total", source="stripe", secret="2026-11") == 1
    assert value(metrics, "functions_secret_used_total", source="stripe", secret="1") == 0
    used = value(metrics, "functions_secret_last_used_timestamp_seconds", source="stripe", secret="2026-11")
    age = value(metrics, "functions_secret_age_seconds", source="stripe", secret="2026-11")
    end = value(metrics, "functions_secret_end_timestamp_seconds", source="stripe", secret="1")
    assert used == pytest.approx(before.timestamp(), abs=60)
    assert age == pytest.approx(3600 + (before - NOW).total_seconds(), abs=60)
    assert end == pytest.approx(NOW.timestamp() + 3600, abs=1)


def test_two_processes_may_serve_one_port_while_one_takes_over(metrics: Metrics) -> None:
    bind = f"127.0.0.1:{free_port()}"
    old, new = serve(metrics, bind), serve(Metrics({}), bind)
    try:
        old.shutdown()
        old.server_close()
        with urllib.request.urlopen(f"http://{bind}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        assert "functions_in_flight 0.0" in text
        assert "whsec" not in text
    finally:
        new.shutdown()
        new.server_close()
