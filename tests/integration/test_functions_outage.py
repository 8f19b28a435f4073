"""The served functions while Temporal is frozen or gone: quick refusals, healthy health checks, nothing lost."""

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


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """A Temporal server of our own, to be broken."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("broken"), members=["temporal"])) as stack:
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
    deadline = time.monotonic() + 30
    while (answer := edge.deliver(event_id)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def flood(edge: Edge, count: int, health: int) -> tuple[list[Answer], list[Answer]]:
    """Deliver `count` events at once, and look at the health `health` times meanwhile."""
    with ThreadPoolExecutor(count) as pool:
        deliveries = [pool.submit(edge.deliver, f"evt-flood-{number}") for number in range(count)]
        looks = [edge.request("GET", "/health/live") for _ in range(health)]
        return [delivery.result() for delivery in deliveries], looks


@pytest.mark.parametrize("known", [True, False], ids=["connected before", "never connected"])
def test_while_temporal_hangs_everybody_is_answered_in_time(temporal: BlockingStack, edge: Edge, known: bool) -> None:
    if known:
        assert accepted_soon(edge, "evt-before").status in {200, 202}
    with frozen(temporal):
        answers, looks = flood(edge, 3 * PLACES, 15)
        assert {answer.status for answer in answers} == {503}
        assert {answer.code for answer in answers} == {"temporal_unavailable", "overloaded"}
        assert all(answer.headers["Retry-After"] == "1" for answer in answers)
        assert max(answer.seconds for answer in answers) < 3
        assert sum(answer.code == "temporal_unavailable" for answer in answers) >= PLACES
        assert [look.status for look in looks] == [200] * 15
        assert statistics.median(look.seconds for look in looks) < 0.1
        not_ready = edge.request("GET", "/health/ready")
        assert (not_ready.status, not_ready.code) == (503, "temporal_unavailable")
        assert not_ready.seconds < 1.5
    assert accepted_soon(edge, f"evt-after-{known}").status == 202


@pytest.mark.parametrize("known", [True, False], ids=["connected before", "never connected"])
def test_while_temporal_is_gone_everybody_is_answered_in_time(temporal: BlockingStack, edge: Edge, known: bool) -> None:
    if known:
        assert accepted_soon(edge, "evt-before").status in {200, 202}
    with gone(temporal):
        answers, looks = flood(edge, PLACES, 15)
        assert {answer.code for answer in answers} == {"temporal_unavailable"}
        assert max(answer.seconds for answer in answers) < 3
        assert [look.status for look in looks] == [200] * 15
        assert statistics.median(look.seconds for look in looks) < 0.1
        assert edge.request("GET", "/health/ready").status == 503
    assert accepted_soon(edge, f"evt-after-{known}-gone").status == 202
