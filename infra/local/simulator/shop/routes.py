"""The shop's Admin REST API under `/shopify/admin/api/{version}`, and its part of the control API.

Any non-empty access token is accepted until the control API names the only right one.
"""

import hmac
import json
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.local.simulator import keys
from infra.local.simulator.control import read_object
from infra.local.simulator.shop import control
from infra.local.simulator.shop.checkout import OrderNotFound, Refused, Shop
from infra.local.simulator.shop.order_list import BadQuery, list_orders
from infra.local.simulator.shop.prices import minor_units
from infra.local.simulator.signing import API_VERSION_SHOPIFY
from infra.local.simulator.store import Document

_BASE = "/shopify/admin/api/{version}"
_VERSION = re.compile(r"\d{4}-\d{2}|unstable")
_CANCEL_REASONS = frozenset({"customer", "inventory", "fraud", "declined", "staff", "other"})


def setup(app: web.Application) -> None:
    """Open the shop and register its routes."""
    app[control.SHOP] = Shop(app[keys.STORE], app[keys.CLOCK], app[keys.WEBHOOKS], app[keys.PROVIDER])
    routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]] = [
        ("GET", "/orders.json", _orders),
        ("GET", "/orders/{id}.json", _order),
        ("POST", "/orders/{id}/cancel.json", _cancel),
        ("GET", "/orders/{id}/transactions.json", _transactions),
        ("GET", "/orders/{id}/refunds.json", _refunds),
        ("GET", "/orders/{id}/fulfillments.json", _fulfillments),
        ("POST", "/orders/{id}/fulfillments.json", _fulfil),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, _BASE + path, _admin(handler))
    control.setup(app)


def _admin(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """Check version and token, and turn the shop's refusals into its error bodies."""

    async def checked(request: web.Request) -> web.StreamResponse:
        if not _VERSION.fullmatch(request.match_info["version"]):
            return _errors(404, "Not Found")
        token = request.headers.get("X-Shopify-Access-Token", "")
        only = request.app[keys.STORE].fact(control.ACCESS_TOKEN)
        if not token or (only is not None and not hmac.compare_digest(token.encode(), only.encode())):
            return _errors(401, "[API] Invalid API key or access token (unrecognized login or wrong password)")
        try:
            answer = await handler(request)
        except OrderNotFound:
            return _errors(404, "Not Found")
        except Refused as refusal:
            return _errors(422, {"base": [str(refusal)]})
        except BadQuery as bad:
            return _errors(400, {bad.parameter: bad.reason})
        # An old or unknown version is served by the one there is, and the answer says so.
        answer.headers["X-Shopify-API-Version"] = API_VERSION_SHOPIFY
        return answer

    return checked


async def _orders(request: web.Request) -> web.Response:
    page = list_orders(request.app[keys.STORE], request.query)
    links = [
        f'<{_page_url(request, cursor, page.limit)}>; rel="{relation}"'
        for relation, cursor in (("previous", page.previous), ("next", page.next))
        if cursor is not None
    ]
    return web.json_response({"orders": page.orders}, headers={"Link": ", ".join(links)} if links else None)


async def _order(request: web.Request) -> web.Response:
    return web.json_response({"order": _shop(request).order(request.match_info["id"])})


async def _cancel(request: web.Request) -> web.Response:
    body = await read_object(request)
    order = _shop(request).order(request.match_info["id"])
    reason = str(body.get("reason", "other"))
    if reason not in _CANCEL_REASONS:
        return _errors(422, {"reason": [f"must be one of {', '.join(sorted(_CANCEL_REASONS))}"]})
    try:
        refund = minor_units(str(body.get("amount", "0")), order["currency"])
    except ValueError as error:
        return _errors(422, {"amount": [str(error)]})
    if body.get("currency", order["currency"]) != order["currency"]:
        return _errors(422, {"currency": ["is not the order's currency"]})
    cancelled = _shop(request).cancel(request.match_info["id"], reason=reason, refund_minor=refund)
    return web.json_response({"order": cancelled})


async def _transactions(request: web.Request) -> web.Response:
    return web.json_response({"transactions": _shop(request).transactions(request.match_info["id"])})


async def _refunds(request: web.Request) -> web.Response:
    return web.json_response({"refunds": _shop(request).order(request.match_info["id"])["refunds"]})


async def _fulfillments(request: web.Request) -> web.Response:
    return web.json_response({"fulfillments": _shop(request).order(request.match_info["id"])["fulfillments"]})


async def _fulfil(request: web.Request) -> web.Response:
    wanted = (await read_object(request)).get("fulfillment")
    if not isinstance(wanted, dict):
        return _errors(400, {"fulfillment": "Required parameter missing or invalid"})
    tracking = wanted.get("tracking_info")
    tracking = tracking if isinstance(tracking, dict) else {}
    fulfillment = _shop(request).fulfil(
        request.match_info["id"], tracking=str(tracking.get("number", "")), company=str(tracking.get("company", ""))
    )
    return web.json_response({"fulfillment": fulfillment}, status=201)


def _shop(request: web.Request) -> Shop:
    return request.app[control.SHOP]


def _page_url(request: web.Request, cursor: str, limit: int) -> str:
    query = {"limit": str(limit), "page_info": cursor}
    if "fields" in request.query:
        query["fields"] = request.query["fields"]
    return str(request.url.with_query(query))


def _errors(status: int, errors: str | Document) -> web.Response:
    return web.Response(status=status, text=json.dumps({"errors": errors}), content_type="application/json")
