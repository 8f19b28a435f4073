"""What says who somebody is stands nowhere in what Temporal stores, and nowhere at all once it was erased."""

import asyncio
import base64
import json
import uuid
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.service import RPCError

from infra.local.story.world import until
from tests.e2e.scene import Scene, fresh
from tests.e2e.test_users_by_api import mailed_token
from tests.integration.served_functions import shopify_headers
from worker.connections import engine_of
from worker.contract.ids import event_workflow_id, user_workflow_id
from worker.repositories.schema import METADATA

ADA = {
    "first_name": "Ada-Canary",
    "last_name": "Lovelace-Canary",
    "address1": "12 St James's Square, Canary Wharf",
    "phone": "+44 20 7946 0991",
}
CARD = "4242 **** **** 9917"


def of_ada(document: dict[str, Any], email: str) -> dict[str, Any]:
    """Return a shop's order as a real one looks: full of what says who bought."""
    return document | {
        "email": email,
        "contact_email": email,
        "customer": {**document.get("customer", {}), "email": email, **ADA},
        "billing_address": ADA,
        "payment_details": {"credit_card_number": CARD},
        "note_attributes": [{"name": f"line {number}", "value": f"for {email}"} for number in range(40)],
    }


def stored(scene: Scene) -> bytes:
    """Return every byte that the Temporal server has on disk, its log included."""
    folder = scene.stack.stack.layout.data("temporal")
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def in_our_books(scene: Scene, text: str) -> list[str]:
    """Return the tables in which `text` stands."""
    engine = engine_of(scene.config.database)
    try:
        with engine.connect() as connection:
            return [
                name
                for name, table in METADATA.tables.items()
                if any(text in str(tuple(row)) for row in connection.execute(select(table)))
            ]
    finally:
        engine.dispose()


async def delivered(scene: Scene, body: bytes) -> str:
    """Send the shop's webhook about an order and return the event's id."""
    event_id = uuid.uuid4().hex
    secret = scene.stack.stack.layout.credentials.shopify_webhook_secret
    headers = shopify_headers(body, event_id, "orders/create", secret=secret)
    answer = await scene.taken("/webhooks/shopify", body=body, headers=headers)
    assert answer.status in {200, 202}, answer
    return event_id


async def confirmed(scene: Scene) -> tuple[str, str]:
    """Register a user and confirm the address, with a busy mail server and a wrong token on the way."""
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    address = f"{user_id}@canary.example"
    await scene.world.control("PUT", "/mail", {"refuse": 1})
    assert (await scene.taken("/users", {"user_id": user_id, "email": address})).status in {200, 202}
    token = await mailed_token(scene, address)
    path = f"/users/{user_id}/confirm"
    assert (await scene.post(path, {"token": "wrong" * 10}, headers={})).status == 422
    assert (await scene.post(path, {"token": token}, headers={})).body["state"] == "active"
    await scene.client.get_workflow_handle(user_workflow_id(user_id)).result()
    return user_id, address


async def test_temporal_stores_nothing_of_a_person_also_when_things_fail(scene: Scene) -> None:
    user_id, address = await confirmed(scene)
    document = json.loads(await scene.shop_document(await scene.buy()))
    document["id"] = int(uuid.uuid4().int % 10**12)
    good = await delivered(scene, json.dumps(of_ada(document, address)).encode())
    broken = await delivered(scene, json.dumps(of_ada(document | {"line_items": ADA["phone"]}, address)).encode())
    assert [await scene.filed(event_id) for event_id in (good, broken)] == ["applied", "unreadable"]
    order_id = fresh()
    await scene.order(order_id=order_id, payment_method="pm_card_chargeDeclined")
    await scene.closed(order_id)
    everything = await asyncio.to_thread(stored, scene)
    # These it does know, so the bytes are the right ones, and readable: ids, and who sent what.
    assert all(known.encode() in everything for known in (user_id, event_workflow_id("shopify", good), "functions@"))
    for canary in (address, *ADA.values(), CARD, "canary.example"):
        assert canary.encode() not in everything, canary
    assert b"Encoded failure" in everything
    # Whoever has the key reads them: the event is found in its history and runs again.
    assert "duplicate" in (await scene.cli("webhooks", "replay", good, "--yes")).out
    # Who lacks the key is told which one it is, and sees nothing else.
    other = json.dumps([{"id": "other", "key": base64.b64encode(bytes(32)).decode()}])
    lacking = await asyncio.to_thread(
        scene.stack.cli, "webhooks", "replay", good, "--yes", env={"ORDERS_ENCRYPTION__KEYS": other}
    )
    assert (lacking.status, "sealed with the key 'local'" in lacking.err) == (5, True), lacking


async def test_an_erased_user_is_in_no_book_and_in_no_history(scene: Scene) -> None:
    # Still waiting for the confirmation: a server deletes what runs at once, and what has ended after some seconds.
    user_id, address = f"user-{uuid.uuid4().hex[:8]}", f"{uuid.uuid4().hex[:8]}@canary.example"
    assert (await scene.taken("/users", {"user_id": user_id, "email": address})).status in {200, 202}
    token = await mailed_token(scene, address)
    assert in_our_books(scene, address) == ["users"]
    handle = scene.client.get_workflow_handle(user_workflow_id(user_id))
    history = await handle.fetch_history()
    erased = await scene.cli("users", "erase", user_id, "--reason", "asked on 2026-11-28", "--actor", "bob", "--yes")
    assert erased.out.splitlines() == [
        f"user {user_id}: was pending, is erased, the key is dropped",
        "Temporal: 1 history deleted",
    ]
    assert in_our_books(scene, address) == []
    with pytest.raises(RPCError, match="not found"):
        await handle.describe()
    again = await scene.cli("users", "erase", user_id, "--reason", "asked again", "--yes")
    assert again.out.splitlines() == [f"user {user_id}: was erased before", "Temporal: 0 histories deleted"]
    about = scene.transact(lambda tx: tx.audit.about([f"user/{user_id}"]))
    (entry,) = (found.record for found in about[f"user/{user_id}"])
    assert (entry.actor, entry.action, json.loads(entry.detail)["reason"]) == ("bob", "erased", "asked on 2026-11-28")
    # A copy of the history that somebody kept: what activities said was sealed with the key that is gone.
    users_own = {
        payload.metadata["encryption-key-id"].decode()
        for event in history.events
        for payload in event.activity_task_scheduled_event_attributes.input.payloads
    }
    assert users_own, history
    assert all(name.startswith("user.") for name in users_own)
    row = scene.transact(lambda tx: tx.user_keys.by_id(*users_own))
    assert (row.dropped, row.wrapped) == (True, "")
    late = await scene.post(f"/users/{user_id}/confirm", {"token": token}, headers={})
    assert late.status == 404
    # The id is never given to somebody else.
    assert (await scene.taken("/users", {"user_id": user_id, "email": "eve@canary.example"})).status in {200, 202}
    ended: list[Any] = []

    async def over() -> bool:
        ended[:] = [(await handle.describe()).status]
        return str(ended[0].name) == "COMPLETED"

    await until("the second registration to end", over, 60)
    assert scene.transact(lambda tx: tx.users.get(user_id)).state == "erased"
    assert (await scene.world.control("GET", "/mail?to=eve@canary.example"))["data"] == []
