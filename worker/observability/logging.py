"""One formatter for every log line of the process, ours and the libraries'.

The names of fields, and what they mean, are those of infra/observability/log_fields.toml, in the functions too.
Everything goes through the standard library's logging, so `logging.getLogger(__name__)` with `extra={...}` is
all a module needs. Lines are JSON (one object a line) or, for people, plain columns. Every text is redacted and
bounded; activity arguments are never logged; tracebacks show code, never local variables.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from temporalio import activity, workflow

from worker.observability.redaction import redact
from worker.observability.tracing import current_trace_id

MAX_TEXT = 4000
"""Longest text of one field, in characters."""

_QUIET = {
    "apscheduler": logging.WARNING,  # one line for every run of every job
    "httpx": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore": logging.WARNING,
    "stripe": logging.WARNING,  # logs request parameters at INFO
    "alembic": logging.INFO,
    "sqlalchemy": logging.WARNING,  # would log statements with parameters
    "asyncio": logging.WARNING,
}

_TEMPORAL_FIELDS = {
    "activity_id": None,
    "activity_type": "activity",
    "attempt": "attempt",
    "namespace": None,
    "task_queue": "queue",
    "workflow_id": "workflow_id",
    "run_id": "run_id",
    "workflow_run_id": "run_id",
    "workflow_type": "workflow",
}
"""The SDK's fields and what they are called here; None drops the field, as does absence from this table."""

_OF_EVERY_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
"""What the standard library notes in a record; the rest is what a call site said in `extra`."""

_JSON = json.JSONEncoder(default=str)


class Settings(Protocol):
    """What decides how logs are written (LoggingConfig has it)."""

    @property
    def level(self) -> str:
        """Name of the lowest level written, for example `INFO`."""
        ...

    @property
    def json(self) -> bool:
        """JSON lines instead of columns."""
        ...


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Take over the root logger; call it once, first thing in a process.

    Raises ValueError for a level that does not exist.
    """
    # The SDK would otherwise append its whole context to every message; it arrives as fields anyway.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(Lines(as_json=settings.json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))


class Lines(logging.Formatter):
    """Formats a record as one JSON object, or as columns with a traceback below them."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._shown = _JSON.encode if as_json else _columns

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _OF_EVERY_RECORD:
                line.setdefault(name, value)
        lift_temporal(line)
        add_trace(line)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return self._shown({name: _redacted(value) for name, value in line.items()})


def lift_temporal(line: dict[str, Any]) -> None:
    """Replace the SDK's nested context by the few fields people look for, at the top level."""
    for key in ("temporal_activity", "temporal_workflow"):
        context = line.pop(key, None)
        if isinstance(context, dict):
            for name, value in context.items():
                ours = _TEMPORAL_FIELDS.get(name)
                if ours:
                    line.setdefault(ours, value)
    for key in ("activity_info", "workflow_info", "temporal_log", "__temporal_error_identifier"):
        line.pop(key, None)


def add_trace(line: dict[str, Any]) -> None:
    """Name the trace that a line belongs to, where there is one."""
    trace_id = current_trace_id()
    if trace_id is not None:
        line.setdefault("trace_id", trace_id)


def _columns(line: dict[str, Any]) -> str:
    at, level, logger, event = (line.pop(name) for name in ("at", "level", "logger", "event"))
    trace = line.pop("exception", None)
    fields = " ".join(f"{name}={_in_columns(value)}" for name, value in sorted(line.items()))
    told = f"{at} [{level:<9}] {event:<40} [{logger}] {fields}".rstrip()
    return told if trace is None else f"{told}\n{trace}"


def _in_columns(value: Any) -> str:
    """Return a value as columns show it: a text with spaces in quotes, so that one knows where it ends."""
    return value if isinstance(value, str) and " " not in value else repr(value)


def _redacted(value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    return redact(str(value), MAX_TEXT)
