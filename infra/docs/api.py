"""The page of the HTTP API: the route table, and what the OpenAPI document says of each route."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from functions import routes
from functions.routes import Route
from infra.docs.markdown import cell, code, codes, plain, prose, section, table
from infra.docs.markdown import page as whole

_MANY = 12
"""From so many values on an enumeration is not listed."""


def page() -> str:
    """Return the page."""
    document = json.loads(routes.TABLE.with_name("openapi.json").read_text("utf-8"))
    found = routes.table()
    return whole(
        "The HTTP API",
        plain(document["info"]["description"]),
        "The document for programs is `functions/openapi.json`, served at `GET /openapi.json`. What webhooks are signed "
        "with: [webhooks that are received](webhooks-received.md). The codes of refusals: [error codes](errors.md).",
        prose(routes.__doc__ or ""),
        table(
            ("route", "function", "opened by", "for operators"),
            (
                (code(f"{one.method} {one.path}"), one.function, one.auth.value, "yes" if one.operator else "")
                for one in found
            ),
        ),
        *(_route(one, document["paths"][one.path][one.method.lower()], document) for one in found),
    )


def _route(route: Route, told: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    parameters = [
        (code(each["name"]), each["in"], "yes" if each.get("required") else "", _meaning(each, each.get("schema", {})))
        for each in (_resolved(parameter, document) for parameter in told.get("parameters", ()))
    ]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    fields = [(code(path), kind, "yes" if needed else "", what) for path, kind, needed, what in _fields(body, document)]
    return section(
        f"{route.method} {route.path}",
        plain(f"{told['summary']}."),
        plain(told.get("description", "")),
        table(("parameter", "where", "required", "meaning"), parameters),
        table(("field of the body", "type", "required", "meaning"), fields),
        table(("answer", "meaning", "fields"), _answers(told, document)),
    )


def _answers(told: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status, each in sorted(told["responses"].items()):
        answer = _resolved(each, document)
        content = answer.get("content", {})
        names = "[a problem document](errors.md#the-functions)" if "application/problem+json" in content else ""
        if "application/json" in content:
            schema = _resolved(content["application/json"].get("schema", {}), document)
            names = codes(schema.get("properties", {}))
        phrase = HTTPStatus(int(status)).phrase if status.isdigit() else ""
        yield f"{status} {phrase}".strip(), cell(answer["description"]), names


def _fields(
    schema: Mapping[str, Any] | None, document: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, str, bool, str]]:
    if not schema:
        return
    resolved = _resolved(schema, document)
    for name, each in resolved.get("properties", {}).items():
        field = _resolved(each, document)
        yield f"{path}{name}", _kind(field), name in resolved.get("required", ()), _meaning(field, field)
        yield from _fields(field.get("items", field), document, f"{path}{name}{'[]' if 'items' in field else ''}.")


def _kind(field: Mapping[str, Any]) -> str:
    kind = field.get("type", "")
    return " or ".join(each for each in kind if each != "null") if isinstance(kind, list) else str(kind)


def _meaning(told: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    parts = [str(told.get("description", ""))]
    if 0 < len(schema.get("enum", ())) < _MANY:
        parts.append(f"one of {', '.join(f'`{value}`' for value in schema['enum'])}")
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return cell("; ".join(part for part in (*parts, " ".join(bounds)) if part))


_BOUNDS = {
    "minimum": "from",
    "maximum": "to",
    "minItems": "at least",
    "maxItems": "at most",
    "default": "unless told",
}


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return _resolved(found, document)
