"""The control API under `/_sim`: health, clock, webhook endpoints and deliveries, faults."""

import json
from typing import Any

from aiohttp import web

from infra.local.simulator import keys
from infra.local.simulator.store import Document


def setup(app: web.Application) -> None:
    """Register the control routes."""
    app.router.add_get("/_sim/health", _health)
    app.router.add_get("/_sim/clock", _clock)
    app.router.add_post("/_sim/clock/advance", _advance)
    app.router.add_post("/_sim/clock/set", _set)
    app.router.add_put("/_sim/clock", _set)
    app.router.add_get("/_sim/webhooks/deliveries", _deliveries)
    app.router.add_post("/_sim/webhooks/release", _release)
    app.router.add_post("/_sim/webhooks/resend", _resend)
    app.router.add_get("/_sim/webhooks/faults", _webhook_faults)
    app.router.add_put("/_sim/webhooks/faults", _add_webhook_fault)
    app.router.add_delete("/_sim/webhooks/faults", _clear_webhook_faults)
    app.router.add_put("/_sim/webhooks/{source}", _set_endpoint)
    app.router.add_get("/_sim/webhooks/{source}", _endpoint)
    app.router.add_get("/_sim/faults", _faults)
    app.router.add_put("/_sim/faults", _add_fault)
    app.router.add_delete("/_sim/faults", _clear_faults)


async def read_object(request: web.Request) -> Document:
    """Return the request's JSON object (empty body: {}); answers 400 for anything else."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        document: Any = json.loads(raw)
    except ValueError:
        raise bad_request("the body is not JSON") from None
    if not isinstance(document, dict):
        raise bad_request("the body must be a JSON object")
    return document


def bad_request(message: str) -> web.HTTPBadRequest:
    """Return the 400 answer of the control API."""
    return web.HTTPBadRequest(text=json.dumps({"error": message}), content_type="application/json")


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "now": request.app[keys.CLOCK].now().isoformat()})


async def _clock(request: web.Request) -> web.Response:
    return web.json_response({"now": request.app[keys.CLOCK].now().isoformat()})


async def _advance(request: web.Request) -> web.Response:
    body = await read_object(request)
    try:
        moment = request.app[keys.CLOCK].advance(float(body["seconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise bad_request(f"needs seconds, zero or more: {error}") from None
    return web.json_response({"now": moment.isoformat()})


async def _set(request: web.Request) -> web.Response:
    body = await read_object(request)
    try:
        moment = request.app[keys.CLOCK].set(str(body["now"]))
    except (KeyError, ValueError) as error:
        raise bad_request(f"needs now, an ISO 8601 time with a zone: {error}") from None
    return web.json_response({"now": moment.isoformat()})


async def _set_endpoint(request: web.Request) -> web.Response:
    body = await read_object(request)
    secrets = body.get("secrets") or [body.get("secret") or ""]
    try:
        endpoint = request.app[keys.WEBHOOKS].set_endpoint(
            request.match_info["source"],
            str(body["url"]),
            [str(secret) for secret in secrets],
            enabled=bool(body.get("enabled", True)),
        )
    except (KeyError, ValueError) as error:
        raise bad_request(f"needs url and secret: {error}") from None
    return web.json_response(_without_secrets(endpoint))


async def _endpoint(request: web.Request) -> web.Response:
    endpoint = request.app[keys.WEBHOOKS].endpoint(request.match_info["source"])
    if endpoint is None:
        raise web.HTTPNotFound(text=json.dumps({"error": "no such endpoint"}), content_type="application/json")
    return web.json_response(_without_secrets(endpoint))


async def _deliveries(request: web.Request) -> web.Response:
    webhooks = request.app[keys.WEBHOOKS]
    wanted = {key: request.query.get(key) for key in ("source", "status", "event_id")}
    return web.json_response({"counts": webhooks.counts(), "data": webhooks.deliveries(**wanted)})


async def _release(request: web.Request) -> web.Response:
    body = await read_object(request)
    released = request.app[keys.WEBHOOKS].release(
        source=str(body.get("source", "*")),
        topic=str(body.get("topic", "*")),
        reverse=bool(body.get("reverse", False)),
    )
    return web.json_response({"released": released})


async def _resend(request: web.Request) -> web.Response:
    body = await read_object(request)
    ids = request.app[keys.WEBHOOKS].resend(str(body.get("event_id", "")))
    if not ids:
        raise bad_request("no delivery of that event_id")
    return web.json_response({"deliveries": ids})


async def _webhook_faults(request: web.Request) -> web.Response:
    return web.json_response({"rules": request.app[keys.WEBHOOKS].faults()})


async def _add_webhook_fault(request: web.Request) -> web.Response:
    webhooks = request.app[keys.WEBHOOKS]
    body = await read_object(request)
    with request.app[keys.STORE].transaction():
        try:
            if "rules" in body:
                webhooks.clear_faults()
            added = [webhooks.add_fault(rule) for rule in body.get("rules", [body])]
        except (TypeError, ValueError) as error:
            raise bad_request(str(error)) from None
    return web.json_response({"rules": added})


async def _clear_webhook_faults(request: web.Request) -> web.Response:
    return web.json_response({"removed": request.app[keys.WEBHOOKS].clear_faults()})


async def _faults(request: web.Request) -> web.Response:
    return web.json_response({"rules": request.app[keys.FAULTS].rules()})


async def _add_fault(request: web.Request) -> web.Response:
    """Add one rule, or with `{"rules": [...]}` replace all of them."""
    faults = request.app[keys.FAULTS]
    body = await read_object(request)
    with request.app[keys.STORE].transaction():
        try:
            if "rules" in body:
                faults.clear()
            added = [faults.add(rule) for rule in body.get("rules", [body])]
        except (AttributeError, TypeError, ValueError) as error:
            raise bad_request(str(error)) from None
    return web.json_response({"rules": added})


async def _clear_faults(request: web.Request) -> web.Response:
    return web.json_response({"removed": request.app[keys.FAULTS].clear()})


def _without_secrets(endpoint: Document) -> Document:
    return {key: value for key, value in endpoint.items() if key != "secrets"}
