"""The provider's control API under `/_sim/provider`: what no merchant can do, and what a test wants to see."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from aiohttp import web

from infra.local.simulator import keys
from infra.local.simulator.control import bad_request, read_object
from infra.local.simulator.provider import reports, settings
from infra.local.simulator.provider.errors import ProviderRefusal, invalid
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.provider.rendering import render
from infra.local.simulator.provider.tamper import tamper
from infra.local.simulator.store import Document

_BASE = "/_sim/provider"


def setup(app: web.Application) -> None:
    """Register the control routes."""
    app.router.add_post(_BASE + "/payment_intents/{id}/authenticate", _authenticate)
    app.router.add_post(_BASE + "/disputes", _open_dispute)
    app.router.add_post(_BASE + "/disputes/{id}/close", _close_dispute)
    app.router.add_post(_BASE + "/payouts", _payouts)
    app.router.add_post(_BASE + "/payouts/{id}/fail", _fail_payout)
    app.router.add_post(_BASE + "/tamper", _tamper)
    app.router.add_get(_BASE + "/ledger", _ledger)
    app.router.add_get(_BASE + "/charges_by_order", _charges_by_order)
    app.router.add_get(_BASE + "/reports/payout_reconciliation.csv", _report)
    app.router.add_get(_BASE + "/settings", _settings)
    app.router.add_put(_BASE + "/settings", _change_settings)


async def _authenticate(request: web.Request) -> web.Response:
    """Finish `requires_action` for the customer; `{"succeed": false}` lets them fail."""
    provider = request.app[keys.PROVIDER]
    body = await read_object(request)
    try:
        with provider.store.transaction():
            intent = provider.intents.get(request.match_info["id"])
            intent = provider.intents.authenticate(intent, succeed=bool(body.get("succeed", True)))
    except ProviderRefusal as refusal:
        return _refused(refusal)
    return _shown(provider, intent)


async def _open_dispute(request: web.Request) -> web.Response:
    """Open a dispute about `charge`, `payment_intent` or the last captured charge of `order_id`."""
    provider = request.app[keys.PROVIDER]
    body = await read_object(request)
    try:
        with provider.store.transaction():
            charge = _charge(provider, body)
            dispute = provider.disputes.open(charge, body.get("amount"), str(body.get("reason", "fraudulent")))
    except ProviderRefusal as refusal:
        return _refused(refusal)
    return _shown(provider, dispute)


async def _close_dispute(request: web.Request) -> web.Response:
    provider = request.app[keys.PROVIDER]
    body = await read_object(request)
    if body.get("status") not in {"won", "lost"}:
        raise bad_request("status must be won or lost")
    try:
        with provider.store.transaction():
            dispute = provider.disputes.get(request.match_info["id"])
            dispute = provider.disputes.close(dispute, won=body["status"] == "won")
    except ProviderRefusal as refusal:
        return _refused(refusal)
    return _shown(provider, dispute)


async def _payouts(request: web.Request) -> web.Response:
    """Pay out now what is available, without waiting for midnight; `{"automatic": false}` by hand."""
    provider = request.app[keys.PROVIDER]
    body = await read_object(request)
    with provider.store.transaction():
        made = provider.payouts.run(automatic=bool(body.get("automatic", True)))
    return web.json_response({"data": made})


async def _fail_payout(request: web.Request) -> web.Response:
    """Let the bank send a payout back, before or after it was paid."""
    provider = request.app[keys.PROVIDER]
    try:
        with provider.store.transaction():
            payout = provider.payouts.fail(request.match_info["id"])
    except ProviderRefusal as refusal:
        return _refused(refusal)
    return _shown(provider, payout)


async def _tamper(request: web.Request) -> web.Response:
    body = await read_object(request)
    try:
        return web.json_response(tamper(request.app[keys.PROVIDER], body))
    except ProviderRefusal as refusal:
        return _refused(refusal)


async def _ledger(request: web.Request) -> web.Response:
    return web.json_response(request.app[keys.PROVIDER].ledger_of_order(request.query.get("order_id", "")))


async def _charges_by_order(request: web.Request) -> web.Response:
    return web.json_response(request.app[keys.PROVIDER].charges_by_order())


async def _report(request: web.Request) -> web.Response:
    """Answer for `payout=po_...`, or for `start=...&end=...` (ISO 8601 with a zone; end not included)."""
    provider = request.app[keys.PROVIDER]
    payout_id = request.query.get("payout")
    try:
        if payout_id is not None:
            text = reports.of_payout(provider, payout_id)
        else:
            text = reports.of_period(provider, _moment(request, "start"), _moment(request, "end"))
    except ProviderRefusal as refusal:
        return _refused(refusal)
    return web.Response(text=text, content_type="text/csv")


async def _settings(request: web.Request) -> web.Response:
    return web.json_response(asdict(settings.load(request.app[keys.STORE])))


async def _change_settings(request: web.Request) -> web.Response:
    body = await read_object(request)
    try:
        changed = settings.change(request.app[keys.STORE], body)
    except ValueError as error:
        raise bad_request(str(error)) from None
    return web.json_response(asdict(changed))


def _charge(provider: Provider, body: Document) -> Document:
    if "charge" in body:
        found = provider.charges.get(str(body["charge"]))
        charges = [found] if found is not None else []
    elif "payment_intent" in body:
        charges = provider.charges.of_intent(str(body["payment_intent"]))
    else:
        charges = provider.charges.of_order(str(body.get("order_id", "")))
    captured = [charge for charge in charges if charge["captured"]]
    if not captured:
        raise invalid("no captured charge of that order, payment intent or id")
    return captured[-1]


def _moment(request: web.Request, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(request.query.get(name, ""))
    except ValueError:
        raise bad_request(f"{name} must be an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise bad_request(f"{name} needs a zone, for example 2026-01-31T00:00:00Z")
    return moment.astimezone(UTC)


def _shown(provider: Provider, document: Document) -> web.Response:
    return web.json_response(render(document, provider.clock.timestamp()))


def _refused(refusal: ProviderRefusal) -> web.Response:
    return web.Response(status=refusal.status, text=json.dumps(refusal.body()), content_type="application/json")
