"""The OpenAPI 3.1 document: `python -m functions.openapi` writes functions/openapi.json, which is committed and served.

Paths and what opens them come from the route table, requests from the code that reads them (functions.schema),
words from the views' docstrings, enumerations from the contract. A test fails when the committed file is not what
this would write.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from functions import order_requests, orders, reconciliations, users
from functions.description import DOCUMENT, Description
from functions.fields import Fields
from functions.health import Health
from functions.idempotency import HEADER
from functions.routes import Auth, Route, table
from functions.schema import Schema, pattern_schema, schema_of
from functions.webhooks import Webhooks
from worker.contract.ids import PART

VERSION = "1.0.0"
_NOW = datetime(2000, 1, 1, tzinfo=UTC)
_TEXT: Schema = {"type": "string"}
_MINOR: Schema = {"type": "integer", "minimum": 0, "description": "minor units of the order's currency"}
_JSON = "application/json"
_PROBLEM = "application/problem+json"

_VIEWS: Mapping[str, type[Any]] = {
    "orders": orders.Orders,
    "users": users.Users,
    "reconciliations": reconciliations.Reconciliations,
    "webhooks": Webhooks,
    "health": Health,
    "description": Description,
}

_READERS: Mapping[str, Callable[[Fields], object]] = {
    "orders.place": lambda fields: order_requests.read_order(fields, "", _NOW, "-"),
    "orders.cancel": order_requests.read_cancellation,
    "orders.refund": order_requests.read_refund,
    "orders.pay": order_requests.read_payment,
    "orders.change_address": order_requests.read_readdressing,
    "orders.cancel_lines": order_requests.read_unwanted_lines,
    "users.register": lambda fields: users.read_user(fields, _NOW, "-"),
    "users.confirm": users.read_token,
    "users.change_address": lambda fields: users.read_address(fields, _NOW, "", "-"),
    "users.confirm_address": users.read_token,
    "reconciliations.start": lambda fields: reconciliations.read_reconcile(fields, "", "", _NOW),
}
"""How the requests of an operation are read; the other operations take no JSON of ours."""

_BODY_OPTIONAL = frozenset({"orders.cancel"})
_KEYED = frozenset(
    {
        "orders.place",
        "orders.cancel",
        "orders.refund",
        "orders.pay",
        "orders.change_address",
        "orders.cancel_lines",
        "users.register",
        "users.resend",
        "users.change_address",
    }
)
_PACED = frozenset({"users.resend"})
_WITHOUT_TEMPORAL = frozenset({"health.live", "description.openapi"})


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _status(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _started(**ids: Schema) -> dict[int, tuple[str, Schema]]:
    return {
        202: ("recorded; the workflow runs", _object(workflow_id=_TEXT, **ids, status=_status("accepted"))),
        200: ("the same request was recorded before", _object(workflow_id=_TEXT, **ids, status=_status("duplicate"))),
    }


_ANSWERS: Mapping[str, dict[int, tuple[str, Schema]]] = {
    "orders.place": _started(order_id=_TEXT),
    "orders.cancel": {
        202: (
            "what the order answered",
            _object(workflow_id=_TEXT, order_id=_TEXT, outcome=_status("applied", "ignored"), state=_TEXT),
        )
    },
    "orders.refund": {
        200: (
            "the money is on its way",
            _object(
                workflow_id=_TEXT,
                order_id=_TEXT,
                request_id=_TEXT,
                outcome=_status("applied", "duplicate"),
                state=_TEXT,
                currency=_TEXT,
                amount_minor=_MINOR,
                refunded_minor=_MINOR,
            ),
        )
    },
    "orders.pay": {
        200: (
            "what became of the method",
            _object(
                workflow_id=_TEXT,
                order_id=_TEXT,
                request_id=_TEXT,
                outcome=_status("applied", "declined", "duplicate"),
                state=_TEXT,
                reason=_TEXT,
            ),
        )
    },
    "orders.change_address": {
        200: (
            "the parcel will go there",
            _object(
                workflow_id=_TEXT,
                order_id=_TEXT,
                request_id=_TEXT,
                outcome=_status("applied", "duplicate"),
                state=_TEXT,
            ),
        )
    },
    "orders.cancel_lines": {
        200: (
            "less is owed, and what was paid for it is on its way back",
            _object(
                workflow_id=_TEXT,
                order_id=_TEXT,
                request_id=_TEXT,
                outcome=_status("applied", "duplicate"),
                state=_TEXT,
                currency=_TEXT,
                amount_minor=_MINOR,
                refunded_minor=_MINOR,
                total_minor=_MINOR,
                reason=_TEXT,
            ),
        )
    },
    "users.register": _started(user_id=_TEXT),
    "users.confirm": {
        200: ("where the registration stands", _object(user_id=_TEXT, state=_status("pending", "active", "expired")))
    },
    "users.resend": {
        200: ("the mail is on its way", _object(user_id=_TEXT, state=_status("pending"), mails_sent=_MINOR))
    },
    "users.change_address": _started(user_id=_TEXT, change_id=_TEXT),
    "users.confirm_address": {
        200: ("the new address is in force", _object(user_id=_TEXT, change_id=_TEXT, state=_status("changed")))
    },
    "reconciliations.start": _started(),
    "webhooks.receive": {
        202: ("recorded", _object(workflow_id=_TEXT, event_id=_TEXT, status=_status("accepted"))),
        200: (
            "recorded before, or of no interest",
            {
                "oneOf": [
                    _object(workflow_id=_TEXT, event_id=_TEXT, status=_status("duplicate")),
                    _object(event_id=_TEXT, status=_status("ignored")),
                ]
            },
        ),
    },
    "health.live": {200: ("this process answers", _object(status=_status("live")))},
    "health.ready": {200: ("Temporal answers", _object(status=_status("ready")))},
    "description.openapi": {200: ("this document", {"type": "object"})},
}

_REFUSALS: Mapping[int, str] = {
    400: "the bytes cannot be read as what they should be",
    401: "no accepted key or signature",
    403: "known, but not allowed to do this",
    404: "there is no such thing",
    409: "the thing exists in another shape, or its state forbids this",
    413: "the body is too large",
    415: "the body is not plain JSON in UTF-8",
    422: "the JSON breaks the schema, or a rule; `errors` names the fields",
    429: "more than the rate allows; again after Retry-After seconds",
    503: "nothing is known to be recorded: send it again after Retry-After seconds",
}

_BY_AUTH: Mapping[Auth, set[int]] = {
    Auth.BEARER: {400, 401, 403, 409, 413, 415, 422},
    Auth.TOKEN: {400, 404, 409, 413, 415, 422},
    Auth.SIGNATURE: {400, 401, 403, 404, 413, 415, 429},
    Auth.NONE: set(),
}


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in table():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders",
            "version": VERSION,
            "description": "Every accepted request is a workflow that Temporal has recorded: a 2xx means recorded, "
            "503 means send it again, and sending again is always safe.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "a key of an API client"},
            },
        },
    }


def written() -> bytes:
    """Return the document as the committed file holds it."""
    return (json.dumps(document(), indent=1, ensure_ascii=False) + "\n").encode()


def _operation(route: Route) -> dict[str, Any]:
    name = f"{route.function}.{route.operation}"
    summary, description = _words(route)
    operation: dict[str, Any] = {"operationId": name.replace(".", "_"), "summary": summary, "tags": [route.function]}
    if description:
        operation["description"] = description
    if route.auth is Auth.BEARER:
        operation["security"] = [{"bearer": []}]
    parameters = [_path_parameter(part[1:-1]) for part in route.path.split("/") if part.startswith("{")]
    if name in _KEYED:
        parameters.append(_key_parameter())
    if parameters:
        operation["parameters"] = parameters
    if name in _READERS:
        operation["requestBody"] = {
            "required": name not in _BODY_OPTIONAL,
            "content": {_JSON: {"schema": schema_of(_READERS[name])}},
        }
    elif route.auth is Auth.SIGNATURE:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": {"type": "object"}}}}
    operation["responses"] = _responses(route, name)
    return operation


def _responses(route: Route, name: str) -> dict[str, Any]:
    refused = set(_BY_AUTH[route.auth])
    if "{" in route.path:
        refused.add(404)
    if name in _PACED:
        refused.add(429)
    if name not in _WITHOUT_TEMPORAL:
        refused.add(503)
    answers: dict[str, Any] = {
        str(status): {"description": words, "content": {_JSON: {"schema": schema}}}
        for status, (words, schema) in _ANSWERS[name].items()
    }
    problem = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(refused):
        answers[str(status)] = {"description": _REFUSALS[status], "content": problem}
        if status in {429, 503}:
            seconds = {"required": True, "schema": {"type": "integer", "minimum": 1}}
            answers[str(status)]["headers"] = {"Retry-After": seconds}
    return answers


def _words(route: Route) -> tuple[str, str]:
    """Return a summary and a description out of the view's docstring: `METHOD /path: Summary.`, then more."""
    text = inspect.getdoc(getattr(_VIEWS[route.function], route.operation)) or ""
    first, _, rest = text.partition("\n\n")
    return first.partition(": ")[2].rstrip("."), " ".join(rest.split())


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": pattern_schema(PART)}


def _key_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "a name of this request, so that sending it again does nothing new; quoted or bare",
        "schema": {"type": "string", "pattern": f'^(?:{PART.pattern}|"{PART.pattern}")$'},
    }


def _problem() -> Schema:
    return {
        "type": "object",
        "description": "RFC 9457; `code` is stable and for programs, `detail` for people",
        "properties": {
            "type": {"type": "string", "pattern": "^urn:orders:problem:[a-z_]+$"},
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "pattern": "^[a-z_]+$"},
            "detail": _TEXT,
            "request_id": _TEXT,
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"path": _TEXT, "problem": _TEXT},
                    "required": ["path", "problem"],
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail", "request_id"],
    }


if __name__ == "__main__":
    DOCUMENT.write_bytes(written())
