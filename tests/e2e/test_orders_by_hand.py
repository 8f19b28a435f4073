"""What a person does to orders with the command line: a step tried again at once, money given back, all of it noted."""

from tests.e2e.scene import Scene
from worker.domain.order import OrderState


async def test_a_step_that_keeps_failing_is_tried_at_once_when_somebody_says_so(scene: Scene) -> None:
    """Its next try may be up to an hour away. Nothing is done twice by it."""
    await scene.world.control(
        "PUT", "/faults", {"route": "POST /warehouse/*", "kind": "status", "status": 503, "times": None}
    )
    try:
        order_id = await scene.order()
        await scene.comes_to(order_id, OrderState.PAID)
        looked = ""
        while "request_fulfilment" not in looked:
            looked = (await scene.cli("order", "retry", order_id, "--reason", "x", "--dry-run")).out
        assert "provider_unavailable; would be tried again now" in looked
        done = await scene.cli("order", "retry", order_id, "--reason", "the warehouse is back", "--actor", "bob")
        assert "provider_unavailable; is tried again now" in done.out
    finally:
        await scene.world.control("DELETE", "/faults")
    await scene.completes(order_id)
    assert await scene.charged(order_id) == (1, 3333)
    (entry,) = await scene.json("audit", "list", "--subject", f"order/{order_id}")
    assert (entry["actor"], entry["action"], entry["detail"]["reason"]) == ("bob", "retried", "the warehouse is back")
    assert await scene.closed(order_id) == "COMPLETED"
    over = await scene.cli("order", "retry", order_id, "--reason", "x", status=5)
    assert "is over" in over.err


async def test_money_is_given_back_by_hand_partly_and_then_the_rest(scene: Scene) -> None:
    order_id = await scene.order()
    await scene.completes(order_id)
    said = ("--reason", "one cup was broken", "--actor", "bob", "--yes")
    part = ("order", "refund", order_id, "--amount", "11.11", *said, "--request-id", "cup")
    assert "EUR 11.11 given back, EUR 11.11 in all" in (await scene.cli(*part)).out
    assert "duplicate: EUR 11.11 given back, EUR 11.11 in all" in (await scene.cli(*part)).out
    too_much = await scene.cli("order", "refund", order_id, "--amount", "22.23", *said, status=5)
    assert "our books hold EUR 22.22" in too_much.err
    assert "EUR 33.33 in all" in (await scene.cli("order", "refund", order_id, *said)).out
    assert await scene.charged(order_id) == (1, 0)
    entries = await scene.json("audit", "list", "--subject", f"order/{order_id}", "--action", "refund_requested")
    assert {(entry["actor"], entry["detail"]["reason"]) for entry in entries} == {("bob", "one cup was broken")}
    shown = (await scene.cli("order", "show", order_id)).out
    assert "refunded EUR 33.33: refunded" in shown
    assert "orders order refund" not in shown, "there is nothing left to give back"
