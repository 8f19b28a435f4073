"""Nothing secret and nothing personal gets into logs, histories, answers of the command line or reports."""

import dataclasses
import re
import uuid
from pathlib import Path

from tests.e2e.scene import Scene
from tests.e2e.test_users_by_api import mailed_token

CARD = re.compile(r"(?<![\d.])(?:4242|4000|5555)\d{12}(?!\d)")
"""Numbers of the provider's test cards."""


async def test_no_secret_leaves_its_place(scene: Scene) -> None:
    user_id, order_id = f"user-{uuid.uuid4().hex[:8]}", ""
    address = f"{user_id}@private.example"
    await scene.post("/users", {"user_id": user_id, "email": address})
    token = await mailed_token(scene, address)
    await scene.post(f"/users/{user_id}/confirm", {"token": f"{token}x"}, headers={})
    await scene.post(f"/users/{user_id}/confirm", {"token": token}, headers={})
    # A card number where a token belongs is refused and echoed nowhere.
    order_id = await scene.order()
    card = {"order_id": order_id, "payment_method": "4242424242424242", "note": "4000000000000002"}
    refused = await scene.post("/orders", card)
    assert refused.status == 422
    declined = await scene.order(payment_method="pm_card_chargeDeclined")
    bought = await scene.buy()
    await scene.completes(order_id, bought)
    assert await scene.closed(declined) == "COMPLETED"

    told = dict(logs(scene))
    assert {"worker.log", "functions.log", "temporal.log"} <= told.keys()
    for workflow_id in (
        f"order/main/{order_id}",
        f"order/main/{bought}",
        f"order/main/{declined}",
        f"user/{user_id}",
        f"event/shopify/{(await scene.events())['shopify', 'orders/paid']}",
    ):
        history = await scene.client.get_workflow_handle(workflow_id).fetch_history()
        assert history.events
        told[workflow_id] = history.to_json()
    told["refusal"] = str(refused.body)
    told["order show"] = (await scene.cli("order", "show", order_id)).out
    for page in Path(scene.config.store.path).rglob("report.*"):
        told[str(page)] = page.read_text(encoding="utf-8", errors="replace")

    secrets = dataclasses.asdict(scene.stack.stack.layout.credentials) | {"mailed token": token}
    leaks = [(place, name) for place, text in told.items() for name, secret in secrets.items() if secret in text]
    assert leaks == []
    assert [place for place, text in told.items() if CARD.search(text)] == []
    assert [place for place, text in told.items() if place.endswith(".log") and address in text] == []


def logs(scene: Scene) -> list[tuple[str, str]]:
    """Return what the stack's processes have written. The outside world's own log is its own affair."""
    folder = scene.stack.stack.directory / "logs"
    return [
        (file.name, file.read_text(encoding="utf-8", errors="replace"))
        for file in folder.glob("*.log")
        if file.name != "simulator.log"
    ]
