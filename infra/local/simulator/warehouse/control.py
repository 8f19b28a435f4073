"""The warehouse's part of the control API: its settings, its floor staff, and those who tamper with its books."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.local.simulator import keys, signing
from infra.local.simulator.control import bad_request, read_object
from infra.local.simulator.shop.checkout import ORDERS
from infra.local.simulator.store import Document
from infra.local.simulator.warehouse.fulfilments import FULFILMENTS, FulfilmentNotFound, NotAllowed, Warehouse

WAREHOUSE = web.AppKey("warehouse", Warehouse)
_SECRET = "warehouse_secret"
_TAMPERED_LINES = [("SKU-TAMPERED", 1)]


def setup(app: web.Application) -> None:
    """Register the routes under `/_sim/warehouse`."""
    routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]] = [
        ("GET", "", _show),
        ("PUT", "", _configure),
        ("GET", "/fulfilments", _fulfilments),
        ("GET", "/addresses", _addresses),
        ("POST", "/ship", _ship),
        ("POST", "/deliver", _deliver),
        ("POST", "/fail", _fail),
        ("POST", "/tamper", _tamper),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, "/_sim/warehouse" + path, _answering(handler))


def secret(app: web.Application) -> str | None:
    """Return the secret that signed requests are checked with: the one set by control, else the command line's."""
    return app[keys.STORE].fact(_SECRET) or app[keys.WAREHOUSE_SECRET]


def check_secret(app: web.Application) -> None:
    """Raise ValueError when the command line's secret is not `whsec_` and base64: at the start, not at a request."""
    given = app[keys.WAREHOUSE_SECRET]
    if given is not None:
        signing.standard_signature(b"", given, "check", "0")


def _answering(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except FulfilmentNotFound:
            return web.json_response({"error": "no such fulfilment"}, status=404)
        except NotAllowed as refusal:
            return web.json_response({"error": str(refusal)}, status=409)

    return answered


async def _show(request: web.Request) -> web.Response:
    return _settings(request)


async def _configure(request: web.Request) -> web.Response:
    body = await read_object(request)
    unknown = set(body) - {"secret", "ship_after_seconds"}
    if unknown:
        raise bad_request(f"unknown keys: {', '.join(sorted(unknown))}")
    with request.app[keys.STORE].transaction():
        if "secret" in body:
            try:
                signing.standard_signature(b"", str(body["secret"]), "check", "0")
            except ValueError as error:
                raise bad_request(str(error)) from None
            request.app[keys.STORE].set_fact(_SECRET, str(body["secret"]))
        if "ship_after_seconds" in body:
            request.app[WAREHOUSE].ship_after_seconds = _seconds(body["ship_after_seconds"])
    return _settings(request)


async def _fulfilments(request: web.Request) -> web.Response:
    reference = request.query.get("reference")
    warehouse, store = request.app[WAREHOUSE], request.app[keys.STORE]
    data = store.all(FULFILMENTS) if reference is None else warehouse.of_reference(reference)
    return web.json_response({"data": data, "count": len(data)})


async def _addresses(request: web.Request) -> web.Response:
    return web.json_response({"data": request.app[WAREHOUSE].addresses(request.query["reference"])})


async def _ship(request: web.Request) -> web.Response:
    """Ship a parcel; with `lines` only these pieces of it, the rest in another parcel later."""
    body = await read_object(request)
    if "lines" not in body:
        return web.json_response(request.app[WAREHOUSE].ship(_find(request, body)))
    try:
        lines = [(str(line["sku"]), int(line["quantity"])) for line in body["lines"]]
    except (KeyError, TypeError, ValueError):
        raise bad_request("lines must be a list of sku and quantity") from None
    if not lines or any(quantity < 1 for _, quantity in lines):
        raise bad_request("lines must have pieces in them")
    return web.json_response(request.app[WAREHOUSE].ship_part(_find(request, body), lines))


async def _deliver(request: web.Request) -> web.Response:
    body = await read_object(request)
    return web.json_response(request.app[WAREHOUSE].deliver(_find(request, body)))


async def _fail(request: web.Request) -> web.Response:
    body = await read_object(request)
    reason = str(body.get("reason", "damaged in the warehouse"))
    return web.json_response(request.app[WAREHOUSE].fail(_find(request, body), reason))


async def _tamper(request: web.Request) -> web.Response:
    """`ship_without_order`: any reference; `ship_unpaid`: a shop order's; `lose_shipment`: one with a fulfilment."""
    body = await read_object(request)
    action, warehouse = body.get("action"), request.app[WAREHOUSE]
    reference = str(body.get("reference") or "")
    if not reference:
        raise bad_request("needs reference, such as main/1001")
    if action == "lose_shipment":
        fulfilment = warehouse.lose(_find(request, body))
    elif action == "ship_without_order":
        fulfilment = warehouse.ship_silently(reference, _TAMPERED_LINES)
    elif action == "ship_unpaid":
        fulfilment = warehouse.ship_silently(reference, _lines_of_order(request, reference))
    else:
        raise bad_request("action must be ship_without_order, lose_shipment or ship_unpaid")
    return web.json_response({"action": action, "fulfilment": fulfilment})


def _find(request: web.Request, body: Document) -> str:
    """Return the id that `id` or `reference` means: of a reference, its newest fulfilment."""
    if "id" in body:
        return str(body["id"])
    found = request.app[WAREHOUSE].of_reference(str(body.get("reference", "")))
    if not found:
        raise FulfilmentNotFound
    return str(found[-1]["id"])


def _lines_of_order(request: web.Request, reference: str) -> list[tuple[str, int]]:
    """Return the lines of the shop's order; one that came in by our own API is unknown there and gets a stand-in."""
    order = request.app[keys.STORE].get(ORDERS, reference.partition("/")[2])
    if order is None:
        return _TAMPERED_LINES
    return [(str(item["sku"]), int(item["quantity"])) for item in order["line_items"]]


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise bad_request("ship_after_seconds must be zero or more, or null to wait until told")
    return float(value)


def _settings(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "secret": "set" if secret(request.app) else None,
            "ship_after_seconds": request.app[WAREHOUSE].ship_after_seconds,
        }
    )
