"""`orders webhooks` on the running stack: samples that are sent, events that are looked at, events that run again."""

import json
from pathlib import Path

from infra.local.commandline import Finished
from infra.local.story.world import until
from tests.e2e.scene import Scene
from tests.e2e.test_deliveries import hold, paid_once, release
from worker.contract.ids import event_workflow_id
from worker.domain.order import OrderState


def orders(scene: Scene, *arguments: str, status: int = 0) -> Finished:
    done = scene.stack.cli("webhooks", *arguments)
    assert done.status == status, done
    return done


def filed(scene: Scene) -> list[dict[str, str]]:
    """Return what the inbox has of paid orders."""
    said = orders(scene, "list", "--source", "shopify", "--type", "orders/paid", "--limit", "1000", "--json").out
    entries: list[dict[str, str]] = json.loads(said)
    return entries


async def sample(scene: Scene, order_id: str, folder: Path) -> str:
    file = folder / f"{order_id}.json"
    file.write_bytes(await scene.shop_document(order_id))
    return str(file)


async def test_a_sample_is_signed_and_sent_as_often_as_asked(scene: Scene, tmp_path: Path) -> None:
    await hold(scene, "*", "*")
    order_id = await scene.buy()
    await scene.world.control("DELETE", "/webhooks/faults")
    file = await sample(scene, order_id, tmp_path)
    before = {entry["event_id"] for entry in filed(scene)}
    copies = ("--count", "4", "--duplicates", "3", "--shuffle", "--seed", "7", "--concurrency", "16")
    url = scene.stack.url("functions")
    # A server that has just been started, or a busy machine, may not record a start within the deadline: 503, and the
    # sender comes again. What was recorded all the same is then known, and nobody was told "accepted".
    sent = ("--type", "orders/paid", *copies, "--retries", "20", "--url", url, "--json")
    answers = json.loads(orders(scene, "send", "shopify", file, *sent).out)["answers"]
    assert set(answers) <= {"202 accepted", "200 duplicate"}
    assert sum(answers.values()) == 16
    assert answers.get("202 accepted", 0) <= 4
    await scene.completes(order_id)
    assert len({entry["event_id"] for entry in filed(scene)} - before) == 4
    await release(scene)
    await paid_once(scene, order_id)
    forged = tmp_path / "guessed"
    forged.write_text("shpss_guessed", encoding="utf-8")
    refused = orders(
        scene, "send", "shopify", file, "--type", "orders/paid", "--secret-file", str(forged), "--url", url, status=5
    )
    assert "401 signature_invalid" in refused.out


async def test_an_event_that_was_lost_takes_effect_when_it_runs_again_and_only_once(
    scene: Scene, tmp_path: Path
) -> None:
    await hold(scene, "shopify", "*")
    order_id = await scene.buy()
    event_id = (await scene.events())["stripe", "payment_intent.succeeded"]
    # The payment's news waits for an order that nobody told us of, until somebody gives it up.
    waiting = scene.client.get_workflow_handle(event_workflow_id("stripe", event_id))

    async def asks_for_its_order() -> bool:
        known = bool(scene.inbox(event_id))
        return known and bool((await waiting.describe()).raw_description.pending_activities)

    await until("the event to ask for its order", asks_for_its_order)
    await waiting.cancel()
    assert await scene.filed(event_id) == "unmatched"
    file, url = await sample(scene, order_id, tmp_path), scene.stack.url("functions")
    orders(scene, "send", "shopify", file, "--type", "orders/create", "--url", url)
    await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)

    shown = json.loads(orders(scene, "list", "--source", "stripe", "--outcome", "unmatched", "--json").out)
    assert event_id in {entry["event_id"] for entry in shown}
    assert "unmatched" in orders(scene, "show", event_id).out
    assert json.loads(orders(scene, "show", event_id, "--body").out)["id"] == event_id
    planned = json.loads(orders(scene, "replay", event_id, "--dry-run", "--json").out)
    assert [(each["event"], each["now"]) for each in planned] == [(event_id, "can be")]
    asked = scene.stack.cli("webhooks", "replay", event_id)
    assert asked.status == 2, "without a terminal it is not asked, and nothing is done"

    replayed = json.loads(orders(scene, "replay", event_id, "--yes", "--json").out)
    assert [(each["before"], each["now"]) for each in replayed] == [("unmatched", "applied")]
    await scene.completes(order_id)
    again = json.loads(orders(scene, "replay", event_id, "--yes", "--json").out)
    assert again[0]["now"] in {"applied", "late", "duplicate"}
    await release(scene)
    await paid_once(scene, order_id)


async def test_what_is_not_there_is_said(scene: Scene) -> None:
    assert "not in the inbox" in orders(scene, "show", "evt_nobody", status=5).err
    assert "no such event" in orders(scene, "replay", "evt_nobody", "--yes", status=5).err
    orders(scene, "replay", "--yes", status=2)
    orders(scene, "list", "--outcome", "lost", status=2)


async def test_what_was_not_asked_for_is_neither_left_out_nor_replayed_in_silence(scene: Scene) -> None:
    order_id = await scene.buy()
    await scene.completes(order_id)
    listed = orders(scene, "list", "--limit", "1", "--json")
    assert len(json.loads(listed.out)) == 1
    assert "there are more" in listed.err
    assert "more than 1 events" in orders(scene, "replay", "--source", "stripe", "--limit", "1", "--yes", status=5).err
