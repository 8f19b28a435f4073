"""What one order leaves in its history, step by step, read from the history itself."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

TASKS = "workflow tasks"
_LOCAL = "core_local_activity"


@dataclass
class Anatomy:
    """Events by step, in the order in which the steps began."""

    steps: dict[str, list[str]] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """All of them."""
        return sum(map(len, self.steps.values()))

    def of(self, kind: str) -> int:
        """Return how many events of a kind there are."""
        return sum(names.count(kind) for names in self.steps.values())

    @property
    def table(self) -> str:
        """The table of the documentation."""
        rows = [
            f"| {step} | {len(names)} | {', '.join(_times(name, n) for name, n in Counter(names).items())} |"
            for step, names in self.steps.items()
        ]
        return "\n".join(
            ["| step | events | which |", "| --- | --- | --- |", *rows, f"| all of the order | {self.events} | |"]
        )


def anatomy(history: WorkflowHistory) -> Anatomy:
    """Return what every event of `history` belongs to."""
    found = Anatomy()
    scheduled: dict[int, str] = {}
    updates: dict[int, str] = {}
    for event in history.events:
        step = _step(event, scheduled, updates)
        found.steps.setdefault(step, []).append(_kind(event))
    return found


def _step(event: HistoryEvent, scheduled: dict[int, str], updates: dict[int, str]) -> str:
    kind = _kind(event)
    if kind.startswith("WorkflowTask"):
        return TASKS
    if kind == "ActivityTaskScheduled":
        scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        return scheduled[event.event_id]
    if kind.startswith("ActivityTask"):
        return scheduled[_field(event, "scheduled_event_id")]
    if kind == "MarkerRecorded":
        return _marker(event)
    if kind == "WorkflowExecutionUpdateAccepted":
        name = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
        updates[event.event_id] = f"update {name}"
        return updates[event.event_id]
    if kind == "WorkflowExecutionUpdateCompleted":
        return updates[_field(event, "accepted_event_id")]
    if kind.startswith("Timer"):
        return "timer of the wait"
    if kind == "UpsertWorkflowSearchAttributes":
        return "state in the search attributes"
    return "start and end"


def _marker(event: HistoryEvent) -> str:
    attributes = event.marker_recorded_event_attributes
    if attributes.marker_name != _LOCAL:
        return attributes.marker_name
    # The SDK's own payload, which no codec seals; read as the documentation of the marker has it: JSON.
    told: Mapping[str, object] = json.loads(attributes.details["data"].payloads[0].data)
    return f"{told['activity_type']} (local)"


def _field(event: HistoryEvent, name: str) -> int:
    attributes = getattr(event, event.WhichOneof("attributes") or "")
    value: int = getattr(attributes, name)
    return value


def _kind(event: HistoryEvent) -> str:
    words: Sequence[str] = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{count} x {name}"
