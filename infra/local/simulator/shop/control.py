"""The shop's part of the control API: buyers, the shop's back office, and those who tamper with its books."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.local.simulator import keys
from infra.local.simulator.control import bad_request, read_object
from infra.local.simulator.shop.basket import read_basket
from infra.local.simulator.shop.checkout import ORDERS, OrderNotFound, Refused, Shop
from infra.local.simulator.shop.prices import minor_units
from infra.local.simulator.store import Document

SHOP = web.AppKey("shop", Shop)
ACCESS_TOKEN = "shop_access_token"
"""Name of the fact that holds the only accepted access token, once it was set."""


def setup(app: web.Application) -> None:
    """Register the routes under `/_sim/shop`."""
    routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]] = [
        ("PUT", "", _configure),
        ("GET", "/orders", _orders),
        ("POST", "/orders", _place),
        ("GET", "/orders/{id}", _order),
        ("POST", "/orders/{id}/pay", _pay),
        ("POST", "/orders/{id}/cancel", _cancel),
        ("POST", "/orders/{id}/refund", _refund),
        ("POST", "/tamper", _tamper),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, "/_sim/shop" + path, _answering(handler))


def _answering(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except OrderNotFound:
            return web.json_response({"error": "no such order"}, status=404)
        except Refused as refusal:
            return web.json_response({"error": str(refusal)}, status=409)

    return answered


async def _configure(request: web.Request) -> web.Response:
    body = await read_object(request)
    token = body.get("access_token")
    if set(body) != {"access_token"} or not isinstance(token, str) or not token:
        raise bad_request("needs access_token, a text, and nothing else")
    request.app[keys.STORE].set_fact(ACCESS_TOKEN, token)
    return web.json_response({"access_token": "set"})


async def _orders(request: web.Request) -> web.Response:
    store = request.app[keys.STORE]
    data = [_summary(request, order) for order in store.scan(ORDERS)]
    return web.json_response({"data": data, "count": len(data)})


async def _order(request: web.Request) -> web.Response:
    return web.json_response(_summary(request, request.app[SHOP].order(request.match_info["id"])))


async def _place(request: web.Request) -> web.Response:
    try:
        basket = read_basket(await read_object(request))
    except ValueError as error:
        raise bad_request(str(error)) from None
    return web.json_response(_summary(request, request.app[SHOP].place(basket)), status=201)


async def _pay(request: web.Request) -> web.Response:
    """Answer 402 with the still unpaid order when the card is declined."""
    body = await read_object(request)
    order = request.app[SHOP].pay(
        request.match_info["id"],
        charge=body.get("charge", True) is True,
        method=str(body.get("payment_method", "pm_card_visa")),
    )
    return web.json_response(_summary(request, order), status=200 if order["financial_status"] == "paid" else 402)


async def _cancel(request: web.Request) -> web.Response:
    """Cancel; with `{"refund": true}` also give back everything that was collected."""
    body = await read_object(request)
    shop, order_id = request.app[SHOP], request.match_info["id"]
    refund = shop.collected_minor(order_id) if body.get("refund") is True else 0
    order = shop.cancel(order_id, reason=str(body.get("reason", "customer")), refund_minor=refund)
    return web.json_response(_summary(request, order))


async def _refund(request: web.Request) -> web.Response:
    body = await read_object(request)
    order = request.app[SHOP].refund(request.match_info["id"], _amount(body) if "amount" in body else None)
    return web.json_response(_summary(request, order))


async def _tamper(request: web.Request) -> web.Response:
    body = await read_object(request)
    if body.get("action") != "change_total":
        raise bad_request("action must be change_total")
    order_id, amount = str(body.get("order_id", "")), _amount(body)
    before = request.app[SHOP].order(order_id)
    after = request.app[SHOP].change_total(order_id, amount)
    return web.json_response(
        {
            "action": "change_total",
            "order_id": order_id,
            "before_minor": minor_units(before["total_price"], before["currency"]),
            "after_minor": minor_units(after["total_price"], after["currency"]),
        }
    )


def _amount(body: Document) -> int:
    """Return `amount` in minor units; answers 400 when it is not a positive whole number."""
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= 10**12:
        raise bad_request("needs amount, a positive whole number of minor units")
    return amount


def _summary(request: web.Request, order: Document) -> Document:
    """Return what a test or a demo wants of an order; `order_id` is the text that everyone else uses."""
    order_id = str(order["id"])
    return {
        "id": order["id"],
        "order_id": order_id,
        "name": order["name"],
        "total_minor": minor_units(order["total_price"], order["currency"]),
        "currency": order["currency"],
        "financial_status": order["financial_status"],
        "fulfillment_status": order["fulfillment_status"],
        "cancelled_at": order["cancelled_at"],
        "created_at": order["created_at"],
        "payment_intent": request.app[SHOP].payment_reference(order_id),
    }
