"""Webhooks: believe the signature first, then start one ProviderEventWorkflow per event.

The order is fixed: bounded raw bytes, signature, only then parsing. 202 means that Temporal has recorded the
event; everything else makes the sender try again or tells it for good that this delivery is unusable. What the
event means is the worker's business.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from functions.access_log import note
from functions.body import parse_json, raw_body, require_json_type
from functions.config import SourceConfig
from functions.problems import Malformed, NotFound, SignatureInvalid
from functions.replies import reply
from functions.signatures import SCHEMES, Clock, Verified
from functions.temporal import Start, Temporal
from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, fingerprint, is_valid_part
from worker.contract.names import Queue, WorkflowType

_log = logging.getLogger(__name__)


class Source:
    """One configured source of webhooks."""

    def __init__(self, name: str, config: SourceConfig) -> None:
        self.name = name
        self.config = config
        self._scheme = SCHEMES[config.scheme]
        self._keys = tuple(self._scheme.key(secret.reveal()) for secret in config.secrets)

    def believe(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless the delivery was signed with one of our secrets, now."""
        clock = Clock(int(time.time()), self.config.tolerance_seconds)
        verdict = self._scheme.verify(headers, body, self._keys, clock)
        if not isinstance(verdict, Verified):
            note(rejection=str(verdict))
            raise SignatureInvalid("the delivery is not signed with an accepted secret, or not now")
        note(secret_index=verdict.secret_index)

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str]:
        """Return the event's id, equal over the sender's retries, and its topic. Raises Malformed."""
        match self.config.scheme:
            case "shopify":
                # X-Shopify-Webhook-Id stays the same over retries; X-Shopify-Event-Id is shared by several topics.
                event_id, topic = headers.get("x-shopify-webhook-id"), headers.get("x-shopify-topic")
            case "standard_webhooks":
                event_id, topic = headers.get("webhook-id"), body.get("type")
            case _:
                event_id, topic = body.get("id"), body.get("type")
        if not isinstance(event_id, str) or not is_valid_part(event_id):
            raise Malformed("the delivery names no usable event id")
        if not isinstance(topic, str):
            raise Malformed("the delivery names no topic")
        return event_id, topic


class Webhooks:
    """The function `webhooks`."""

    def __init__(self, temporal: Temporal, sources: Mapping[str, SourceConfig], *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._sources = {name: Source(name, config) for name, config in sources.items()}
        self._max_body_bytes = max_body_bytes

    def receive(self, source: str) -> Response:
        """POST /webhooks/{source}: 202 for a new event, 200 for one that is known or of no interest."""
        known = self._sources.get(source)
        if known is None:
            raise NotFound("there is no such thing")
        note(source=known.name)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = raw_body(request, self._max_body_bytes)
        known.believe(headers, raw)
        require_json_type(request)
        body = parse_json(raw)
        if not isinstance(body, dict):
            raise Malformed("the body must be a JSON object")
        event_id, topic = known.identify(headers, body)
        if topic not in known.config.topics:
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
