"""Every activity may be done again, and may die anywhere: the books of all companies are as if it had been done once.

Each registered activity has a scene (tests/integration/activity_scenes.py, user_scenes.py); one without fails the first test here. A
scene is played once to the end, which tells what the books should be and which calls to the outside there are; then
once for each of these calls that may have changed something (tests/integration/mortality.py), with the worker killed
right after it and the activity done again from its beginning. Killed after the last change it has done everything and
told nobody: that is the activity done twice.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from tests.integration import user_scenes  # noqa: F401 - their scenes are played too
from tests.integration.activity_scenes import ELSEWHERE, SCENES, TEMPORAL
from tests.integration.hook_receiver import HookReceiver, hook_receiver
from tests.integration.mortality import Killed, Life, life, mortal, watched
from tests.integration.nothing_stuck import NOTHING_IS_STUCK
from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.scene import Scene, name_of
from tests.integration.temporal_namespace import fresh_namespace
from tests.replay.fingerprint import fingerprints
from worker import app
from worker.app import Application, compose
from worker.config import load
from worker.connections import user_keys_of
from worker.domain.errors import OrdersError
from worker.gateways.shopify import ShopifyShop
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse
from worker.observability.metrics import Metrics
from worker.repositories.database import MysqlDatabase
from worker.temporal.interceptors import ActivityInterceptor
from worker.temporal.worker import activity_executor, build_workers

ASKED = re.compile(r"\b\w+Activities\.(\w+)")

PORTS = ("MysqlDatabase", "SmtpMail", "TemporalProcesses", "_outside", "outbound_of")
"""What the composition root makes ports of."""
CHANGES_NOTHING = {
    ("apply_event", "money for an order that is over"),
    ("begin_address_change", "refused"),
    ("look_at_lines", ""),
}
"""Scenes in which the activity finds nothing to do; that of any other would prove nothing."""
MOST_CALLS = 30
"""No activity makes more calls; one that does is played for ever."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[HookReceiver]:
    with hook_receiver() as running:
        yield running


Composing = Callable[[Client], Application]


@pytest.fixture(scope="module")
def desk(engine: Engine, outside: OutsideProcess) -> Office:
    """The use cases with which scenes are set."""
    return Office(engine, outside)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of statements, reports and the lake."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def composing(desk: Office, engine: Engine, receiver: HookReceiver, store: Path) -> Iterator[Composing]:
    """Compose the worker as it is, with mortal ports and the desk's clock."""
    made: list[Any] = []
    settings = desk.outside.settings | {
        "ORDERS_DATABASE__URL": engine.url.render_as_string(hide_password=False),
        "ORDERS_STORE__PATH": str(store),
        "ORDERS_OUTBOUND__ERP__SHOP": "main",
        "ORDERS_OUTBOUND__ERP__URL": receiver.url,
        "ORDERS_OUTBOUND__ERP__INSIDE": "true",
        "ORDERS_OUTBOUND__ERP__SECRETS": '["whsec_b2xkLXNlY3JldC1vZi1vdXRib3VuZA=="]',
    }
    with pytest.MonkeyPatch.context() as patched:
        for name in PORTS:
            patched.setattr(app, name, mortal(getattr(app, name), made))
        patched.setattr(app, "SystemClock", lambda: desk.clock)
        for name, value in settings.items():
            patched.setenv(name, value)
        config = load()
        keys = user_keys_of(config.encryption, MysqlDatabase(engine))
        with watched(engine):
            yield lambda client: compose(config, client, engine, keys)
    for port in made:
        if isinstance(port, StripePayments | ShopifyShop | Warehouse):
            port.close()


@pytest.fixture(scope="module")
def resting(composing: Composing, temporal_server: str) -> tuple[Application, Client]:
    """What most activities need: an application whose client never connects."""
    client = asyncio.run(Client.connect(temporal_server, lazy=True))
    return composing(client), client


@asynccontextmanager
async def working(composing: Composing, temporal_server: str) -> AsyncIterator[tuple[Application, Client]]:
    """Compose for an activity that reaches orders, in a namespace in which these are worked on."""
    async with fresh_namespace(temporal_server) as client:
        application = composing(client)
        config = replace(application.config.worker, queues=("orders",))
        executor = activity_executor(config)
        interceptors = [ActivityInterceptor(Metrics(), NOTHING_IS_STUCK)]
        (worker,) = build_workers(client, config, application.plan, executor, interceptors=interceptors)
        async with worker:
            yield application, client
        executor.shutdown()


def test_every_activity_that_a_workflow_asks_for_is_registered(resting: tuple[Application, Client]) -> None:
    """One that is not is asked for in vain, by every order that comes to it."""
    registered = {name_of(one) for _, duties in resting[0].plan.values() for one in duties}
    commands = [command for methods in fingerprints().values() for each in methods.values() for command in each]
    asked = {name for command in commands for name in ASKED.findall(command)}
    assert len(asked) > len(registered) // 2, "commands are read otherwise now"
    assert asked <= registered


def test_every_registered_activity_has_a_scene(resting: tuple[Application, Client]) -> None:
    registered = {name_of(one) for _, duties in resting[0].plan.values() for one in duties}
    played = {activity for activity, _ in SCENES}
    assert registered == played | ELSEWHERE.keys(), "an activity without a scene may do its work twice: write one"
    assert not played & ELSEWHERE.keys()
    assert [file for file in ELSEWHERE.values() if not Path(__file__).with_name(file).is_file()] == []


@pytest.mark.parametrize(("activity", "about"), SCENES, ids=lambda word: word.replace(" ", "-") or "plain")
async def test_killed_after_any_call_and_done_again_it_has_one_effect(
    desk: Office,
    receiver: HookReceiver,
    composing: Composing,
    store: Path,
    resting: tuple[Application, Client],
    temporal_server: str,
    activity: str,
    about: str,
) -> None:
    async with working(composing, temporal_server) if activity in TEMPORAL else nullcontext(resting) as (made, client):

        async def played(over_after: int | None) -> tuple[Life, dict[str, Any]]:
            world = Scene(desk, made, client, receiver)
            world.begin()
            argument = await SCENES[activity, about](world)
            with life(store, over_after) as lived:
                if over_after is None:
                    await done(world, activity, argument)
                else:
                    with pytest.raises(Killed):
                        await done(world, activity, argument)
            if over_after is not None:
                await done(world, activity, argument)
            if activity == "deliver_event":
                await world.settled()
            return lived, await world.books()

        whole, expected = await played(None)
        assert 0 < len(whole.calls) <= MOST_CALLS
        assert (not whole.changes) == ((activity, about) in CHANGES_NOTHING)
        for number in whole.changes or [len(whole.calls)]:
            _, found = await played(number)
            names = sorted(expected.keys() | found.keys())
            different = {name: (expected.get(name), found.get(name)) for name in names}
            different = {name: pair for name, pair in different.items() if pair[0] != pair[1]}
            assert different == {}, f"killed after call {number} of {whole.calls}"


async def done(world: Scene, activity: str, argument: object) -> None:
    """Do the activity as the worker does; what it refuses is an end like any."""
    try:
        answer = ActivityEnvironment().run(world.activity(activity), argument)
        if isawaitable(answer):
            await answer
    except OrdersError as refusal:
        if refusal.retryable:
            raise
