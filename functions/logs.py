"""Log lines: one JSON object a line for machines, or columns for a terminal, on standard error; as the worker writes them.

The names of fields, and what they mean, are those of infra/observability/log_fields.toml. Only the fields a call site names are written. Exceptions are written as type and places in our code, without
their message, which may hold what a caller sent.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from functions.config import LoggingConfig

NAME = "functions"
_JSON = json.JSONEncoder(default=str)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            **getattr(record, "fields", {}),
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        return _JSON.encode(line)


class PlainLines(logging.Formatter):
    """Formats a record for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = " ".join(f"{name}={_shown(value)}" for name, value in sorted(getattr(record, "fields", {}).items()))
        event = f"{record.getMessage():<40} [{record.name}] {fields}"
        return f"{_moment(record)} [{record.levelname.lower():<9}] {event}".rstrip()


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _shown(value: object) -> str:
    """Return a value as columns show it: a text with spaces in quotes, so that one knows where it ends."""
    return value if isinstance(value, str) and " " not in value else repr(value)


def configure(config: LoggingConfig) -> None:
    """Write the functions' log as `config` says. Calling it again replaces the former handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if config.json else PlainLines())
    # No line of ours says which thread and process it is from; finding out for each would be a good part of its cost.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logger = logging.getLogger(NAME)
    logger.handlers = [handler]
    logger.setLevel(config.level.upper())
    logger.propagate = False


def places(trace: TracebackType | None) -> list[str]:
    """Return where an exception passed, as `file:line function`, without any values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
