"""The functions as they are served: a real gunicorn on a free port, and the senders' side of HTTP."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.freeports import free_port
from tests.pressure import Stopwatch
from worker.contract.settings import ROOT

KEY = "ok_edge_key"
BEARER = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
STRIPE_SECRET = "whsec_edge"
SHOPIFY_SECRET = "shop-edge"
WAREHOUSE_KEY = bytes(range(32))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    """How long it took, but for what this machine kept somebody waiting meanwhile."""

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def code(self) -> str:
        """The code of a problem document, whose shape is checked on the way."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        document = self.json
        assert document["status"] == self.status
        assert document["type"] == f"urn:orders:problem:{document['code']}"
        assert document["request_id"] == self.headers["X-Request-Id"]
        return str(document["code"])

    def code_of(self, status: int) -> str:
        """The code of the problem if the answer has this status, else nothing."""
        return self.code if self.status == status else ""


@dataclass
class Edge:
    port: int
    log: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 20,
    ) -> Answer:
        """Send one request on a connection of its own; an iterable body is sent in chunks."""
        watch = Stopwatch()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read(), watch.seconds)
        finally:
            connection.close()

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """Post JSON with the API key."""
        return self.request("POST", path, json.dumps(body).encode(), {**BEARER, **headers})

    def deliver(self, event_id: str, **more: object) -> Answer:
        """Deliver a signed event of the payment provider."""
        body = json.dumps({"id": event_id, "type": "payment_intent.succeeded", **more}).encode()
        return self.request("POST", "/webhooks/stripe", body, stripe_headers(body))


def stripe_headers(body: bytes) -> dict[str, str]:
    at = int(time.time())
    digest = hmac.new(STRIPE_SECRET.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": f"t={at},v1={digest}"}


def shopify_headers(body: bytes, webhook_id: str, topic: str, *, secret: str = SHOPIFY_SECRET) -> dict[str, str]:
    digest = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "X-Shopify-Hmac-SHA256": digest,
        "X-Shopify-Webhook-Id": webhook_id,
        "X-Shopify-Topic": topic,
    }


def warehouse_headers(body: bytes, message_id: str) -> dict[str, str]:
    at = int(time.time())
    digest = base64.b64encode(hmac.digest(WAREHOUSE_KEY, f"{message_id}.{at}.".encode() + body, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{digest}",
    }


SEALING_KEY = base64.b64encode(bytes(range(32))).decode()
SEALING = {
    "ORDERS_ENCRYPTION__ENABLED": "true",
    "ORDERS_ENCRYPTION__KEYS": json.dumps([{"id": "tests", "key": SEALING_KEY}]),
}
"""With these `functions_env` has encryption on, as it is in production."""


def functions_env(temporal: str, **more: str) -> dict[str, str]:
    """Return the settings of the functions for a Temporal server, as variables."""
    return {
        "ORDERS_ENV": "test",
        "ORDERS_TEMPORAL__ADDRESS": temporal,
        # What most tests look at in histories they read as it is; benches, tests/e2e and test_sealed_* have it on.
        "ORDERS_ENCRYPTION__ENABLED": "false",
        "ORDERS_API__KEYS": json.dumps({"tester": hashlib.sha256(KEY.encode()).hexdigest()}),
        "ORDERS_WEBHOOKS__STRIPE__SECRETS": json.dumps(["whsec_older", STRIPE_SECRET]),
        "ORDERS_WEBHOOKS__SHOPIFY__SECRETS": json.dumps([SHOPIFY_SECRET]),
        "ORDERS_WEBHOOKS__WAREHOUSE__SECRETS": json.dumps(["whsec_" + base64.b64encode(WAREHOUSE_KEY).decode()]),
        **more,
    }


@contextmanager
def served(temporal: str, folder: Path, **more: str) -> Iterator[Edge]:
    """Serve the functions with gunicorn until the block ends; it must then stop by itself when told to."""
    port = free_port()
    log = folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "-c", "functions/gunicorn.conf.py", "functions.app:create_app()"]
    env = {**os.environ, **functions_env(temporal, **more), "GUNICORN_BIND": f"127.0.0.1:{port}"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    edge = Edge(port, log, process)
    try:
        _await_answers(edge)
        yield edge
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
            raise


def _await_answers(edge: Edge) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and edge.process.poll() is None:
        try:
            if edge.request("GET", "/health/live").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"gunicorn did not come up:\n{edge.log.read_text('utf-8')[-4000:]}")
