"""Webhooks we send, from the change they tell of to an endpoint with faults: at least once, one id, one signature."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine
from temporalio.client import Client

from tests.integration.hook_receiver import DRIP, DROP, HANG, Fault, HookReceiver, hook_receiver
from tests.integration.own_database import emptied, migrated_database
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_breaks_cli import SECRETS as SETTINGS
from tests.integration.test_breaks_cli import orders
from tests.workflows.timeskipping import serving
from worker.activities.outbound import OutboundActivities
from worker.contract.outbound import Notification
from worker.domain.errors import ProviderUnavailable
from worker.domain.order import Order, OrderState
from worker.domain.outbound import LADDER, Message, MessageState, Subscription
from worker.domain.payment import BookEntry, EntryKind
from worker.gateways.outbound import AT_ONCE, Destination, HttpOutbound
from worker.repositories.database import MysqlDatabase
from worker.services.outbound import GRACE, HELD, OutboundService, Told
from worker.services.ports import Transaction
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.outbox import Bell, Clerk
from worker.workflows.notification import NotificationWorkflow

S = OrderState
OLD, NEW = "whsec_b2xkLXNlY3JldC1vZi1vdXRib3VuZA==", "whsec_bmV3LXNlY3JldC1vZi1vdXRib3VuZA=="
ERP = Subscription(name="erp", shop="main")
MAILER = Subscription(name="mailer", shop="main", kinds=frozenset({"order.paid"}))
ELSEWHERE = Subscription(name="elsewhere", shop="other")
PATIENCE, IMPATIENCE = 20, 0.7
_numbers = count(1)


class MovedClock:
    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Desk:
    """Orders that tell, and what sends what they tell."""

    def __init__(self, engine: Engine, receiver: HookReceiver, *subscriptions: Subscription) -> None:
        self.clock = MovedClock()
        self.bell = Bell()
        told = subscriptions or (ERP, MAILER, ELSEWHERE)
        self.database = MysqlDatabase(engine, told, self.bell.ring)
        self.service = OutboundService(self.database, self.clock, {each.name: each for each in told})
        endpoint = Destination(url=f"{receiver.url}/hook?x=1", secrets=(NEW, OLD), inside=True)
        self.gateway = HttpOutbound({each.name: endpoint for each in told}, timeout_seconds=PATIENCE)
        self.activities = OutboundActivities(self.service, self.gateway)

    def place(self) -> Order:
        order = Order(
            shop="main",
            order_id=f"out-{next(_numbers)}",
            currency="EUR",
            total_minor=2500,
            lines=(),
            customer_id="jane-doe",
            payment_mode="charge",
            placed_at=self.clock.now(),
            origin="api",
        )
        self.database.transact(lambda tx: tx.orders.add(order, self.clock.now(), "test"))
        return order

    def move(self, order: Order, *states: OrderState, captured: int = 0) -> None:
        def work(tx: Transaction) -> None:
            current = tx.orders.lock(order.shop, order.order_id)
            if captured:
                tx.payments.post(self.capture(order, captured))
            for state in states:
                current = tx.orders.move(
                    current, state, at=self.clock.now(), actor="test", reason="Jane Doe called from Berlin"
                )

        self.database.transact(work)

    def capture(self, order: Order, amount_minor: int) -> BookEntry:
        return BookEntry(
            shop=order.shop,
            order_id=order.order_id,
            provider="stripe",
            kind=EntryKind.CAPTURE,
            reference=f"pi_{order.order_id}",
            payment_reference=f"pi_{order.order_id}",
            amount_minor=amount_minor,
            currency="EUR",
            occurred_at=self.clock.now(),
        )

    def messages(self, order: Order) -> list[Message]:
        return self.database.transact(lambda tx: tx.outbound.of_order(order.shop, order.order_id))

    def message(self) -> Message:
        """Return the only message of a new order."""
        (message,) = self.messages(self.place())
        return message

    async def send(self, message: Message) -> Told:
        """Try once, as its workflow does: when the time of the next try has come."""
        row = self.database.transact(lambda tx: tx.outbound.get(message.message_id, message.subscription))
        if row is not None and row.attempts and row.due_at is not None:
            self.clock.offset += max(timedelta(0), row.due_at - GRACE - self.clock.now())
        return await self.activities.send_message(
            Notification(subscription=message.subscription, message_id=message.message_id)
        )

    def row(self, message: Message) -> Message:
        found = self.database.transact(lambda tx: tx.outbound.get(message.message_id, message.subscription))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def shared(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def engine(shared: Engine) -> Engine:
    emptied(shared)
    return shared


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    with hook_receiver() as running:
        yield running


@pytest.fixture
def desk(engine: Engine, receiver: HookReceiver) -> Desk:
    return Desk(engine, receiver)


@pytest.fixture
def lone(engine: Engine, receiver: HookReceiver) -> Desk:
    """One subscription to everything."""
    return Desk(engine, receiver, ERP)


async def test_every_change_of_state_is_one_signed_message_to_each_who_wants_it(
    desk: Desk, receiver: HookReceiver
) -> None:
    order = desk.place()
    desk.move(order, S.PAYING, S.AUTHORISED)
    desk.move(order, S.PAID, captured=2500)
    told = [(one.subscription, one.kind) for one in desk.messages(order)]
    assert sorted(told) == [
        ("erp", "order.authorised"),
        ("erp", "order.paid"),
        ("erp", "order.paying"),
        ("erp", "order.received"),
        ("mailer", "order.paid"),
    ]
    for message in desk.messages(order):
        assert (await desk.send(message)).state == "delivered"
        assert (await desk.send(message)).state == "delivered", "again, and not sent again"
    assert len(receiver.got) == 5
    for secret in (OLD, NEW):
        documents = receiver.verified(secret)
    assert [one["id"] for one in documents] == receiver.ids
    assert len(set(receiver.ids)) == 4, "a change is one message, however many are told of it"
    (paid, _) = [one for one in documents if one["type"] == "order.paid"]
    assert paid["data"] == {
        "order_id": order.order_id,
        "shop": "main",
        "state": "paid",
        "previous_state": "authorised",
        "currency": "EUR",
        "total_minor": 2500,
        "captured_minor": 2500,
        "refunded_minor": 0,
    }
    assert datetime.fromisoformat(paid["timestamp"]).utcoffset() == timedelta(0)
    sent = b"".join(body for _, body in receiver.got).lower()
    assert b"jane" not in sent


def test_a_change_that_is_rolled_back_is_no_message(lone: Desk) -> None:
    order = lone.place()

    def work(tx: Transaction) -> None:
        tx.orders.move(tx.orders.lock("main", order.order_id), S.CANCELLED, at=lone.clock.now(), actor="test")
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        lone.database.transact(work)
    assert [one.kind for one in lone.messages(order)] == ["order.received"]


@pytest.mark.parametrize("fault", [500, 404, 301, (429, "120"), HANG, DROP, DRIP], ids=str)
async def test_whatever_an_endpoint_answers_but_yes_is_tried_again(
    lone: Desk, receiver: HookReceiver, fault: Fault
) -> None:
    message = lone.message()
    receiver.faults = [fault]
    lone.gateway._timeout_seconds = IMPATIENCE if fault in {HANG, DRIP} else PATIENCE
    told = await lone.send(message)
    lone.gateway._timeout_seconds = PATIENCE
    assert (told.state, told.wait_seconds) == ("pending", 120 if isinstance(fault, tuple) else 5)
    assert lone.row(message).detail
    assert receiver.url not in lone.row(message).detail
    assert (await lone.send(message)).state == "delivered"
    assert len(set(receiver.ids)) == 1
    bodies = {body for _, body in receiver.got}
    assert len(bodies) == 1
    receiver.verified(NEW)


async def test_a_message_climbs_the_ladder_to_its_end_and_is_sent_again_on_wish(
    lone: Desk, receiver: HookReceiver
) -> None:
    message = lone.message()
    receiver.faults = [500] * 10
    waits = [(await lone.send(message)).wait_seconds for _ in range(10)]
    assert waits == [*(wait.total_seconds() for wait in LADDER), None]
    dead = lone.row(message)
    assert (dead.state, dead.attempts, dead.status, dead.due_at) == (MessageState.DEAD, 10, 500, None)
    assert lone.service.counts() == {("erp", "dead"): 1, ("erp", "pending"): 0}
    assert lone.database.transact(lambda tx: tx.outbound.died(lone.clock.now() - timedelta(minutes=5))) == 1
    assert lone.database.transact(lambda tx: (tx.outbound.dead("main"), tx.outbound.dead("other"))) == (1, 0)
    assert (await lone.send(message)).state == "dead"
    assert len(receiver.got) == 10, "what is dead is not sent"

    assert lone.service.redeliver_dead("nobody", 9) == []
    assert [one.message_id for one in lone.service.redeliver_dead(None, 9)] == [message.message_id]
    assert lone.service.due() == [replace(lone.row(message))]
    assert (await lone.send(message)).state == "delivered"
    assert set(receiver.ids) == {message.message_id}


async def test_410_disables_the_endpoint_and_what_is_for_it_waits_until_it_is_enabled(
    desk: Desk, receiver: HookReceiver
) -> None:
    order = desk.place()
    desk.move(order, S.PAYING, S.AUTHORISED, S.PAID)
    first, second, *_ = [one for one in desk.messages(order) if one.subscription == "erp"]
    receiver.faults = [410]
    assert (await desk.send(first)).state == HELD
    assert (await desk.send(second)).state == HELD
    assert len(receiver.got) == 1, "nothing is sent to a disabled endpoint"
    assert {one.subscription for one in desk.service.due()} == {"mailer"}, "another subscription goes on"
    assert desk.service.enable("erp", actor="bob", reason="back again") == 4
    assert {one.subscription for one in desk.service.due()} == {"erp", "mailer"}
    assert (await desk.send(first)).state == "delivered"


async def test_a_worker_that_is_killed_between_sending_and_noting_sends_the_same_again(
    lone: Desk, receiver: HookReceiver
) -> None:
    message = lone.message()
    assert (await lone.gateway.post("erp", message.message_id, message.body)).taken
    assert (await lone.send(message)).state == "delivered"
    assert receiver.ids == [message.message_id] * 2
    assert len({body for _, body in receiver.got}) == 1


async def test_a_message_sent_again_while_a_try_is_under_way_is_sent_again(lone: Desk, receiver: HookReceiver) -> None:
    message = lone.message()
    receiver.faults = [500]
    await lone.send(message)
    stale = lone.row(message)
    lone.service.redeliver(message.message_id, None)
    reply = await lone.gateway.post("erp", message.message_id, message.body)
    assert reply.taken
    told = lone.service.settle(stale, reply)
    assert (told.state, told.wait_seconds) == ("pending", 1)
    assert (await lone.send(message)).state == "delivered"


async def test_an_inner_address_is_refused_unless_the_settings_allow_it(lone: Desk, receiver: HookReceiver) -> None:
    for url, why in ((receiver.url, "not https"), ("https://127.0.0.1:1/x", "set outbound.erp.inside")):
        gateway = HttpOutbound({"erp": Destination(url=url, secrets=(NEW,))})
        reply = await gateway.post("erp", "msg_1", "{}")
        assert not reply.taken
        assert why in reply.problem
    assert receiver.got == []


async def test_a_slow_endpoint_takes_its_own_places_only(lone: Desk, receiver: HookReceiver) -> None:
    receiver.faults = [HANG] * AT_ONCE
    lone.gateway._timeout_seconds = 3
    slow = [asyncio.create_task(lone.gateway.post("erp", f"msg_{n}", "{}")) for n in range(AT_ONCE)]
    await asyncio.to_thread(receiver.wait_for, AT_ONCE)
    with pytest.raises(ProviderUnavailable, match="under way"):
        await lone.gateway.post("erp", "msg_more", "{}")
    receiver.released.set()
    assert not any(reply.taken for reply in await asyncio.gather(*slow))
    assert (await lone.gateway.post("erp", "msg_more", "{}")).taken


def test_what_is_over_for_long_is_forgotten_and_dead_letters_later(lone: Desk) -> None:
    message = lone.message()
    assert lone.service.forget() == 0
    lone.clock.offset += timedelta(days=200)
    assert lone.service.forget() == 0, "what is pending stays"
    lone.database.transact(
        lambda tx: tx.outbound.save(message, replace(message, state=MessageState.DELIVERED, due_at=None))
    )
    assert lone.service.forget() == 1


# ---- on a real Temporal server --------------------------------------------------------------------------------


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def delivering(desk: Desk, client: Client, *, bell: bool = False) -> AsyncIterator[Clerk]:
    """Serve deliveries; with `bell`, start them as they are written."""
    clerk = Clerk(desk.service, TemporalProcesses(client), desk.bell)
    listening = asyncio.create_task(clerk.serve()) if bell else None
    await asyncio.sleep(0)
    async with serving(client, [NotificationWorkflow], [desk.activities.send_message], "outbound"):
        yield clerk
    if listening is not None:
        listening.cancel()


def patient(engine: Engine, receiver: HookReceiver, *waits: float) -> Desk:
    ladder = tuple(timedelta(seconds=wait) for wait in waits)
    return Desk(engine, receiver, replace(ERP, ladder=ladder))


async def test_a_message_is_sent_when_its_change_is_committed_and_again_until_it_is_taken(
    engine: Engine, receiver: HookReceiver, client: Client
) -> None:
    desk = patient(engine, receiver, 1, 1)
    receiver.faults = [500, DROP]
    async with delivering(desk, client, bell=True):
        message = await asyncio.to_thread(desk.message)
        await asyncio.to_thread(receiver.wait_for, 3)
        handle = client.get_workflow_handle(f"notify/erp/{message.message_id}")
        result = await handle.result()
    assert (result["state"], result["attempts"]) == ("delivered", 3)
    assert set(receiver.ids) == {message.message_id}
    receiver.verified(NEW)


async def test_what_was_committed_by_a_worker_that_died_is_sent_once_by_two_others(
    engine: Engine, receiver: HookReceiver, client: Client
) -> None:
    desk = patient(engine, receiver, 60)
    order = desk.place()  # nobody hears its bell
    desk.move(order, S.PAYING, S.AUTHORISED)
    async with delivering(desk, client) as clerk:
        other = Clerk(desk.service, TemporalProcesses(client), Bell())
        await asyncio.gather(clerk.round(), other.round())
        for message in desk.messages(order):
            await client.get_workflow_handle(f"notify/erp/{message.message_id}").result()
        assert await clerk.round() == 0
    assert len(receiver.got) == len(set(receiver.ids)) == 3
    assert {one.state for one in desk.messages(order)} == {MessageState.DELIVERED}


async def test_a_delivery_that_was_lost_is_started_again_and_one_that_waits_hurries_on_wish(
    engine: Engine, receiver: HookReceiver, client: Client
) -> None:
    desk = patient(engine, receiver, 7200)
    message = desk.message()
    receiver.faults = [500, 500]
    async with delivering(desk, client) as clerk:
        assert await clerk.round() == 1
        handle = client.get_workflow_handle(f"notify/erp/{message.message_id}")
        await asyncio.to_thread(receiver.wait_for, 1)
        async with asyncio.timeout(60):
            while desk.row(message).attempts == 0:
                await asyncio.sleep(0.01)
        # It waits for two hours; a person does not.
        desk.service.redeliver(message.message_id, None)
        await clerk.round()
        await asyncio.to_thread(receiver.wait_for, 2)
        async with asyncio.timeout(60):
            while desk.row(message).attempts == 0:
                await asyncio.sleep(0.01)
        await handle.terminate("an operator's mistake")
        assert await clerk.round() == 0
        desk.clock.offset += timedelta(hours=2) + GRACE
        assert await clerk.round() == 1
        await client.get_workflow_handle(f"notify/erp/{message.message_id}").result()
    assert set(receiver.ids) == {message.message_id}
    assert desk.row(message).state is MessageState.DELIVERED


async def test_starts_that_temporal_does_not_take_are_made_up_for(lone: Desk, client: Client) -> None:
    first, second = lone.message(), lone.message()

    class Away(TemporalProcesses):
        async def start_notification(self, subscription: str, message_id: str) -> bool:
            if message_id == first.message_id:
                raise ProviderUnavailable("Temporal did not answer")
            return await super().start_notification(subscription, message_id)

    with pytest.raises(ProviderUnavailable):
        await Clerk(lone.service, Away(client), lone.bell).round()
    assert [one.message_id for one in lone.service.due()] == [first.message_id]
    assert second.message_id != first.message_id


# ---- the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def command_line(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE__URL", engine.url.render_as_string(hide_password=False))
    for name in SETTINGS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    erp = {"shop": "main", "url": "https://erp.shop.example/in", "secrets": [NEW]}
    monkeypatch.setenv("ORDERS_OUTBOUND", json.dumps({"erp": erp}))


async def test_the_command_line_lists_shows_redelivers_and_enables(
    lone: Desk, receiver: HookReceiver, command_line: None
) -> None:
    receiver.faults = [*[500] * 10, 410]
    dead, gone = lone.message(), lone.message()
    for _ in range(10):
        await lone.send(dead)
    await lone.send(gone)
    listed = orders("outbound", "list")
    assert f"orders outbound enable {ERP.name}" in listed.stderr
    assert "held" in listed.stdout
    only = json.loads(orders("outbound", "list", "--state", "dead", "--json").stdout)
    assert [one["message_id"] for one in only["messages"]] == [dead.message_id]
    about = json.loads(orders("outbound", "list", "--order", gone.order_id, "--json").stdout)
    assert [one["message_id"] for one in about["messages"]] == [gone.message_id]
    shown = orders("outbound", "show", dead.message_id).stdout
    assert "answered 500" in shown
    assert f"notify/erp/{dead.message_id}" in shown
    assert NEW not in shown
    assert "waits until its endpoint is enabled" in orders("outbound", "redeliver", "--dead", "--reason", "x").stdout
    assert "erp is enabled" in orders("outbound", "enable", "erp", "--reason", "mended", "--actor", "bob").stdout
    assert "will be sent again" in orders("outbound", "redeliver", dead.message_id, "--reason", "x").stdout
    assert {one.message_id for one in lone.service.due()} == {dead.message_id, gone.message_id}
    orders("outbound", "redeliver", code=2)
    for refused in (
        ("redeliver", "msg_none", "--reason", "x"),
        ("show", "msg_none"),
        ("enable", "none", "--reason", "x"),
    ):
        with pytest.raises(Exception, match="outbound"):
            orders("outbound", *refused)
