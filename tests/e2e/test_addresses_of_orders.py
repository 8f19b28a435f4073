"""Where a parcel goes: changed in time, refused too late, the same twice, and nowhere to be found once it was erased."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e.scene import Scene, fresh
from tests.e2e.test_deliveries import deliver
from tests.e2e.test_sealed_histories import in_our_books, stored
from worker.domain.order import OrderState
from worker.services.erasure import erase

REFUSED = 5
WHY = ("--reason", "asked for on 2026-11-28", "--actor", "bob")


def address(name: str, **changes: Any) -> dict[str, Any]:
    """Return an address whose every part is found wherever it is spilt."""
    parts = {"recipient": f"Ada {name}", "lines": [f"Canary Wharf {name}", "2nd floor"], "city": f"Ghent {name}"}
    return {**parts, "postal_code": "9000", "country": "BE", **changes}


async def sent_to(scene: Scene, order_id: str) -> list[Any]:
    """Return where the warehouse sends the parcels of an order."""
    reference = f"{scene.config.shop.name}/{order_id}"
    return list((await scene.world.control("GET", f"/warehouse/addresses?reference={reference}"))["data"])


async def test_a_parcel_goes_where_it_was_last_sent_until_the_warehouse_has_it_and_then_nobody_knows(
    scene: Scene, tmp_path: Path
) -> None:
    order_id, customer = fresh(), f"cust-{uuid.uuid4().hex[:8]}"
    first, second, third = (address(f"canary{uuid.uuid4().hex[:8]}") for _ in range(3))
    await scene.order(
        order_id=order_id,
        customer_id=customer,
        payment_mode="authorise",
        payment_method="pm_card_authenticationRequired",
        ship_to=first,
    )
    await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)
    body = {"request_id": "a-1", "ship_to": second}
    answers = [await scene.post(f"/orders/{order_id}/address", body) for _ in range(2)]
    assert [(answer.status, answer.body["state"]) for answer in answers] == [(200, "awaiting_payment")] * 2
    other = await scene.post(f"/orders/{order_id}/address", {**body, "ship_to": third})
    assert (other.status, other.body["code"]) == (409, "conflict")

    file = tmp_path / "address.json"
    file.write_text(json.dumps(third))
    change = ("order", "change-address", order_id, str(file), *WHY)
    assert "would be changed, to one in BE" in (await scene.cli(*change, "--dry-run")).out
    assert "applied: order" in (await scene.cli(*change, "--yes", "--request-id", "a-2")).out
    erasing = ("users", "erase", customer, *WHY, "--dry-run")
    assert order_id in (await scene.cli(*erasing, status=REFUSED)).err, "its parcel needs the address"

    # The customer acts, and the warehouse is asked.
    (payment,) = scene.transact(lambda tx: tx.payments.of_order(scene.config.shop.name, order_id))
    await scene.world.control("POST", f"/provider/payment_intents/{payment.reference}/authenticate", {})
    await scene.comes_to(order_id, OrderState.COMPLETED)
    assert await sent_to(scene, order_id) == [{**third, "region": ""}]
    late = await scene.post(f"/orders/{order_id}/address", {"request_id": "a-3", "ship_to": first})
    assert (late.status, late.body["code"]) == (409, "conflict")

    changes = scene.transact(lambda tx: tx.timeline.of_order(scene.config.shop.name, order_id))
    told = [(entry.actor, entry.sentence) for entry in changes if entry.kind == "address.changed"]
    assert [sentence for _, sentence in told] == [f"the shipping address was changed (request a-{n})" for n in (1, 2)]
    assert told[1][0] == "bob"
    (trail,) = scene.transact(lambda tx: tx.audit.about([f"order/{order_id}"])).values()
    assert [entry.record.action for entry in trail] == ["address_changed"] * 2
    assert "canary" not in (await scene.cli("order", "show", order_id, "--json")).out

    canaries = [one["recipient"].split()[-1] for one in (first, second, third)]
    assert [in_our_books(scene, canary) for canary in canaries] == [[], [], ["shipping_addresses"]]
    everything = await asyncio.to_thread(stored, scene)
    assert not [canary for canary in canaries if canary.encode() in everything], "in clear in what Temporal stores"
    for log in (scene.stack.stack.layout.directory / "logs").glob("*.log"):
        assert not [canary for canary in canaries if canary in log.read_text(errors="replace")], log

    # Its history goes too: tests/integration/test_users.py, since a server takes its time for what has just ended.
    erased = erase(
        scene.database, scene.config.shop.name, customer, actor="bob", reason="asked for", at=datetime.now(UTC)
    )
    assert (erased.addresses, erased.orders) == (1, (order_id,))
    assert in_our_books(scene, canaries[2]) == []
    assert "an address that was erased" in (await scene.cli("order", "show", order_id)).out


async def test_a_parcel_goes_where_the_shop_says_now(scene: Scene) -> None:
    order_id = await scene.buy(paid=False)
    await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)
    moved = {"name": "Ada", "address1": "New Lane 2", "city": "Ghent", "zip": "9000", "country_code": "BE"}
    outcomes = []
    for _ in range(2):  # the shop tells of the order with every change of anything
        document = {**json.loads(await scene.shop_document(order_id)), "shipping_address": moved}
        event_id = f"moved-{uuid.uuid4().hex}"
        await deliver(scene, json.dumps(document).encode(), topic="orders/updated", event_id=event_id)
        outcomes.append(await scene.filed(event_id))
    assert outcomes == ["applied", "ignored"]
    await scene.world.control("POST", f"/shop/orders/{order_id}/pay", {})
    await scene.comes_to(order_id, OrderState.COMPLETED)
    assert [sent["lines"] for sent in await sent_to(scene, order_id)] == [["New Lane 2"]]
