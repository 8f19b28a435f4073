"""Spans as they are written and read, what they never hold, and what tracing costs where it is off: nothing."""

import dataclasses
import http.server
import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.app import create_app
from functions.spans import Spans
from functions.tracing import TraceInterceptor
from tests.unit.functions_settings import config as functions_config
from worker.cli.trace_tree import traces
from worker.contract import spans as spans_module
from worker.contract.spans import Kind, Span, SpanWriter, document, read
from worker.contract.tracing import TracingConfig, problems_of
from worker.observability import tracing as seam
from worker.observability.logging import add_trace
from worker.temporal.tracing import tracing

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PATIENCE = 60.0


def hex_of(digits: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=digits, max_size=digits)


SPANS = st.builds(
    Span,
    trace_id=hex_of(32),
    span_id=hex_of(16),
    parent_id=hex_of(16) | st.just(""),
    name=st.text(),
    kind=st.sampled_from(Kind),
    start_ns=st.integers(0, 2**63 - 1),
    end_ns=st.integers(0, 2**63 - 1),
    failed=st.booleans(),
    attributes=st.dictionaries(st.text(min_size=1), st.text(), max_size=4),
    service=st.just("orders-worker"),
)


@given(st.lists(SPANS, max_size=5))
def test_what_is_written_is_read_again(spans: list[Span]) -> None:
    line = document("orders-worker", spans)
    assert b"\n" not in line
    assert read(line.decode()) == spans


def test_a_file_of_spans_is_bounded_and_what_was_put_aside_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans_module, "LONGEST_FILE", 2000)
    path = tmp_path / "spans.jsonl"
    for number in range(40):
        writer = SpanWriter("orders-worker", TracingConfig(file=str(path)))
        writer.put(
            Span(
                trace_id=f"{number:032x}",
                span_id="1" * 16,
                parent_id="",
                name="x",
                kind=Kind.INTERNAL,
                start_ns=number,
                end_ns=number,
            )
        )
        writer.close(PATIENCE)
    kept = sorted(tmp_path.iterdir())
    assert [file.name for file in kept] == ["spans.jsonl", "spans.jsonl.1"]
    assert sum(file.stat().st_size for file in kept) < 2 * 2000 + 1000
    found = [int(tree.trace_id, 16) for tree in traces(path, None)]
    assert found == list(range(found[0], 40))
    assert len(found) > 4


@given(st.text() | st.lists(SPANS, min_size=1, max_size=2).map(lambda each: document("s", each).decode()[:-9]))
def test_a_line_that_is_cut_off_is_no_trace(line: str) -> None:
    assert read(line) == []


def span(number: int, parent: int | None = None, name: str = "work", **more: Any) -> Span:
    made: dict[str, Any] = {
        "trace_id": TRACE,
        "kind": Kind.INTERNAL,
        "start_ns": number * 10**6,
        "end_ns": number * 10**6 + 10,
    }
    parent_id = "" if parent is None else f"{parent:016x}"
    return Span(**made | {"span_id": f"{number:016x}", "parent_id": parent_id, "name": name} | more)


def test_spans_of_several_processes_share_a_file_and_make_one_tree(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    writers = [SpanWriter(name, TracingConfig(file=str(file))) for name in ("orders-functions", "orders-worker")]
    for number in range(400):
        writers[number % 2].put(span(number, None if number == 0 else 0))
    for writer in writers:
        writer.close(PATIENCE)
    (tree,) = traces(file, None)
    assert len(tree.spans) == 400
    first, *rest = list(tree.lines())[1:]
    assert first.startswith("work")
    assert all(line.startswith("|- ") for line in rest[:-1])
    assert rest[-1].startswith("`- ")


def test_a_tree_is_found_by_what_its_spans_are_about(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    about = span(1, attributes={"workflow_id": "order/main/E-1001"})
    other = span(2, trace_id="f" * 32, attributes={"workflow_id": "order/main/E-2"})
    file.write_bytes(document("s", [about, other]) + b"\nnot a trace\n")
    assert [tree.trace_id for tree in traces(file, "E-1001")] == [TRACE]
    assert [tree.trace_id for tree in traces(file, "f" * 32)] == ["f" * 32]
    assert len(traces(file, None)) == 2
    assert traces(file, "nothing") == traces(tmp_path / "none", None) == []


def test_an_endpoint_gets_otlp_and_one_that_is_away_harms_nobody() -> None:
    got: list[Any] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    address = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    threading.Thread(target=server.handle_request, daemon=True).start()
    writer = SpanWriter("orders-worker", TracingConfig(endpoint=address))
    writer.put(span(1))
    writer.close(PATIENCE)
    server.server_close()
    ((path, sent),) = got
    assert path == "/v1/traces"
    assert sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == TRACE
    lost = SpanWriter("orders-worker", TracingConfig(endpoint=address))
    lost.put(span(1))
    lost.close(PATIENCE)


def test_who_puts_a_span_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "MOST_WAITING", 8)
    writer = SpanWriter("s", TracingConfig(file="/nowhere/at/all"))
    stalled = threading.Event()
    monkeypatch.setattr(SpanWriter, "_write", lambda *_: stalled.wait(PATIENCE))
    began = time.monotonic()
    for number in range(1000):
        writer.put(span(number))
    assert time.monotonic() - began < PATIENCE / 2
    stalled.set()


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (TracingConfig(), None),
        (TracingConfig(endpoint="https://otel.example/v1/traces"), None),
        (TracingConfig(endpoint="file:///etc/passwd"), "tracing.endpoint"),
        (TracingConfig(sample_per_mille=1001), "tracing.sample_per_mille"),
    ],
)
def test_settings_that_make_no_sense_are_told(config: TracingConfig, problem: str | None) -> None:
    told = problems_of(config)
    assert [each.partition(":")[0] for each in told] == ([problem] if problem else [])


# ---- the functions ------------------------------------------------------------------------------------------------


class Kept(SpanWriter):
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, span: Span) -> None:
        self.spans.append(span)


def served(spans: Spans, parent: str, *, status: int | None = 202) -> str:
    spans.began()
    trace = spans.enter(parent, "")
    spans.ended(status, 0.1, {"method": "POST", "route": "/orders", "holder": "shop-app", "trace_id": trace.trace_id})
    return trace.parent


def test_the_function_s_span_stands_between_the_caller_and_the_workflow() -> None:
    kept = Kept()
    parent = served(Spans(kept, 0), f"00-{TRACE}-{CALLER}-01", status=503)
    (made,) = kept.spans
    assert (made.trace_id, made.parent_id) == (TRACE, CALLER)
    assert parent == f"00-{TRACE}-{made.span_id}-01"
    assert (made.name, made.failed, made.attributes) == ("POST /orders", True, {"route": "/orders", "status": "503"})


@pytest.mark.parametrize(
    ("parent", "per_mille", "kept"), [("", 1000, 1), ("", 0, 0), (f"00-{TRACE}-{CALLER}-00", 1000, 0)]
)
def test_what_is_not_sampled_is_not_kept_and_says_so_to_the_workflow(parent: str, per_mille: int, kept: int) -> None:
    writer = Kept()
    sent = served(Spans(writer, per_mille), parent)
    assert len(writer.spans) == kept
    assert sent.endswith("-01" if kept else "-00")


def test_a_request_that_came_to_no_route_has_no_span_of_the_one_before() -> None:
    kept = Kept()
    spans = Spans(kept, 1000)
    served(spans, "")
    spans.began()
    spans.ended(404, 0.1, {})
    assert len(kept.spans) == 1


def test_without_tracing_nothing_is_added_to_a_request() -> None:
    program = (
        "import sys\n"
        "from tests.unit.functions_settings import config\n"
        "from functions.app import create_app\n"
        "app = create_app(config('127.0.0.1:1'))\n"
        "assert app.extensions['observers'] == []\n"
        "print([name for name in sys.modules if name.endswith('.spans') or 'opentelemetry.sdk' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert TraceInterceptor.__module__ == "functions.tracing"


def test_with_tracing_the_access_log_s_trace_is_the_span_s(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "spans.jsonl"
    app = create_app(dataclasses.replace(functions_config("127.0.0.1:1"), tracing=TracingConfig(file=str(file))))
    logging.getLogger("functions").propagate = True
    with caplog.at_level(logging.INFO, "functions"):
        assert (
            app.test_client().get("/health/live", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"}).status_code == 200
        )
    (line,) = [record.fields for record in caplog.records if record.name == "functions.access"]  # type: ignore[attr-defined]
    deadline = time.monotonic() + PATIENCE
    # The file is made before its line is written.
    while not (file.exists() and file.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    (made,) = read(file.read_text("utf-8"))
    assert line["trace_id"] == made.trace_id == TRACE


# ---- the worker ---------------------------------------------------------------------------------------------------


def named_trace(line: dict[str, Any]) -> dict[str, Any]:
    add_trace(line)
    return line


def test_an_error_s_message_is_in_no_span_and_lines_name_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"

    def fails() -> None:
        with seam.call_span("stripe", "POST", "/v1/refunds?email=a@b.example") as told:
            told("http.response.status_code", "402")
            assert named_trace({})["trace_id"]
            seam.remember_trace()
            raise ValueError("card ending-4242 of jane@example.com")

    with tracing(TracingConfig(file=str(file))):
        with pytest.raises(ValueError, match="card"):
            fails()
        remembered = named_trace({})["trace_id"]
    written = file.read_text("utf-8")
    (made,) = read(written)
    assert made.trace_id == remembered
    assert (made.name, made.failed, made.kind) == ("POST stripe", True, Kind.CLIENT)
    assert made.attributes["url.path"] == "/v1/refunds"
    assert "example" not in written
    assert "ending-4242" not in written


def test_without_tracing_there_is_no_span_and_no_field() -> None:
    with seam.call_span("stripe", "POST", "/v1/refunds") as told:
        told("http.response.status_code", "200")
    seam.remember_trace()
    assert named_trace({"event": "x"}) == {"event": "x"}
