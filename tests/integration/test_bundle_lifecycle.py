"""The bundle as Lambda runs it, on a real Temporal server: cold, warm, frozen, thawed, cut off."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.bundle.build import HANDLER
from infra.local.blocking import BlockingStack
from infra.local.stack import Stack
from tests.integration.api_gateway import answer_of, event_of
from tests.integration.execution_environment import ExecutionEnvironment, FunctionError, executing
from tests.integration.served_functions import Answer, functions_env, stripe_headers
from tests.pressure import Stopwatch

pytestmark = pytest.mark.timeout(600)  # the first makes the bundle: minutes on a busy machine


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """A Temporal server of our own, behind a proxy, to be broken."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("thaw"), members=["temporal"], proxies=["temporal"])) as stack:
        yield stack


@pytest.fixture
def environment(temporal: BlockingStack, task_root: Path, tmp_path: Path) -> Iterator[ExecutionEnvironment]:
    address = f"127.0.0.1:{temporal.proxy('temporal').port}"
    env = functions_env(address, ORDERS_LOGGING__LEVEL="INFO")
    with executing(task_root, HANDLER, tmp_path, env) as running:
        yield running


def deliver(environment: ExecutionEnvironment, event_id: str) -> Answer:
    body = json.dumps({"id": event_id, "type": "payment_intent.succeeded"}).encode()
    event = event_of("POST", "/webhooks/stripe", body, list(stripe_headers(body).items()))
    watch = Stopwatch()
    answered = environment.invoke(event)
    return answer_of(answered, watch.seconds)


def get(environment: ExecutionEnvironment, path: str) -> Answer:
    return answer_of(environment.invoke(event_of("GET", path)), 0)


def fresh() -> str:
    return f"evt-{uuid4().hex}"


def log_lines(environment: ExecutionEnvironment) -> list[dict[str, Any]]:
    lines = environment.log.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_cold_then_warm(environment: ExecutionEnvironment, task_root: Path) -> None:
    before = {file for file in task_root.rglob("*") if file.is_file()}
    assert environment.init_seconds() < 10, "Lambda gives the init phase ten seconds"
    cold = deliver(environment, event_id := fresh())
    assert (cold.status, cold.json["status"]) == (202, "accepted")
    assert cold.seconds < 3
    warm = [deliver(environment, fresh()) for _ in range(10)]
    assert {answer.status for answer in warm} == {202}
    assert statistics.median(answer.seconds for answer in warm) < 0.25
    again = deliver(environment, event_id)
    assert (again.status, again.json["status"]) == (200, "duplicate")
    # The folder is read-only in Lambda: what would be written here would be missing there.
    assert {file for file in task_root.rglob("*") if file.is_file()} == before


def test_frozen_and_thawed(environment: ExecutionEnvironment) -> None:
    assert deliver(environment, fresh()).status == 202
    for sleep in (0.5, 2.0):
        environment.freeze()
        time.sleep(sleep)
        environment.thaw()
        assert deliver(environment, fresh()).status == 202


def test_the_server_was_replaced_while_it_slept(environment: ExecutionEnvironment, temporal: BlockingStack) -> None:
    event_id = fresh()
    assert deliver(environment, event_id).status == 202
    environment.freeze()
    temporal.restart("temporal")
    environment.thaw()
    assert deliver(environment, fresh()).status == 202
    assert deliver(environment, event_id).status == 200


def test_without_a_server_it_says_so_in_time_and_recovers(
    environment: ExecutionEnvironment, temporal: BlockingStack
) -> None:
    proxy = temporal.proxy("temporal")
    assert deliver(environment, fresh()).status == 202
    event_id = fresh()
    for fault in (proxy.black_hole, proxy.refuse):
        fault()
        try:
            away = deliver(environment, event_id)
            assert get(environment, "/health/live").status == 200
        finally:
            proxy.heal()
        assert (away.status, away.code, away.headers["Retry-After"]) == (503, "temporal_unavailable", "1")
        assert away.seconds < 3
        deadline = time.monotonic() + 60
        while (answer := deliver(environment, event_id)).status == 503 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert answer.status in {200, 202}


def test_what_is_no_request_is_an_error_and_the_next_is_served(environment: ExecutionEnvironment) -> None:
    for event in ({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event"}, {}, {"version": "2.0"}):
        with pytest.raises(FunctionError):
            environment.invoke(event)
    assert deliver(environment, fresh()).status == 202


def test_every_request_leaves_one_line_without_its_body(environment: ExecutionEnvironment) -> None:
    body = json.dumps({"id": fresh(), "type": "payment_intent.succeeded", "note": "in-the-body"}).encode()
    environment.invoke(event_of("POST", "/webhooks/stripe", body, list(stripe_headers(body).items())))
    get(environment, "/health/live")
    lines = [line for line in log_lines(environment) if line["event"] == "request"]
    assert [line["status"] for line in lines] == [202, 200]
    assert lines[0]["source"] == "stripe"
    assert "in-the-body" not in environment.log.read_text("utf-8")


def test_a_source_without_a_secret_stops_the_init(temporal: BlockingStack, task_root: Path, tmp_path: Path) -> None:
    env = functions_env(temporal.url("temporal"), ORDERS_WEBHOOKS__STRIPE__SECRETS="[]")
    with executing(task_root, HANDLER, tmp_path, env) as environment:
        assert environment.process.wait(60) != 0
        log = environment.log.read_text("utf-8")
    assert "webhooks.stripe.secrets: a source needs at least one secret" in log
    assert not environment.api.asked_first.is_set()


def test_without_an_environment_it_does_not_start(temporal: BlockingStack, task_root: Path, tmp_path: Path) -> None:
    env = functions_env(temporal.url("temporal"))
    del env["ORDERS_ENV"]
    with executing(task_root, HANDLER, tmp_path, env) as environment:
        assert environment.process.wait(60) != 0
        assert "this bundle was built for production, test" in environment.log.read_text("utf-8")
