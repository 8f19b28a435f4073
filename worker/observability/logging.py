"""One formatter for every log line of the process, ours and the libraries'.

The names of fields, and what they mean, are those of infra/observability/log_fields.toml, in the functions too.
Everything goes through the standard library's logging, so `logging.getLogger(__name__)` with `extra={...}` is
all a module needs. Lines are JSON (one object a line) or, for people, plain columns. Every text is redacted and
bounded; activity arguments are never logged; tracebacks show code, never local variables.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Protocol, TextIO

import structlog
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

EventDict = MutableMapping[str, Any]


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
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        lift_temporal,
        add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if settings.json
        else structlog.dev.ConsoleRenderer(colors=False, timestamp_key="at", pad_event_to=40)
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_fields, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def lift_temporal(_: Any, __: str, event: EventDict) -> EventDict:
    """Replace the SDK's nested context by the few fields people look for, at the top level."""
    for key in ("temporal_activity", "temporal_workflow"):
        context = event.pop(key, None)
        if isinstance(context, dict):
            for name, value in context.items():
                ours = _TEMPORAL_FIELDS.get(name)
                if ours:
                    event.setdefault(ours, value)
    for key in ("activity_info", "workflow_info", "temporal_log", "__temporal_error_identifier"):
        event.pop(key, None)
    return event


def add_trace(_: Any, __: str, event: EventDict) -> EventDict:
    """Name the trace that a line belongs to, where there is one."""
    trace_id = current_trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    return event


def redact_fields(_: Any, __: str, event: EventDict) -> EventDict:
    """Redact and bound every text of a line, the event and the traceback included."""
    for key, value in event.items():
        event[key] = _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    return redact(str(value), MAX_TEXT)
