"""The provider's HTTP face at `/stripe`: keys, form bodies, idempotency, expansion, errors, as the real API has them."""

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.local.simulator import keys
from infra.local.simulator.provider import actions, control, listing, settings
from infra.local.simulator.provider.errors import CardRefused, ProviderRefusal
from infra.local.simulator.provider.events import API_VERSION, CALLER, Caller
from infra.local.simulator.provider.forms import Params, parse
from infra.local.simulator.provider.listing import Kind
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.provider.rendering import expand, render
from infra.local.simulator.store import Document

Action = Callable[[Provider, Params, str], Document]
_BASE = "/stripe"
_KEY_PREFIX = "sk_test_"

_GETS: Mapping[str, Action] = {
    "/v1/payment_intents/{id}": actions.get_intent,
    "/v1/charges/{id}": actions.get_charge,
    "/v1/refunds/{id}": actions.get_refund,
    "/v1/disputes/{id}": actions.get_dispute,
    "/v1/balance_transactions/{id}": actions.get_transaction,
    "/v1/payouts/{id}": actions.get_payout,
    "/v1/events/{id}": actions.get_event,
    "/v1/payment_methods/{id}": actions.get_method,
    "/v1/balance": actions.get_balance,
}
_POSTS: Mapping[str, Action] = {
    "/v1/payment_intents": actions.create_intent,
    "/v1/payment_intents/{id}": actions.update_intent,
    "/v1/payment_intents/{id}/confirm": actions.confirm_intent,
    "/v1/payment_intents/{id}/capture": actions.capture_intent,
    "/v1/payment_intents/{id}/cancel": actions.cancel_intent,
    "/v1/refunds": actions.create_refund,
    "/v1/disputes/{id}/close": actions.close_dispute,
}
_LISTS = (
    listing.INTENTS,
    listing.CHARGES,
    listing.REFUNDS,
    listing.DISPUTES,
    listing.TRANSACTIONS,
    listing.PAYOUTS,
    listing.EVENTS,
)


def setup(app: web.Application) -> None:
    """Register the API under `/stripe` and the provider's control routes under `/_sim/provider`."""
    for kind in _LISTS:
        app.router.add_get(_BASE + kind.url, _reader(_lister(kind)))
    for path, action in _GETS.items():
        app.router.add_get(_BASE + path, _reader(action))
    for path, action in _POSTS.items():
        app.router.add_post(_BASE + path, _writer(action))
    control.setup(app)
    app.router.add_route("*", _BASE + "/{tail:.*}", _unknown)


def _lister(kind: Kind) -> Action:
    def answer(provider: Provider, params: Params, _: str) -> Document:
        return listing.page(provider.store, kind, params, provider.clock.timestamp())

    return answer


def _reader(action: Action) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        provider = request.app[keys.PROVIDER]
        reply = _Reply(request)
        try:
            _authenticate(request)
            await _latency(provider)
            params = Params(parse(request.rel_url.raw_query_string))
            return reply.json(200, _run(provider, action, params, request.match_info.get("id", "")))
        except ProviderRefusal as refusal:
            return reply.refusal(refusal)

    return handle


def _writer(action: Action) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        provider = request.app[keys.PROVIDER]
        reply = _Reply(request)
        try:
            _authenticate(request)
            encoded = await request.text()
            key = request.headers.get("Idempotency-Key")
            if key is None:
                await _latency(provider)
                return _execute(reply, provider, action, encoded, None)
            known = provider.idempotency.recall(key, request.path, encoded)
            if known is not None:
                return reply.replay(known)
            with provider.idempotency.claim(key):
                await _latency(provider)
                return _execute(reply, provider, action, encoded, key)
        except ProviderRefusal as refusal:
            return reply.refusal(refusal)

    return handle


def _execute(reply: "_Reply", provider: Provider, action: Action, encoded: str, key: str | None) -> web.Response:
    """Run one write: the effect and the answer kept under its key are one transaction.

    A refusal undoes what was begun, except that of a card, which is an outcome. What was refused for its parameters is
    not kept under the key (nothing was executed); everything later is, as the real API does it.
    """
    request = reply.request
    version = request.headers.get("Stripe-Version", API_VERSION)
    params = Params(parse(encoded))
    token = CALLER.set(Caller(reply.request_id, key, version))
    try:
        with provider.store.transaction():
            try:
                status, body = 200, _run(provider, action, params, request.match_info.get("id", ""))
            except CardRefused as refusal:
                status, body = refusal.status, refusal.body()
            text = _text(body)
            _remember(reply, provider, encoded, key, status, text)
        return reply.send(status, text)
    except ProviderRefusal as refusal:
        if params.finished:
            _remember(reply, provider, encoded, key, refusal.status, _text(refusal.body()))
        raise
    finally:
        CALLER.reset(token)


def _remember(reply: "_Reply", provider: Provider, encoded: str, key: str | None, status: int, text: str) -> None:
    if key is not None:
        answer = {"status": status, "body": text, "request_id": reply.request_id}
        provider.idempotency.remember(key, reply.request.path, encoded, answer)


def _run(provider: Provider, action: Action, params: Params, object_id: str) -> Document:
    now = provider.clock.timestamp()
    paths = params.texts("expand")
    return expand(provider.store, render(action(provider, params, object_id), now), paths, now)


def _text(body: Document) -> str:
    """Write an answer. The real API's are indented, which costs ten times as much: only C writes JSON fast, on one line."""
    return json.dumps(body)


async def _unknown(request: web.Request) -> web.StreamResponse:
    reply = _Reply(request)
    try:
        _authenticate(request)
    except ProviderRefusal as refusal:
        return reply.refusal(refusal)
    path = request.path.removeprefix(_BASE)
    message = f"Unrecognized request URL ({request.method}: {path[:200]})."
    return reply.refusal(ProviderRefusal(404, "invalid_request_error", message))


async def _latency(provider: Provider) -> None:
    seconds = settings.load(provider.store).latency_seconds
    if seconds:
        await asyncio.sleep(seconds)


def _authenticate(request: web.Request) -> None:
    """Accept any `sk_test_...` key, as a bearer token or as the user of basic authentication."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if not value:
        raise ProviderRefusal(401, "invalid_request_error", "You did not provide an API key.")
    if not value.startswith(_KEY_PREFIX):
        raise ProviderRefusal(401, "invalid_request_error", "Invalid API Key provided.")


class _Reply:
    """Writes one answer with the headers the real API sends."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.request_id = f"req_{secrets.token_hex(7)}"
        self._headers = {
            "Request-Id": self.request_id,
            "Stripe-Version": request.headers.get("Stripe-Version", API_VERSION),
        }
        key = request.headers.get("Idempotency-Key")
        if key is not None:
            self._headers |= {"Idempotency-Key": key, "Original-Request": self.request_id}

    def json(self, status: int, body: Document) -> web.Response:
        return self.send(status, _text(body))

    def refusal(self, refusal: ProviderRefusal) -> web.Response:
        return self.json(refusal.status, refusal.body())

    def replay(self, known: Document) -> web.Response:
        self._headers |= {"Idempotent-Replayed": "true", "Original-Request": known["request_id"]}
        return self.send(known["status"], known["body"])

    def send(self, status: int, text: str) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/json", headers=self._headers)
