"""A deploy under load: whoever was answered was recorded, whoever was under way is answered, nobody is turned away."""

import asyncio
import http.client
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.client import Client

from infra.local.blocking import BlockingStack
from infra.local.freeports import free_port
from infra.local.stack import Stack
from tests.integration.served_functions import Edge, served, stripe_headers

SENDERS = 6
PATIENCE = 60


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """A Temporal server of our own, to be frozen."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("restarted"), members=["temporal"])) as stack:
        yield stack


@pytest.fixture
def metrics() -> str:
    """Where the functions tell how many requests are under way."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def edge(temporal: BlockingStack, tmp_path: Path, metrics: str) -> Iterator[Edge]:
    """Functions that wait for Temporal, and are waited for at their end, as long as no machine needs."""
    patient = {
        "ORDERS_API__DEADLINE_MS": str(1000 * PATIENCE),
        "GUNICORN_CMD_ARGS": f"--graceful-timeout {PATIENCE}",
        "GUNICORN_METRICS_BIND": metrics,
    }
    with served(temporal.url("temporal"), tmp_path, **patient) as running:
        yield running


async def missing(temporal: BlockingStack, event_ids: list[str]) -> list[str]:
    """Return the events that Temporal does not know."""
    client = await Client.connect(temporal.url("temporal"))

    async def known(event_id: str) -> bool:
        try:
            await client.get_workflow_handle(f"event/stripe/{event_id}").describe()
        except Exception:
            return False
        return True

    found = await asyncio.gather(*(known(event_id) for event_id in event_ids))
    return [event_id for event_id, there in zip(event_ids, found, strict=True) if not there]


def children(process_id: int) -> set[int]:
    text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text("ascii")
    return {int(child) for child in text.split()}


class Kept:
    """A connection that a gateway keeps open, and opens again when it is told that it was the last request."""

    def __init__(self, edge: Edge) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=PATIENCE)

    def close(self) -> None:
        self._connection.close()

    def deliver(self, event_id: str) -> int:
        body = json.dumps({"id": event_id, "type": "payment_intent.succeeded"}).encode()
        self._connection.request("POST", "/webhooks/stripe", body, stripe_headers(body))
        response = self._connection.getresponse()
        response.read()
        return response.status


@pytest.mark.parametrize("kept", [False, True], ids=["a connection each", "connections that are kept"])
def test_a_reload_under_load_loses_and_refuses_nothing(edge: Edge, temporal: BlockingStack, kept: bool) -> None:
    stop = threading.Event()
    answers: dict[str, int] = {}

    def sender(number: int) -> None:
        count = 0
        with closing(Kept(edge)) as connection:
            while not stop.is_set():
                event_id = f"evt-reload-{kept}-{number}-{count}"
                answers[event_id] = connection.deliver(event_id) if kept else edge.deliver(event_id).status
                count += 1

    before = children(edge.process.pid)
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(sender, number) for number in range(SENDERS)]
        try:
            for _ in range(1 if kept else 2):
                generation, sent = children(edge.process.pid), len(answers)
                edge.process.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + PATIENCE
                while generation & children(edge.process.pid) or len(answers) < sent + 100:
                    assert time.monotonic() < deadline, "the old process is still there"
                    time.sleep(0.02)
        finally:
            stop.set()
        for done in senders:
            done.result(PATIENCE)  # raises what a sender met: a connection refused, cut off or reset
    assert not before & children(edge.process.pid)
    assert set(answers.values()) == {202}
    assert asyncio.run(missing(temporal, list(answers))) == []


def under_way(metrics: str) -> float:
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=PATIENCE) as answer:
        told = answer.read().decode()
    return next(float(line.split()[1]) for line in told.splitlines() if line.startswith("functions_in_flight "))


def test_what_is_under_way_at_the_stop_is_finished(edge: Edge, temporal: BlockingStack, metrics: str) -> None:
    assert edge.deliver("evt-stop-before").status == 202
    temporal.pause("temporal")
    with ThreadPoolExecutor(SENDERS) as pool:
        try:
            deliveries = [pool.submit(edge.deliver, f"evt-stop-{number}") for number in range(SENDERS)]
            deadline = time.monotonic() + PATIENCE
            while under_way(metrics) < SENDERS:
                assert time.monotonic() < deadline, "not all have come"
                time.sleep(0.02)
            edge.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            assert not any(delivery.done() for delivery in deliveries)
        finally:
            temporal.resume("temporal")
        answers = [delivery.result(PATIENCE) for delivery in deliveries]
    assert [answer.status for answer in answers] == [202] * SENDERS
    assert edge.process.wait(PATIENCE) == 0
    assert asyncio.run(missing(temporal, [f"evt-stop-{number}" for number in range(SENDERS)])) == []
