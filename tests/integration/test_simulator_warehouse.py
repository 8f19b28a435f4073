"""The simulated warehouse over real HTTP; signatures come from and go to the `standardwebhooks` library."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from standardwebhooks import Webhook

from infra.local.simulator import keys
from tests.integration.outside_world import WAREHOUSE_HOOK_SECRET, Answer, OutsideWorld

SECRET = "whsec_d2FyZWhvdXNlLWNhbGxlcnMtc2VjcmV0LTEyMzQ1Ng=="
BASE = "/warehouse/v1/fulfilments"
TOKEN = {"Authorization": "Bearer reader"}
LINES = [{"sku": "MUG-1", "quantity": 2}]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutsideWorld]:
    async with OutsideWorld(tmp_path) as running:
        await running.call("PUT", "/_sim/warehouse", {"secret": SECRET, "ship_after_seconds": 60})
        yield running


def signed(raw: bytes, *, at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": "req_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("req_1", moment, raw.decode()),
    }


async def ask(
    world: OutsideWorld, reference: str = "main/1001", *, key: str = "key-1", lines: Any = None, **signing: Any
) -> Answer:
    raw = json.dumps({"reference": reference, "lines": LINES if lines is None else lines}).encode()
    headers = {**signed(raw, **signing), "Idempotency-Key": key}
    return await world.call("POST", BASE, raw=raw, headers=headers)


async def read(world: OutsideWorld, path: str = "") -> Any:
    answer = await world.call("GET", BASE + path, headers=TOKEN)
    assert answer.status == 200, answer.body
    return answer.body


async def act(world: OutsideWorld, verb: str, body: dict[str, Any]) -> Answer:
    return await world.call("POST", f"/_sim/warehouse/{verb}", body)


async def test_a_request_is_accepted_ships_in_time_and_is_told_of(world: OutsideWorld) -> None:
    accepted = await ask(world)
    assert accepted.status == 201
    assert (accepted.body["reference"], accepted.body["status"]) == ("main/1001", "accepted")

    await world.advance(59)
    assert (await read(world, f"/{accepted.body['id']}"))["status"] == "accepted"
    assert world.received == []
    await world.advance(2)

    (hook,) = await world.hooks(1, "warehouse")
    Webhook(WAREHOUSE_HOOK_SECRET).verify(hook.body, hook.headers)
    shipped = await read(world, f"/{accepted.body['id']}")
    assert hook.document["type"] == "shipment.shipped"
    assert hook.document["data"] == {
        "id": accepted.body["id"],
        "reference": "main/1001",
        "status": "shipped",
        "tracking": shipped["tracking"],
        "shipped_at": shipped["shipped_at"],
    }
    assert shipped["status"] == "shipped"
    asked_at, left_at = (datetime.fromisoformat(shipped[name]) for name in ("created_at", "shipped_at"))
    assert timedelta(seconds=60) <= left_at - asked_at < timedelta(seconds=61)


async def test_the_same_key_is_the_same_parcel_even_at_once(world: OutsideWorld) -> None:
    answers = await asyncio.gather(*(ask(world) for _ in range(10)))
    await world.advance(120)
    late = await ask(world)

    assert [answer.status for answer in answers] == [201] * 10
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert late.body == answers[0].body, "the answer is the first one, not today's status"
    assert (await world.call("GET", "/_sim/warehouse/fulfilments")).body["count"] == 1


async def test_a_key_cannot_be_used_for_something_else(world: OutsideWorld) -> None:
    await ask(world)
    other = await ask(world, "main/1002")
    assert (other.status, other.body["code"]) == (409, "idempotency_key_reused")


async def test_two_keys_for_one_reference_are_two_parcels(world: OutsideWorld) -> None:
    await ask(world, key="key-1")
    await ask(world, key="key-2")
    assert (await world.call("GET", "/_sim/warehouse/fulfilments?reference=main/1001")).body["count"] == 2


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"webhook-signature": ""}, "needed"),
        ({"webhook-timestamp": "soon"}, "whole number"),
        ({"webhook-signature": "v1,AAAA v1 ,, nonsense"}, "no signature"),
        ({"webhook-id": "req_2"}, "no signature"),
    ],
)
async def test_a_broken_signature_is_refused(world: OutsideWorld, headers: dict[str, str], reason: str) -> None:
    raw = json.dumps({"reference": "main/1001", "lines": LINES}).encode()
    answer = await world.call("POST", BASE, raw=raw, headers={**signed(raw), "Idempotency-Key": "k", **headers})
    assert answer.status == 401
    assert reason in answer.body["title"]


async def test_signatures_of_another_secret_or_another_hour_are_refused(world: OutsideWorld) -> None:
    now = datetime.now(UTC)
    assert (await ask(world, secret=WAREHOUSE_HOOK_SECRET)).status == 401
    assert (await ask(world, at=now - timedelta(minutes=6))).status == 401
    assert (await ask(world, at=now + timedelta(minutes=6))).status == 401
    assert (await world.call("GET", "/_sim/warehouse/fulfilments")).body["count"] == 0


async def test_signatures_are_judged_by_real_time_however_the_clock_was_moved(world: OutsideWorld) -> None:
    await world.advance(86_400 * 3)
    assert (await ask(world)).status == 201


async def test_one_good_signature_among_several_is_enough(world: OutsideWorld) -> None:
    raw = json.dumps({"reference": "main/1001", "lines": LINES}).encode()
    headers = signed(raw)
    headers["webhook-signature"] = (
        f"v1a,unknown {signed(raw, secret=WAREHOUSE_HOOK_SECRET)['webhook-signature']} "
        + (headers["webhook-signature"])
    )
    assert (await world.call("POST", BASE, raw=raw, headers={**headers, "Idempotency-Key": "k"})).status == 201


async def test_without_a_secret_nobody_is_let_in(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as world:
        answer = await ask(world)
    assert (answer.status, answer.body["title"]) == (401, "the warehouse has no secret to check signatures with")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"reference":"main/1"}', 422),
        (b'{"reference":"main/1","lines":[]}', 422),
        (b'{"reference":"","lines":[{"sku":"A","quantity":1}]}', 422),
        (b'{"reference":"main/1","lines":[{"sku":"A","quantity":0}]}', 422),
        (b'{"reference":"main/1","lines":[{"sku":"A","quantity":1.0}]}', 422),
        (b'{"reference":"main/1","lines":[{"sku":"","quantity":1}]}', 422),
        (b'{"reference":"main/1","lines":[{"sku":"A"}]}', 422),
    ],
)
async def test_requests_it_cannot_read_are_refused_and_use_up_no_key(
    world: OutsideWorld, body: bytes, status: int
) -> None:
    answer = await world.call("POST", BASE, raw=body, headers={**signed(body), "Idempotency-Key": "key-1"})
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (await ask(world)).status == 201


async def test_an_idempotency_key_is_needed(world: OutsideWorld) -> None:
    raw = json.dumps({"reference": "main/1001", "lines": LINES}).encode()
    assert (await world.call("POST", BASE, raw=raw, headers=signed(raw))).body["code"] == "idempotency_key_missing"


async def test_goods_that_are_never_in_stock_fail_and_are_told_of(world: OutsideWorld) -> None:
    accepted = await ask(world, lines=[*LINES, {"sku": "FAIL-9", "quantity": 1}])
    await world.advance(61)

    (hook,) = await world.hooks(1, "warehouse")
    assert hook.document["type"] == "shipment.failed"
    assert hook.document["data"] == {
        "id": accepted.body["id"],
        "reference": "main/1001",
        "status": "failed",
        "reason": "out of stock",
    }


async def test_a_cancelled_parcel_never_ships(world: OutsideWorld) -> None:
    path = f"{BASE}/{(await ask(world)).body['id']}/cancel"

    first = await world.call("POST", path, headers=signed(b""))
    again = await world.call("POST", path, headers=signed(b""))
    await world.advance(3600)

    assert (first.status, first.body["status"]) == (200, "cancelled")
    assert again.body == first.body
    assert (await read(world, f"/{first.body['id']}"))["status"] == "cancelled"
    assert (await world.call("GET", "/_sim/webhooks/deliveries?source=warehouse")).body["data"] == []


async def test_a_parcel_that_left_cannot_be_cancelled(world: OutsideWorld) -> None:
    path = f"{BASE}/{(await ask(world)).body['id']}/cancel"
    await world.advance(61)
    answer = await world.call("POST", path, headers=signed(b""))
    assert (answer.status, answer.body["code"]) == (409, "not_allowed")
    assert (await world.call("POST", path)).status == 401


async def test_parcels_wait_to_be_told_when_no_time_is_set(world: OutsideWorld) -> None:
    await world.call("PUT", "/_sim/warehouse", {"ship_after_seconds": None})
    await ask(world, "main/1", key="a")
    await ask(world, "main/2", key="b")
    await world.advance(86_400)
    assert world.received == []

    assert (await act(world, "ship", {"reference": "main/1"})).body["status"] == "shipped"
    assert (await act(world, "fail", {"reference": "main/2", "reason": "flooded"})).body["status"] == "failed"

    hooks = await world.hooks(2, "warehouse")
    told = {hook.document["data"]["reference"]: hook.document["type"] for hook in hooks}
    assert told == {"main/1": "shipment.shipped", "main/2": "shipment.failed"}
    assert (await act(world, "ship", {"reference": "main/2"})).status == 409
    assert (await act(world, "ship", {"reference": "main/3"})).status == 404


async def test_the_list_is_half_open_in_time_and_pages_without_gap_or_repeat(world: OutsideWorld) -> None:
    for number in range(7):
        await ask(world, f"main/{number}", key=f"key-{number}")
        await world.advance(10)
    everything = (await read(world))["data"]
    window = urlencode({"created_from": everything[1]["created_at"], "created_to": everything[6]["created_at"]})

    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor:
        page = await read(world, f"?limit=2&{window}" + (f"&cursor={cursor}" if cursor else ""))
        seen += [fulfilment["reference"] for fulfilment in page["data"]]
        cursor, pages = page["next_cursor"], pages + 1

    assert seen == [f"main/{number}" for number in range(1, 6)]
    assert pages == 3
    assert [one["reference"] for one in (await read(world, "?reference=main/3"))["data"]] == ["main/3"]


@pytest.mark.parametrize(
    "query", ["created_from=yesterday", "created_to=2026-01-01T00:00:00", "limit=0", "limit=501", "cursor=ful_0"]
)
async def test_a_bad_query_is_refused(world: OutsideWorld, query: str) -> None:
    assert (await world.call("GET", f"{BASE}?{query}", headers=TOKEN)).status == 400


async def test_reads_need_a_token_and_know_what_is_not_there(world: OutsideWorld) -> None:
    assert (await world.call("GET", BASE)).status == 401
    assert (await world.call("GET", BASE, headers={"Authorization": "Basic x"})).status == 401
    assert (await world.call("GET", f"{BASE}/ful_0", headers=TOKEN)).status == 404


async def test_tampering_changes_the_books_and_tells_nobody(world: OutsideWorld) -> None:
    placed = await world.call("POST", "/_sim/shop/orders", {"paid": False, "lines": [{"sku": "TEA", "price_minor": 5}]})
    unpaid = f"main/{placed.body['order_id']}"
    await world.hooks(1)
    lost = await ask(world, "main/lost")

    ghost = await act(world, "tamper", {"action": "ship_without_order", "reference": "main/ghost"})
    early = await act(world, "tamper", {"action": "ship_unpaid", "reference": unpaid})
    assert (await act(world, "tamper", {"action": "lose_shipment", "reference": "main/lost"})).status == 200
    await world.advance(3600)

    assert ghost.body["fulfilment"]["status"] == "shipped"
    assert early.body["fulfilment"]["lines"] == [{"sku": "TEA", "quantity": 1}]
    assert [one["reference"] for one in (await read(world))["data"]] == ["main/ghost", unpaid]
    assert (await world.call("GET", f"{BASE}/{lost.body['id']}", headers=TOKEN)).status == 404
    assert (await world.call("GET", "/_sim/webhooks/deliveries?source=warehouse")).body["data"] == []
    assert (await act(world, "tamper", {"action": "burn", "reference": "main/1"})).status == 400
    assert (await act(world, "tamper", {"action": "lose_shipment"})).status == 400


@pytest.mark.parametrize("body", [{"secret": "whsec_%%%"}, {"ship_after_seconds": -1}, {"ship_after": 1}])
async def test_settings_that_make_no_sense_are_refused(world: OutsideWorld, body: dict[str, Any]) -> None:
    assert (await world.call("PUT", "/_sim/warehouse", body)).status == 400
    assert (await ask(world)).status == 201, "the earlier settings still hold"


async def test_parcels_under_way_ship_after_a_restart(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as world:
        await world.call("PUT", "/_sim/warehouse", {"secret": SECRET, "ship_after_seconds": 60})
        accepted = await ask(world)
        await world.advance(30)
    async with OutsideWorld(tmp_path) as world:
        again = await ask(world)
        await world.advance(31)
        (hook,) = await world.hooks(1, "warehouse")
        assert again.body == accepted.body
        assert hook.document["data"]["id"] == accepted.body["id"]


async def test_an_answer_lost_after_the_effect_leaves_one_parcel(world: OutsideWorld) -> None:
    await world.call("PUT", "/_sim/faults", {"route": f"POST {BASE}", "kind": "reset_after"})
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(world)
    retried = await ask(world)

    assert retried.headers["idempotency-replayed"] == "true"
    assert world.app[keys.STORE].count("warehouse_fulfilments") == 1
