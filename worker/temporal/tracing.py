"""One trace from the webhook to the provider: Temporal's own OpenTelemetry interceptor, and our span writer behind it.

The header `_tracer-data` carries the trace from the functions into workflows, from there into activities and into the
workflows that these start. It is sent in clear: it holds ids. Spans of workflows have no duration, they are made once and
never on replay. Loaded only where tracing is wanted, and needs the package's extra `tracing`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from temporalio.contrib.opentelemetry import TracingInterceptor

from worker.contract.spans import Kind, Span, SpanWriter
from worker.contract.tracing import TracingConfig
from worker.observability.tracing import installed

SERVICE = "orders-worker"
_KINDS = {SpanKind.CLIENT: Kind.CLIENT, SpanKind.PRODUCER: Kind.CLIENT, SpanKind.SERVER: Kind.SERVER}
_NAMES = {
    "temporalWorkflowID": "workflow_id",
    "temporalRunID": "run_id",
    "temporalActivityID": "activity_id",
    "temporalUpdateID": "update_id",
}
"""The SDK's attributes as log lines call them."""


@contextmanager
def tracing(config: TracingConfig) -> Iterator[TracingInterceptor]:
    """Trace this process as long as the context lasts; give the interceptor to its client, which hands it to workers."""
    writer = SpanWriter(SERVICE, config)
    provider = TracerProvider(
        resource=Resource({"service.name": SERVICE}),
        # The decision is made where a trace begins, and kept.
        sampler=ParentBasedTraceIdRatio(config.sample_per_mille / 1000),
        shutdown_on_exit=False,
    )
    # The writer has a thread of its own, so nobody waits in the simple processor.
    provider.add_span_processor(SimpleSpanProcessor(_Exporter(writer)))
    tracer = provider.get_tracer("orders")

    @contextmanager
    def make(name: str, attributes: Mapping[str, str]) -> Iterator[Callable[[str, str], None]]:
        with tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=dict(attributes)) as span:
            yield span.set_attribute

    with installed(make, _trace_id):
        try:
            yield TracingInterceptor(tracer)
        finally:
            provider.shutdown()
            writer.close()


class _Exporter(SpanExporter):
    """Hands spans to the writer, without the messages of errors, which the SDK would keep as events."""

    def __init__(self, writer: SpanWriter) -> None:
        self._writer = writer

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self._writer.put(_ours(span))
        return SpanExportResult.SUCCESS


def _ours(span: ReadableSpan) -> Span:
    context = span.get_span_context()
    assert context is not None
    return Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id="" if span.parent is None else format_span_id(span.parent.span_id),
        name=span.name,
        kind=_KINDS.get(span.kind, Kind.INTERNAL),
        start_ns=span.start_time or 0,
        end_ns=span.end_time or span.start_time or 0,
        failed=span.status.status_code is StatusCode.ERROR,
        attributes={_NAMES.get(key, key): str(value) for key, value in (span.attributes or {}).items()},
    )


def _trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None
