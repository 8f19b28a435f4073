"""Webhooks and faults of the simulated world, seen from outside: what arrives, how often, and what had an effect."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import stripe

from tests.integration.outside_world import STRIPE_SECRET, Answer, Delivery, OutsideWorld

KEY = {"Authorization": "Bearer sk_test_local", "Content-Type": "application/x-www-form-urlencoded"}
INTENTS = "/stripe/v1/payment_intents"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutsideWorld]:
    async with OutsideWorld(tmp_path) as running:
        yield running


async def post(world: OutsideWorld, path: str, key: str | None = None, **form: Any) -> Answer:
    headers = KEY if key is None else {**KEY, "Idempotency-Key": key}
    return await world.call("POST", f"/stripe/v1/{path}", raw=urlencode(form).encode(), headers=headers)


async def pay(world: OutsideWorld, order_id: str = "1", key: str | None = None, **form: Any) -> Answer:
    wanted = {"amount": 2000, "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}
    return await post(world, "payment_intents", key, **{**wanted, "metadata[order_id]": order_id, **form})


async def captured(world: OutsideWorld, order_id: str = "1") -> tuple[int, int]:
    found = (await world.call("GET", f"/_sim/provider/ledger?order_id={order_id}")).body
    return found["captured_count"], found["net_minor"]


async def deliveries(world: OutsideWorld, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.call("GET", f"/_sim/webhooks/deliveries?{urlencode(query)}")).body[
        "data"
    ]
    return found


async def settled(world: OutsideWorld, status: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until `count` deliveries of the provider have a status."""
    async with asyncio.timeout(60):
        while True:
            found = await deliveries(world, source="stripe", status=status)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


def types(arrived: list[Delivery]) -> list[str]:
    return [delivery.document["type"] for delivery in arrived]


# What is told


async def test_every_step_of_a_payment_is_told_signed_and_once(world: OutsideWorld) -> None:
    declined = await pay(world, payment_method="pm_card_chargeDeclined")
    assert declined.status == 402
    held = (await pay(world, capture_method="manual")).body["id"]
    await post(world, f"payment_intents/{held}/capture", amount_to_capture=1500)
    await post(world, "refunds", payment_intent=held, amount=200)
    dropped = (await pay(world, capture_method="manual")).body["id"]
    await post(world, f"payment_intents/{dropped}/cancel")
    dispute = (await world.call("POST", "/_sim/provider/disputes", {"payment_intent": held})).body["id"]
    await world.call("POST", f"/_sim/provider/disputes/{dispute}/close", {"status": "lost"})
    arrived = await world.hooks(8, "stripe")
    assert sorted(types(arrived)) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.refunded",
        "payment_intent.amount_capturable_updated",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    ]
    for delivery in arrived:
        event = stripe.Webhook.construct_event(delivery.body, delivery.headers["Stripe-Signature"], STRIPE_SECRET)
        assert (event.object, event.livemode, event.pending_webhooks) == ("event", False, 1)
        assert event.api_version == "2026-10-28.endive"
    assert len({delivery.document["id"] for delivery in arrived}) == 8
    succeeded = next(item.document for item in arrived if item.document["type"] == "payment_intent.succeeded")
    assert succeeded["data"]["object"]["amount_received"] == 1500
    assert "internal" not in succeeded["data"]["object"]


async def test_signatures_are_fresh_however_far_the_clock_was_moved(world: OutsideWorld) -> None:
    await world.advance(30 * 86_400)
    await pay(world)
    (delivery,) = await world.hooks(1, "stripe")
    stripe.Webhook.construct_event(delivery.body, delivery.headers["Stripe-Signature"], STRIPE_SECRET)
    assert delivery.document["created"] - time.time() > 29 * 86_400


async def test_without_an_endpoint_nothing_is_sent_and_it_is_written_down(world: OutsideWorld) -> None:
    off = {"url": "http://127.0.0.1:1/", "secret": "whsec_x", "enabled": False}
    assert (await world.call("PUT", "/_sim/webhooks/stripe", off)).status == 200
    await pay(world)
    (recorded,) = await deliveries(world, source="stripe")
    assert (recorded["status"], recorded["attempts"]) == ("no_endpoint", 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("webhooks/stripe", {"url": "http://127.0.0.1:1/"}),
        ("webhooks/warehouse", {"url": "http://127.0.0.1:1/", "secret": "whsec_not base64"}),
        ("webhooks/faults", {"kind": "explode"}),
        ("faults", {"route": "POST /stripe/v1/refunds", "kind": "explode"}),
        ("faults", {"route": "refunds", "kind": "status"}),
        ("faults", {"route": "POST /x", "kind": "status", "tims": 2}),
        ("provider/settings", {"fee": 2}),
        ("clock", {"now": "2026-01-01T00:00:00"}),
    ],
)
async def test_a_control_call_that_makes_no_sense_is_refused(world: OutsideWorld, path: str, body: Any) -> None:
    answer = await world.call("PUT", f"/_sim/{path}", body)
    assert answer.status == 400
    assert answer.body["error"]


# How it is told: retries and faults of delivery


async def test_a_refused_delivery_is_retried_after_simulated_seconds_that_double(world: OutsideWorld) -> None:
    world.answers["stripe"] = [500, 302, 429]
    await pay(world)
    # The next attempts are due in seconds of simulated time: 1, 2, 4.
    for attempt, wait in ((1, 1), (2, 2), (3, 4)):
        await world.hooks(attempt, "stripe")
        async with asyncio.timeout(60):
            while (await deliveries(world, source="stripe"))[0]["attempts"] < attempt:
                await asyncio.sleep(0.01)
        await world.advance(wait)
    arrived = await world.hooks(4, "stripe")
    assert len({delivery.document["id"] for delivery in arrived}) == 1
    (done,) = await settled(world, "delivered")
    assert (done["attempts"], done["last_code"]) == (4, 200)


async def test_a_receiver_that_never_takes_it_is_given_up(world: OutsideWorld) -> None:
    world.answers["stripe"] = [503] * 50
    await pay(world)
    async with asyncio.timeout(60):
        while not await deliveries(world, source="stripe", status="failed"):
            await world.advance(3600)
    (failed,) = await deliveries(world, source="stripe", status="failed")
    assert (failed["attempts"], failed["last_code"]) == (12, 503)
    assert len(await world.hooks(12, "stripe")) == 12
    # The provider's "resend" button is a new delivery of the same event.
    world.answers.clear()
    answer = await world.call("POST", "/_sim/webhooks/resend", {"event_id": failed["event_id"]})
    assert answer.status == 200
    await settled(world, "delivered")
    assert {delivery.document["id"] for delivery in await world.hooks(13, "stripe")} == {failed["event_id"]}


async def test_a_webhook_can_be_lost_duplicated_or_late(world: OutsideWorld) -> None:
    rules = [
        {"kind": "lose", "source": "stripe", "topic": "charge.*"},
        {"kind": "duplicate", "source": "stripe", "topic": "payment_intent.succeeded"},
        {"kind": "delay", "topic": "payment_intent.succeeded", "seconds": 3600},
    ]
    await world.call("PUT", "/_sim/webhooks/faults", {"rules": rules})
    first = (await pay(world)).body["id"]
    twice = await world.hooks(2, "stripe")
    assert [delivery.document["data"]["object"]["id"] for delivery in twice] == [first, first]
    assert len({delivery.document["id"] for delivery in twice}) == 1
    await post(world, "refunds", payment_intent=first, amount=100)
    (lost,) = await deliveries(world, source="stripe", status="lost")
    assert (lost["topic"], lost["attempts"]) == ("charge.refunded", 0)
    late = (await pay(world)).body["id"]
    after = (await pay(world)).body["id"]
    third = (await world.hooks(3, "stripe"))[2]
    assert third.document["data"]["object"]["id"] == after
    await world.advance(3600)
    assert (await world.hooks(4, "stripe"))[3].document["data"]["object"]["id"] == late
    fired = (await world.call("GET", "/_sim/webhooks/faults")).body["rules"]
    assert [rule["fired"] for rule in fired] == [1, 1, 1]
    assert (await world.call("DELETE", "/_sim/webhooks/faults")).body == {"removed": 3}


async def test_held_webhooks_come_out_of_order_when_released(world: OutsideWorld) -> None:
    await world.call("PUT", "/_sim/webhooks/faults", {"kind": "hold", "source": "stripe", "times": None})
    intent = (await pay(world, capture_method="manual")).body["id"]
    await post(world, f"payment_intents/{intent}/capture")
    await settled(world, "held", 2)
    assert world.received == []
    await world.call("DELETE", "/_sim/webhooks/faults")
    only_last = {"source": "stripe", "topic": "payment_intent.succeeded"}
    assert (await world.call("POST", "/_sim/webhooks/release", only_last)).body == {"released": 1}
    await settled(world, "delivered", 1)
    assert (await world.call("POST", "/_sim/webhooks/release", {})).body == {"released": 1}
    assert types(await world.hooks(2, "stripe")) == [
        "payment_intent.succeeded",
        "payment_intent.amount_capturable_updated",
    ]


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as before:
        before.answers["stripe"] = [500] * 50  # also where the next attempt comes before the end
        await pay(before)
        (first,) = await before.hooks(1, "stripe")
        async with asyncio.timeout(60):
            while (await deliveries(before, source="stripe"))[0]["attempts"] < 1:
                await asyncio.sleep(0.01)
    async with OutsideWorld(tmp_path) as after:
        await after.advance(60)
        (second,) = await after.hooks(1, "stripe")
        assert second.document == first.document


async def test_a_burst_is_told_completely(world: OutsideWorld) -> None:
    made = [(await pay(world, str(number))).body["id"] for number in range(60)]
    arrived = await world.hooks(60, "stripe")
    assert sorted(delivery.document["data"]["object"]["id"] for delivery in arrived) == sorted(made)
    assert (await settled(world, "delivered", 60))[0]["attempts"] == 1


# Faults of the API


async def fault(world: OutsideWorld, kind: str, **more: Any) -> None:
    rule = {"route": "POST /stripe/v1/payment_intents*", "kind": kind, **more}
    assert (await world.call("PUT", "/_sim/faults", rule)).status == 200


@pytest.mark.parametrize(
    ("kind", "effects"), [("timeout_before", 0), ("timeout_after", 1), ("reset_before", 0), ("reset_after", 1)]
)
async def test_a_lost_answer_is_before_or_after_the_effect(world: OutsideWorld, kind: str, effects: int) -> None:
    await fault(world, kind, seconds=0.05)
    with pytest.raises(aiohttp.ClientConnectionError):
        await pay(world, key="charge-1")
    assert await captured(world) == (effects, 2000 * effects)
    # The caller's retry under the same key makes it one charge either way.
    retried = await pay(world, key="charge-1")
    assert (retried.status, retried.headers.get("idempotent-replayed")) == (200, "true" if effects else None)
    assert await captured(world) == (1, 2000)


async def test_a_caller_with_less_patience_than_the_fault_sees_a_timeout(world: OutsideWorld) -> None:
    await fault(world, "timeout_after")
    patience = asyncio.timeout(60)

    async def asks() -> None:
        async with patience:
            await pay(world)

    asking = asyncio.create_task(asks())
    async with asyncio.timeout(60):
        while await captured(world) != (1, 2000):
            await asyncio.sleep(0.01)
    assert not asking.done()
    patience.reschedule(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await asking
    assert await captured(world) == (1, 2000)


async def test_a_status_fault_speaks_the_dialect_of_its_api(world: OutsideWorld) -> None:
    await fault(world, "status", status=429, headers={"Retry-After": "2"})
    limited = await pay(world)
    assert (limited.status, limited.body["error"]["code"], limited.headers["retry-after"]) == (429, "rate_limit", "2")
    assert await captured(world) == (0, 0)
    await world.call("PUT", "/_sim/faults", {"route": "* /shopify/*", "kind": "status", "status": 503})
    answer = await world.call("GET", "/shopify/admin/api/2026-10/orders.json")
    assert (answer.status, list(answer.body)) == (503, ["errors"])


async def test_a_wrong_body_comes_with_the_effect_done(world: OutsideWorld) -> None:
    await fault(world, "wrong_body")
    answer = await pay(world)
    assert (answer.status, answer.body[:6]) == (200, "<html>")
    assert await captured(world) == (1, 2000)
    await fault(world, "wrong_body", body={"id": None})
    assert (await pay(world)).body == {"id": None}


async def test_faults_let_some_calls_pass_and_then_spoil_some(world: OutsideWorld) -> None:
    await fault(world, "status", after=1, times=2)
    assert [(await pay(world)).status for _ in range(4)] == [200, 500, 500, 200]
    (rule,) = (await world.call("GET", "/_sim/faults")).body["rules"]
    assert (rule["seen"], rule["fired"]) == (4, 2)
    await fault(world, "status", times=None)
    assert [(await pay(world)).status for _ in range(3)] == [500, 500, 500]
    assert (await world.call("DELETE", "/_sim/faults")).body == {"removed": 2}
    assert (await pay(world)).status == 200


async def test_stopping_lets_go_of_hanging_callers(world: OutsideWorld) -> None:
    await fault(world, "timeout_before")
    hanging = asyncio.create_task(pay(world))
    async with asyncio.timeout(60):
        while not (await world.call("GET", "/_sim/faults")).body["rules"][0]["fired"]:
            await asyncio.sleep(0.01)
        await world.app.shutdown()
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging
