"""The warehouse's API under `/warehouse/v1`: request, read, list and cancel fulfilments. Errors are problem documents."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import islice
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.local.simulator import keys
from infra.local.simulator.store import Document
from infra.local.simulator.warehouse import control
from infra.local.simulator.warehouse.callers import has_token, signature_problem
from infra.local.simulator.warehouse.fulfilments import (
    FULFILMENTS,
    FulfilmentNotFound,
    KeyReused,
    NotAllowed,
    Warehouse,
)

_BASE = "/warehouse/v1/fulfilments"
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 500
_LONGEST_KEY, _LONGEST_TEXT = 255, 200


class Problem(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, title: str) -> None:
        """Keep what the answer says."""
        super().__init__(title)
        self.status = status
        self.code = code


def setup(app: web.Application) -> None:
    """Open the warehouse and register its routes."""
    app[control.WAREHOUSE] = Warehouse(app[keys.STORE], app[keys.CLOCK], app[keys.WEBHOOKS])
    control.check_secret(app)
    app.router.add_post(_BASE, _answering(_request))
    app.router.add_get(_BASE, _answering(_list))
    app.router.add_get(_BASE + "/{id}", _answering(_get))
    app.router.add_post(_BASE + "/{id}/cancel", _answering(_cancel))
    control.setup(app)


def _answering(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """Let in who may call, and turn refusals into problem documents."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            await _admit(request)
            return await handler(request)
        except FulfilmentNotFound:
            return _problem(404, "not_found", "no such fulfilment")
        except NotAllowed as refusal:
            return _problem(409, "not_allowed", str(refusal))
        except KeyReused:
            return _problem(409, "idempotency_key_reused", "the key was used for another request")
        except Problem as problem:
            return _problem(problem.status, problem.code, str(problem))

    return answered


async def _admit(request: web.Request) -> None:
    if request.method == "GET":
        if not has_token(request.headers):
            raise Problem(401, "unauthorized", "a bearer token is needed")
        return
    reason = signature_problem(await request.read(), request.headers, control.secret(request.app))
    if reason is not None:
        raise Problem(401, "unauthorized", reason)


async def _request(request: web.Request) -> web.Response:
    key = request.headers.get("Idempotency-Key", "")
    if not 0 < len(key) <= _LONGEST_KEY:
        raise Problem(400, "idempotency_key_missing", f"Idempotency-Key of 1 to {_LONGEST_KEY} characters is needed")
    raw = await request.read()
    reference, lines, ship_to = _read(raw)
    fulfilment, new = _warehouse(request).request(key, raw, reference, lines, ship_to)
    headers = None if new else {"Idempotency-Replayed": "true"}
    return web.json_response(fulfilment, status=201, headers=headers)


async def _get(request: web.Request) -> web.Response:
    return web.json_response(_warehouse(request).fulfilment(request.match_info["id"]))


async def _cancel(request: web.Request) -> web.Response:
    return web.json_response(_warehouse(request).cancel(request.match_info["id"]))


async def _list(request: web.Request) -> web.Response:
    """List by age those created in [created_from, created_to); the same filters belong beside a cursor."""
    query = request.query
    first, last = (_time(query, name) for name in ("created_from", "created_to"))
    reference, cursor, limit = query.get("reference"), query.get("cursor"), _limit(query.get("limit"))

    def wanted(fulfilment: Document) -> bool:
        created = datetime.fromisoformat(fulfilment["created_at"])
        return (first is None or created >= first) and (last is None or created < last)

    scan = request.app[keys.STORE].scan(
        FULFILMENTS, beyond=cursor, key=None if reference is None else "reference", value=reference
    )
    try:
        # One more than the page tells whether there is another page.
        found = list(islice(filter(wanted, scan), limit + 1))
    except KeyError:
        raise Problem(400, "bad_cursor", "cursor is not one that was given out") from None
    data = found[:limit]
    return web.json_response({"data": data, "next_cursor": data[-1]["id"] if len(found) > limit else None})


def _read(raw: bytes) -> tuple[str, list[tuple[str, int]], Document | None]:
    """Read a fulfilment request strictly."""
    try:
        body: Any = json.loads(raw)
    except ValueError:
        raise Problem(400, "malformed", "the body is not JSON") from None
    if not isinstance(body, dict) or set(body) - {"ship_to"} != {"reference", "lines"}:
        raise Problem(422, "invalid", "expected reference and lines, and ship_to at most")
    reference, lines = body["reference"], body["lines"]
    if not isinstance(reference, str) or not 0 < len(reference) <= _LONGEST_TEXT:
        raise Problem(422, "invalid", f"reference must be a text of 1 to {_LONGEST_TEXT} characters")
    if not isinstance(lines, list) or not lines:
        raise Problem(422, "invalid", "lines must have at least one line")
    ship_to = body.get("ship_to")
    if ship_to is not None and not (isinstance(ship_to, dict) and ship_to.get("recipient") and ship_to.get("country")):
        raise Problem(422, "invalid", "ship_to must name a recipient and a country at least")
    return reference, [_read_line(line) for line in lines], ship_to


def _read_line(line: Any) -> tuple[str, int]:
    if not isinstance(line, dict) or set(line) != {"sku", "quantity"}:
        raise Problem(422, "invalid", "a line is sku and quantity")
    sku, quantity = line["sku"], line["quantity"]
    if not isinstance(sku, str) or not 0 < len(sku) <= _LONGEST_TEXT:
        raise Problem(422, "invalid", f"sku must be a text of 1 to {_LONGEST_TEXT} characters")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
        raise Problem(422, "invalid", "quantity must be a whole number, 1 or more")
    return sku, quantity


def _time(query: Any, name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise Problem(400, "bad_time", f"{name} is not an ISO 8601 time (is its + sign encoded?)") from None
    if moment.tzinfo is None:
        raise Problem(400, "bad_time", f"{name} needs a UTC offset")
    return moment


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= _MAX_LIMIT:
        raise Problem(400, "bad_limit", f"limit must be from 1 to {_MAX_LIMIT}")
    return int(text)


def _warehouse(request: web.Request) -> Warehouse:
    return request.app[control.WAREHOUSE]


def _problem(status: int, code: str, title: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "code": code, "title": title}
    return web.Response(status=status, text=json.dumps(body), content_type="application/problem+json")
