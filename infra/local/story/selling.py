"""Chapter: the shop sells. Webhooks come twice, out of order and not at all; a worker dies over payments."""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from infra.local.stack import Stack
from infra.local.story.narrator import Narrator
from infra.local.story.shelf import FAILING_SKU, api_order, basket
from infra.local.story.world import World, at_once, until

Job = Callable[[], Awaitable[None]]

WIDTH = 8
IN_FLIGHT = 4
"""Payments whose effect happens while their worker dies before it hears of it."""


@dataclass(kw_only=True)
class Sold:
    """What was sold, and what was done to it on the way; all order ids."""

    shop: list[str] = field(default_factory=list)
    api: list[str] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)
    unshippable: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    """Every webhook of these was lost: our side has never heard of them."""
    payment_unheard: list[str] = field(default_factory=list)
    """The news of their payment was lost."""
    parcel_unheard: list[str] = field(default_factory=list)
    """The news of their parcel was lost."""
    in_flight: list[str] = field(default_factory=list)

    @property
    def known(self) -> list[str]:
        """Orders that reached us."""
        return [*self.shop, *self.api, *self.payment_unheard, *self.parcel_unheard]

    @property
    def count(self) -> int:
        """All orders."""
        return len(self.known) + len(self.unheard)


async def sell(world: World, tell: Narrator, count: int, dice: random.Random) -> Sold:
    """Sell `count` orders, three in five through the shop's webhooks, the rest through the API."""
    sold = Sold()
    await _lose(world, sold, dice)
    for_shop = max(count * 3 // 5 - 7, 5)
    for_api = count - for_shop - 7 - IN_FLIGHT
    await world.spoil("duplicate", "shopify", "orders/*", for_shop // 4)
    await world.spoil("delay", "shopify", "orders/create", for_shop // 6, seconds=3)

    async def buy() -> None:
        sold.shop.append(await world.buy(*basket(dice)))

    async def order(number: int) -> None:
        order_id = f"A-{number:05d}"
        method, sku = "pm_card_visa", ""
        if number in {3, 11}:
            method = "pm_card_chargeDeclined"
            sold.declined.append(order_id)
        elif number in {5, 17}:
            sku = FAILING_SKU
            sold.unshippable.append(order_id)
        status, answer = await world.post("/orders", api_order(order_id, dice, method=method, sku=sku))
        if status != 202:
            raise RuntimeError(f"POST /orders answered {status}: {answer}")
        sold.api.append(order_id)

    jobs: list[Job] = [buy] * for_shop
    jobs += [functools.partial(order, number) for number in range(1, for_api + 1)]
    dice.shuffle(jobs)
    await at_once(WIDTH, jobs)
    tell.say(f"{len(sold.shop) + 7} orders through signed shop webhooks, {len(sold.api)} through the API")
    tell.say(
        f"{for_shop // 4} webhooks delivered twice, {for_shop // 6} overtaken by later ones, 3 orders' webhooks lost"
    )
    return sold


async def _lose(world: World, sold: Sold, dice: random.Random) -> None:
    """Sell seven orders whose messages get lost: three wholly, two payments, two parcels."""
    await world.spoil("lose", "shopify", "orders/*", 6)
    await world.spoil("lose", "stripe", "payment_intent.succeeded", 5)
    for _ in range(3):
        sold.unheard.append(await world.buy(*basket(dice)))
    await world.spoil("lose", "shopify", "orders/paid", 2)
    for _ in range(2):
        sold.payment_unheard.append(await world.buy(*basket(dice)))
    await world.spoil("lose", "warehouse", "shipment.shipped", 2)
    for _ in range(2):
        sold.parcel_unheard.append(await world.buy(*basket(dice)))

    async def lost() -> bool:
        rules = (await world.control("GET", "/webhooks/faults"))["rules"]
        return all(rule["fired"] >= rule["times"] for rule in rules if rule["kind"] == "lose")

    await until("the messages to get lost", lost)


async def crash(stack: Stack, world: World, tell: Narrator, sold: Sold, dice: random.Random) -> None:
    """Kill the worker while the provider has charged and has not answered yet; start it again."""
    route = "POST /stripe/v1/payment_intents*"
    hang = {"route": route, "kind": "timeout_after", "times": IN_FLIGHT, "seconds": 30}
    await world.control("PUT", "/faults", hang)
    for number in range(1, IN_FLIGHT + 1):
        order_id = f"K-{number:05d}"
        status, answer = await world.post("/orders", api_order(order_id, dice))
        if status != 202:
            raise RuntimeError(f"POST /orders answered {status}: {answer}")
        sold.in_flight.append(order_id)

    async def charging() -> bool:
        rules = (await world.control("GET", "/faults"))["rules"]
        return sum(int(rule["fired"]) for rule in rules) >= IN_FLIGHT

    await until("the provider to charge", charging, 30)
    pid = stack.member("worker").pid
    await stack.kill("worker")
    tell.say(
        f"kill -9 {pid}: the worker dies while {IN_FLIGHT} calls to the provider have had their effect, unanswered"
    )
    await asyncio.sleep(1)
    await world.control("DELETE", "/faults")
    await stack.start("worker")
    tell.say(f"a new worker runs as {stack.member('worker').pid}; Temporal hands it what the dead one left")
    sold.api.extend(sold.in_flight)
