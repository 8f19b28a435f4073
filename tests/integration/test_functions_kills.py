"""Whatever is killed between sender and Temporal: who was told 2xx has a run, and no event has two."""

import asyncio
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.client import Client

from infra.local.blocking import BlockingStack
from infra.local.stack import Stack
from tests.integration.served_functions import Answer, Edge, served

SENDERS = 6
PATIENCE = 60
BETWEEN = 40
"""Deliveries that must have got through between one fault and the next, so that each falls into running traffic."""


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """A Temporal server of our own with a bad network before it."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("killed"), members=["temporal"], proxies=["temporal"])) as stack:
        yield stack


@pytest.fixture
def edge(temporal: BlockingStack, tmp_path: Path) -> Iterator[Edge]:
    with served(f"127.0.0.1:{temporal.proxy('temporal').port}", tmp_path) as running:
        yield running


class Traffic:
    """Senders that deliver events of their own, each until it is taken, as a payment provider's would."""

    def __init__(self, edge: Edge, name: str) -> None:
        self._edge, self.name = edge, name
        self._ending = threading.Event()
        self.taken: dict[str, list[Answer]] = {}
        self.refused = 0
        self.cut = 0

    def run(self, faults: Callable[[], None]) -> None:
        """Keep the senders at work while `faults` happen, then let each finish what it has begun."""
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(self._send, number) for number in range(SENDERS)]
            try:
                self.flows()
                faults()
            finally:
                self._ending.set()
            for sender in senders:
                sender.result(PATIENCE)

    def flows(self) -> None:
        """Wait until deliveries get through."""
        aim, deadline = len(self.taken) + BETWEEN, time.monotonic() + PATIENCE
        while len(self.taken) < aim:
            assert time.monotonic() < deadline, f"traffic stands: {len(self.taken)} taken, {self.refused} refused"
            time.sleep(0.01)

    def _send(self, number: int) -> None:
        count = 0
        while not self._ending.is_set():
            event_id = f"evt-{self.name}-{number}-{count}"
            self.taken[event_id] = [self._until_taken(event_id)]
            if count % 5 == 0:
                self.taken[event_id].append(self._until_taken(event_id))
            count += 1

    def _until_taken(self, event_id: str) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = self._edge.deliver(event_id)
            except (OSError, http.client.HTTPException):
                self.cut += 1
            else:
                if answer.status in {200, 202}:
                    return answer
                assert answer.status == 503, answer
                self.refused += 1
            time.sleep(0.02)
        raise AssertionError(f"{event_id} was not taken within {PATIENCE} s")


async def starts_of(address: str, traffic: Traffic) -> dict[str, int]:
    """Return how many runs Temporal has of each event. The index of runs follows the starts, so it is waited for."""
    client = await Client.connect(address)
    wanted = {f"event/stripe/{event_id}": event_id for event_id in traffic.taken}
    for workflow_id in wanted:
        await client.get_workflow_handle(workflow_id).describe()  # raises for a 2xx without a run
    counts: dict[str, int] = {}
    async with asyncio.timeout(60):
        while len(counts) < len(wanted):
            counts = {}
            async for found in client.list_workflows(f'WorkflowId STARTS_WITH "event/stripe/evt-{traffic.name}-"'):
                if found.id in wanted:
                    counts[wanted[found.id]] = counts.get(wanted[found.id], 0) + 1
    return counts


def proven(traffic: Traffic, temporal: BlockingStack) -> None:
    """Check the promise over all that was delivered."""
    counts = asyncio.run(starts_of(temporal.url("temporal"), traffic))
    assert {event_id: count for event_id, count in counts.items() if count != 1} == {}
    repeated = [answers[1] for answers in traffic.taken.values() if len(answers) > 1]
    assert {answer.json["status"] for answer in repeated} == {"duplicate"}


def process_of(edge: Edge) -> int:
    (child,) = Path(f"/proc/{edge.process.pid}/task/{edge.process.pid}/children").read_text("ascii").split()
    return int(child)


def test_the_function_process_is_killed_under_load(edge: Edge, temporal: BlockingStack) -> None:
    traffic = Traffic(edge, "process")

    def faults() -> None:
        for _ in range(3):
            os.kill(process_of(edge), signal.SIGKILL)
            traffic.flows()

    traffic.run(faults)
    assert traffic.cut > 0
    proven(traffic, temporal)


def test_temporal_is_killed_under_load(edge: Edge, temporal: BlockingStack) -> None:
    traffic = Traffic(edge, "server")

    def faults() -> None:
        for _ in range(2):
            temporal.kill("temporal")
            refused = traffic.refused
            deadline = time.monotonic() + PATIENCE
            while traffic.refused < refused + SENDERS and time.monotonic() < deadline:
                time.sleep(0.01)
            temporal.start("temporal")
            traffic.flows()

    traffic.run(faults)
    assert traffic.refused >= 2 * SENDERS
    proven(traffic, temporal)


def test_the_network_between_them_breaks_under_load(edge: Edge, temporal: BlockingStack) -> None:
    traffic, network = Traffic(edge, "network"), temporal.proxy("temporal")

    def faults() -> None:
        for _ in range(3):
            network.reset()
            traffic.flows()
        for fault in (network.refuse, network.black_hole):
            refused = traffic.refused
            fault()
            deadline = time.monotonic() + PATIENCE
            while traffic.refused < refused + SENDERS and time.monotonic() < deadline:
                time.sleep(0.01)
            network.heal()
            traffic.flows()

    traffic.run(faults)
    assert network.cut >= 3
    assert traffic.refused >= 2 * SENDERS
    proven(traffic, temporal)
