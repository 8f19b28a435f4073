"""What the served API promises its clients: refunds, keys with scopes, Idempotency-Key, traces, metrics."""

import asyncio
import hashlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from functions.tracing import HEADER
from infra.local.freeports import free_port
from tests.integration.answering_worker import answering
from tests.integration.served_functions import KEY, Answer, Edge, served, stripe_headers
from tests.integration.temporal_namespace import fresh_namespace

SHOPS_KEY, ORDERS_KEY = "ok_shops", "ok_orders"


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS: dict[str, Any] = {
    "tester": sha256(KEY),
    "shops": {"sha256": sha256(SHOPS_KEY), "shops": ["north", "main"]},
    "orders": {"sha256": sha256(ORDERS_KEY), "functions": ["orders"]},
}


@pytest.fixture(scope="module")
def namespace(temporal_server: str) -> str:
    async def registered() -> str:
        async with fresh_namespace(temporal_server) as admin:
            return admin.namespace

    return asyncio.run(registered())


@pytest.fixture(scope="module")
def metrics() -> str:
    """Where the functions serve what they count: drawn when they start, or somebody else had it meanwhile."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def edge(
    temporal_server: str, namespace: str, metrics: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    with (
        answering(temporal_server, namespace),
        served(
            temporal_server,
            tmp_path_factory.mktemp("contract"),
            ORDERS_TEMPORAL__NAMESPACE=namespace,
            ORDERS_API__KEYS=json.dumps(KEYS),
            ORDERS_LOGGING__LEVEL="INFO",
            GUNICORN_METRICS_BIND=metrics,
        ) as running,
    ):
        yield running


@pytest.fixture
async def client(temporal_server: str, namespace: str) -> Client:
    return await Client.connect(temporal_server, namespace=namespace)


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


def an_order(**changes: Any) -> dict[str, Any]:
    order = {
        "order_id": fresh("o"),
        "currency": "EUR",
        "total_minor": 12345,
        "customer_id": "cust-7",
        "payment_mode": "charge",
        "payment_method": "pm_card_visa",
        "lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 12345}],
        **changes,
    }
    return {name: value for name, value in order.items() if value is not None}


def placed(edge: Edge) -> str:
    """Place an order and return its id."""
    order = an_order()
    assert edge.post("/orders", order).status == 202
    return str(order["order_id"])


class TestRefunds:
    def test_a_refund_is_answered_when_it_is_made(self, edge: Edge) -> None:
        order_id = placed(edge)
        answer = edge.post(f"/orders/{order_id}/refund", {"request_id": "r-1", "amount_minor": 345, "reason": "broken"})
        assert answer.status == 200
        assert answer.json == {
            "workflow_id": f"order/main/{order_id}",
            "order_id": order_id,
            "request_id": "r-1",
            "outcome": "applied",
            "state": "tester",
            "currency": "EUR",
            "amount_minor": 345,
            "refunded_minor": 345,
        }

    def test_the_same_refund_again_is_the_same_and_another_under_its_id_a_conflict(self, edge: Edge) -> None:
        path = f"/orders/{placed(edge)}/refund"
        first = edge.post(path, {"request_id": "r-1", "amount_minor": 345})
        for again in (
            edge.post(path, {"amount_minor": 345, "request_id": "r-1"}),
            edge.post(path, {"amount_minor": 345}, **{"Idempotency-Key": "r-1"}),
            edge.post(path, {"amount_minor": 345}, **{"Idempotency-Key": '"r-1"'}),
        ):
            assert (again.status, again.json) == (200, first.json)
        assert edge.post(path, {"request_id": "r-1", "amount_minor": 346}).code == "conflict"
        assert edge.post(path, {"request_id": "r-2", "amount_minor": 346}).status == 200

    def test_a_refund_without_an_id_is_refused(self, edge: Edge) -> None:
        answer = edge.post(f"/orders/{placed(edge)}/refund", {"amount_minor": 345})
        assert (answer.status, answer.code) == (422, "invalid")
        assert answer.json["errors"][0]["path"] == "request_id"

    @pytest.mark.parametrize("amount", [0, -1, 1.5, "345", True, 10**12 + 1])
    def test_an_amount_is_minor_units(self, edge: Edge, amount: object) -> None:
        answer = edge.post("/orders/o-1/refund", {"request_id": "r-1", "amount_minor": amount})
        assert [error["path"] for error in answer.json["errors"]] == ["amount_minor"]

    @pytest.mark.parametrize("over", [False, True], ids=["running", "over"])
    @pytest.mark.parametrize(
        ("reason", "status", "code"),
        [
            ("raise conflict", 409, "conflict"),
            ("raise invalid_input", 422, "invalid"),
            ("raise provider_rejected", 409, "conflict"),
            ("raise not_found", 404, "not_found"),
        ],
    )
    async def test_a_refusal_keeps_its_kind(
        self, edge: Edge, client: Client, over: bool, reason: str, status: int, code: str
    ) -> None:
        order_id = placed(edge)
        if over:
            await client.get_workflow_handle(f"order/main/{order_id}").terminate()
        path, body = f"/orders/{order_id}/refund", {"request_id": "r-1", "reason": reason}
        answer = edge.post(path, body)
        assert (answer.status, answer.code) == (status, code)
        assert b"jane" not in answer.body
        # Refused is refused: nothing happened, and the id is free for what can be done.
        assert edge.post(path, {"request_id": "r-1", "amount_minor": 1}).status == 200

    async def test_an_order_that_is_over_is_refunded_by_a_process_of_its_own(self, edge: Edge, client: Client) -> None:
        order_id = placed(edge)
        await client.get_workflow_handle(f"order/main/{order_id}").terminate()
        path, body = f"/orders/{order_id}/refund", {"request_id": "r-1", "amount_minor": 345}
        first = edge.post(path, body)
        assert first.status == 200
        assert first.json["workflow_id"] == f"refund/main/{order_id}/r-1"
        assert first.json["state"] == f"late in main/{order_id}"
        assert edge.post(path, body).json == first.json
        assert edge.post(path, {**body, "amount_minor": 346}).code == "conflict"
        found = await client.get_workflow_handle(f"refund/main/{order_id}/r-1").describe()
        assert (found.workflow_type, found.task_queue) == ("RefundWorkflow", "orders")

    def test_an_order_that_temporal_has_forgotten_is_left_to_the_books(self, edge: Edge) -> None:
        order_id = fresh("o")
        answer = edge.post(f"/orders/{order_id}/refund", {"request_id": "r-1"})
        assert answer.json["workflow_id"] == f"refund/main/{order_id}/r-1"


class TestPayments:
    def test_a_method_is_tried_and_its_outcome_answered(self, edge: Edge) -> None:
        order_id = placed(edge)
        answer = edge.post(f"/orders/{order_id}/payment", {"request_id": "r-1", "payment_method": "pm_card_visa"})
        assert (answer.status, answer.json) == (
            200,
            {
                "workflow_id": f"order/main/{order_id}",
                "order_id": order_id,
                "request_id": "r-1",
                "outcome": "declined",
                "state": "tester",
                "reason": "pm_card_visa",
            },
        )

    @pytest.mark.parametrize(("kind", "status"), [("conflict", 409), ("invalid_input", 422), ("not_found", 404)])
    def test_a_refusal_keeps_its_kind(self, edge: Edge, kind: str, status: int) -> None:
        path = f"/orders/{placed(edge)}/payment"
        answer = edge.post(path, {"request_id": "r-1", "payment_method": f"raise_{kind}"})
        assert answer.status == status
        assert b"jane" not in answer.body

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"payment_method": "pm_card_visa"}, "request_id"),
            ({"request_id": "r-1"}, "payment_method"),
            ({"request_id": "r-1", "payment_method": "4242424242424242"}, "payment_method"),
        ],
    )
    def test_what_is_missing_or_a_card_number_is_named(self, edge: Edge, body: object, field: str) -> None:
        # With an id of its own, the answer might hold these digits by chance.
        answer = edge.post("/orders/o-1/payment", body, **{"X-Request-Id": "request-of-this-test"})
        assert (answer.status, answer.code) == (422, "invalid")
        assert [error["path"] for error in answer.json["errors"]] == [field]
        assert b"4242" not in answer.body

    async def test_an_order_that_is_over_or_unknown_takes_none(self, edge: Edge, client: Client) -> None:
        order_id, body = placed(edge), {"request_id": "r-1", "payment_method": "pm_card_visa"}
        await client.get_workflow_handle(f"order/main/{order_id}").terminate()
        assert edge.post(f"/orders/{order_id}/payment", body).status == 409
        assert edge.post(f"/orders/{fresh('o')}/payment", body).status == 404

    def test_an_order_may_be_authorised_only(self, edge: Edge) -> None:
        assert edge.post("/orders", an_order(payment_mode="authorise")).status == 202
        refused = edge.post("/orders", an_order(payment_mode="authorise", payment_method=None))
        assert [error["path"] for error in refused.json["errors"]] == ["payment_method"]


HOME = {"recipient": "Jane Doe", "lines": ["Bakery Lane 3"], "city": "Ghent", "postal_code": "9000", "country": "BE"}


class TestAddresses:
    def test_an_order_has_one_and_it_is_changed(self, edge: Edge) -> None:
        order = an_order(ship_to=HOME)
        assert edge.post("/orders", order).status == 202
        path = f"/orders/{order['order_id']}/address"
        answer = edge.post(path, {"request_id": "a-1", "ship_to": {**HOME, "region": "Flanders"}})
        assert (answer.status, answer.json) == (
            200,
            {
                "workflow_id": f"order/main/{order['order_id']}",
                "order_id": order["order_id"],
                "request_id": "a-1",
                "outcome": "applied",
                "state": "BE for tester",
            },
        )

    @pytest.mark.parametrize(("kind", "status"), [("conflict", 409), ("invalid_input", 422)])
    def test_a_refusal_keeps_its_kind(self, edge: Edge, kind: str, status: int) -> None:
        body = {"request_id": "a-1", "ship_to": HOME, "reason": f"raise {kind}"}
        answer = edge.post(f"/orders/{placed(edge)}/address", body)
        assert answer.status == status
        assert b"jane" not in answer.body.lower()

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"recipient": None}, "recipient"),
            ({"recipient": "Jane\nDoe"}, "recipient"),
            ({"lines": []}, "lines"),
            ({"lines": ["1", "2", "3", "4", "5"]}, "lines"),
            ({"lines": ["Jane Street", ""]}, "lines[1]"),
            ({"lines": "Jane Street"}, "lines"),
            ({"city": "J" * 256}, "city"),
            ({"postal_code": "J" * 33}, "postal_code"),
            ({"country": "JA"}, "country"),
            ({"country": "be"}, "country"),
            ({"street": "Jane Street"}, ""),
        ],
    )
    def test_what_is_wrong_with_one_is_named_and_not_repeated(self, edge: Edge, change: Any, path: str) -> None:
        ship_to = {**HOME, **change}
        for url, body in (
            ("/orders/o-1/address", {"request_id": "a-1", "ship_to": ship_to}),
            ("/orders", an_order(ship_to=ship_to)),
        ):
            answer = edge.post(url, body)
            assert (answer.status, answer.code) == (422, "invalid")
            assert [error["path"] for error in answer.json["errors"]] == [f"ship_to.{path}".rstrip(".")]
            assert b"jane" not in answer.body.lower()

    def test_an_order_that_is_unknown_or_a_request_without_an_id_is_told(self, edge: Edge) -> None:
        assert edge.post(f"/orders/{fresh('o')}/address", {"request_id": "a-1", "ship_to": HOME}).status == 404
        assert edge.post("/orders/o-1/address", {"ship_to": HOME}).status == 422


class TestLines:
    def test_pieces_of_lines_are_cancelled(self, edge: Edge) -> None:
        order_id = placed(edge)
        lines = [{"line": 1, "quantity": 2}, {"line": 3, "quantity": 1}]
        body = {"request_id": "l-1", "lines": lines, "reason": "sold out"}
        answer = edge.post(f"/orders/{order_id}/cancel-lines", body)
        assert (answer.status, answer.json) == (
            200,
            {
                "workflow_id": f"order/main/{order_id}",
                "order_id": order_id,
                "request_id": "l-1",
                "outcome": "applied",
                "state": "3 pieces for tester",
                "currency": "EUR",
                "amount_minor": 3,
                "refunded_minor": 0,
                "total_minor": 100,
                "reason": "sold out",
            },
        )

    @pytest.mark.parametrize(("kind", "status"), [("conflict", 409), ("invalid_input", 422)])
    def test_a_refusal_keeps_its_kind(self, edge: Edge, kind: str, status: int) -> None:
        body = {"request_id": "l-1", "lines": [{"line": 1, "quantity": 1}], "reason": f"raise {kind}"}
        answer = edge.post(f"/orders/{placed(edge)}/cancel-lines", body)
        assert answer.status == status
        assert b"jane" not in answer.body.lower()

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ([], "lines"),
            ({"line": 1, "quantity": 1}, "lines"),
            ([{"line": 0, "quantity": 1}], "lines[0].line"),
            ([{"line": 1, "quantity": 0}], "lines[0].quantity"),
            ([{"line": 1}], "lines[0].quantity"),
            ([{"sku": "MUG", "line": 1, "quantity": 1}], "lines[0]"),
        ],
    )
    def test_what_is_wrong_with_a_line_is_named(self, edge: Edge, lines: Any, path: str) -> None:
        answer = edge.post("/orders/o-1/cancel-lines", {"request_id": "l-1", "lines": lines})
        assert (answer.status, answer.code) == (422, "invalid")
        assert [error["path"] for error in answer.json["errors"]] == [path]

    def test_an_order_that_is_unknown_or_a_request_without_an_id_is_told(self, edge: Edge) -> None:
        lines = [{"line": 1, "quantity": 1}]
        body = {"request_id": "l-1", "lines": lines}
        assert edge.post(f"/orders/{fresh('o')}/cancel-lines", body).status == 404
        assert edge.post("/orders/o-1/cancel-lines", {"lines": lines}).status == 422


class TestKeys:
    def with_key(self, edge: Edge, key: str, path: str, body: object) -> Answer:
        return edge.post(path, body, Authorization=f"Bearer {key}")

    def test_an_order_goes_to_the_keys_first_shop_unless_it_names_another(self, edge: Edge) -> None:
        for shop, expected in ((None, "north"), ("main", "main"), ("north", "north")):
            order = an_order(shop=shop)
            answer = self.with_key(edge, SHOPS_KEY, "/orders", order)
            assert answer.json["workflow_id"] == f"order/{expected}/{order['order_id']}"

    def test_another_shop_is_forbidden(self, edge: Edge) -> None:
        for path, body in (
            ("/orders", an_order(shop="south")),
            ("/orders/o-1/cancel", {"shop": "south"}),
            ("/orders/o-1/refund", {"shop": "south", "request_id": "r-1"}),
            ("/orders/o-1/address", {"shop": "south", "request_id": "a-1", "ship_to": HOME}),
            (
                "/orders/o-1/cancel-lines",
                {"shop": "south", "request_id": "l-1", "lines": [{"line": 1, "quantity": 1}]},
            ),
            ("/orders/o-1/payment", {"shop": "south", "request_id": "r-1", "payment_method": "pm_1"}),
        ):
            for key in (KEY, SHOPS_KEY):
                answer = self.with_key(edge, key, path, body)
                assert (answer.status, answer.code) == (403, "forbidden")

    def test_orders_of_two_shops_do_not_meet(self, edge: Edge) -> None:
        order = an_order()
        assert self.with_key(edge, SHOPS_KEY, "/orders", {**order, "shop": "north"}).status == 202
        assert self.with_key(edge, KEY, f"/orders/{order['order_id']}/cancel", {}).code == "not_found"
        path = f"/orders/{order['order_id']}/cancel"
        assert self.with_key(edge, SHOPS_KEY, path, {"shop": "north"}).status == 202

    def test_a_key_opens_its_functions_only(self, edge: Edge) -> None:
        assert self.with_key(edge, ORDERS_KEY, "/orders", an_order()).status == 202
        assert self.with_key(edge, ORDERS_KEY, "/users", {}).code == "forbidden"
        assert self.with_key(edge, ORDERS_KEY, "/reconciliations", {}).code == "forbidden"


class TestIdempotencyKey:
    def test_an_order_without_an_id_takes_one_from_the_key(self, edge: Edge) -> None:
        key, order = fresh("k"), an_order(order_id=None)
        first = edge.post("/orders", order, **{"Idempotency-Key": key})
        again = edge.post("/orders", order, **{"Idempotency-Key": f'"{key}"'})
        other = edge.post("/orders", {**order, "customer_id": "cust-8"}, **{"Idempotency-Key": key})
        assert (first.status, again.status) == (202, 200)
        assert again.json["order_id"] == first.json["order_id"]
        assert (other.status, other.code) == (409, "conflict")
        another = edge.post("/orders", order, **{"Idempotency-Key": fresh("k"), "Authorization": f"Bearer {SHOPS_KEY}"})
        assert another.json["order_id"] != first.json["order_id"]

    def test_the_same_key_of_another_holder_is_another_order(self, edge: Edge) -> None:
        key, order = fresh("k"), an_order(order_id=None)
        ids = {
            edge.post("/orders", order, **{"Idempotency-Key": key, "Authorization": f"Bearer {bearer}"}).json[
                "order_id"
            ]
            for bearer in (KEY, ORDERS_KEY)
        }
        assert len(ids) == 2

    def test_neither_id_nor_key_is_invalid_and_an_odd_key_malformed(self, edge: Edge) -> None:
        assert edge.post("/orders", an_order(order_id=None)).json["errors"][0]["path"] == "order_id"
        for odd in ("two words", "a/b", '"', "x" * 129):
            assert edge.post("/orders", an_order(), **{"Idempotency-Key": odd}).code == "malformed"

    def test_a_user_too(self, edge: Edge) -> None:
        key = fresh("k")
        answers = [edge.post("/users", {"email": "jane@example.com"}, **{"Idempotency-Key": key}) for _ in range(2)]
        assert [answer.json["status"] for answer in answers] == ["accepted", "duplicate"]

    def test_a_cancellation_and_a_refund_under_one_key_are_two_requests(self, edge: Edge) -> None:
        order_id = placed(edge)
        refund = edge.post(f"/orders/{order_id}/refund", {}, **{"Idempotency-Key": "k-1"})
        cancel = edge.post(f"/orders/{order_id}/cancel", {}, **{"Idempotency-Key": "k-1"})
        assert (refund.status, cancel.status) == (200, 202)
        assert refund.json["currency"] == "EUR"


class TestTraces:
    PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    async def header_of(self, client: Client, workflow_id: str, *, update: bool = False) -> dict[str, str]:
        async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
            header = (
                event.workflow_execution_update_accepted_event_attributes.accepted_request.input.header
                if update
                else event.workflow_execution_started_event_attributes.header
            )
            if HEADER in header.fields:
                carrier: dict[str, str] = json.loads(header.fields[HEADER].data)
                return carrier
        raise AssertionError("no header")

    async def test_the_senders_trace_reaches_the_workflow(self, edge: Edge, client: Client) -> None:
        order = an_order()
        edge.post("/orders", order, traceparent=self.PARENT, tracestate="vendor=1")
        workflow_id = f"order/main/{order['order_id']}"
        expected = {"traceparent": self.PARENT, "tracestate": "vendor=1"}
        assert await self.header_of(client, workflow_id) == expected
        edge.post(f"/orders/{order['order_id']}/cancel", {}, traceparent=self.PARENT)
        assert await self.header_of(client, workflow_id, update=True) == {"traceparent": self.PARENT}

    async def test_without_one_the_log_and_the_workflow_share_a_new_one(self, edge: Edge, client: Client) -> None:
        event_id, request_id = fresh("evt"), uuid4().hex
        body = json.dumps({"id": event_id, "type": "payment_intent.succeeded"}).encode()
        edge.request("POST", "/webhooks/stripe", body, {**stripe_headers(body), "X-Request-Id": request_id})
        carrier = await self.header_of(client, f"event/stripe/{event_id}")
        lines = [json.loads(line) for line in edge.log.read_text("utf-8").splitlines() if request_id in line]
        assert [line["trace_id"] for line in lines] == [carrier["traceparent"][3:35]]
        assert lines[0]["event_id"] == event_id
        assert (lines[0]["source"], lines[0]["outcome"]) == ("stripe", "accepted")


def test_metrics_are_served_beside_the_api_and_not_on_it(edge: Edge, metrics: str) -> None:
    edge.deliver(fresh("evt"))
    assert edge.request("POST", "/webhooks/stripe", b"{}", {"Content-Type": "application/json"}).status == 401
    assert edge.request("GET", "/metrics").code == "not_found"
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(b"no request\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    stripe = 'functions_requests_total{reason="%s",result="%s",route="/webhooks/{source}",source="stripe"}'
    assert stripe % ("", "accepted") in text
    assert 'result="refused",route="/webhooks/{source}",source="stripe"' in text
    assert 'functions_requests_total{reason="malformed",result="refused",route="",source=""} 1.0' in text
    assert "functions_in_flight 0.0" in text
    assert 'functions_secret_used_total{secret="0",source="stripe"} 0.0' in text
    assert 'functions_secret_used_total{secret="1",source="stripe"}' in text


def test_the_document_is_served_as_it_was_committed(edge: Edge) -> None:
    answer = edge.request("GET", "/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json["openapi"] == "3.1.0"
