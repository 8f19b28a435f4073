"""Readiness: what was found last is told at once, somebody looks while somebody asks, and nobody otherwise."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from functions import greenlets, health
from functions.greenlets import ServingLoop
from functions.health import Health
from functions.problems import TemporalUnavailable
from functions.temporal import Temporal
from worker.contract.temporal_tls import TemporalConfig

PATIENCE = 60.0


class Server(Temporal):
    """A Temporal that answers as told, after `seconds`."""

    def __init__(self) -> None:
        super().__init__(TemporalConfig(address="127.0.0.1:1", namespace="none", tls=False), 1000)
        self.reached, self.seconds, self.looks = True, 0.0, 0
        self.hangs = False
        self.looking = self.most_at_once = 0

    async def reachable(self) -> bool:
        self.looks += 1
        self.looking += 1
        self.most_at_once = max(self.most_at_once, self.looking)
        answer = self.reached
        await asyncio.sleep(self.seconds)
        while self.hangs:
            await asyncio.sleep(0.01)
        self.looking -= 1
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(health, "FORGOTTEN_SECONDS", 0.2)
    with Flask("test").test_request_context():
        yield


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def ready(asked: Health) -> bool:
    try:
        return asked.ready().status_code == 200
    except TemporalUnavailable:
        return False


def told_soon(asked: Health, expected: bool) -> bool:
    deadline = time.monotonic() + PATIENCE
    while ready(asked) is not expected:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_it_follows_what_is_there(server: Server) -> None:
    asked = Health(server)
    assert ready(asked), "the first to ask waits for a finding"
    server.reached = False
    assert told_soon(asked, False)
    server.reached = True
    assert told_soon(asked, True)


def test_nobody_waits_for_a_server_that_hangs_once_something_was_found(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Health(server)
    assert ready(asked)
    monkeypatch.setattr(health, "FRESH_SECONDS", PATIENCE)
    server.hangs, server.reached = True, False
    while not server.looking:
        assert ready(asked), "what was found last is told"
    for _ in range(20):
        assert ready(asked), "and so it is while the next look waits"
    server.hangs = False
    assert told_soon(asked, False)


def test_a_finding_that_is_too_old_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Health(server)
    assert ready(asked)
    server.hangs = True
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
    assert told_soon(asked, False), "a server that does not say so is not ready"
    server.hangs = False


def test_when_nobody_asks_nobody_looks_until_somebody_does(server: Server) -> None:
    asked = Health(server)
    assert ready(asked)
    deadline = time.monotonic() + PATIENCE
    while asked._looker is not None and not asked._looker.done() and time.monotonic() < deadline:
        time.sleep(0.01)
    looks = server.looks
    time.sleep(0.1)
    assert server.looks == looks
    assert ready(asked)
    assert told_soon(asked, True)


def test_many_at_once_are_one_look(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty ask, and whenever the machine lets each of them, nobody looks while somebody looks already."""
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 60)
    server.seconds = 0.2
    asked = Health(server)
    answers: list[bool] = []
    app = Flask("test")  # One for all: this Python's own parser breaks where several threads make an app at once.

    def ask() -> None:
        with app.test_request_context():
            answers.append(ready(asked))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [True] * 20
    assert server.most_at_once == 1


def test_on_the_loop_that_serves_the_first_to_ask_keeps_nobody_waiting(server: Server) -> None:
    server.run_on(ServingLoop())
    server.seconds = 0.3
    asked = Health(server)

    async def serve() -> list[str]:
        ended: list[str] = []

        async def one(name: str, view: Callable[[], object]) -> None:
            await greenlets.run(view)
            ended.append(name)

        await asyncio.gather(one("ready", lambda: ready(asked)), one("live", asked.live))
        return ended

    assert asyncio.run(serve()) == ["live", "ready"]
