import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionDescription,
    WorkflowHandle,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError
from temporalio.worker import Worker

from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.tiny_workflows import TinyReconciliation
from worker.config import ScheduleConfig
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES
from worker.domain.errors import InvalidInput, NotFound
from worker.housekeeping import convergence, queue_backlog
from worker.observability.metrics import Metrics
from worker.temporal import schedule_control, schedules, search_attributes
from worker.temporal.backlog import temporal_ping
from worker.temporal.schedules import Applied, Change, ChangeAction


@dataclass(frozen=True)
class Defaults:
    repair: bool = True


DEFAULTS = Defaults()
# So rare that no test sees it fire by itself.
YEARLY = ScheduleConfig(
    id="reconcile-main-stripe",
    shop="main",
    provider="stripe",
    interval_seconds=365 * 86400,
    offset_seconds=300,
    overlap="buffer_all",
    catchup_seconds=60,
    jitter_seconds=0,
)
SECOND = replace(YEARLY, id="reconcile-second-stripe", shop="second")


_SHOP = SearchAttributeKey.for_keyword("ShopId")


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


async def converge(client: Client, *declared: ScheduleConfig, prune: bool = False) -> Applied:
    return await schedules.apply(client, await schedules.plan(client, declared, DEFAULTS), prune=prune)


async def only_change(client: Client, *declared: ScheduleConfig) -> Change:
    (change,) = await schedules.plan(client, declared, DEFAULTS)
    return change


async def test_a_declared_schedule_is_created_and_then_left_alone(client: Client) -> None:
    assert (await only_change(client, YEARLY)).action is ChangeAction.CREATE
    assert await converge(client, YEARLY) == Applied(created=1)
    handle = client.get_schedule_handle(YEARLY.id)
    before = await handle.describe()

    assert (await only_change(client, YEARLY)).action is ChangeAction.UNCHANGED
    assert await converge(client, YEARLY) == Applied(unchanged=1)
    after = await handle.describe()
    assert after.info.last_updated_at is None
    assert after.raw_description.conflict_token == before.raw_description.conflict_token
    assert after.info.num_actions == 0, "applying never triggers"


async def test_the_declared_set_is_created_once_and_a_close_stands_for_the_month_before(client: Client) -> None:
    close = replace(
        YEARLY,
        id="reconcile-main-stripe-close",
        mode="close",
        interval_seconds=0,
        day_of_month=4,
        offset_seconds=21_605,
    )
    light = replace(YEARLY, id="reconcile-main-stripe-light", mode="light")
    assert await converge(client, YEARLY, light, close) == Applied(created=3)
    assert await converge(client, YEARLY, light, close) == Applied(unchanged=3)
    view = await schedule_control.describe(client, close.id)
    assert (view.mode, view.interval_seconds) == ("close", 0)
    assert {(at.day, at.hour, at.minute, at.second) for at in view.next_times} == {(4, 6, 0, 5)}
    changes = await schedules.plan(client, [replace(close, day_of_month=5), light, YEARLY], DEFAULTS)
    (change,) = [one for one in changes if one.action is ChangeAction.UPDATE]
    assert [field.name for field in change.fields] == ["calendar"]


async def test_a_changed_declaration_is_shown_field_by_field_and_written(client: Client) -> None:
    await converge(client, YEARLY)
    changed = replace(YEARLY, catchup_seconds=120, overlap="skip")
    change = await only_change(client, changed)
    assert change.action is ChangeAction.UPDATE
    assert [(field.name, field.old, field.new) for field in change.fields] == [
        ("catchup_seconds", 60, 120),
        ("overlap", "buffer_all", "skip"),
    ]
    assert await converge(client, changed) == Applied(updated=1)
    assert (await only_change(client, changed)).action is ChangeAction.UNCHANGED


async def test_an_operators_pause_note_and_remaining_actions_survive(client: Client) -> None:
    await converge(client, YEARLY)
    handle = client.get_schedule_handle(YEARLY.id)

    def limit(found: ScheduleUpdateInput) -> ScheduleUpdate:
        state = found.description.schedule.state
        state.limited_actions, state.remaining_actions = True, 7
        return ScheduleUpdate(found.description.schedule)

    await handle.update(limit)
    # The server looks at a pause before an update that came in the same moment, and this update has no token: it
    # would undo the pause. Asking makes the server do the update first.
    assert (await handle.describe()).schedule.state.remaining_actions == 7
    await schedule_control.pause(client, YEARLY.id, "provider's maintenance")
    for seconds in (120, 180):
        changed = replace(YEARLY, catchup_seconds=seconds)
        change = await only_change(client, changed)
        assert change.paused
        assert await converge(client, changed) == Applied(updated=1)
    state = (await handle.describe()).schedule.state
    assert (state.paused, state.note, state.remaining_actions) == (True, "provider's maintenance", 7)


async def test_a_pause_between_our_read_and_our_write_survives(client: Client) -> None:
    await converge(client, YEARLY)
    change = await only_change(client, replace(YEARLY, catchup_seconds=120))
    assert change.declared is not None
    read = await schedules._describe(client, YEARLY.id)
    assert read is not None
    await schedule_control.pause(client, YEARLY.id, "just now")

    await schedules._update(client, change.declared, read)
    assert (await schedule_control.describe(client, YEARLY.id)).paused
    assert await schedules.apply(client, [change]) == Applied(updated=1)
    description = await client.get_schedule_handle(YEARLY.id).describe()
    assert description.schedule.state.paused
    assert description.schedule.policy.catchup_window == timedelta(seconds=120)


async def test_what_somebody_changed_by_hand_is_put_right(client: Client) -> None:
    await converge(client, YEARLY)

    def meddle(found: ScheduleUpdateInput) -> ScheduleUpdate:
        found.description.schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(days=400))]
        return ScheduleUpdate(found.description.schedule)

    await client.get_schedule_handle(YEARLY.id).update(meddle)
    change = await only_change(client, YEARLY)
    assert {field.name: (field.old, field.new) for field in change.fields} == {
        "interval_seconds": (400 * 86400, 365 * 86400),
        "offset_seconds": (0, 300),
    }
    assert await converge(client, YEARLY) == Applied(updated=1)


async def test_only_our_own_orphans_are_reported_and_only_prune_deletes_them(client: Client) -> None:
    foreign = f"nightly-{uuid.uuid4().hex[:6]}"
    action = ScheduleActionStartWorkflow("Other", id="other", task_queue="other")
    every = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=365))])
    await client.create_schedule(foreign, Schedule(action=action, spec=every))
    await converge(client, YEARLY, SECOND)
    await eventually_listed(client, foreign, YEARLY.id, SECOND.id)

    planned = await schedules.plan(client, [YEARLY], DEFAULTS)
    assert [(change.id, change.action) for change in planned] == [
        (YEARLY.id, ChangeAction.UNCHANGED),
        (SECOND.id, ChangeAction.ORPHAN),
    ]
    assert await schedules.apply(client, planned) == Applied(unchanged=1, orphans=1)
    assert await schedules.apply(client, planned, prune=True) == Applied(unchanged=1, pruned=1)
    assert await schedules.apply(client, planned, prune=True) == Applied(unchanged=1)
    assert [change.id for change in await schedules.plan(client, [YEARLY], DEFAULTS)] == [YEARLY.id]
    assert (await client.get_schedule_handle(foreign).describe()).id == foreign


async def eventually_listed(client: Client, *ids: str) -> None:
    async with asyncio.timeout(60):
        while {listed.id async for listed in await client.list_schedules()} != set(ids):
            await asyncio.sleep(0.05)


async def test_many_processes_may_apply_at_once(client: Client) -> None:
    done = await asyncio.gather(*(converge(client, YEARLY, SECOND) for _ in range(6)))
    assert sum(applied.created for applied in done) == 2
    assert sum(applied.updated for applied in done) == 0
    changed = replace(YEARLY, catchup_seconds=90)
    await asyncio.gather(*(converge(client, changed, SECOND) for _ in range(6)))
    planned = await schedules.plan(client, [changed, SECOND], DEFAULTS)
    assert {change.action for change in planned} == {ChangeAction.UNCHANGED}


async def test_a_schedule_deleted_since_the_plan_is_created_again(client: Client) -> None:
    await converge(client, YEARLY)
    planned = await schedules.plan(client, [replace(YEARLY, catchup_seconds=90)], DEFAULTS)
    await client.get_schedule_handle(YEARLY.id).delete()
    assert await schedules.apply(client, planned) == Applied(created=1)


async def test_backfill_runs_each_nominal_time_once_and_the_run_knows_it(client: Client) -> None:
    hourly = replace(YEARLY, interval_seconds=3600)
    await converge(client, hourly)
    await schedule_control.pause(client, hourly.id, "only the past")
    start = datetime(2026, 3, 29, 0, 5, tzinfo=UTC)
    ran: list[WorkflowExecutionDescription] = []
    async with Worker(client, task_queue="reconciliation", workflows=[TinyReconciliation]):
        # The night the clocks change in Europe: UTC has all its hours.
        await schedule_control.backfill(client, hourly.id, start, start + timedelta(hours=3))
        for hour in range(3):
            nominal = start + timedelta(hours=hour)
            handle = client.get_workflow_handle(f"reconcile/main/stripe-{nominal:%Y-%m-%dT%H:%M:%SZ}")
            async with asyncio.timeout(60):
                while True:
                    try:
                        result = await handle.result()
                        break
                    except Exception:
                        await asyncio.sleep(0.05)
            assert result == ["main", "schedule", "300", nominal.isoformat()]
            ran.append(await handle.describe())
    assert all(one.close_time and one.close_time <= other.start_time for one, other in pairwise(ran)), "in order"
    view = await schedule_control.describe(client, hourly.id)
    assert view.total == 3
    description = await handle.describe()
    assert "schedule_definition" in await description.memo()
    assert description.typed_search_attributes[_SHOP] == "main"


async def started(handle: WorkflowHandle[Any, Any]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await handle.describe()
            except RPCError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_what_an_operator_sees(client: Client) -> None:
    await converge(client, YEARLY, SECOND)
    await schedule_control.pause(client, SECOND.id, "on hold")
    first, second = await schedule_control.describe_all(client, [YEARLY.id, SECOND.id])
    assert (first.id, first.shop, first.provider) == (YEARLY.id, "main", "stripe")
    assert (first.interval_seconds, first.offset_seconds) == (YEARLY.interval_seconds, 300)
    assert (first.paused, first.recent, first.running) == (False, (), ())
    assert first.next_times[0] > datetime.now(UTC)
    assert (second.paused, second.note, second.next_times) == (True, "on hold", ())
    await schedule_control.resume(client, SECOND.id, "again")
    resumed = await schedule_control.describe(client, SECOND.id)
    assert (resumed.paused, resumed.note) == (False, "again")


async def test_a_trigger_starts_one_run(client: Client) -> None:
    await converge(client, YEARLY)
    await schedule_control.trigger(client, YEARLY.id)
    async with asyncio.timeout(60):
        while not (view := await schedule_control.describe(client, YEARLY.id)).running:
            await asyncio.sleep(0.05)
    assert view.total == 1
    assert view.running[0].startswith("reconcile/main/stripe-")
    assert [run.workflow_id for run in view.recent] == list(view.running)


async def test_unknown_and_foreign_schedules_are_not_found(client: Client) -> None:
    for schedule_id in ("reconcile-unknown", "nightly"):
        with pytest.raises(NotFound):
            await schedule_control.pause(client, schedule_id, "")
        with pytest.raises(NotFound):
            await schedule_control.describe(client, schedule_id)
    with pytest.raises(InvalidInput):
        await schedule_control.backfill(
            client, YEARLY.id, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
        )


async def test_search_attributes_are_added_once_and_wrong_types_are_told(client: Client) -> None:
    assert await search_attributes.converge(client) == search_attributes.Convergence()
    wanted = {str(name): kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()} | {"ShopId": "Int", "Extra": "Bool"}
    found = await search_attributes.converge(client, wanted)
    assert found.added == ("Extra",)
    assert found.wrong == ("ShopId: has Keyword, wants Int",)
    assert (await search_attributes.converge(client, wanted)).added == ()


async def test_housekeeping_converges_and_shows_what_it_found(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "worker")
    metrics = Metrics()
    job = convergence(client, {"main_stripe": YEARLY}, DEFAULTS, metrics)

    def drift(action: str) -> float | None:
        return metrics.registry.get_sample_value("orders_schedule_drift", {"action": action})

    await job.run()
    assert (drift("create"), drift("unchanged")) == (1, 0)
    assert "schedules converged" in caplog.text
    await job.run()
    assert (drift("create"), drift("unchanged")) == (0, 1)


async def test_the_backlog_of_a_queue_without_workers_is_seen(client: Client) -> None:
    metrics = Metrics()
    for number in range(3):
        await client.start_workflow("Nobody", id=f"nobody-{number}", task_queue="lonely")
    labels = {"queue": "lonely", "kind": "workflow"}
    async with asyncio.timeout(60):
        while metrics.registry.get_sample_value("orders_queue_backlog", labels) != 3:
            await queue_backlog(client, ["lonely"], metrics).run()
            await asyncio.sleep(0.05)
    assert metrics.registry.get_sample_value("orders_queue_pollers", labels) == 0


async def test_the_ping_asks_from_another_thread(client: Client) -> None:
    await asyncio.to_thread(temporal_ping(client))
