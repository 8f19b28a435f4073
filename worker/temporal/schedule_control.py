"""What an operator does with schedules: look, pause with a note, resume, run now, run the past again.

Only schedules with our prefix are reached. Raises NotFound for an unknown one, ProviderUnavailable and
ProviderRejected as every call does.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
)
from temporalio.service import RPCError

from worker.domain.errors import InvalidInput, NotFound
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT
from worker.temporal.schedule_definition import PREFIX, fields
from worker.temporal.schedules import owned_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """One run a schedule started. `scheduled_at` includes the jitter."""

    scheduled_at: datetime
    started_at: datetime
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule as people look at it. Times are UTC; `recent` is oldest first.

    `missed_catchup` and `overlap_skipped` count runs that never were: after an outage longer than the catch-up
    window, and because others still ran.
    """

    id: str
    shop: str
    provider: str
    mode: str
    interval_seconds: int
    """0 for a schedule of the calendar."""
    offset_seconds: int
    paused: bool
    note: str
    next_times: tuple[datetime, ...]
    recent: tuple[RecentRun, ...]
    running: tuple[str, ...]
    total: int
    missed_catchup: int
    overlap_skipped: int


async def describe_all(client: Client, ids: Iterable[str] = ()) -> list[ScheduleView]:
    """Return our schedules, sorted by id.

    The server's list is eventually consistent; give the declared `ids` to see those created a moment ago too.
    """
    views = []
    for schedule_id in sorted({*ids, *await owned_ids(client)}):
        try:
            views.append(await describe(client, schedule_id))
        except NotFound:
            continue
    return views


async def describe(client: Client, schedule_id: str) -> ScheduleView:
    """Return one schedule."""
    async with _handle(client, schedule_id) as handle:
        found = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    return await _view(client, found)


async def pause(client: Client, schedule_id: str, note: str) -> None:
    """Stop starting runs; `note` tells the next person why. What is missed meanwhile is not caught up."""
    async with _handle(client, schedule_id) as handle:
        await handle.pause(note=note, rpc_timeout=RPC_TIMEOUT)


async def resume(client: Client, schedule_id: str, note: str) -> None:
    """Start runs again. The first one covers what was missed, back to the watermark."""
    async with _handle(client, schedule_id) as handle:
        await handle.unpause(note=note, rpc_timeout=RPC_TIMEOUT)


async def trigger(client: Client, schedule_id: str) -> None:
    """Start one run now, besides the schedule; while another runs, it waits its turn.

    Never repeat this on an error without looking: the server cannot tell a repetition from a second request.
    """
    async with _handle(client, schedule_id) as handle:
        await handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ALL, rpc_timeout=RPC_TIMEOUT)


async def backfill(client: Client, schedule_id: str, start: datetime, end: datetime) -> None:
    """Run every nominal time in [start, end) as if it passed now, one after the other.

    Raises InvalidInput unless both times are aware and start is before end.
    """
    if start.tzinfo is None or end.tzinfo is None or not start < end:
        raise InvalidInput("a backfill needs a start before its end, both with a zone")
    # The server's range is open at its start and closed at its end; nominal times are whole seconds.
    moment = timedelta(milliseconds=1)
    period = ScheduleBackfill(start_at=start - moment, end_at=end - moment, overlap=ScheduleOverlapPolicy.BUFFER_ALL)
    async with _handle(client, schedule_id) as handle:
        await handle.backfill(period, rpc_timeout=RPC_TIMEOUT)


@asynccontextmanager
async def _handle(client: Client, schedule_id: str) -> AsyncIterator[ScheduleHandle]:
    if not schedule_id.startswith(PREFIX):
        raise NotFound(f"{schedule_id} is not a schedule of ours; their ids begin with {PREFIX}")
    try:
        yield client.get_schedule_handle(schedule_id)
    except RPCError as error:
        raise_for(error, f"schedule {schedule_id}")


async def _view(client: Client, found: ScheduleDescription) -> ScheduleView:
    shown = await fields(client, found.raw_description.schedule)
    info, state = found.info, found.schedule.state
    return ScheduleView(
        id=found.id,
        shop=str(shown.get("input.shop", "")),
        provider=str(shown.get("input.provider", "")),
        mode=str(shown.get("input.mode", "")),
        interval_seconds=int(shown["interval_seconds"]),
        offset_seconds=int(shown["offset_seconds"]),
        paused=state.paused,
        note=state.note or "",
        # The server goes on computing times while paused; none of them will happen.
        next_times=() if state.paused else tuple(info.next_action_times),
        recent=tuple(
            RecentRun(
                scheduled_at=result.scheduled_at, started_at=result.started_at, workflow_id=_workflow_id(result.action)
            )
            for result in info.recent_actions
        ),
        running=tuple(_workflow_id(action) for action in info.running_actions),
        total=info.num_actions,
        missed_catchup=info.num_actions_missed_catchup_window,
        overlap_skipped=info.num_actions_skipped_overlap,
    )


def _workflow_id(action: ScheduleActionExecution) -> str:
    return action.workflow_id if isinstance(action, ScheduleActionExecutionStartWorkflow) else ""
