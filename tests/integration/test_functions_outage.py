"""The served functions while Temporal is slow, frozen or gone: quick refusals, healthy health checks, nothing lost."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.blocking import BlockingStack
from infra.local.stack import Stack
from tests.integration.served_functions import Answer, Edge, served

PLACES = 12
LOOKS = 20


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """A Temporal server of our own, to be broken."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("broken"), members=["temporal"], proxies=["temporal"])) as stack:
        yield stack


@pytest.fixture
def edge(temporal: BlockingStack, tmp_path: Path) -> Iterator[Edge]:
    """Functions that have never spoken with the server."""
    with served(temporal.url("temporal"), tmp_path, ORDERS_API__MAX_IN_FLIGHT=str(PLACES)) as running:
        yield running


@contextmanager
def frozen(temporal: BlockingStack) -> Iterator[None]:
    temporal.pause("temporal")
    try:
        yield
    finally:
        temporal.resume("temporal")


@contextmanager
def gone(temporal: BlockingStack) -> Iterator[None]:
    temporal.stop("temporal")
    try:
        yield
    finally:
        temporal.start("temporal")


def accepted_soon(edge: Edge, event_id: str) -> Answer:
    """Deliver until it is taken, as a sender does."""
    deadline = time.monotonic() + 60
    while (answer := edge.deliver(event_id)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def flood(edge: Edge, count: int) -> tuple[list[Answer], list[Answer]]:
    """Deliver `count` events at once, and look at the health until the last is answered."""
    looks: list[Answer] = []
    with ThreadPoolExecutor(count) as pool:
        deliveries = [pool.submit(edge.deliver, f"evt-flood-{number}") for number in range(count)]
        while len(looks) < LOOKS or not all(delivery.done() for delivery in deliveries):
            looks += [edge.request("GET", "/health/live"), edge.request("GET", "/health/ready")]
            time.sleep(0.02)
        return [delivery.result() for delivery in deliveries], looks


def in_time(answers: list[Answer], looks: list[Answer]) -> None:
    """Check who was answered how, and when."""
    assert {answer.status for answer in answers} <= {202, 503}
    assert max(answer.seconds for answer in answers) < 3
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.code for answer in refused} <= {"temporal_unavailable", "overloaded"}
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
    shed = [answer.seconds for answer in refused if answer.code == "overloaded"]
    assert not shed or max(shed) < 1, "excess is turned away at once, not at the deadline"
    assert {look.status for look in looks[::2]} == {200}
    assert statistics.quantiles([look.seconds for look in looks], n=10)[7] < 0.1
    assert max(look.seconds for look in looks) < 1


@pytest.mark.parametrize("known", [True, False], ids=["connected before", "never connected"])
def test_while_temporal_hangs_everybody_is_answered_in_time(temporal: BlockingStack, edge: Edge, known: bool) -> None:
    if known:
        assert accepted_soon(edge, "evt-before").status in {200, 202}
    with frozen(temporal):
        not_ready = edge.request("GET", "/health/ready")
        assert (not_ready.status, not_ready.code) == (503, "temporal_unavailable")
        assert not_ready.seconds < 2, "the first to ask waits for a finding"
        answers, looks = flood(edge, 3 * PLACES)
        in_time(answers, looks)
        assert {answer.code for answer in answers} == {"temporal_unavailable", "overloaded"}
        assert sum(answer.code == "temporal_unavailable" for answer in answers) >= PLACES
        assert {look.status for look in looks[1::2]} == {503}
    assert accepted_soon(edge, f"evt-after-{known}").status == 202


@pytest.mark.parametrize("known", [True, False], ids=["connected before", "never connected"])
def test_while_temporal_is_gone_everybody_is_answered_in_time(temporal: BlockingStack, edge: Edge, known: bool) -> None:
    if known:
        assert accepted_soon(edge, "evt-before").status in {200, 202}
    with gone(temporal):
        assert edge.request("GET", "/health/ready").status == 503
        answers, looks = flood(edge, 3 * PLACES)
        in_time(answers, looks)
        assert {answer.status for answer in answers} == {503}
        assert {look.status for look in looks[1::2]} == {503}
    assert accepted_soon(edge, f"evt-after-{known}-gone").status == 202


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_while_temporal_is_slow_everybody_is_answered_in_time(
    temporal: BlockingStack, tmp_path: Path, seconds: float
) -> None:
    network = temporal.proxy("temporal")
    with served(f"127.0.0.1:{network.port}", tmp_path, ORDERS_API__MAX_IN_FLIGHT=str(PLACES)) as edge:
        assert accepted_soon(edge, f"evt-before-{seconds}").status == 202
        assert edge.request("GET", "/health/ready").status == 200
        network.latency(seconds)
        try:
            answers, looks = flood(edge, 3 * PLACES)
        finally:
            network.latency(0)
        in_time(answers, looks)
        assert {answer.status for answer in answers} == ({503} if seconds > 1 else {202, 503})
        # Who was refused may have been recorded all the same: once more, and it is known or new.
        with ThreadPoolExecutor(PLACES) as pool:
            again = list(pool.map(lambda number: accepted_soon(edge, f"evt-flood-{number}"), range(3 * PLACES)))
        assert {answer.status for answer in again} <= {200, 202}
