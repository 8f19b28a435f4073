"""Webhooks: believe the signature first, then start one ProviderEventWorkflow per event.

The order is fixed: the caller's address, bounded raw bytes, signature, rate, only then parsing. 202 means that
Temporal has recorded the event; everything else makes the sender try again or tells it for good that this
delivery is unusable. What the event means is the worker's business.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from flask import Response, request

from functions.access_log import note
from functions.body import parse_json, raw_body, require_json_type
from functions.event_identity import Delivery
from functions.problems import Malformed, NotFound
from functions.replies import reply
from functions.sent_headers import SentHeaders
from functions.source import Source
from functions.source_settings import SourceConfig
from functions.temporal import Start, Temporal
from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, fingerprint
from worker.contract.names import Queue, WorkflowType

_log = logging.getLogger(__name__)


class Webhooks:
    """The function `webhooks`."""

    def __init__(self, temporal: Temporal, sources: Mapping[str, SourceConfig], *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._sources = {name: Source(name, config, max_body_bytes=max_body_bytes) for name, config in sources.items()}

    def receive(self, source: str) -> Response:
        """POST /webhooks/{source}: Deliver an event, signed as the source's scheme wants it.

        202 for a new event, 200 for one that is known or of no interest.
        """
        known = self._sources.get(source)
        if known is None:
            raise NotFound("there is no such thing")
        note(source=known.name)
        sent = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - not looked up at each use
        environ = sent.environ
        headers = SentHeaders(environ)
        known.admit(environ.get("REMOTE_ADDR", ""), headers.get("x-forwarded-for", ""))
        raw = raw_body(sent, known.max_body_bytes)
        known.believe(headers, raw)
        known.spend()
        require_json_type(sent)
        body = parse_json(raw)
        if not isinstance(body, dict):
            raise Malformed("the body must be a JSON object")
        event_id, topic = known.identify(Delivery(headers, body, raw))
        if not known.wants(topic):
            return reply(200, {"event_id": event_id, "status": "ignored"})
        note(topic=topic)
        return self._record(known, event_id, topic, raw)

    def _record(self, source: Source, event_id: str, topic: str, raw: bytes) -> Response:
        workflow_id = event_workflow_id(source.name, event_id)
        print_of_request = fingerprint(raw)
        started = self._temporal.start(
            Start(
                workflow=WorkflowType.PROVIDER_EVENT,
                workflow_id=workflow_id,
                queue=Queue.EVENTS,
                argument=ProviderEvent(
                    source=source.name,
                    dialect=source.config.dialect,
                    shop=source.config.shop,
                    event_id=event_id,
                    topic=topic,
                    body=raw.decode("utf-8"),
                    received_at=datetime.now(UTC).isoformat(),
                ),
                fingerprint=print_of_request,
                summary=f"{source.name} {topic}",
            )
        )
        answer = {"workflow_id": workflow_id, "event_id": event_id}
        if not started.duplicate:
            return reply(202, {**answer, "status": "accepted"})
        if started.existing_fingerprint not in {None, print_of_request}:
            # Answered as a duplicate all the same: a refusal would be repeated for days. Some senders count
            # their open deliveries in the body, so a difference alone proves nothing.
            _log.warning(
                "an event came again with another body",
                extra={
                    "fields": {
                        "workflow_id": workflow_id,
                        "first": started.existing_fingerprint,
                        "now": print_of_request,
                    }
                },
            )
        return reply(200, {**answer, "status": "duplicate"})

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"receive": self.receive}
