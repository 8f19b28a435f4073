"""The served functions against a real Temporal server: what they record, and how they refuse."""

import asyncio
import gzip
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.integration.answering_workflows import (
    RIGHT_TOKEN,
    AnsweringAddress,
    AnsweringOrder,
    AnsweringUser,
)
from tests.integration.earlier_release import EarlierOrder, NewerOrder
from tests.integration.served_functions import (
    BEARER,
    Answer,
    Edge,
    functions_env,
    served,
    shopify_headers,
    stripe_headers,
    warehouse_headers,
)
from tests.integration.temporal_namespace import fresh_namespace
from tests.pressure import Stopwatch
from worker.contract.names import FINGERPRINT_MEMO, Queue
from worker.contract.settings import ROOT


@pytest.fixture(scope="module")
def namespace(temporal_server: str) -> str:
    async def registered() -> str:
        async with fresh_namespace(temporal_server) as admin:
            return admin.namespace

    return asyncio.run(registered())


@pytest.fixture(scope="module")
def edge(temporal_server: str, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with served(temporal_server, tmp_path_factory.mktemp("edge"), ORDERS_TEMPORAL__NAMESPACE=namespace) as running:
        yield running


@pytest.fixture
async def client(temporal_server: str, namespace: str) -> Client:
    return await Client.connect(temporal_server, namespace=namespace)


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


def an_order(order_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "currency": "EUR",
        "total_minor": 12345,
        "customer_id": "cust-7",
        "payment_mode": "charge",
        "payment_method": "pm_card_visa",
        "lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 12345}],
        **changes,
    }


async def described(client: Client, workflow_id: str) -> WorkflowExecutionDescription:
    return await client.get_workflow_handle(workflow_id).describe()


async def input_of(client: Client, workflow_id: str) -> dict[str, Any]:
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        value: dict[str, Any] = json.loads(payloads[0].data)
        return value
    raise AssertionError("a history has a first event")


class TestOrders:
    async def test_an_order_is_recorded_as_it_was_sent(self, edge: Edge, client: Client) -> None:
        order_id = fresh("o")
        answer = edge.post("/orders", an_order(order_id))
        assert answer.status == 202
        workflow_id = f"order/main/{order_id}"
        assert answer.json == {"workflow_id": workflow_id, "order_id": order_id, "status": "accepted"}
        found = await described(client, workflow_id)
        assert (found.workflow_type, found.task_queue) == ("OrderWorkflow", "orders")
        assert await found.static_summary() == f"main order {order_id}, EUR 123.45"
        attributes = {pair.key.name: pair.value for pair in found.typed_search_attributes}
        assert attributes == {
            "OrderState": "received",
            "ShopId": "main",
            "CustomerId": "cust-7",
            "AmountMinor": 12345,
            "CurrencyCode": "EUR",
        }
        sent = await input_of(client, workflow_id)
        assert (sent["total_minor"], sent["currency"], sent["payment_mode"]) == (12345, "EUR", "charge")
        assert sent["lines"] == [{"sku": "MUG", "quantity": 1, "unit_price_minor": 12345}]
        assert datetime.fromisoformat(sent["placed_at"]).utcoffset() == timedelta(0)

    async def test_the_same_order_again_is_a_duplicate_however_it_is_laid_out(self, edge: Edge) -> None:
        body = an_order(fresh("o"))
        assert edge.post("/orders", body).status == 202
        again = edge.request("POST", "/orders", json.dumps(dict(reversed(body.items())), indent=2).encode(), BEARER)
        assert (again.status, again.json["status"]) == (200, "duplicate")

    async def test_another_order_under_the_same_id_is_a_conflict(self, edge: Edge) -> None:
        body = an_order(fresh("o"))
        assert edge.post("/orders", body).status == 202
        other = edge.post("/orders", {**body, "total_minor": 1})
        assert (other.status, other.code) == (409, "conflict")

    async def test_a_closed_order_is_not_started_again(self, edge: Edge, client: Client) -> None:
        body = an_order(fresh("o"))
        workflow_id = edge.post("/orders", body).json["workflow_id"]
        first = await described(client, workflow_id)
        await client.get_workflow_handle(workflow_id).terminate()
        assert edge.post("/orders", body).json["status"] == "duplicate"
        assert edge.post("/orders", {**body, "total_minor": 1}).code == "conflict"
        assert (await described(client, workflow_id)).run_id == first.run_id

    async def test_an_order_that_something_else_started_is_not_claimed(self, edge: Edge, client: Client) -> None:
        order_id = fresh("o")
        await client.start_workflow("OrderWorkflow", id=f"order/main/{order_id}", task_queue="orders")
        assert edge.post("/orders", an_order(order_id)).code == "conflict"


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[None]:
    """Somebody who answers updates, as the worker's workflows do."""
    async with (
        Worker(
            client, task_queue=Queue.ORDERS, workflows=[AnsweringOrder], workflow_runner=UnsandboxedWorkflowRunner()
        ),
        Worker(
            client,
            task_queue=Queue.USERS,
            workflows=[AnsweringUser, AnsweringAddress],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        yield


class TestUpdates:
    """What needs an answer of the workflow. Requests run in a thread: the worker lives on the test's loop."""

    async def test_a_cancelled_order_answers_with_its_state(self, edge: Edge, worker: None) -> None:
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        answer = await asyncio.to_thread(edge.post, f"/orders/{order_id}/cancel", {"reason": "too late"})
        assert answer.status == 202
        assert answer.json == {
            "workflow_id": f"order/main/{order_id}",
            "order_id": order_id,
            "outcome": "applied",
            "state": "cancellation 1 by tester: too late",
        }

    async def test_the_same_cancellation_again_gets_the_first_answer(self, edge: Edge, worker: None) -> None:
        path = f"/orders/{fresh('o')}"
        edge.post("/orders", an_order(path.removeprefix("/orders/")))
        states = []
        for body, headers in (
            ({}, {"Idempotency-Key": "key-1"}),
            ({"request_id": "key-1"}, {}),
            ({"request_id": "key-2"}, {}),
            ({}, {}),
            ({}, {}),
        ):
            answer = await asyncio.to_thread(edge.post, f"{path}/cancel", body, **headers)
            states.append(answer.json["state"])
        assert states == [f"cancellation {number} by tester: " for number in (1, 1, 2, 3, 3)]

    async def test_a_cancellation_needs_no_body(self, edge: Edge, worker: None) -> None:
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        bare = {"Authorization": BEARER["Authorization"]}
        answer = await asyncio.to_thread(edge.request, "POST", f"/orders/{order_id}/cancel", None, bare)
        assert answer.status == 202

    @pytest.mark.parametrize(
        ("reason", "status", "code"),
        [("raise conflict", 409, "conflict"), ("raise not_found", 404, "not_found"), ("raise odd", 422, "invalid")],
    )
    async def test_a_refusal_of_the_workflow_keeps_its_kind(
        self, edge: Edge, worker: None, reason: str, status: int, code: str
    ) -> None:
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        answer = await asyncio.to_thread(edge.post, f"/orders/{order_id}/cancel", {"reason": reason})
        assert (answer.status, answer.code) == (status, code)
        assert b"jane" not in answer.body

    async def test_what_a_worker_of_the_release_before_does_not_know_is_to_be_sent_again(
        self, edge: Edge, client: Client
    ) -> None:
        """While releases change nothing is refused for good: the same request is taken once a newer worker has the order."""
        path = f"/orders/{fresh('o')}"
        edge.post("/orders", an_order(path.removeprefix("/orders/")))
        ship_to = {"recipient": "R", "lines": ["1"], "city": "C", "country": "BE"}
        answers = []
        for release in (EarlierOrder, NewerOrder):
            async with Worker(
                client,
                task_queue=Queue.ORDERS,
                workflows=[release],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=0,
            ):
                body = {"request_id": "a-1", "ship_to": ship_to}
                answers.append(await asyncio.to_thread(edge.post, f"{path}/address", body))
        turned_away, taken = answers
        assert (turned_away.status, turned_away.code) == (503, "temporal_unavailable")
        assert int(turned_away.headers["Retry-After"]) > 0
        assert (taken.status, taken.json["outcome"], taken.json["state"]) == (200, "applied", "BE")

    def test_an_unknown_order_is_not_found(self, edge: Edge) -> None:
        assert edge.post(f"/orders/{fresh('o')}/cancel", {}).code == "not_found"

    async def test_an_order_that_has_ended_is_a_conflict(self, edge: Edge, client: Client) -> None:
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        await client.get_workflow_handle(f"order/main/{order_id}").terminate()
        assert edge.post(f"/orders/{order_id}/cancel", {}).code == "conflict"

    def test_without_anybody_to_answer_the_caller_is_asked_to_try_again_in_time(self, edge: Edge) -> None:
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        answer = edge.post(f"/orders/{order_id}/cancel", {})
        assert (answer.status, answer.code) == (503, "temporal_unavailable")
        assert answer.seconds < 3

    async def test_a_refund_that_must_go_two_ways_is_answered_in_the_time_of_one(
        self, edge: Edge, client: Client
    ) -> None:
        """The order ends while it is asked, so that a process of its own is asked next, and nobody works on that."""
        order_id = fresh("o")
        edge.post("/orders", an_order(order_id))
        asked = asyncio.create_task(asyncio.to_thread(edge.post, f"/orders/{order_id}/refund", {"request_id": "r-1"}))
        await asyncio.sleep(1.5)  # most of the deadline
        assert not asked.done()
        await client.get_workflow_handle(f"order/main/{order_id}").terminate()
        answer = await asked
        assert (answer.status, answer.code) == (503, "temporal_unavailable")
        assert answer.seconds < 3
        await described(client, f"refund/main/{order_id}/r-1")  # raises unless it was started

    async def test_the_mailed_token_confirms_and_needs_no_key(self, edge: Edge, worker: None) -> None:
        user_id = fresh("u")
        edge.post("/users", {"user_id": user_id, "email": "jane@example.com"})

        async def confirm(token: str) -> Answer:
            body = json.dumps({"token": token}).encode()
            headers = {"Content-Type": "application/json"}
            return await asyncio.to_thread(edge.request, "POST", f"/users/{user_id}/confirm", body, headers)

        wrong = await confirm("wrong")
        assert (wrong.status, wrong.code) == (422, "invalid")
        right = await confirm(RIGHT_TOKEN)
        assert (right.status, right.json) == (200, {"user_id": user_id, "state": "active"})
        again = await confirm(RIGHT_TOKEN)
        assert (again.status, again.json["state"]) == (200, "active")

    async def test_a_token_is_mailed_again_once_a_key_and_refused_when_it_is_too_soon(
        self, edge: Edge, worker: None
    ) -> None:
        user_id = fresh("u")
        edge.post("/users", {"user_id": user_id, "email": "jane@example.com"})

        async def resend(key: str) -> Answer:
            return await asyncio.to_thread(edge.post, f"/users/{user_id}/resend", {}, **{"Idempotency-Key": key})

        for _ in range(2):
            mailed = await resend("k-1")
            assert (mailed.status, mailed.json["mails_sent"]) == (200, 2)
        soon = await resend("k-2")
        assert (soon.status, soon.code, soon.headers["Retry-After"]) == (429, "rate_limited", "42")
        assert "jane" not in str(soon.json)
        assert (await asyncio.to_thread(edge.post, "/users/nobody/resend", {})).status == 404

    async def test_a_new_address_is_asked_for_with_a_key_and_confirmed_with_its_token(
        self, edge: Edge, worker: None
    ) -> None:
        user_id = fresh("u")
        path, wish = f"/users/{user_id}/address", {"email": "new@example.com"}
        asked = await asyncio.to_thread(edge.post, path, wish, **{"Idempotency-Key": "k-1"})
        again = await asyncio.to_thread(edge.post, path, wish, **{"Idempotency-Key": "k-1"})
        other = await asyncio.to_thread(edge.post, path, {"email": "x@example.com"}, **{"Idempotency-Key": "k-1"})
        assert [one.status for one in (asked, again, other)] == [202, 200, 409]
        change_id = asked.json["change_id"]
        assert asked.json["workflow_id"] == f"address/{user_id}/{change_id}"

        async def confirm(token: str) -> Answer:
            body, headers = json.dumps({"token": token}).encode(), {"Content-Type": "application/json"}
            return await asyncio.to_thread(edge.request, "POST", f"{path}/{change_id}/confirm", body, headers)

        assert (await confirm("wrong")).status == 422
        right = await confirm(RIGHT_TOKEN)
        assert right.json == {"user_id": user_id, "change_id": change_id, "state": "changed"}
        assert (await asyncio.to_thread(edge.post, path, {"email": "no address"})).status == 422


class TestUsersAndReconciliations:
    async def test_a_registration_is_recorded_once_per_address(self, edge: Edge, client: Client) -> None:
        body = {"user_id": fresh("u"), "email": "jane@example.com"}
        assert edge.post("/users", body).json["status"] == "accepted"
        assert edge.post("/users", body).json["status"] == "duplicate"
        assert edge.post("/users", {**body, "email": "john@example.com"}).code == "conflict"
        found = await described(client, f"user/{body['user_id']}")
        assert (found.workflow_type, found.task_queue) == ("UserWorkflow", "users")
        assert "jane@" not in edge.log.read_text("utf-8")

    async def test_a_window_is_reconciled_once(self, edge: Edge, client: Client) -> None:
        end = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=int(uuid4().int % 10_000_000))
        window = {"start": (end - timedelta(hours=1)).isoformat(), "end": end.isoformat()}
        answer = edge.post("/reconciliations", {"provider": "stripe", "window": window})
        assert answer.status == 202
        workflow_id = answer.json["workflow_id"]
        assert workflow_id.startswith("reconcile/main/stripe/20")
        assert (await input_of(client, workflow_id))["window"] == window
        assert edge.post("/reconciliations", {"provider": "stripe", "window": window}).json["status"] == "duplicate"


class TestWebhooks:
    async def test_two_hundred_deliveries_of_one_event_at_once_are_one_run(self, edge: Edge, client: Client) -> None:
        event_id = fresh("evt")

        def until_taken(_: int) -> Answer:
            # As every sender does: a busy machine may be too slow for the deadline, and 503 means once more.
            while (answer := edge.deliver(event_id)).status == 503:
                assert answer.code in {"overloaded", "temporal_unavailable"}
                time.sleep(0.05)
            return answer

        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(until_taken, range(200)))
        told = Counter((answer.status, answer.json["status"]) for answer in answers)
        # None is "accepted" where the first start was recorded just after its deadline, and said to be in doubt.
        assert told in ({(202, "accepted"): 1, (200, "duplicate"): 199}, {(200, "duplicate"): 200})
        workflow_id = f"event/stripe/{event_id}"
        runs: list[str] = []
        async with asyncio.timeout(60):
            while not runs:  # the index of runs follows the start a little later
                runs = [found.run_id async for found in client.list_workflows(f'WorkflowId = "{workflow_id}"')]
        assert runs == [(await described(client, workflow_id)).run_id]
        # Over is over: what the sender repeats hours later is known as well, as long as Temporal remembers the run.
        await client.get_workflow_handle(workflow_id).terminate()
        late = edge.deliver(event_id)
        assert (late.status, late.json["status"]) == (200, "duplicate")
        assert (await described(client, workflow_id)).run_id == runs[0]

    async def test_the_body_travels_exactly_as_it_was_signed(self, edge: Edge, client: Client) -> None:
        webhook_id = fresh("wh")
        body = '{"id": 820982911946154508,\r\n "note" : "Zürich \\u00e9 😀"}  '.encode()
        answer = edge.request("POST", "/webhooks/shopify", body, shopify_headers(body, webhook_id, "orders/create"))
        assert answer.status == 202
        sent = await input_of(client, f"event/shopify/{webhook_id}")
        assert sent["body"].encode() == body
        assert (sent["topic"], sent["dialect"], sent["shop"]) == ("orders/create", "shopify", "main")
        assert (sent["event_id"], sent["origin"]) == (webhook_id, "webhook")

    async def test_standard_webhooks_take_the_id_from_the_header_and_the_topic_from_the_body(
        self, edge: Edge, client: Client
    ) -> None:
        message_id = fresh("msg")
        body = b'{"type": "shipment.shipped", "timestamp": "2026-11-22T08:00:00Z", "data": {}}'
        answer = edge.request("POST", "/webhooks/warehouse", body, warehouse_headers(body, message_id))
        assert answer.status == 202
        assert (await input_of(client, f"event/warehouse/{message_id}"))["topic"] == "shipment.shipped"

    async def test_an_event_that_comes_again_with_another_body_is_a_duplicate_and_noticed(
        self, edge: Edge, client: Client
    ) -> None:
        event_id = fresh("evt")
        assert edge.deliver(event_id, pending_webhooks=2).status == 202
        again = edge.deliver(event_id, pending_webhooks=1)
        assert (again.status, again.json["status"]) == (200, "duplicate")
        first = (await (await described(client, f"event/stripe/{event_id}")).memo())[FINGERPRINT_MEMO]
        warnings = [line for line in edge.log.read_text("utf-8").splitlines() if event_id in line and first in line]
        assert len(warnings) == 1

    def test_a_topic_of_no_interest_starts_nothing(self, edge: Edge) -> None:
        body = json.dumps({"id": fresh("evt"), "type": "invoice.created"}).encode()
        answer = edge.request("POST", "/webhooks/stripe", body, stripe_headers(body))
        assert (answer.status, answer.json["status"]) == (200, "ignored")


class TestHttp:
    LARGE = b'{"id": "evt_large", "type": "payment_intent.succeeded", "x": "' + b"x" * 300_000 + b'"}'

    @pytest.mark.parametrize("path", ["/webhooks/stripe", "/orders", "/users/u1/confirm"])
    def test_too_large_is_413_in_both_framings(self, edge: Edge, path: str) -> None:
        headers = {**BEARER, **stripe_headers(self.LARGE)}
        whole = edge.request("POST", path, self.LARGE, headers)
        parts = (self.LARGE[at : at + 10_000] for at in range(0, len(self.LARGE), 10_000))
        chunked = edge.request("POST", path, parts, headers)
        assert [(answer.status, answer.code) for answer in (whole, chunked)] == [(413, "too_large")] * 2

    def test_a_chunked_body_within_the_limit_arrives_whole(self, edge: Edge) -> None:
        body = json.dumps({"id": fresh("evt"), "type": "payment_intent.succeeded", "x": "y" * 200_000}).encode()
        parts = (body[at : at + 7_777] for at in range(0, len(body), 7_777))
        assert edge.request("POST", "/webhooks/stripe", parts, stripe_headers(body)).status == 202

    def test_compressed_bodies_are_refused(self, edge: Edge) -> None:
        body = gzip.compress(b"{}")
        answer = edge.request("POST", "/orders", body, {**BEARER, "Content-Encoding": "gzip"})
        assert (answer.status, answer.code) == (415, "unsupported_media_type")

    def test_a_body_cut_off_by_its_sender_is_malformed(self, edge: Edge) -> None:
        assert self.half_a_body(edge, hang_up=True).startswith(b"HTTP/1.1 400")

    def test_a_sender_that_stalls_is_given_up(self, edge: Edge) -> None:
        watch = Stopwatch()
        assert self.half_a_body(edge, hang_up=False).startswith(b"HTTP/1.1 400")
        assert watch.seconds < 8

    @staticmethod
    def half_a_body(edge: Edge, *, hang_up: bool) -> bytes:
        with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
            head = "POST /webhooks/stripe HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 10\r\n\r\n{{}}".encode())
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)

    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "code"),
        [
            ("GET", "/nowhere", None, 404, "not_found"),
            ("POST", "/webhooks/nobody", b"{}", 404, "not_found"),
            ("DELETE", "/orders", None, 405, "method_not_allowed"),
            ("POST", "/orders", b"{", 400, "malformed"),
            ("POST", "/orders", b"[" * 100_000, 400, "malformed"),
            ("POST", "/orders", b"{}", 422, "invalid"),
            ("POST", "/webhooks/stripe", b"{}", 401, "signature_invalid"),
        ],
    )
    def test_every_refusal_is_a_problem_document(
        self, edge: Edge, method: str, path: str, body: bytes | None, status: int, code: str
    ) -> None:
        answer = edge.request(method, path, body, BEARER)
        assert (answer.status, answer.code) == (status, code)

    def test_ready_when_temporal_answers(self, edge: Edge) -> None:
        assert edge.request("GET", "/health/ready").status == 200

    def test_the_log_is_json_lines_without_secrets(self, edge: Edge, temporal_server: str) -> None:
        program = (
            "from functions.app import create_app; c = create_app().test_client();"
            "c.post('/users/jane/confirm', json={'token': 'tok-secret'}, headers={'Authorization': 'Bearer ok_x'})"
        )
        command = [sys.executable, "-c", program]
        env = functions_env(temporal_server, ORDERS_LOGGING__LEVEL="INFO")
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
        (line,) = [json.loads(text) for text in done.stderr.splitlines()]
        assert (line["event"], line["route"], line["status"]) == ("request", "/users/{user_id}/confirm", 404)
        for secret in ("tok-secret", "ok_x", "jane"):
            assert secret not in done.stderr


def test_settings_that_are_wrong_stop_the_start_with_exit_code_3(temporal_server: str) -> None:
    env = {**functions_env(temporal_server), "ORDERS_WEBHOOKS__STRIPE__SECRETS": "[]"}
    command = [sys.executable, "-m", "gunicorn", "-c", "functions/gunicorn.conf.py", "functions.app:create_app()"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "webhooks.stripe.secrets" in done.stderr
