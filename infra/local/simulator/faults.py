"""Faults of the outside world's HTTP APIs, put in from outside: `/_sim/faults`.

"Before" and "after" are meant literally. A fault before the effect never lets the request reach its handler; after
the effect, the handler ran to its end, what it did is on disk, and only the caller does not learn of it. This is the
difference a client's retry has to survive, so it must not be blurred.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from infra.local.simulator.store import Document, Store

KINDS = frozenset({"timeout_before", "timeout_after", "status", "wrong_body", "reset_before", "reset_after"})
_FOREVER = 3600.0
_CONTROL = "/_sim"


class Faults:
    """Rules that spoil coming calls, kept over restarts."""

    def __init__(self, store: Store) -> None:
        """Continue with the rules that `store` remembers."""
        self._store = store
        self._closing = asyncio.Event()

    def add(self, rule: Mapping[str, Any]) -> Document:
        """Add a rule and return it with its id. ValueError when it cannot be understood.

        `route` is `METHOD /path` with wildcards (either part may be `*`); `after` lets that many matching calls
        pass first; `times` is how many it then spoils (None: all); `seconds` is how long a time-out hangs (real
        time; default an hour); `status`, `body` and `headers` shape the answers of kinds `status` and `wrong_body`.
        """
        kind, route = rule.get("kind"), str(rule.get("route", ""))
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(KINDS))}")
        method, _, path = route.partition(" ")
        if not method or not path:
            raise ValueError("route must look like 'POST /stripe/v1/refunds'")
        unknown = set(rule) - {"route", "kind", "status", "times", "after", "seconds", "body", "headers"}
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        times = rule.get("times", 1)
        document: Document = {
            "id": self._store.next_id("fault"),
            "route": f"{method.upper()} {path}",
            "kind": kind,
            "status": int(rule.get("status", 500)),
            "times": None if times is None else int(times),
            "after": int(rule.get("after", 0)),
            "seconds": float(rule.get("seconds", _FOREVER)),
            "body": rule.get("body"),
            "headers": dict(rule.get("headers") or {}),
            "seen": 0,
            "fired": 0,
        }
        self._store.put("faults", document["id"], document)
        return document

    def rules(self) -> list[Document]:
        """List the rules with how many calls each has seen and spoiled."""
        return self._store.all("faults")

    def clear(self) -> int:
        """Remove every rule. Returns how many there were."""
        return sum(self._store.delete("faults", rule["id"]) for rule in self.rules())

    def close(self) -> None:
        """Let go of callers that are kept hanging, so that the process can end."""
        self._closing.set()

    def middleware(self) -> Middleware:
        """Return the aiohttp middleware that applies the rules (never to the control API itself)."""

        @web.middleware
        async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(_CONTROL):
                return await handler(request)
            rule = self._take(request.method, request.path)
            if rule is None:
                return await handler(request)
            return await self._spoil(rule, request, handler)

        return faulty

    async def _spoil(self, rule: Document, request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = rule["kind"]
        if kind == "status":
            return _answer(rule, rule["status"], _status_body(request.path, rule["status"]))
        if kind == "timeout_before":
            await self._hang(rule["seconds"])
            return _cut(request, reset=False)
        if kind == "reset_before":
            return _cut(request, reset=True)
        answer = await handler(request)
        if kind == "timeout_after":
            await self._hang(rule["seconds"])
            return _cut(request, reset=False)
        if kind == "reset_after":
            return _cut(request, reset=True)
        return _answer(rule, answer.status, "<html><body>Bad gateway</body></html>")

    async def _hang(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _take(self, method: str, path: str) -> Document | None:
        """Return the first rule that spoils this call; every rule that matches counts the call."""
        chosen: Document | None = None
        for rule in self.rules():
            wanted_method, _, wanted_path = rule["route"].partition(" ")
            if not (fnmatchcase(method, wanted_method) and fnmatchcase(path, wanted_path)):
                continue
            rule["seen"] += 1
            spent = rule["times"] is not None and rule["fired"] >= rule["times"]
            if chosen is None and rule["seen"] > rule["after"] and not spent:
                rule["fired"] += 1
                chosen = rule
            self._store.put("faults", rule["id"], rule)
        return chosen


def _answer(rule: Document, status: int, default: str | Document) -> web.Response:
    body = default if rule["body"] is None else rule["body"]
    if isinstance(body, str):
        return web.Response(status=status, text=body, content_type="text/html", headers=rule["headers"])
    return web.json_response(body, status=status, headers=rule["headers"])


def _status_body(path: str, status: int) -> Document:
    """Return an error body in the dialect of the API that `path` belongs to."""
    if path.startswith("/stripe"):
        kind, code = (
            ("invalid_request_error", "rate_limit")
            if status == web.HTTPTooManyRequests.status_code
            else (
                "api_error",
                None,
            )
        )
        error: Document = {"type": kind, "message": "An injected fault answered this request."}
        return {"error": {**error, "code": code} if code else error}
    if path.startswith("/shopify"):
        return {"errors": "An injected fault answered this request."}
    return {"type": "about:blank", "title": "An injected fault answered this request.", "status": status}


def _cut(request: web.Request, *, reset: bool) -> web.Response:
    """Drop the caller's connection without an answer: closed, or reset (TCP RST) when asked."""
    transport = request.transport
    if transport is not None:
        if reset:
            connection = transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    # Nobody receives this; aiohttp wants every handler to return something.
    return web.Response(status=499)
