"""Single pieces of an order are cancelled, over HTTP and by hand, while the warehouse has its parcel."""

from tests.e2e.scene import Scene
from worker.domain.order import OrderState


async def test_what_is_cancelled_goes_back_and_what_stays_leaves(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.order()
    await scene.comes_to(order_id, OrderState.FULFILLING)
    path, wish = f"/orders/{order_id}/cancel-lines", {"request_id": "l-1", "lines": [{"line": 1, "quantity": 1}]}
    answers = [await scene.post(path, wish), await scene.post(path, wish)]
    assert [(answer.status, answer.body["amount_minor"], answer.body["total_minor"]) for answer in answers] == [
        (200, 1111, 2222)
    ] * 2
    many = await scene.post(path, {"request_id": "l-2", "lines": [{"line": 1, "quantity": 3}]})
    assert (many.status, many.body["code"]) == (409, "conflict")

    said = ("order", "cancel-lines", order_id, "1:1", "--reason", "sold out", "--actor", "bob")
    assert "would cancel 1 of" in (await scene.cli(*said, "--dry-run")).out
    assert "EUR 11.11 less, EUR 11.11 given back" in (await scene.cli(*said, "--yes")).out
    parcels = (await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}"))["data"]
    assert [(parcel["status"], parcel["lines"][0]["quantity"]) for parcel in parcels] == [
        ("cancelled", 3),
        ("cancelled", 2),
        ("accepted", 1),
    ]
    await scene.world.control("POST", "/warehouse/ship", {"reference": f"main/{order_id}"})
    (order,) = await scene.completes(order_id)
    assert (order.total_minor, order.kept_minor) == (1111, 1111)
    assert await scene.charged(order_id) == (1, 1111)
    lines = [entry["amount_minor"] for entry in await scene.json("order", "timeline", order_id)
             if entry["kind"] == "lines.cancelled"]  # fmt: skip
    assert lines == [1111, 1111]
