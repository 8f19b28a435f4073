"""What each API call means: its parameters read strictly, then one step of the books."""

from infra.local.simulator.provider import listing
from infra.local.simulator.provider.cards import by_number
from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.forms import Params
from infra.local.simulator.provider.intents import Confirmation, Order
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.store import Document

_CAPTURE_METHODS = frozenset({"automatic", "automatic_async", "manual"})
_CANCEL_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})
_REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})


def create_intent(provider: Provider, params: Params, _: str) -> Document:
    """POST /v1/payment_intents."""
    amount = params.integer("amount")
    currency = params.required("currency")
    if amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    order = Order(
        amount=amount,
        currency=currency.lower(),
        metadata=params.metadata(),
        capture_method=params.choice("capture_method", _CAPTURE_METHODS) or "automatic",
        description=params.text("description"),
        customer=params.text("customer"),
        receipt_email=params.text("receipt_email"),
        statement_descriptor=params.text("statement_descriptor"),
        shipping=dict(params.mapping("shipping")) or None,
        several=_wants_several(params),
    )
    confirm = params.boolean("confirm") or False
    how = _confirmation(provider, params)
    params.ignore(
        "automatic_payment_methods",
        "confirmation_method",
        "error_on_requires_action",
        "payment_method_types",
        "setup_future_usage",
        "statement_descriptor_suffix",
        "transfer_group",
    )
    params.finish()
    if how.return_url is not None and not confirm:
        raise invalid("return_url can only be used with confirm=true.", param="return_url")
    intent = provider.intents.create(order)
    if confirm:
        return provider.intents.confirm(intent, how)
    return provider.intents.attach(intent, how.method) if how.method is not None else intent


def _wants_several(params: Params) -> bool:
    card = params.mapping("payment_method_options").get("card")
    return isinstance(card, dict) and card.get("request_multicapture") == "if_available"


def update_intent(provider: Provider, params: Params, intent_id: str) -> Document:
    """POST /v1/payment_intents/{id}: metadata (merged) and description."""
    metadata, description = params.metadata(), params.text("description")
    params.finish()
    return provider.intents.annotate(provider.intents.get(intent_id), metadata, description)


def confirm_intent(provider: Provider, params: Params, intent_id: str) -> Document:
    """POST /v1/payment_intents/{id}/confirm."""
    how = _confirmation(provider, params)
    params.ignore("error_on_requires_action", "payment_method_options", "receipt_email", "setup_future_usage")
    params.finish()
    return provider.intents.confirm(provider.intents.get(intent_id), how)


def capture_intent(provider: Provider, params: Params, intent_id: str) -> Document:
    """POST /v1/payment_intents/{id}/capture."""
    amount = params.integer("amount_to_capture")
    metadata = params.metadata()
    final = params.boolean("final_capture")
    params.ignore("statement_descriptor", "statement_descriptor_suffix")
    params.finish()
    intent = provider.intents.get(intent_id)
    if metadata:
        provider.intents.annotate(intent, metadata, None)
    return provider.intents.capture(intent, amount, final=final is not False)


def cancel_intent(provider: Provider, params: Params, intent_id: str) -> Document:
    """POST /v1/payment_intents/{id}/cancel."""
    reason = params.choice("cancellation_reason", _CANCEL_REASONS)
    params.finish()
    return provider.intents.cancel(provider.intents.get(intent_id), reason)


def create_refund(provider: Provider, params: Params, _: str) -> Document:
    """POST /v1/refunds: of a charge, or of the captured charge of a payment intent."""
    amount = params.integer("amount")
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    reason = params.choice("reason", _REFUND_REASONS)
    metadata = params.metadata()
    params.ignore("refund_application_fee", "reverse_transfer", "instructions_email")
    params.finish()
    if charge_id is not None:
        charge = provider.charges.get(charge_id)
        if charge is None:
            raise missing("charge", charge_id, param="charge", status=400)
        if intent_id is not None and charge["payment_intent"] != intent_id:
            raise invalid("The charge does not belong to the payment intent.", param="charge")
    elif intent_id is not None:
        charge = provider.refunds.charge_of_intent(intent_id)
    else:
        raise invalid("One of charge, payment_intent is required.", code="parameter_missing")
    return provider.refunds.create(charge, amount, reason=reason, metadata=metadata)


def close_dispute(provider: Provider, params: Params, dispute_id: str) -> Document:
    """POST /v1/disputes/{id}/close: accept that it is lost."""
    params.finish()
    return provider.disputes.close(provider.disputes.get(dispute_id), won=False)


def get_intent(provider: Provider, params: Params, intent_id: str) -> Document:
    """GET /v1/payment_intents/{id}."""
    params.ignore("client_secret")
    params.finish()
    return provider.intents.get(intent_id)


def get_charge(provider: Provider, params: Params, charge_id: str) -> Document:
    """GET /v1/charges/{id}."""
    params.finish()
    charge = provider.charges.get(charge_id)
    if charge is None:
        raise missing("charge", charge_id)
    return charge


def get_refund(provider: Provider, params: Params, refund_id: str) -> Document:
    """GET /v1/refunds/{id}."""
    params.finish()
    return provider.refunds.get(refund_id)


def get_dispute(provider: Provider, params: Params, dispute_id: str) -> Document:
    """GET /v1/disputes/{id}."""
    params.finish()
    return provider.disputes.get(dispute_id)


def get_transaction(provider: Provider, params: Params, transaction_id: str) -> Document:
    """GET /v1/balance_transactions/{id}."""
    params.finish()
    return provider.read(listing.TRANSACTIONS, transaction_id)


def get_payout(provider: Provider, params: Params, payout_id: str) -> Document:
    """GET /v1/payouts/{id}."""
    params.finish()
    return provider.payouts.get(payout_id)


def get_event(provider: Provider, params: Params, event_id: str) -> Document:
    """GET /v1/events/{id}."""
    params.finish()
    return provider.read(listing.EVENTS, event_id)


def get_method(provider: Provider, params: Params, method_id: str) -> Document:
    """GET /v1/payment_methods/{id}."""
    params.finish()
    return provider.methods.get(method_id)


def get_balance(provider: Provider, params: Params, _: str) -> Document:
    """GET /v1/balance."""
    params.finish()
    return provider.balance()


def _confirmation(provider: Provider, params: Params) -> Confirmation:
    """Read how to confirm; a card number becomes a payment method here and is forgotten."""
    method = params.text("payment_method")
    data = params.mapping("payment_method_data")
    if data and method is None:
        if data.get("type") != "card" or not isinstance(data.get("card"), dict):
            raise invalid("Only cards are taken here.", param="payment_method_data[type]")
        card = data["card"]
        token = card.get("token") if isinstance(card, dict) else None
        if isinstance(token, str):
            method = token.replace("tok_", "pm_card_", 1)
        elif isinstance(card, dict):
            method = provider.methods.make(by_number(card))["id"]
    return Confirmation(
        method=method,
        off_session=params.boolean("off_session") or False,
        return_url=params.text("return_url"),
    )
