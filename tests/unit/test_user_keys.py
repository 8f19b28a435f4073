"""A user's own key: made once, kept wrapped, gone for good when it is dropped."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from tests.unit.test_sealing import NEW, OLD, config
from worker.contract.sealing import SealError, UnknownKeyError
from worker.domain.errors import Erased
from worker.services.ports import Database, Transaction
from worker.services.ports.users import StoredKey
from worker.services.user_keys import KEPT_SECONDS, UserKeys
from worker.temporal.codec import SealingCodec, keeping_ring

AT = datetime(2026, 11, 28, tzinfo=UTC)
T = TypeVar("T")


class Rows:
    """The table of keys in memory, and the database around it."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.asked = 0

    def transact(self, work: Callable[[Transaction], T]) -> T:
        self.asked += 1
        return work(cast("Transaction", SimpleNamespace(user_keys=self)))

    def add(self, key: StoredKey, at: datetime) -> bool:
        if self.of_user(key.user_id) is not None:
            return False
        self.keys[key.key_id] = key
        return True

    def of_user(self, user_id: str) -> StoredKey | None:
        return next((key for key in self.keys.values() if key.user_id == user_id), None)

    def by_id(self, key_id: str) -> StoredKey | None:
        return self.keys.get(key_id)

    def drop(self, user_id: str, at: datetime) -> bool:
        key = self.of_user(user_id)
        assert key is not None
        self.keys[key.key_id] = dataclasses.replace(key, wrapped="", wrapped_with="", dropped=True)
        return True

    def wrapped_otherwise(self, current: str, most: int) -> list[StoredKey]:
        return [key for key in self.keys.values() if key.wrapped_with != current and not key.dropped][:most]

    def wrap(self, key_id: str, wrapped: str, by: str) -> None:
        self.keys[key_id] = dataclasses.replace(self.keys[key_id], wrapped=wrapped, wrapped_with=by)


class World:
    def __init__(self) -> None:
        self.rows = Rows()
        self.seconds = 0.0
        self.keys = self.under(("k1", OLD))

    def under(self, *secrets: tuple[str, bytes]) -> UserKeys:
        ring = keeping_ring(config(*secrets))
        assert ring is not None
        return UserKeys(cast("Database", self.rows), ring, AESGCM, now=lambda: self.seconds)

    def registered(self, user_id: str) -> None:
        self.rows.transact(lambda tx: self.keys.make(tx, user_id, AT))

    def codec(self, workflow_id: str | None, keys: UserKeys | None = None) -> SealingCodec:
        """Return what an activity of a workflow reads and writes with."""
        context = ActivitySerializationContext(
            namespace="default",
            activity_id="1",
            activity_type="mail",
            activity_task_queue="users",
            workflow_id=workflow_id,
            workflow_type="UserWorkflow",
            is_local=False,
        )
        return SealingCodec(config(("k1", OLD)), keys or self.keys).with_context(context)


@pytest.fixture
def world() -> World:
    return World()


PLAIN = [Payload(metadata={"encoding": b"json/plain"}, data=b'"ada@shop.example"')]


def named(payloads: list[Payload]) -> str:
    return payloads[0].metadata["encryption-key-id"].decode()


def test_activities_of_a_user_are_sealed_with_the_users_key_once_there_is_one(world: World) -> None:
    assert named(asyncio.run(world.codec("user/u-1").encode(PLAIN))) == "k1"
    world.registered("u-1")
    sent = asyncio.run(world.codec("user/u-1").encode(PLAIN))
    assert named(sent).startswith("user.")
    assert asyncio.run(world.codec("user/u-1").decode(sent)) == PLAIN
    assert asyncio.run(world.codec("order/main/1").decode(sent)) == PLAIN, "wherever it is read, its key is known"
    for other in ("order/main/u-1", "event/stripe/u-1", "user/u-2"):
        assert named(asyncio.run(world.codec(other).encode(PLAIN))) == "k1"


def test_what_the_workflow_itself_says_is_for_the_functions_who_have_no_users_key(world: World) -> None:
    world.registered("u-1")
    codec = world.codec("user/u-1")
    workflow = WorkflowSerializationContext(namespace="default", workflow_id="user/u-1")
    for said in (codec.with_context(workflow), world.codec(None), SealingCodec(config(("k1", OLD)), world.keys)):
        assert named(asyncio.run(said.encode(PLAIN))) == "k1"


def test_after_it_was_dropped_nothing_opens_any_more(world: World) -> None:
    world.registered("u-1")
    sent = asyncio.run(world.codec("user/u-1").encode(PLAIN))
    world.rows.drop("u-1", AT)
    world.seconds += KEPT_SECONDS + 1
    with pytest.raises(ApplicationError, match="was erased") as refused:
        asyncio.run(world.codec("user/u-1").decode(sent))
    assert (refused.value.type, refused.value.non_retryable) == (Erased.code, True)
    # Nor does another registration under the id, which ends by itself, bring a key back.
    world.registered("u-1")
    assert named(asyncio.run(world.codec("user/u-1").encode(PLAIN))) == "k1"
    # Not even with everything else there was: the settings' key, and the row without what was wrapped.
    with pytest.raises(SealError, match="a user's own key"):
        asyncio.run(SealingCodec(config(("k1", OLD))).decode(sent))


def test_a_process_that_knew_the_key_forgets_it_within_a_minute(world: World) -> None:
    world.registered("u-1")
    first = world.keys.of_user("u-1")
    assert first is not None
    known = world.keys.by_id(first.id)
    asked = world.rows.asked
    assert (world.keys.of_user("u-1"), world.keys.by_id(first.id)) == (first, known)
    assert world.rows.asked == asked, "not asked for every payload"
    world.rows.drop("u-1", AT)
    world.seconds += KEPT_SECONDS
    assert world.keys.of_user("u-1") is None
    with pytest.raises(Erased):
        world.keys.by_id(first.id)


def test_keys_are_wrapped_anew_before_an_old_key_is_given_up(world: World) -> None:
    for number in range(3):
        world.registered(f"u-{number}")
    world.rows.drop("u-2", AT)
    sent = asyncio.run(world.codec("user/u-1").encode(PLAIN))
    later = world.under(("k2", NEW), ("k1", OLD))
    assert (later.wrap_anew(), later.wrap_anew()) == (2, 0)
    assert {key.wrapped_with for key in world.rows.keys.values() if not key.dropped} == {"k2"}
    alone = world.under(("k2", NEW))
    assert asyncio.run(world.codec("user/u-1", alone).decode(sent)) == PLAIN
    with pytest.raises(UnknownKeyError, match="'k2'"):
        world.under(("k1", OLD)).of_user("u-0")


def test_a_row_put_in_the_place_of_another_opens_nothing(world: World) -> None:
    world.registered("u-1")
    world.registered("u-2")
    one, two = (cast("Any", world.rows.of_user(name)) for name in ("u-1", "u-2"))
    world.rows.keys[one.key_id] = dataclasses.replace(one, wrapped=two.wrapped)
    with pytest.raises(Exception, match="was changed"):
        world.keys.of_user("u-1")


def test_the_table_alone_holds_no_key(world: World) -> None:
    world.registered("u-1")
    row = world.rows.of_user("u-1")
    assert row is not None
    other = world.under(("k1", NEW))
    with pytest.raises(Exception, match="another key that is called 'k1'"):
        other.of_user("u-1")
