"""What an API Gateway HTTP API makes of a request: an event of payload format 2.0, and its answer the other way."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.integration.served_functions import Answer

Headers = Sequence[tuple[str, str]]


def event_of(
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Headers = (),
    *,
    as_base64: bool = False,
    with_length: bool = True,
    decoded_path: bool = False,
) -> dict[str, Any]:
    """Return the event of a request. Bodies that are no text are always sent in base64."""
    path, _, query = target.partition("?")
    path = unquote(path) if decoded_path else path
    joined: dict[str, str] = {"host": "api.example", "x-forwarded-proto": "https", "x-forwarded-port": "443"}
    cookies: list[str] = []
    for name, value in headers:
        if name.lower() == "cookie":
            cookies.extend(value.split("; "))
        else:
            known = joined.get(name.lower())
            joined[name.lower()] = value if known is None else f"{known},{value}"
    if body is not None and with_length:
        joined["content-length"] = str(len(body))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "a1b2c3",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795341600000,
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        event["queryStringParameters"] = {name: ",".join(all_of_it) for name, all_of_it in values.items()}
    if body:
        event.update(_body(body, as_base64=as_base64))
    return event


def _body(body: bytes, *, as_base64: bool) -> dict[str, Any]:
    if not as_base64:
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def answer_of(result: Mapping[str, Any], seconds: float) -> Answer:
    """Return what a client gets for a function's result."""
    body = result.get("body", "")
    raw = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    headers = {name.title(): value for name, value in result["headers"].items()}
    assert not result.get("cookies"), "the functions set no cookies"
    return Answer(result["statusCode"], headers, raw, seconds)
