"""The worker dies by kill -9 between what it did outside and its record of it."""

import asyncio

from infra.local.story.world import until
from tests.e2e.scene import Scene, fresh
from worker.domain.order import OrderState


async def hangs(scene: Scene, route: str) -> None:
    """Let the next call of a route have its effect and no answer."""
    rule = {"route": route, "kind": "timeout_after", "times": 1, "seconds": 60}
    await scene.world.control("PUT", "/faults", rule)


async def hung(scene: Scene, times: int) -> None:
    """Wait until so many calls hang, their effects done."""

    async def fired() -> bool:
        rules = (await scene.world.control("GET", "/faults"))["rules"]
        return sum(int(rule["fired"]) for rule in rules) == times

    await until(f"{times} calls to hang", fired, 60)


async def parcels_of(scene: Scene, order_id: str) -> list[str]:
    """Return where each parcel that was asked for an order stands at the warehouse."""
    found = await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")
    return [str(parcel["status"]) for parcel in found["data"]]


async def test_what_the_dead_worker_did_outside_is_not_done_again(scene: Scene) -> None:
    """One order's worker dies in its authorisation, one's in its capture, one's at the warehouse.

    So does that of a fourth, whose process is cancelled before there is another worker.
    """
    in_authorise, in_capture, in_fulfil = orders = [fresh(f"K-{name}") for name in ("authorise", "capture", "fulfil")]
    given_up = fresh("K-given-up")
    # The provider's own events would tell of the effects before the dead worker's successor looks.
    await scene.world.control("PUT", "/webhooks/faults", {"kind": "hold", "source": "stripe", "times": None})
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    for number, (order_id, route) in enumerate(
        (
            (in_fulfil, "POST /warehouse/v1/fulfilments"),
            (given_up, "POST /warehouse/v1/fulfilments"),
            (in_capture, "POST /stripe/v1/payment_intents/*/capture"),
            (in_authorise, "POST /stripe/v1/payment_intents"),
        ),
        start=1,
    ):
        await hangs(scene, route)
        await scene.order(order_id=order_id)
        await hung(scene, number)

    # At once: who waits for an answer for five seconds asks again. All effects are done, none is recorded.
    await asyncio.to_thread(scene.stack.kill, "worker")
    states = [order.state for order_id in orders if (order := scene.read(order_id)) is not None]
    # An authorisation that came soon is written down with its capture.
    assert (states[0], states[2]) == (OrderState.PAYING, OrderState.PAID)
    assert states[1] in {OrderState.PAYING, OrderState.AUTHORISED}
    assert [await scene.charged(order_id) for order_id in orders] == [(0, 0), (1, 3333), (1, 3333)]
    assert (await scene.charged(given_up), await parcels_of(scene, given_up)) == ((1, 3333), ["accepted"])
    await scene.client.get_workflow_handle(f"order/main/{given_up}").cancel()
    await scene.world.control("DELETE", "/faults")
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 0})
    await asyncio.to_thread(scene.stack.start, "worker")

    await scene.comes_to(in_fulfil, OrderState.FULFILLING)
    await scene.world.control("POST", "/warehouse/ship", {"reference": f"main/{in_fulfil}"})
    for order in await scene.completes(*orders):
        assert order.captured_minor == 3333
        assert await scene.charged(order.order_id) == (1, 3333)
        assert len((await scene.ledger(order.order_id))["charges"]) == 1, "not even a second authorisation"
        assert await parcels_of(scene, order.order_id) == ["shipped"]
    # Our books knew of no parcel when its money was to go back.
    await scene.comes_to(given_up, OrderState.CANCELLED)
    assert await parcels_of(scene, given_up) == ["cancelled"]
    assert (await scene.charged(given_up))[1] == 0


async def test_a_worker_that_is_stopped_finishes_what_is_under_way(scene: Scene) -> None:
    process = scene.stack.member("worker").process
    assert process is not None
    slow = {"route": "POST /stripe/v1/payment_intents", "kind": "timeout_after", "times": 2, "seconds": 2}
    await scene.world.control("PUT", "/faults", slow)
    orders = [await scene.order() for _ in range(2)]
    await hung(scene, 2)
    assert await asyncio.to_thread(scene.stack.stop, "worker"), "within its drain time"
    assert process.returncode == 0
    waiting = [await scene.order() for _ in range(2)]
    await asyncio.to_thread(scene.stack.start, "worker")
    await scene.completes(*orders, *waiting)
    for order_id in (*orders, *waiting):
        assert await scene.charged(order_id) == (1, 3333)
