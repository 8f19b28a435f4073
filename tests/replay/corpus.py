"""The recorded histories: one JSON file a path, in a folder named like the workflow.

They are what production's histories look like to a worker: code that cannot replay them would get stuck on
workflows that are running while it is deployed. Nothing of the machine that recorded them stays in them.
"""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

FOLDER = Path(__file__).with_name("histories")
RECORD = "python -m tests.replay.record"


def recorded() -> list[Path]:
    """Return the files, sorted."""
    return sorted(FOLDER.glob("*/*.json"))


def file_of(workflow: str, path: str) -> Path:
    """Return where a path's history is stored."""
    return FOLDER / workflow / f"{path}.json"


def load(file: Path) -> WorkflowHistory:
    """Read one history under the id it ran with."""
    history = json.loads(file.read_text(encoding="utf-8"))
    started = history["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], history)


def store(file: Path, history: WorkflowHistory) -> None:
    """Write one history, without the stack traces of failures (they hold paths of the recording machine)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_without_traces(history.to_json_dict()), indent=1, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8")


def activities_in(history: WorkflowHistory) -> set[str]:
    """Return the names of the activities a history asked for, local ones included."""
    names = set()
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            names.add(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("marker_recorded_event_attributes"):
            for payload in event.marker_recorded_event_attributes.details["data"].payloads:
                names.add(json.loads(payload.data)["activity_type"])
    return names


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_traces(item) for key, item in value.items() if key != "stackTrace"}
    return [_without_traces(item) for item in value] if isinstance(value, list) else value
