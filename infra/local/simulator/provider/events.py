"""Events: what the provider tells, written once, listed by the API and sent as webhooks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.rendering import render
from infra.local.simulator.store import Document, Store
from infra.local.simulator.webhooks import Webhooks

API_VERSION = "2026-10-28.endive"
"""The version events are written in, and the one answered when a caller names none."""
SOURCE = "stripe"


@dataclass(frozen=True, slots=True)
class Caller:
    """The API call that is being answered; None everywhere when time or the simulated shop did it."""

    request_id: str | None = None
    idempotency_key: str | None = None
    version: str = API_VERSION


CALLER: ContextVar[Caller] = ContextVar("provider_caller", default=Caller())  # noqa: B039 - Caller is frozen


class Events:
    """Writes events in the transaction of the change they tell of."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks) -> None:
        """Share the simulator's store, clock and sender."""
        self._store = store
        self._clock = clock
        self._webhooks = webhooks
        self._silent = False
        store.declare("events", "created", "type")

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Tell nobody of what happens inside (tampering); nothing is recorded either."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def emit(self, kind: str, document: Document, previous: Document | None = None) -> None:
        """Record that `document` changed (as `previous` tells, for updates) and queue the webhook."""
        if self._silent:
            return
        caller = CALLER.get()
        endpoint = self._webhooks.endpoint(SOURCE)
        data: Document = {"object": render(document, self._clock.timestamp())}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Document = {
            "id": self._store.next_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self._clock.timestamp(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1 if endpoint is not None and endpoint["enabled"] else 0,
            "request": {"id": caller.request_id, "idempotency_key": caller.idempotency_key},
            "type": kind,
        }
        self._store.put("events", event["id"], event)
        body = json.dumps(event, ensure_ascii=False).encode()
        self._webhooks.enqueue(SOURCE, event["id"], kind, body)
