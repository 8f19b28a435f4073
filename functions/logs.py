"""Log lines: one JSON object a line for machines, or plain text for a terminal, on standard error.

Only the fields a call site names are written. Exceptions are written as type and places in our code, without
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
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return _JSON.encode(line)


class PlainLines(logging.Formatter):
    """Formats a record for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        return f"{moment} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()


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
