"""Spans of a trace, as both deployables write them: OTLP in JSON, one document a line or a request.

A collector reads the file (receiver `otlpjsonfile`) or is posted to (`/v1/traces`); `orders dev trace` reads the file.
Attributes are identifiers and outcomes: no input, no answer, no message of an error, nobody's data.
"""

import contextlib
import json
import os
import threading
import urllib.request
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from worker.contract.tracing import TracingConfig

MOST_WAITING = 4096
"""Spans that may wait to be written; what comes beyond is dropped, for no request waits for its trace."""

LONGEST_FILE = 64 * 1024 * 1024
"""Bytes after which a file of spans is put aside for the next one; what was put aside before is gone."""

_BATCH = 256
_GATHER_SECONDS = 0.2
_POST_SECONDS = 5.0


class Kind(IntEnum):
    """What a span is, in OTLP's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One piece of work. Ids are lower-case hex, 32 and 16 digits; `parent_id` is empty for the first of a trace."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: Kind
    start_ns: int
    end_ns: int
    failed: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    service: str = ""


def document(service: str, spans: Iterable[Span]) -> bytes:
    """Return the spans of a service as one document, on one line, without its end."""
    written = {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": service})},
                "scopeSpans": [{"scope": {"name": "orders"}, "spans": [_written(span) for span in spans]}],
            }
        ]
    }
    return json.dumps(written, separators=(",", ":")).encode()


def before(path: Path) -> Path:
    """Return where the spans are that were put aside when `path` had become too long."""
    return path.with_name(f"{path.name}.1")


def read(line: str) -> list[Span]:
    """Return the spans of a document; none of a line that is cut off or something else."""
    found: list[Span] = []
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        for resource in json.loads(line)["resourceSpans"]:
            service = _plain(resource["resource"]["attributes"]).get("service.name", "")
            found += [_read(each, service) for scope in resource["scopeSpans"] for each in scope["spans"]]
    return found


class SpanWriter:
    """Writes spans from a thread of its own, which starts with the first: after a fork, and not at all without spans."""

    def __init__(self, service: str, config: TracingConfig) -> None:
        self._service = service
        self._config = config
        self._waiting: deque[Span] = deque()
        self._any = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, span: Span) -> None:
        """Take a span to be written; never waits, never raises."""
        if self._thread is None:
            self._start()
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(span)
        # The first one wakes the thread, which lets others gather: a queue would wake it with each, and switch threads.
        if not self._any.is_set():
            self._any.set()

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for so long at most, and end the thread."""
        if self._thread is not None:
            self._ending.set()
            self._any.set()
            self._thread.join(seconds)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        ended = False
        while not ended:
            self._any.wait()
            ended = self._ending.wait(_GATHER_SECONDS)
            self._any.clear()  # before what waits is taken: what comes meanwhile wakes again
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                # A trace that cannot be written is no failure of what it is of, and not worth a line for each.
                with contextlib.suppress(OSError, ValueError):
                    self._write(batch)

    def _write(self, batch: Sequence[Span]) -> None:
        body = document(self._service, batch)
        if self._config.file:
            # One write of one line to the end of the file: several processes share it.
            path = Path(self._config.file)
            with path.open("ab", buffering=0) as file:
                file.write(body + b"\n")
                # Another process may have moved it meanwhile: then what is there now is a new one, and short.
                if file.tell() > LONGEST_FILE and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    path.replace(before(path))
        if self._config.endpoint:
            request = urllib.request.Request(  # noqa: S310 - the settings' address, checked to be http(s)
                self._config.endpoint, body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=_POST_SECONDS).close()  # noqa: S310


def _written(span: Span) -> dict[str, object]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": int(span.kind),
        # 64-bit integers are texts in OTLP's JSON.
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
        "status": {"code": 2} if span.failed else {},
    }


def _read(each: Mapping[str, object], service: str) -> Span:
    status = each.get("status")
    return Span(
        trace_id=str(each["traceId"]),
        span_id=str(each["spanId"]),
        parent_id=str(each.get("parentSpanId", "")),
        name=str(each["name"]),
        kind=Kind(int(str(each["kind"]))),
        start_ns=int(str(each["startTimeUnixNano"])),
        end_ns=int(str(each["endTimeUnixNano"])),
        failed=isinstance(status, dict) and status.get("code") == 2,
        attributes=_plain(each["attributes"]),
        service=service,
    )


def _attributes(values: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _plain(written: object) -> dict[str, str]:
    assert isinstance(written, list)
    return {each["key"]: str(next(iter(each["value"].values()))) for each in written}
