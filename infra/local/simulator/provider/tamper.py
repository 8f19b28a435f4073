"""Editing the provider's books behind everybody's back: no event tells of it, only reconciliation can find it."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.local.simulator.provider import settings
from infra.local.simulator.provider.errors import invalid
from infra.local.simulator.provider.fees import charge_fee
from infra.local.simulator.provider.ledger import COLLECTION as ENTRIES
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.store import Document


def tamper(provider: Provider, wish: Mapping[str, Any]) -> Document:
    """Do `action` to the newest captured charge of `order_id` or `payment_intent`; returns what was done.

    Actions: `drop_charge` (the charge, its refunds and their entries vanish, the intent reads canceled),
    `change_amount` (to `amount`, in charge, intent and ledger), `refund_silently` (`amount`, or all that is left),
    `charge_twice` (a second payment for the same order, of `amount` or the same). ProviderRefusal when impossible.
    """
    action = _ACTIONS.get(str(wish.get("action")))
    if action is None:
        raise invalid(f"action must be one of {', '.join(_ACTIONS)}")
    amount = wish.get("amount")
    if amount is not None and (type(amount) is not int or amount < 1):
        raise invalid("amount must be a positive integer of minor units")
    with provider.store.transaction():
        return {"action": wish["action"], **action(provider, _target(provider, wish), amount)}


def _target(provider: Provider, wish: Mapping[str, Any]) -> Document:
    if "payment_intent" in wish:
        charges = provider.charges.of_intent(str(wish["payment_intent"]))
    else:
        charges = provider.charges.of_order(str(wish.get("order_id", "")))
    captured = [charge for charge in charges if charge["captured"]]
    if not captured:
        raise invalid("no captured charge of that order or payment intent")
    return captured[-1]


def _drop(provider: Provider, charge: Document, _: int | None) -> Document:
    refunds = provider.store.index("refunds", "charge", charge["id"])
    for source in (charge, *refunds):
        for entry in provider.ledger.of_source(source["id"]):
            provider.store.delete(ENTRIES, entry["id"])
    for refund in refunds:
        provider.store.delete("refunds", refund["id"])
    provider.store.delete("charges", charge["id"])
    intent = provider.intents.get(charge["payment_intent"])
    intent.update(status="canceled", canceled_at=provider.clock.timestamp(), amount_received=0, latest_charge=None)
    provider.store.put("payment_intents", intent["id"], intent)
    return {"payment_intent": intent["id"], "charge": charge["id"], "amount": charge["amount_captured"]}


def _change(provider: Provider, charge: Document, amount: int | None) -> Document:
    if amount is None:
        raise invalid("change_amount needs amount")
    before = charge["amount_captured"]
    charge.update(amount=amount, amount_captured=amount)
    provider.charges.put(charge)
    intent = provider.intents.get(charge["payment_intent"])
    intent.update(amount=amount, amount_received=amount)
    provider.store.put("payment_intents", intent["id"], intent)
    for entry in provider.ledger.of_source(charge["id"]):
        fee = charge_fee(amount, settings.load(provider.store))
        entry.update(amount=amount, fee=fee, net=amount - fee)
        for detail in entry["fee_details"]:
            detail["amount"] = fee
        provider.store.put(ENTRIES, entry["id"], entry)
    return {"payment_intent": intent["id"], "charge": charge["id"], "before": before, "amount": amount}


def _refund(provider: Provider, charge: Document, amount: int | None) -> Document:
    refund = provider.refunds.create(charge, amount, silent=True)
    return {
        "payment_intent": charge["payment_intent"],
        "charge": charge["id"],
        "refund": refund["id"],
        "amount": refund["amount"],
    }


def _twice(provider: Provider, charge: Document, amount: int | None) -> Document:
    wanted = charge["amount_captured"] if amount is None else amount
    with provider.events.silence():
        intent = provider.charge_now(wanted, charge["currency"], charge["metadata"])
    return {"payment_intent": intent["id"], "charge": intent["latest_charge"], "amount": wanted}


_ACTIONS: dict[str, Callable[[Provider, Document, int | None], Document]] = {
    "drop_charge": _drop,
    "change_amount": _change,
    "refund_silently": _refund,
    "charge_twice": _twice,
}
