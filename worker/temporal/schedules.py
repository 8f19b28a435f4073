"""Schedules as code: plan says what would change, apply makes it so.

Promises: only schedules with our prefix are touched; an operator's pause, note and remaining actions survive; an
unchanged schedule is not written at all; nothing is ever triggered; nothing is deleted unless asked (`prune`);
several processes may apply at once, since every write carries the token of what it read and is verified after.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from temporalio.api.schedule.v1 import Schedule
from temporalio.api.workflowservice.v1 import (
    CreateScheduleRequest,
    DescribeScheduleRequest,
    DescribeScheduleResponse,
    UpdateScheduleRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.config import ScheduleConfig
from worker.domain.errors import Conflict
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT
from worker.temporal.schedule_definition import PREFIX, Declared, Defaults, Value, declare, digest, fields

_ATTEMPTS = 5


class ChangeAction(StrEnum):
    """What a plan found about one schedule."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    ORPHAN = "orphan"
    """Ours by its prefix, but no longer declared; deleted only by `apply(..., prune=True)`."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that would change; `old` is None where there is none yet."""

    name: str
    old: Value | None
    new: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would happen to one schedule. `paused` tells that an operator has stopped it (and it stays so)."""

    id: str
    action: ChangeAction
    fields: tuple[FieldChange, ...] = ()
    paused: bool = False
    declared: Declared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What `apply` did, in numbers. `orphans` are left over: they are not deleted without `prune`."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    orphans: int = 0
    pruned: int = 0


async def plan(client: Client, schedules: Iterable[ScheduleConfig], defaults: Defaults) -> list[Change]:
    """Compare the declared schedules with the server's; return one change each, sorted by id.

    Writes nothing. Raises InvalidInput for a wrong declaration, ProviderUnavailable, ProviderRejected.
    """
    declared = {item.id: item for item in await declare(client, schedules, defaults)}
    changes = [await _change(client, item) for item in declared.values()]
    for schedule_id in await owned_ids(client):
        if schedule_id not in declared:
            found = await _describe(client, schedule_id)
            # The list is eventually consistent: it may still name what was deleted a moment ago.
            if found is not None:
                changes.append(Change(id=schedule_id, action=ChangeAction.ORPHAN, paused=found.schedule.state.paused))
    return sorted(changes, key=lambda change: change.id)


def count(changes: Iterable[Change]) -> dict[str, int]:
    """Count a plan's changes by action; every action has its number."""
    counted = Counter(change.action for change in changes)
    return {str(action): counted[action] for action in ChangeAction}


async def apply(client: Client, changes: Sequence[Change], *, prune: bool = False) -> Applied:
    """Make a plan so; return what was done.

    What other processes did since the plan is respected: a schedule they created or updated meanwhile is compared
    again. Raises Conflict when a schedule keeps changing under us, ProviderUnavailable, ProviderRejected.
    """
    done: Counter[str] = Counter()
    for change in changes:
        if change.action is ChangeAction.ORPHAN:
            if prune:
                done["pruned"] += await _delete(client, change.id)
            else:
                done["orphans"] += 1
        elif change.action is ChangeAction.UNCHANGED or change.declared is None:
            done["unchanged"] += 1
        else:
            done[await _converge(client, change.declared)] += 1
    return Applied(**done)


async def owned_ids(client: Client) -> list[str]:
    """Return the ids of all schedules with our prefix, sorted. Eventually consistent."""
    try:
        return sorted(
            {
                listed.id
                async for listed in await client.list_schedules(rpc_timeout=RPC_TIMEOUT)
                if listed.id.startswith(PREFIX)
            }
        )
    except RPCError as error:
        raise_for(error, "the list of schedules")


async def _change(client: Client, declared: Declared) -> Change:
    found = await _describe(client, declared.id)
    if found is None:
        wanted = await fields(client, declared.message)
        return Change(
            id=declared.id,
            action=ChangeAction.CREATE,
            fields=tuple(FieldChange(name, None, value) for name, value in wanted.items()),
            declared=declared,
        )
    differences = await _differences(client, found.schedule, declared.message)
    return Change(
        id=declared.id,
        action=ChangeAction.UPDATE if differences else ChangeAction.UNCHANGED,
        fields=differences,
        paused=found.schedule.state.paused,
        declared=declared,
    )


async def _differences(client: Client, has: Schedule, wants: Schedule) -> tuple[FieldChange, ...]:
    old, new = await fields(client, has), await fields(client, wants)
    different = [
        FieldChange(name, old.get(name), new.get(name)) for name in sorted(old | new) if old.get(name) != new.get(name)
    ]
    old_digest, new_digest = await digest(client, has), await digest(client, wants)
    if not different and old_digest != new_digest:
        # Equal in all that is compared, but made by another version of the definition.
        different.append(FieldChange("definition", old_digest[:12] or None, new_digest[:12]))
    return tuple(different)


async def _converge(client: Client, declared: Declared) -> str:
    """Create or update until the server has what is declared; return the Applied field to count."""
    done = "unchanged"
    for _ in range(_ATTEMPTS):
        found = await _describe(client, declared.id)
        if found is None:
            if await _create(client, declared):
                return "created"
        elif not await _differences(client, found.schedule, declared.message):
            return done
        else:
            await _update(client, declared, found)
            done = "updated"
    raise Conflict(f"schedule {declared.id} keeps changing; look who else manages it")


async def _create(client: Client, declared: Declared) -> bool:
    """Create the schedule; False when somebody else was faster."""
    request = CreateScheduleRequest(
        namespace=client.namespace,
        schedule_id=declared.id,
        schedule=declared.message,
        identity=client.identity,
        request_id=str(uuid.uuid4()),
    )
    try:
        await client.workflow_service.create_schedule(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return False
        raise_for(error, f"schedule {declared.id}")
    return True


async def _update(client: Client, declared: Declared, found: DescribeScheduleResponse) -> None:
    """Write the declared definition over the one found, keeping its state.

    The SDK's own update sends no conflict token, so a pause between its read and its write would be undone. The
    server drops a write whose token is old, some versions silently: the caller reads again.
    """
    message = Schedule()
    message.CopyFrom(declared.message)
    message.state.CopyFrom(found.schedule.state)
    request = UpdateScheduleRequest(
        namespace=client.namespace,
        schedule_id=declared.id,
        schedule=message,
        conflict_token=found.conflict_token,
        identity=client.identity,
        request_id=str(uuid.uuid4()),
    )
    try:
        await client.workflow_service.update_schedule(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
            raise_for(error, f"schedule {declared.id}")


async def _describe(client: Client, schedule_id: str) -> DescribeScheduleResponse | None:
    request = DescribeScheduleRequest(namespace=client.namespace, schedule_id=schedule_id)
    try:
        return await client.workflow_service.describe_schedule(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise_for(error, f"schedule {schedule_id}")


async def _delete(client: Client, schedule_id: str) -> bool:
    """Delete a schedule; False when it was gone already. Runs under way are left to end."""
    try:
        await client.get_schedule_handle(schedule_id).delete(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise_for(error, f"schedule {schedule_id}")
    return True
