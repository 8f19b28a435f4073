"""Sending webhooks as the outside world does: signed, at least once, in no promised order, and sometimes badly.

A delivery is a document written in the same transaction as the event it tells of, so a crash loses neither. It is
signed at each attempt with real time (receivers refuse signatures that are minutes off, whatever the simulated clock
says), and retried with doubling waits of simulated time. A 2xx answer within 5 s ends it; nothing else does.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import aiohttp

from infra.local.simulator import signing
from infra.local.simulator.clock import Clock, milliseconds
from infra.local.simulator.store import Document, Store

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 12
ATTEMPT_TIMEOUT = 5.0
"""Seconds a receiver has (Shopify's limit, the shortest of the three)."""
CONCURRENCY = 8
FAULT_KINDS = frozenset({"lose", "duplicate", "delay", "hold"})
SCHEMES = {"stripe": "stripe", "shopify": "shopify", "warehouse": "standard"}
"""Signature scheme of each source; a source not named here uses Standard Webhooks."""
_IDLE = 0.5


class Webhooks:
    """Endpoints, the delivery queue, and the faults that spoil deliveries."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Continue with what `store` remembers: deliveries under way at a crash are sent again."""
        self._store = store
        self._clock = clock
        store.declare("deliveries", "due_ms", "event_id", "source", "status")
        self._wake = asyncio.Event()
        self._sending: dict[str, asyncio.Task[None]] = {}
        clock.on_move(self._wake.set)

    def endpoint(self, source: str) -> Document | None:
        """Return `{source, url, secrets, enabled}` of a source, or None when nobody listens."""
        return self._store.get("endpoints", source)

    def set_endpoint(self, source: str, url: str, secrets: list[str], *, enabled: bool = True) -> Document:
        """Tell where `source` sends and with which secrets it signs (the first is the current one)."""
        if not secrets or not all(secrets):
            raise ValueError("an endpoint needs at least one secret")
        if SCHEMES.get(source, "standard") == "standard":
            signing.standard_headers(b"", secrets, message_id="check", timestamp=0)
        endpoint: Document = {"source": source, "url": url, "secrets": secrets, "enabled": enabled}
        self._store.put("endpoints", source, endpoint)
        return endpoint

    def enqueue(
        self, source: str, event_id: str, topic: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> list[str]:
        """Queue one event for the source's endpoint; returns the delivery ids (two when a fault duplicates it).

        Call it inside the transaction that makes the event true. `headers` are sent beside the signature's own.
        Without an enabled endpoint the delivery is only recorded, with status `no_endpoint`.
        """
        endpoint = self.endpoint(source)
        fault = self._take_fault(source, topic)
        kind = fault["kind"] if fault else None
        status, delay = "pending", 0.0
        if endpoint is None or not endpoint["enabled"]:
            status = "no_endpoint"
        elif kind == "lose":
            status = "lost"
        elif kind == "hold":
            status = "held"
        elif fault and kind == "delay":
            delay = float(fault["seconds"])
        copies = 2 if kind == "duplicate" and status == "pending" else 1
        now = self._clock.now()
        ids = []
        for _ in range(copies):
            delivery_id = self._store.next_id("whd")
            due = milliseconds(now + timedelta(seconds=delay)) if status == "pending" else None
            document: Document = {
                "id": delivery_id,
                "source": source,
                "event_id": event_id,
                "topic": topic,
                "body": body.decode(),
                "headers": dict(headers or {}),
                "status": status,
                "fault": kind,
                "attempts": 0,
                "last_code": None,
                "last_error": None,
                "due_ms": due,
                "created_at": now.isoformat(),
                "delivered_at": None,
            }
            self._store.put("deliveries", delivery_id, document)
            ids.append(delivery_id)
        if status == "pending":
            self._wake.set()
        return ids

    def deliveries(
        self, *, source: str | None = None, status: str | None = None, event_id: str | None = None
    ) -> list[Document]:
        """List deliveries by age, without their bodies; every filter given must hold."""
        wanted = {"source": source, "status": status, "event_id": event_id}
        given = [(key, value) for key, value in wanted.items() if value is not None]
        found = self._store.index("deliveries", *given[-1]) if given else self._store.all("deliveries")
        hidden = ("body", "headers")
        return [
            {key: value for key, value in doc.items() if key not in hidden}
            for doc in found
            if all(doc[key] == value for key, value in given)
        ]

    def counts(self) -> dict[str, int]:
        """Count deliveries by status."""
        return {
            status: len(self._store.index("deliveries", "status", status))
            for status in ("pending", "held", "delivered", "failed", "lost", "no_endpoint")
        }

    def release(self, *, source: str = "*", topic: str = "*", reverse: bool = False) -> int:
        """Send what was held, the newest first when `reverse`. Returns how many."""
        with self._store.transaction():
            held = [
                doc
                for doc in self._store.index("deliveries", "status", "held")
                if fnmatchcase(doc["source"], source) and fnmatchcase(doc["topic"], topic)
            ]
            start = self._clock.now_ms()
            for position, doc in enumerate(reversed(held) if reverse else held):
                # A millisecond apart: the queue is read by due time, so this is the order of sending.
                doc.update(status="pending", due_ms=start + position)
                self._store.put("deliveries", doc["id"], doc)
        self._wake.set()
        return len(held)

    def resend(self, event_id: str) -> list[str]:
        """Send an event again as a new delivery (a provider's "resend" button). Returns the new delivery ids."""
        with self._store.transaction():
            first = self._store.index("deliveries", "event_id", event_id)[:1]
            return [
                delivery_id
                for doc in first
                for delivery_id in self.enqueue(
                    doc["source"], event_id, doc["topic"], doc["body"].encode(), doc["headers"]
                )
            ]

    def add_fault(self, rule: Mapping[str, Any]) -> Document:
        """Spoil coming deliveries: `{kind, source, topic, times, seconds}`; source and topic may be patterns.

        Kinds: `lose` (never sent), `duplicate` (sent twice at once), `delay` (by `seconds` of simulated time),
        `hold` (until `release`). `times` None means until removed. ValueError for anything else.
        """
        kind = rule.get("kind")
        if kind not in FAULT_KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(FAULT_KINDS))}")
        times = rule.get("times", 1)
        document: Document = {
            "id": self._store.next_id("whf"),
            "kind": kind,
            "source": str(rule.get("source", "*")),
            "topic": str(rule.get("topic", "*")),
            "times": None if times is None else int(times),
            "seconds": float(rule.get("seconds", 0)),
            "fired": 0,
        }
        self._store.put("webhook_faults", document["id"], document)
        return document

    def faults(self) -> list[Document]:
        """List the faults, spent ones too."""
        return self._store.all("webhook_faults")

    def clear_faults(self) -> int:
        """Remove all faults (what is held stays held). Returns how many."""
        return sum(self._store.delete("webhook_faults", rule["id"]) for rule in self.faults())

    async def run(self) -> None:
        """Send what is due, at most CONCURRENCY at once, until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT)
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            try:
                while True:
                    self._wake.clear()
                    self._start_due(session)
                    try:
                        # Not wait_for: it loses a cancellation that meets the event (CPython 3.11).
                        async with asyncio.timeout(self._pause()):
                            await self._wake.wait()
                    except TimeoutError:
                        continue
            finally:
                # An attempt cut short counts for nothing: its delivery is still pending and is sent after a restart.
                for task in self._sending.values():
                    task.cancel()
                await asyncio.gather(*self._sending.values(), return_exceptions=True)

    def _start_due(self, session: aiohttp.ClientSession) -> None:
        free = CONCURRENCY - len(self._sending)
        if free <= 0:
            return
        due = self._store.least("deliveries", "due_ms", at_most=self._clock.now_ms(), limit=2 * CONCURRENCY)
        for doc in [doc for doc in due if doc["id"] not in self._sending][:free]:
            task = asyncio.create_task(self._attempt(session, doc))
            self._sending[doc["id"]] = task

            def finished(_: asyncio.Task[None], delivery_id: str = doc["id"]) -> None:
                self._sending.pop(delivery_id, None)
                self._wake.set()

            task.add_done_callback(finished)

    def _pause(self) -> float | None:
        """Return the seconds until the next delivery is due; at most _IDLE, as wall clocks may be stepped."""
        if len(self._sending) >= CONCURRENCY:
            return None
        waiting = self._store.least("deliveries", "due_ms", limit=2 * CONCURRENCY)
        coming: list[int] = [doc["due_ms"] for doc in waiting if doc["id"] not in self._sending]
        if not coming:
            return _IDLE
        return min(_IDLE, max(0.001, (coming[0] - self._clock.now_ms()) / 1000))

    async def _attempt(self, session: aiohttp.ClientSession, doc: Document) -> None:
        endpoint = self.endpoint(doc["source"])
        code: int | None = None
        error: str | None = None
        if endpoint is None or not endpoint["enabled"]:
            error = "endpoint removed"
        else:
            body = doc["body"].encode()
            headers = {"Content-Type": "application/json", **doc["headers"], **self._signature(endpoint, doc, body)}
            try:
                async with session.post(endpoint["url"], data=body, headers=headers, allow_redirects=False) as answer:
                    await answer.read()
                    code = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError) as failure:
                error = type(failure).__name__
        self._record(doc["id"], code, error)

    def _signature(self, endpoint: Document, doc: Document, body: bytes) -> dict[str, str]:
        real_time = int(datetime.now(UTC).timestamp())
        scheme = SCHEMES.get(doc["source"], "standard")
        if scheme == "stripe":
            return signing.stripe_headers(body, endpoint["secrets"], timestamp=real_time)
        if scheme == "shopify":
            return signing.shopify_headers(
                body,
                endpoint["secrets"][0],
                topic=doc["topic"],
                webhook_id=doc["headers"].get("X-Shopify-Webhook-Id", doc["event_id"]),
                event_id=doc["event_id"],
                shop_domain=doc["headers"].get("X-Shopify-Shop-Domain", "main.myshopify.test"),
                triggered_at=doc["created_at"],
            )
        return signing.standard_headers(body, endpoint["secrets"], message_id=doc["event_id"], timestamp=real_time)

    def _record(self, delivery_id: str, code: int | None, error: str | None) -> None:
        doc = self._store.get("deliveries", delivery_id)
        if doc is None:
            return
        doc["attempts"] += 1
        doc.update(last_code=code, last_error=error)
        now = self._clock.now()
        if code is not None and 200 <= code < 300:
            doc.update(status="delivered", due_ms=None, delivered_at=now.isoformat())
        elif doc["attempts"] >= MAX_ATTEMPTS:
            doc.update(status="failed", due_ms=None)
            _log.warning("webhook %s of %s given up after %d attempts", doc["topic"], doc["source"], MAX_ATTEMPTS)
        else:
            wait = timedelta(seconds=2 ** (doc["attempts"] - 1))
            doc["due_ms"] = milliseconds(now + wait)
        self._store.put("deliveries", delivery_id, doc)

    def _take_fault(self, source: str, topic: str) -> Document | None:
        for rule in self.faults():
            spent = rule["times"] is not None and rule["fired"] >= rule["times"]
            if not spent and fnmatchcase(source, rule["source"]) and fnmatchcase(topic, rule["topic"]):
                rule["fired"] += 1
                self._store.put("webhook_faults", rule["id"], rule)
                return rule
        return None
