"""Webhooks as they really come: many times at once, in the wrong order, late, twice."""

import asyncio
import json
import uuid
from collections import Counter
from datetime import UTC, datetime

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from infra.local.simulator import signing
from infra.local.story.world import until
from tests.e2e.scene import Answer, Scene
from worker.domain.order import OrderState

COPIES = 50


async def deliver(scene: Scene, body: bytes, *, topic: str, event_id: str, secret: str = "") -> Answer:
    """Deliver a webhook of the shop, signed as the shop signs."""
    headers = signing.shopify_headers(
        body,
        secret or scene.stack.stack.layout.credentials.shopify_webhook_secret,
        topic=topic,
        webhook_id=event_id,
        event_id=f"shared-{event_id}",
        shop_domain="main.myshopify.test",
        triggered_at=datetime.now(UTC).isoformat(),
    )
    return await scene.taken("/webhooks/shopify", body=body, headers=headers)


async def hold(scene: Scene, source: str, topic: str) -> None:
    """Let the sender keep its next webhooks until `release`."""
    await scene.world.control(
        "PUT", "/webhooks/faults", {"kind": "hold", "source": source, "topic": topic, "times": None}
    )


async def release(scene: Scene) -> None:
    await scene.world.control("DELETE", "/webhooks/faults")
    await scene.world.control("POST", "/webhooks/release", {})
    await scene.all_delivered()


async def paid_once(scene: Scene, order_id: str) -> None:
    """The money is in our books once, as it is at the provider."""
    order = scene.read(order_id)
    assert order is not None
    assert (order.state, order.captured_minor, order.refunded_minor) == (OrderState.COMPLETED, 2580, 0)
    assert await scene.charged(order_id) == (1, 2580)
    assert len(scene.transact(lambda tx: tx.payments.entries_of_order("main", order_id))) == 1
    assert await scene.runs(f"order/main/{order_id}") == 1


async def test_fifty_copies_at_once_are_one_event(scene: Scene) -> None:
    await hold(scene, "*", "*")
    order_id = await scene.buy()
    body, event_id = await scene.shop_document(order_id), str(uuid.uuid4())
    await scene.world.control("DELETE", "/webhooks/faults")  # the warehouse may speak; what the shop has is kept
    copies = [deliver(scene, body, topic="orders/paid", event_id=event_id) for _ in range(COPIES)]
    answers = await asyncio.gather(*copies)
    # None is 202 where the first start was recorded just after its deadline, and said to be in doubt.
    assert Counter(answer.status for answer in answers) in ({202: 1, 200: COPIES - 1}, {200: COPIES})
    await scene.completes(order_id)
    assert await scene.runs(f"event/shopify/{event_id}") == 1
    assert [entry.outcome for entry in scene.inbox(event_id)] == ["applied"]
    await paid_once(scene, order_id)
    # The shop's own deliveries come after all that, under ids of their own.
    own = (await scene.events())["shopify", "orders/paid"]
    await release(scene)
    assert await scene.filed(own) == "late"
    await paid_once(scene, order_id)


async def test_an_event_that_comes_again_when_temporal_has_forgotten_it_is_still_one(scene: Scene) -> None:
    """A provider may send an event again after the namespace's retention, when its id is free: the inbox knows it."""
    await hold(scene, "*", "*")
    order_id = await scene.buy()
    body, event_id = await scene.shop_document(order_id), str(uuid.uuid4())
    await scene.world.control("DELETE", "/webhooks/faults")

    async def delivered() -> str:
        answer = await deliver(scene, body, topic="orders/paid", event_id=event_id)
        return f"{answer.status} {answer.body['status']}"

    assert await delivered() == "202 accepted"
    await scene.completes(order_id)
    assert await scene.filed(event_id) == "applied"
    assert await delivered() == "200 duplicate"
    (entry,) = scene.inbox(event_id)
    first = scene.client.get_workflow_handle(entry.workflow_id, run_id=entry.run_id)
    await first.result()
    await forget(scene, entry.workflow_id, entry.run_id)

    assert await delivered() == "202 accepted", "for all that Temporal knows it is new"
    again = scene.client.get_workflow_handle(entry.workflow_id)
    assert (await again.describe()).run_id != entry.run_id
    assert (await again.result())["outcome"] == "duplicate"
    assert scene.inbox(event_id) == [entry], "what became of it stands as it was"
    await release(scene)
    await paid_once(scene, order_id)


async def forget(scene: Scene, workflow_id: str, run_id: str) -> None:
    """Let Temporal delete a run that has ended, as it does by itself when the retention is over."""
    run = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DeleteWorkflowExecutionRequest(namespace=scene.client.namespace, workflow_execution=run)

    async def gone() -> bool:
        try:
            # Asked again each time: the server puts it off while the run's end is still being recorded.
            await scene.client.workflow_service.delete_workflow_execution(request)
            await scene.client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await until(f"{workflow_id} to be forgotten", gone, 60)


async def test_what_is_not_signed_by_the_sender_is_refused(scene: Scene) -> None:
    await hold(scene, "*", "*")
    order_id = await scene.buy(paid=False)
    body = await scene.shop_document(order_id)
    forged = await deliver(scene, body, topic="orders/paid", event_id=str(uuid.uuid4()), secret="shpss_guessed")
    assert (forged.status, forged.body["code"]) == (401, "signature_invalid")
    honest = await deliver(scene, body, topic="orders/create", event_id="e-" + uuid.uuid4().hex)
    assert honest.status == 202
    await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)
    # A key of the shop's does not make a payment: the order asks the shop what it collected.
    event_id = "e-" + uuid.uuid4().hex
    claimed = json.dumps(json.loads(body) | {"financial_status": "paid"}).encode()
    assert (await deliver(scene, claimed, topic="orders/edited", event_id=event_id)).body["status"] == "ignored"
    await release(scene)
    order = scene.read(order_id)
    assert order is not None
    assert (order.state, order.captured_minor) == (OrderState.AWAITING_PAYMENT, 0)
    await scene.world.control("POST", f"/shop/orders/{order_id}/cancel", {})
    await scene.comes_to(order_id, OrderState.CANCELLED)


async def test_paid_before_it_was_created(scene: Scene) -> None:
    await hold(scene, "shopify", "orders/create")
    await hold(scene, "stripe", "*")
    order_id = await scene.buy()
    events = await scene.events()
    await scene.completes(order_id)
    await release(scene)
    assert await scene.filed(events["shopify", "orders/paid"]) == "applied"
    assert await scene.filed(events["shopify", "orders/create"]) == "duplicate"
    await paid_once(scene, order_id)


async def test_the_news_of_the_payment_comes_late_and_twice(scene: Scene) -> None:
    await hold(scene, "shopify", "orders/paid")
    order_id = await scene.buy()
    events = await scene.events()
    # The provider told of the same money first.
    await scene.completes(order_id)
    assert await scene.closed(order_id) == "COMPLETED"
    await release(scene)
    paid = events["shopify", "orders/paid"]
    assert await scene.filed(paid) == "late"
    for event_id in (paid, events["stripe", "payment_intent.succeeded"]):
        await scene.world.control("POST", "/webhooks/resend", {"event_id": event_id})
    await scene.all_delivered()
    assert len(scene.inbox(paid)) == 1
    await paid_once(scene, order_id)


async def test_every_webhook_of_an_order_comes_twice_and_some_overtake_others(scene: Scene) -> None:
    faults = [
        {"kind": "duplicate", "source": "shopify", "topic": "*", "times": None},
        {"kind": "delay", "source": "stripe", "topic": "*", "times": None, "seconds": 0.5},
        {"kind": "duplicate", "source": "warehouse", "topic": "*", "times": None},
    ]
    await scene.world.control("PUT", "/webhooks/faults", {"rules": faults})
    order_ids = await asyncio.gather(*(scene.buy() for _ in range(5)))
    await scene.completes(*order_ids)
    await scene.all_delivered()
    for order_id in order_ids:
        await paid_once(scene, order_id)
