"""The simulated shop over real HTTP: its API, its webhooks, its money at the simulated provider."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from infra.local.freeports import free_port
from infra.local.layout import PROJECT
from infra.local.simulator.shop.prices import minor_units, price
from tests.integration.outside_world import PATIENCE, SHOPIFY_SECRET, Answer, Delivery, OutsideWorld

API = "/shopify/admin/api/2026-10"
TOKEN = {"X-Shopify-Access-Token": "shpat_test"}
MUG = {"sku": "MUG", "quantity": 2, "price_minor": 1250}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutsideWorld]:
    async with OutsideWorld(tmp_path) as running:
        yield running


async def place(world: OutsideWorld, **basket: Any) -> dict[str, Any]:
    """Place an order; unpaid unless told otherwise."""
    answer = await world.call("POST", "/_sim/shop/orders", {"lines": [MUG], "paid": False, **basket})
    assert answer.status == 201, answer.body
    summary: dict[str, Any] = answer.body
    return summary


async def get(world: OutsideWorld, path: str, **query: str) -> Answer:
    return await world.call("GET", f"{API}/{path}" + (f"?{urlencode(query)}" if query else ""), headers=TOKEN)


async def names(world: OutsideWorld, **query: str) -> list[str]:
    answer = await get(world, "orders.json", **query)
    assert answer.status == 200, answer.body
    return [order["name"] for order in answer.body["orders"]]


async def post(world: OutsideWorld, path: str, body: Any = None) -> Answer:
    return await world.call("POST", path, body, headers=TOKEN)


def topics(deliveries: list[Delivery]) -> list[str]:
    return sorted(delivery.headers["X-Shopify-Topic"] for delivery in deliveries)


def links(answer: Answer) -> dict[str, str]:
    return {relation: url for url, relation in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers.get("link", ""))}


async def ledger(world: OutsideWorld, order_id: str) -> list[int]:
    """Return how often the provider captured money for an order, and what it still holds of it."""
    answer = await world.call("GET", "/_sim/provider/charges_by_order")
    assert answer.status == 200
    return list(answer.body.get(order_id, [0, 0]))


async def test_an_order_reads_like_the_recorded_ones(world: OutsideWorld, fixtures_dir: Path) -> None:
    """Every field the project reads has the type that the recorded payload has."""
    order_id = (await place(world, shipping_minor=490, discount_minor=200))["order_id"]
    order = (await get(world, f"orders/{order_id}.json")).body["order"]
    recorded = json.loads((fixtures_dir / "webhooks/shopify/2022-04.Order.json").read_text())

    shared = set(order) & set(recorded)
    kinds = {name: (type(order[name]), type(recorded[name])) for name in shared}
    assert {
        name for name, (ours, theirs) in kinds.items() if ours is not theirs and order[name] and recorded[name]
    } == set()
    assert set(order) - set(recorded) <= {"current_total_price", "current_total_price_set"}
    assert set(order["line_items"][0]) <= set(recorded["line_items"][0])
    assert order["total_shipping_price_set"].keys() == recorded["total_shipping_price_set"].keys()


async def test_amounts_are_decimal_texts_that_add_up(world: OutsideWorld) -> None:
    order_id = (await place(world, shipping_minor=490, discount_minor=200, tax_minor=55))["order_id"]
    order = (await get(world, f"orders/{order_id}.json")).body["order"]
    assert order["line_items"][0]["price"] == "12.50"
    assert order["subtotal_price"] == "23.00"
    assert order["total_shipping_price_set"]["shop_money"] == {"amount": "4.90", "currency_code": "EUR"}
    assert (order["total_discounts"], order["total_tax"], order["taxes_included"]) == ("2.00", "0.55", False)
    assert order["total_price"] == order["current_total_price"] == "28.45"


@pytest.mark.parametrize(("currency", "text"), [("EUR", "12.34"), ("JPY", "1234"), ("KWD", "1.234")])
def test_prices_have_the_currencys_decimals(currency: str, text: str) -> None:
    assert price(1234, currency) == text
    assert minor_units(text, currency) == 1234
    with pytest.raises(ValueError, match="not an amount"):
        minor_units(f"{text}{'' if '.' in text else '.'}01", currency)


async def test_ids_survive_only_as_integers(world: OutsideWorld) -> None:
    first, second, third = [await place(world) for _ in range(3)]
    ids = [first["id"], second["id"], third["id"]]
    assert len(set(ids)) == 3
    # Two of them may lie on two sides of a rounding step, never all three.
    assert len({float(order_id) for order_id in ids}) < 3, "reading ids as floating point must be found out"
    assert first["order_id"] == str(first["id"])
    assert (first["name"], second["name"]) == ("#1001", "#1002")


async def test_a_new_order_is_told_of_under_the_shops_signature(world: OutsideWorld) -> None:
    order_id = (await place(world))["order_id"]
    (hook,) = await world.hooks(1)

    expected = base64.b64encode(hmac.new(SHOPIFY_SECRET.encode(), hook.body, hashlib.sha256).digest()).decode()
    assert hook.headers["X-Shopify-Hmac-SHA256"] == expected
    assert hook.headers["X-Shopify-Topic"] == "orders/create"
    assert hook.headers["X-Shopify-Shop-Domain"] == "main.myshopify.test"
    assert hook.headers["X-Shopify-Webhook-Id"]
    assert hook.document == (await get(world, f"orders/{order_id}.json")).body["order"]
    assert hook.document["financial_status"] == "pending"


async def test_a_refused_webhook_comes_again_under_the_same_id(world: OutsideWorld) -> None:
    world.answers["shopify"] = [503]
    await place(world)
    await world.hooks(1)
    await world.advance(2)
    first, second = await world.hooks(2)
    assert first.headers["X-Shopify-Webhook-Id"] == second.headers["X-Shopify-Webhook-Id"]
    assert first.body == second.body


async def test_a_paid_order_is_charged_once_and_told_of_twice(world: OutsideWorld) -> None:
    placed = await place(world, paid=True)
    hooks = await world.hooks(2)

    assert topics(hooks) == ["orders/create", "orders/paid"]
    assert len({hook.headers["X-Shopify-Webhook-Id"] for hook in hooks}) == 2
    assert {hook.document["financial_status"] for hook in hooks} == {"paid"}
    assert await ledger(world, placed["order_id"]) == [1, 2500]
    (step,) = (await get(world, f"orders/{placed['order_id']}/transactions.json")).body["transactions"]
    assert (step["kind"], step["status"], step["amount"], step["currency"]) == ("sale", "success", "25.00", "EUR")
    assert step["authorization"] == placed["payment_intent"]
    assert placed["payment_intent"].startswith("pi_")


async def test_an_order_can_be_paid_later_and_only_once(world: OutsideWorld) -> None:
    order_id = (await place(world))["order_id"]
    await world.advance(60)
    paid = await post(world, f"/_sim/shop/orders/{order_id}/pay")
    again = await post(world, f"/_sim/shop/orders/{order_id}/pay")

    assert (paid.status, paid.body["financial_status"], again.status) == (200, "paid", 409)
    assert topics(await world.hooks(2)) == ["orders/create", "orders/paid"]
    assert await ledger(world, order_id) == [1, 2500]
    order = (await get(world, f"orders/{order_id}.json")).body["order"]
    waited = datetime.fromisoformat(order["updated_at"]) - datetime.fromisoformat(order["created_at"])
    assert waited >= timedelta(seconds=60)


async def test_a_declined_card_leaves_the_order_unpaid_and_can_be_tried_again(world: OutsideWorld) -> None:
    placed = await place(world, paid=True, payment_method="pm_card_chargeDeclined")
    order_id = placed["order_id"]
    assert (placed["financial_status"], placed["payment_intent"]) == ("pending", None)
    assert topics(await world.hooks(1)) == ["orders/create"]

    declined = await post(world, f"/_sim/shop/orders/{order_id}/pay", {"payment_method": "pm_card_chargeDeclined"})
    paid = await post(world, f"/_sim/shop/orders/{order_id}/pay")

    assert (declined.status, paid.status) == (402, 200)
    steps = (await get(world, f"orders/{order_id}/transactions.json")).body["transactions"]
    assert [step["status"] for step in steps] == ["failure", "failure", "success"]
    assert await ledger(world, order_id) == [1, 2500]
    assert topics(await world.hooks(2)) == ["orders/create", "orders/paid"]


async def test_the_shop_can_believe_in_money_that_was_never_taken(world: OutsideWorld) -> None:
    placed = await place(world, paid=True, charge=False)
    assert (placed["financial_status"], placed["payment_intent"]) == ("paid", None)
    assert topics(await world.hooks(2)) == ["orders/create", "orders/paid"]
    assert await ledger(world, placed["order_id"]) == [0, 0]


async def test_an_unpaid_order_is_voided_when_cancelled(world: OutsideWorld) -> None:
    order_id = (await place(world))["order_id"]
    cancelled = await post(world, f"{API}/orders/{order_id}/cancel.json", {"reason": "inventory"})
    again = await post(world, f"{API}/orders/{order_id}/cancel.json")

    order = cancelled.body["order"]
    assert (order["financial_status"], order["cancel_reason"]) == ("voided", "inventory")
    assert datetime.fromisoformat(order["cancelled_at"]).tzinfo is not None
    assert again.status == 422
    assert (await post(world, f"/_sim/shop/orders/{order_id}/pay")).status == 409
    assert topics(await world.hooks(2)) == ["orders/cancelled", "orders/create"]


async def test_cancelling_refunds_what_is_asked_and_nothing_by_itself(world: OutsideWorld) -> None:
    whole, part, kept = [(await place(world, paid=True))["order_id"] for _ in range(3)]

    await post(world, f"/_sim/shop/orders/{whole}/cancel", {"refund": True})
    in_part = await post(world, f"{API}/orders/{part}/cancel.json", {"amount": "5.00", "currency": "EUR"})
    await post(world, f"{API}/orders/{kept}/cancel.json")

    assert [await ledger(world, order_id) for order_id in (whole, part, kept)] == [[1, 0], [1, 2000], [1, 2500]]
    assert in_part.body["order"]["financial_status"] == "partially_refunded"
    assert in_part.body["order"]["refunds"][0]["transactions"][0]["amount"] == "5.00"
    assert (await get(world, f"orders/{whole}.json")).body["order"]["financial_status"] == "refunded"
    assert (await get(world, f"orders/{kept}.json")).body["order"]["financial_status"] == "paid"


@pytest.mark.parametrize(
    "body",
    [{"amount": "25.01"}, {"amount": "-1"}, {"amount": "1.001"}, {"amount": "1", "currency": "USD"}, {"reason": "x"}],
)
async def test_a_cancellation_that_makes_no_sense_changes_nothing(world: OutsideWorld, body: dict[str, str]) -> None:
    order_id = (await place(world, paid=True))["order_id"]
    assert (await post(world, f"{API}/orders/{order_id}/cancel.json", body)).status == 422
    assert (await get(world, f"orders/{order_id}.json")).body["order"]["cancelled_at"] is None
    assert await ledger(world, order_id) == [1, 2500]


async def test_refunds_end_where_the_money_ends(world: OutsideWorld) -> None:
    order_id = (await place(world, paid=True))["order_id"]
    assert (await post(world, f"/_sim/shop/orders/{order_id}/refund", {"amount": 1000})).status == 200
    assert (await post(world, f"/_sim/shop/orders/{order_id}/refund", {"amount": 1501})).status == 409
    rest = await post(world, f"/_sim/shop/orders/{order_id}/refund")
    assert rest.body["financial_status"] == "refunded"
    assert (await post(world, f"/_sim/shop/orders/{order_id}/refund")).status == 409
    assert await ledger(world, order_id) == [1, 0]


async def test_a_fulfilled_order_shows_its_parcel_and_cannot_be_cancelled(world: OutsideWorld) -> None:
    order_id = (await place(world))["order_id"]
    path = f"{API}/orders/{order_id}/fulfillments.json"
    made = await post(world, path, {"fulfillment": {"tracking_info": {"number": "SIM1", "company": "Carrier"}}})

    assert (made.status, made.body["fulfillment"]["tracking_number"]) == (201, "SIM1")
    assert [item["sku"] for item in made.body["fulfillment"]["line_items"]] == ["MUG"]
    listed = (await get(world, f"orders/{order_id}/fulfillments.json")).body["fulfillments"]
    assert listed == [made.body["fulfillment"]]
    assert (await get(world, f"orders/{order_id}.json")).body["order"]["fulfillment_status"] == "fulfilled"
    assert (await post(world, path, {"fulfillment": {}})).status == 422
    assert (await post(world, path, {})).status == 400
    assert (await post(world, f"{API}/orders/{order_id}/cancel.json")).status == 422


async def test_the_list_shows_open_orders_newest_first_unless_asked(world: OutsideWorld) -> None:
    orders = [await place(world, paid=number == 0, charge=False) for number in range(3)]
    await post(world, f"/_sim/shop/orders/{orders[1]['order_id']}/cancel")

    assert await names(world) == ["#1003", "#1001"]
    assert await names(world, status="any") == ["#1003", "#1002", "#1001"]
    assert await names(world, status="cancelled") == ["#1002"]
    assert await names(world, status="any", financial_status="paid") == ["#1001"]
    assert await names(world, status="any", ids=f"{orders[1]['id']},{orders[2]['id']}") == ["#1003", "#1002"]
    assert await names(world, status="any", since_id=str(orders[0]["id"])) == ["#1003", "#1002"]
    answer = await get(world, "orders.json", fields="id,name", limit="1")
    assert answer.body["orders"] == [{"id": orders[2]["id"], "name": "#1003"}]


async def test_the_list_takes_bounds_of_creation_and_of_change(world: OutsideWorld) -> None:
    placed = []
    for _ in range(4):
        placed.append(await place(world))
        await world.advance(3600)
    second, third = placed[1]["created_at"], placed[2]["created_at"]
    await post(world, f"/_sim/shop/orders/{placed[0]['order_id']}/cancel")
    just_after = (datetime.fromisoformat(third) + timedelta(seconds=1)).isoformat()

    assert await names(world, status="any", created_at_min=second, created_at_max=third) == ["#1003", "#1002"]
    assert await names(world, status="any", updated_at_min=just_after) == ["#1004", "#1001"]
    assert await names(world, status="any", updated_at_max=second) == ["#1002"]


async def test_pages_follow_links_without_gap_or_repeat_while_orders_come_in(world: OutsideWorld) -> None:
    for _ in range(7):
        await place(world)
    answer = await get(world, "orders.json", status="any", limit="3")
    seen, pages = [order["name"] for order in answer.body["orders"]], 1
    assert "previous" not in links(answer)
    while "next" in links(answer):
        await place(world)
        answer = await world.call("GET", links(answer)["next"], headers=TOKEN)
        seen += [order["name"] for order in answer.body["orders"]]
        pages += 1

    assert seen == [f"#{number}" for number in range(1007, 1000, -1)]
    assert pages == 3
    back = await world.call("GET", links(answer)["previous"], headers=TOKEN)
    assert [order["name"] for order in back.body["orders"]] == ["#1004", "#1003", "#1002"]
    assert (await world.call("GET", links(back)["next"], headers=TOKEN)).body == answer.body


async def test_a_cursor_carries_its_filters_and_suffers_none_beside_it(world: OutsideWorld) -> None:
    for _ in range(3):
        await place(world, paid=True, charge=False)
        await place(world)
    answer = await get(world, "orders.json", status="any", financial_status="paid", limit="2")
    following = links(answer)["next"]

    assert [order["name"] for order in answer.body["orders"]] == ["#1005", "#1003"]
    rest = await world.call("GET", following, headers=TOKEN)
    assert [order["name"] for order in rest.body["orders"]] == ["#1001"]
    beside = await world.call("GET", f"{following}&created_at_min=2026-01-01T00:00:00Z", headers=TOKEN)
    assert (beside.status, list(beside.body["errors"])) == (400, ["created_at_min"])


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=many",
        "status=lost",
        "created_at_min=yesterday",
        "created_at_min=2026-01-01T00:00:00",
        "updated_at_min=2026-01-01T00:00:00+01:00",
        "since_id=x",
        "page_info=%%%",
        "page_info=e30",
    ],
)
async def test_a_bad_query_is_refused_by_name(world: OutsideWorld, query: str) -> None:
    answer = await world.call("GET", f"{API}/orders.json?{query}", headers=TOKEN)
    assert (answer.status, list(answer.body["errors"])) == (400, [query.partition("=")[0]])


async def test_a_page_has_250_orders_at_most(world: OutsideWorld) -> None:
    for _ in range(251):
        await place(world)
    answer = await get(world, "orders.json", status="any", limit="1000")
    assert len(answer.body["orders"]) == 250
    assert len((await world.call("GET", links(answer)["next"], headers=TOKEN)).body["orders"]) == 1


async def test_only_the_right_token_is_let_in(world: OutsideWorld) -> None:
    assert (await world.call("GET", f"{API}/orders.json")).status == 401
    assert (await get(world, "orders.json")).status == 200
    assert (await world.call("PUT", "/_sim/shop", {"access_token": "shpat_other"})).status == 200
    assert (await get(world, "orders.json")).status == 401
    allowed = await world.call("GET", f"{API}/orders.json", headers={"X-Shopify-Access-Token": "shpat_other"})
    assert allowed.status == 200


async def test_versions_are_answered_as_the_one_there_is(world: OutsideWorld) -> None:
    old = await world.call("GET", "/shopify/admin/api/2024-01/orders.json", headers=TOKEN)
    assert (old.status, old.headers["x-shopify-api-version"]) == (200, "2026-10")
    assert (await world.call("GET", "/shopify/admin/api/latest/orders.json", headers=TOKEN)).status == 404


@pytest.mark.parametrize("path", ["orders/1.json", "orders/1/transactions.json", "orders/1/fulfillments.json"])
async def test_an_unknown_order_is_not_found(world: OutsideWorld, path: str) -> None:
    assert (await get(world, path)).status == 404
    assert (await post(world, "/_sim/shop/orders/1/pay")).status == 404


async def test_a_changed_total_is_told_to_nobody_but_seen_in_the_list(world: OutsideWorld) -> None:
    placed = await place(world, paid=True)
    await world.hooks(2)
    await world.advance(60)
    answer = await post(
        world, "/_sim/shop/tamper", {"action": "change_total", "order_id": placed["order_id"], "amount": 2600}
    )

    assert (answer.body["before_minor"], answer.body["after_minor"]) == (2500, 2600)
    after_placing = (datetime.fromisoformat(placed["created_at"]) + timedelta(seconds=30)).isoformat()
    (order,) = (await get(world, "orders.json", updated_at_min=after_placing)).body["orders"]
    assert order["total_price"] == order["total_price_set"]["shop_money"]["amount"] == "26.00"
    deliveries = await world.call("GET", "/_sim/webhooks/deliveries?source=shopify")
    assert len(deliveries.body["data"]) == 2
    assert (await post(world, "/_sim/shop/tamper", {"action": "burn"})).status == 400


@pytest.mark.parametrize(
    "basket",
    [
        {"lines": []},
        {"lines": [{"sku": "", "price_minor": 1}]},
        {"lines": [{"sku": "A", "price_minor": 1.5}]},
        {"lines": [{"sku": "A", "price_minor": 1, "quantity": 0}]},
        {"currency": "euro"},
        {"paid": "yes"},
        {"discount_minor": 2501},
        {"customer": {"id": "x"}},
        {"colour": "blue"},
    ],
)
async def test_a_basket_that_makes_no_sense_is_refused(world: OutsideWorld, basket: dict[str, Any]) -> None:
    assert (await world.call("POST", "/_sim/shop/orders", {"lines": [MUG], **basket})).status == 400
    assert (await world.call("GET", "/_sim/shop/orders")).body == {"data": [], "count": 0}


async def test_an_order_and_its_pending_webhook_outlive_a_restart(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as world:
        world.answers["shopify"] = [503, 503]
        placed = await place(world, paid=True)
        await world.hooks(2)
    async with OutsideWorld(tmp_path) as world:
        await world.advance(2)
        assert topics(await world.hooks(2)) == ["orders/create", "orders/paid"]
        assert (await world.call("GET", "/_sim/shop/orders")).body["data"] == [placed]
        assert (await place(world))["id"] > placed["id"]


async def test_two_shops_never_give_out_the_same_id(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        async with OutsideWorld(tmp_path / name) as world:
            ids.append((await place(world))["id"])
    assert abs(ids[0] - ids[1]) > 10**6


async def test_a_cancel_whose_answer_was_lost_has_happened(world: OutsideWorld) -> None:
    order_id = (await place(world))["order_id"]
    await world.call("PUT", "/_sim/faults", {"route": "POST /shopify/*/cancel.json", "kind": "reset_after"})
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(world, f"{API}/orders/{order_id}/cancel.json")
    assert (await get(world, f"orders/{order_id}.json")).body["order"]["cancelled_at"]


async def test_a_killed_process_forgets_nothing_it_answered_and_a_terminated_one_ends_cleanly(tmp_path: Path) -> None:
    port, smtp_port = free_port(), free_port()
    arguments = ["--port", str(port), "--smtp-port", str(smtp_port), "--data", str(tmp_path)]

    async def started() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "infra.local.simulator", *arguments, cwd=PROJECT, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"listens" not in (line := await process.stderr.readline()):
                assert line, "the simulator ended instead of listening"
        return process

    basket = {"lines": [MUG], "paid": True}
    first = await started()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        try:
            placed = await (await session.post("/_sim/shop/orders", json=basket)).json()
        finally:
            first.kill()
            await first.wait()
        second = await started()
        try:
            listed = await (await session.get("/_sim/shop/orders")).json()
            kept = await (await session.get("/_sim/provider/charges_by_order")).json()
            _, idle = await asyncio.open_connection("127.0.0.1", smtp_port)
            second.terminate()
            async with asyncio.timeout(PATIENCE):
                code = await second.wait()
            idle.close()
        finally:
            if second.returncode is None:
                second.kill()
                await second.wait()

    assert listed["data"] == [placed]
    assert kept == {placed["order_id"]: [1, 2500]}
    assert code == 0
