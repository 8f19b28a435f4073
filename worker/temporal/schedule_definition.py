"""What a declared schedule means to Temporal: the message we send, and the fields by which two are compared.

Both directions work on the wire format: the server returns arguments encoded and specs normalised, so "equal"
is decided on fields read from either side by the same function, never on objects. The canonical digest of these
fields travels in the memo of the schedule's action: every run tells by which definition it was started.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, Payloads, Priority, WorkflowType
from temporalio.api.enums.v1 import ScheduleOverlapPolicy
from temporalio.api.schedule.v1 import (
    IntervalSpec,
    Range,
    Schedule,
    ScheduleAction,
    SchedulePolicies,
    ScheduleSpec,
    StructuredCalendarSpec,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import NewWorkflowExecutionInfo
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.converter import decode_typed_search_attributes, encode_search_attributes

from worker.config import ScheduleConfig
from worker.contract import names
from worker.contract.ids import is_valid_part
from worker.contract.reconciliation import Mode, Reconcile
from worker.contract.sealing import SealError, is_sealed, key_id_of
from worker.domain.closing import LONGEST
from worker.domain.errors import InvalidInput

PREFIX = "reconcile-"
"""Schedules whose id begins like this are ours: only they are ever listed, changed or deleted."""

DIGEST_MEMO = "schedule_definition"
"""Memo key of the action (and so of every run): digest of the definition that started it."""

OVERLAPS: Mapping[str, ScheduleOverlapPolicy.ValueType] = {
    "skip": ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_SKIP,
    "buffer_one": ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
    "buffer_all": ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
}
"""Accepted values of `overlap`. Runs of one shop and provider must not run at once nor kill each other, so the
server's other policies are not offered."""

Value = str | int | bool
Fields = dict[str, Value]

_SHOP = SearchAttributeKey.for_keyword(names.SearchAttribute.SHOP)
_MIN_CATCHUP_SECONDS = 10  # the server's own floor
_MIN_RUN_SECONDS = 3600
_DAY = 86_400
_EVERY_MONTH_HAS = 28
_CALENDAR = ("second", "minute", "hour", "day_of_month", "month", "day_of_week", "year")
_TASK_TIMEOUT = timedelta(seconds=10)


class Defaults(Protocol):
    """What all schedules share (ReconciliationConfig has it)."""

    @property
    def repair(self) -> bool:
        """Whether runs may ask for repairs."""
        ...


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared schedule, checked: its id and the message that defines it."""

    id: str
    message: Schedule


async def declare(client: Client, schedules: Iterable[ScheduleConfig], defaults: Defaults) -> list[Declared]:
    """Check the declared schedules and encode them with the client's converter, sorted by id.

    Raises InvalidInput with every problem at once.
    """
    listed = sorted(schedules, key=lambda schedule: schedule.id)
    problems = [f"{schedule.id}: {problem}" for schedule in listed for problem in _problems(schedule)]
    for what, keys in (
        ("id", [schedule.id for schedule in listed]),
        # Two schedules of one triple would start runs under the same ids and drop each other's silently.
        ("shop, provider and mode", [f"{one.shop}/{one.provider}/{one.mode}" for one in listed]),
    ):
        problems += [f"{what} {key} is declared twice" for key in sorted({key for key in keys if keys.count(key) > 1})]
    if problems:
        raise InvalidInput("schedules: " + "; ".join(problems))
    return [Declared(schedule.id, await _message(client, schedule, defaults)) for schedule in listed]


async def fields(client: Client, message: Schedule) -> Fields:
    """Return what defines a schedule as plain values. State (pause, note, remaining actions) is the operator's."""
    spec, policies, start = message.spec, message.policies, message.action.start_workflow
    first = spec.interval[0] if spec.interval else IntervalSpec()
    found: Fields = {
        "interval_seconds": first.interval.seconds,
        "offset_seconds": first.phase.seconds,
        "calendar": calendar(spec),
        "jitter_seconds": spec.jitter.seconds,
        "other_times": _other_times(spec),
        "overlap": _overlap_name(policies.overlap_policy),
        "catchup_seconds": policies.catchup_window.seconds,
        "pause_on_failure": policies.pause_on_failure,
        "workflow": start.workflow_type.name,
        "workflow_id": start.workflow_id,
        "queue": start.task_queue.name,
        "run_timeout_seconds": start.workflow_run_timeout.seconds,
        "task_timeout_seconds": start.workflow_task_timeout.seconds,
        "priority": start.priority.priority_key,
        "fairness_key": start.priority.fairness_key,
        "summary": str(await _decoded(client, start.user_metadata.summary)),
        "search_attributes": json.dumps(
            {pair.key.name: pair.value for pair in decode_typed_search_attributes(start.search_attributes)},
            sort_keys=True,
            default=str,
        ),
    }
    arguments = list(start.input.payloads)
    if arguments and is_sealed(arguments[0].metadata):
        # Every run gets these very bytes: a key that is to be given up must not seal them any more.
        found["sealed_with"] = key_id_of(arguments[0].metadata)
    found |= {f"input.{key}": value for key, value in (await _input(client, arguments)).items()}
    return found


async def digest(client: Client, message: Schedule) -> str:
    """Return the digest recorded in the action's memo, or "" when there is none."""
    payload = message.action.start_workflow.memo.fields.get(DIGEST_MEMO)
    return str(await _decoded(client, payload)) if payload is not None else ""


def run_timeout(interval_seconds: int) -> timedelta:
    """Return how long a run may take: it holds up the following ones, so not for ever; the watermark then covers.

    A close (interval 0) holds up nothing before the next month.
    """
    return timedelta(seconds=max(4 * interval_seconds, _MIN_RUN_SECONDS)) if interval_seconds else LONGEST


def _problems(schedule: ScheduleConfig) -> list[str]:
    found = []
    if not schedule.id.startswith(PREFIX) or not is_valid_part(schedule.id):
        found.append(f"the id must begin with {PREFIX!r} and be usable in ids")
    found += [
        f"{name} is not usable in ids"
        for name, value in (("shop", schedule.shop), ("provider", schedule.provider))
        if not is_valid_part(value)
    ]
    if schedule.mode not in set(Mode):
        found.append(f"mode must be one of {', '.join(Mode)}")
    if schedule.mode == Mode.CLOSE:
        found += _calendar_problems(schedule)
    elif schedule.day_of_month:
        found.append("day_of_month is for mode close, which compares a month; others have an interval_seconds")
    elif schedule.interval_seconds < 1:
        found.append("interval_seconds must be at least 1")
    elif not 0 <= schedule.offset_seconds < schedule.interval_seconds:
        found.append("offset_seconds must be 0 or more and less than interval_seconds")
    elif not 0 <= schedule.jitter_seconds < schedule.interval_seconds:
        found.append("jitter_seconds must be 0 or more and less than interval_seconds")
    if schedule.overlap not in OVERLAPS:
        found.append(f"overlap must be one of {', '.join(OVERLAPS)}")
    if schedule.catchup_seconds < _MIN_CATCHUP_SECONDS:
        found.append(f"catchup_seconds must be at least {_MIN_CATCHUP_SECONDS}")
    return found


def _calendar_problems(schedule: ScheduleConfig) -> list[str]:
    found = []
    if schedule.interval_seconds:
        found.append("a close has a day_of_month and no interval_seconds")
    if not 1 <= schedule.day_of_month <= _EVERY_MONTH_HAS:
        found.append(f"day_of_month must be 1 to {_EVERY_MONTH_HAS}, which every month has")
    if not 0 <= schedule.offset_seconds < _DAY:
        found.append(f"offset_seconds, after midnight UTC of that day, must be 0 or more and less than {_DAY}")
    if not 0 <= schedule.jitter_seconds < _DAY:
        found.append(f"jitter_seconds must be 0 or more and less than {_DAY}")
    return found


async def _message(client: Client, schedule: ScheduleConfig, defaults: Defaults) -> Schedule:
    request = Reconcile(
        shop=schedule.shop,
        provider=schedule.provider,
        interval_seconds=schedule.interval_seconds,
        offset_seconds=schedule.offset_seconds,
        # A month that is closed is old: the runs since then have repaired what could be.
        repair=defaults.repair and schedule.mode != Mode.CLOSE,
        mode=schedule.mode,
    )
    name = f"{schedule.shop}/{schedule.provider}" + ("" if schedule.mode == Mode.FULL else f"/{schedule.mode}")
    start = NewWorkflowExecutionInfo(
        # The server appends the nominal time of each run.
        workflow_id=f"reconcile/{name}",
        workflow_type=WorkflowType(name=names.WorkflowType.RECONCILIATION),
        task_queue=TaskQueue(name=names.Queue.RECONCILIATION),
        input=Payloads(payloads=await client.data_converter.encode([request])),
        workflow_run_timeout=_duration(run_timeout(schedule.interval_seconds)),
        workflow_task_timeout=_duration(_TASK_TIMEOUT),
        priority=Priority(priority_key=names.Urgency.BACKGROUND, fairness_key=schedule.shop[:64]),
    )
    summary = f"{schedule.shop} against {schedule.provider}, {schedule.mode}"
    start.user_metadata.summary.CopyFrom((await client.data_converter.encode([summary]))[0])
    encode_search_attributes(
        TypedSearchAttributes([SearchAttributePair(_SHOP, schedule.shop)]), start.search_attributes
    )
    message = Schedule(
        spec=_spec(schedule),
        action=ScheduleAction(start_workflow=start),
        policies=SchedulePolicies(
            overlap_policy=OVERLAPS[schedule.overlap],
            catchup_window=_duration(timedelta(seconds=schedule.catchup_seconds)),
            # A failed run is followed by the next, which covers its window; a paused schedule would cover nothing.
            pause_on_failure=False,
        ),
    )
    canonical = json.dumps(await fields(client, message), sort_keys=True, separators=(",", ":"))
    recorded = (await client.data_converter.encode([hashlib.sha256(canonical.encode()).hexdigest()]))[0]
    message.action.start_workflow.memo.fields[DIGEST_MEMO].CopyFrom(recorded)
    return message


def _spec(schedule: ScheduleConfig) -> ScheduleSpec:
    jitter = _duration(timedelta(seconds=schedule.jitter_seconds))
    if schedule.mode != Mode.CLOSE:
        every = IntervalSpec(
            interval=_duration(timedelta(seconds=schedule.interval_seconds)),
            phase=_duration(timedelta(seconds=schedule.offset_seconds)),
        )
        return ScheduleSpec(interval=[every], jitter=jitter)
    hour, rest = divmod(schedule.offset_seconds, 3600)
    minute, second = divmod(rest, 60)
    monthly = StructuredCalendarSpec(
        second=[_range(second)],
        minute=[_range(minute)],
        hour=[_range(hour)],
        day_of_month=[_range(schedule.day_of_month)],
        month=[Range(start=1, end=12, step=1)],
        day_of_week=[Range(start=0, end=6, step=1)],
    )
    # Without a zone it is UTC: a close happens once a month in every zone, and at no hour that some day lacks.
    return ScheduleSpec(structured_calendar=[monthly], jitter=jitter)


def _range(value: int) -> Range:
    return Range(start=value, end=value, step=1)


def calendar(spec: ScheduleSpec) -> str:
    """Return the calendar of a schedule, empty without one; the server may write a single value in several ways."""
    if not spec.structured_calendar:
        return ""
    first = spec.structured_calendar[0]
    parts = ((name, getattr(first, name)) for name in _CALENDAR)
    return ", ".join(f"{name} {' '.join(map(_ranged, ranges))}" for name, ranges in parts)


def _ranged(one: Range) -> str:
    end, step = max(one.end, one.start), max(one.step, 1)
    return f"{one.start}" if end == one.start else f"{one.start}-{end}" + (f"/{step}" if step > 1 else "")


async def _input(client: Client, arguments: list[Payload]) -> Mapping[str, Value]:
    """Read the action's argument; one that is not ours is shown as such, never an error: it will be replaced."""
    if len(arguments) != 1:
        return {"arguments": len(arguments)}
    try:
        (request,) = await client.data_converter.decode(arguments, [Reconcile])
    except Exception as error:
        return {"unreadable": type(error).__name__}
    return {
        key: value if isinstance(value, str | int | bool) else json.dumps(value)
        for key, value in asdict(request).items()
    }


async def _decoded(client: Client, payload: Payload) -> Any:
    if not payload.ByteSize():
        return ""
    try:
        return (await client.data_converter.decode([payload]))[0]
    except SealError:
        return "unreadable"  # it will be replaced


def _other_times(spec: ScheduleSpec) -> int:
    """Count what else than our one interval or calendar decides when it fires (added by hand, for example)."""
    limits = spec.HasField("start_time") + spec.HasField("end_time")
    own = len(spec.interval) + len(spec.structured_calendar)
    others = len(spec.calendar) + len(spec.cron_string) + bool(spec.timezone_name or spec.timezone_data)
    excluded = len(spec.exclude_calendar) + len(spec.exclude_structured_calendar)
    return max(0, own - 1) + others + excluded + limits


def _overlap_name(policy: ScheduleOverlapPolicy.ValueType) -> str:
    own = {value: name for name, value in OVERLAPS.items()}
    return own.get(policy, ScheduleOverlapPolicy.Name(policy).removeprefix("SCHEDULE_OVERLAP_POLICY_").lower())


def _duration(span: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span)
    return message
