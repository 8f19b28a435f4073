"""What the shop says of an address after the order came in: taken up when it is news and in time, and told when it is late."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, cast

import pytest
from sqlalchemy import Engine
from temporalio.testing import ActivityEnvironment

from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from worker.activities.events import EventActivities
from worker.contract.events import EventResult, ProviderEvent
from worker.contract.orders import OrderAnswer, PaymentMode, ReaddressOrder
from worker.contract.shipping import ShipTo
from worker.domain.errors import Conflict, NotFound
from worker.domain.order import OrderState
from worker.services.ports import Processes
from worker.services.readdressing import Readdressing
from worker.services.translation.route import Route

_ids = count(1)
HOUR = timedelta(hours=1)


def street(name: str) -> dict[str, str]:
    """Return an address as the shop has it."""
    return {"name": "Jane Doe", "address1": name, "city": "Ghent", "zip": "9000", "country_code": "BE"}


def ours(name: str) -> ShipTo:
    """Return the same address as we have it."""
    return ShipTo(recipient="Jane Doe", lines=(name,), city="Ghent", postal_code="9000", country="BE")


@dataclass
class Running:
    """The order's workflow: it takes a change as the real one does, or refuses it."""

    office: Office
    refuses: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def readdress(self, shop: str, order_id: str, request: ReaddressOrder) -> OrderAnswer:
        self.asked.append(request.request_id)
        if self.refuses is not None:
            raise self.refuses
        change = Readdressing(self.office.database, self.office.clock).change
        status = await asyncio.to_thread(change, shop, order_id, request)
        return OrderAnswer(outcome="applied", state=status.state)


@dataclass
class Shop:
    """One order at the shop, and what our side makes of its messages."""

    office: Office
    order_id: str
    running: Running

    def says(self, name: str | None, *, later: timedelta = HOUR, **changes: Any) -> Route:
        """Deliver the shop's word that the order was changed; return how it was understood."""
        now = self.office.clock.now()
        body = {
            "id": int(self.order_id),
            "created_at": now.isoformat(),
            "updated_at": (now + later).isoformat(),
            "shipping_address": street(name) if name else None,
            **changes,
        }
        event_id = f"updated-{next(_ids)}"
        event = ProviderEvent(
            source="shopify",
            dialect="shopify",
            shop="main",
            event_id=event_id,
            topic="orders/updated",
            body=json.dumps(body),
            received_at=now.isoformat(),
        )
        route = self.office.events.receive(event, f"event/shopify/{event_id}", "run-1")
        assert route is not None
        return route

    async def takes(self, route: Route) -> EventResult:
        activities = EventActivities(self.office.events, cast("Processes", self.running), patience_seconds=60)
        return await ActivityEnvironment().run(activities.deliver_event, route)

    def address(self) -> ShipTo | None:
        known = self.office.database.transact(lambda tx: tx.shipping_addresses.of_order("main", self.order_id))
        return known.ship_to if known else None

    def told(self) -> list[str]:
        entries = self.office.database.transact(lambda tx: tx.timeline.of_order("main", self.order_id))
        return [entry.kind for entry in entries if entry.kind.startswith("address")]


@pytest.fixture
def shop(engine: Engine, outside: OutsideProcess) -> Iterator[Shop]:
    office = Office(engine, outside)
    order_id = str(7_000_000 + next(_ids))
    office.place(order_id, mode=PaymentMode.COLLECTED_BY_SHOP, method=None, ship_to=ours("Old Lane 1"))
    yield Shop(office, order_id, Running(office))
    outside.heal()


async def test_an_address_that_was_changed_at_the_shop_is_where_the_parcel_goes(shop: Shop) -> None:
    route = shop.says("New Lane 2")
    for _ in range(2):  # a step that is repeated
        assert (await shop.takes(route)).outcome == "applied"
    assert (shop.address(), shop.told()) == (ours("New Lane 2"), ["address.changed"])
    assert shop.says("New Lane 2", later=2 * HOUR).reason == "the address is as the shop said before"
    assert (await shop.takes(shop.says("Old Lane 1", later=3 * HOUR))).outcome == "applied"
    assert shop.address() == ours("Old Lane 1")


async def test_an_order_that_came_without_an_address_gets_one(shop: Shop) -> None:
    with shop.office.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM shipping_addresses WHERE order_id = %s", (shop.order_id,))
    await shop.takes(shop.says("New Lane 2"))
    assert shop.address() == ours("New Lane 2")
    assert shop.says("New Lane 2", later=2 * HOUR).reason


@pytest.mark.parametrize("placed_as", ["now", "before this was kept"])
def test_what_changes_everything_but_the_address_is_of_no_concern(shop: Shop, placed_as: str) -> None:
    if placed_as != "now":
        with shop.office.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE shipping_addresses SET said_fingerprint = NULL")
    route = shop.says("Old Lane 1", note="gift wrap, please")
    assert (route.address, route.order_id, route.reason) == (None, "", "the address is as the shop said before")


@pytest.mark.parametrize("placed", ["now", "before it was kept what the shop says"])
async def test_the_shops_repetition_does_not_undo_what_was_changed_with_us(shop: Shop, placed: str) -> None:
    if placed != "now":
        with shop.office.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE shipping_addresses SET said_fingerprint = NULL")
    request = ReaddressOrder(request_id="api-1", requested_by="app", ship_to=ours("Work Lane 3"))
    await shop.running.readdress("main", shop.order_id, request)
    assert shop.says("Old Lane 1").address is None
    assert shop.address() == ours("Work Lane 3")
    await shop.takes(shop.says("New Lane 2", later=2 * HOUR))
    assert shop.address() == ours("New Lane 2"), "but what is new at the shop is newer than ours"


async def test_an_older_word_that_comes_after_a_newer_one_changes_nothing(shop: Shop) -> None:
    await shop.takes(shop.says("Newest Lane 4", later=2 * HOUR))
    assert shop.says("New Lane 2").reason == "the shop has said something newer of the address"
    assert shop.address() == ours("Newest Lane 4")


async def test_an_address_that_comes_too_late_is_told_once(shop: Shop) -> None:
    shop.running.refuses = Conflict("the warehouse was asked for the parcel already")
    result = await shop.takes(shop.says("New Lane 2"))
    assert (result.outcome, "too late" in result.detail, "Lane" in result.detail) == ("ignored", True, False)
    assert (shop.address(), shop.told()) == (ours("Old Lane 1"), ["address.too_late"])
    assert shop.says("New Lane 2", later=2 * HOUR).reason, "the shop repeats it with every change; it was heard"


async def test_a_word_that_overtakes_its_order_waits_for_it_and_one_of_a_strangers_order_does_not(shop: Shop) -> None:
    shop.order_id = str(9_000_000 + next(_ids))
    route = shop.says("New Lane 2", later=timedelta(minutes=1))
    shop.running.refuses = NotFound("the order has no workflow")
    with pytest.raises(NotFound):
        await shop.takes(route)
    assert shop.says("New Lane 2", later=2 * HOUR).reason == "we hold no such order"


def test_an_order_that_is_over_and_an_address_that_was_erased_stay_as_they_are(shop: Shop) -> None:
    shop.office.database.transact(lambda tx: tx.shipping_addresses.forget("main", "c1", shop.office.clock.now()))
    assert shop.says("New Lane 2").reason == "the address was erased"
    assert shop.office.reverse(shop.order_id).state == OrderState.CANCELLED
    assert "the order is over" in shop.says("New Lane 2").reason
    assert (shop.address(), shop.told()) == (None, [])


def test_an_address_that_is_not_whole_is_none(shop: Shop) -> None:
    assert "no address" in shop.says(None).reason
    assert shop.address() == ours("Old Lane 1")
