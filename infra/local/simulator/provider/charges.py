"""Charges: one attempt to take money from a card, and its way through authorisation and capture."""

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider import settings
from infra.local.simulator.provider.cards import Card, message
from infra.local.simulator.provider.events import CALLER, Events
from infra.local.simulator.provider.fees import charge_fee
from infra.local.simulator.provider.ledger import Ledger, Movement
from infra.local.simulator.provider.rendering import INTERNAL
from infra.local.simulator.store import Document, Store

COLLECTION = "charges"
_ONE_ENTRY_SINCE = "2025-03-31"
"""API version from which a partial capture is one balance transaction (Stripe's changelog, 2025-03-31.basil)."""


class Charges:
    """Writes charges and books the money they bring."""

    def __init__(self, store: Store, clock: Clock, ledger: Ledger, events: Events) -> None:
        """Share the simulator's store and clock and the provider's ledger."""
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._events = events
        store.declare(COLLECTION, "created", "payment_intent", "metadata.order_id")

    def open(self, intent: Document, card: Card, method_id: str) -> Document:
        """Attempt the intent's amount on a card: a failed charge, or one that is authorised and not yet captured."""
        refused = card.code is not None
        charge: Document = {
            "id": self._store.next_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": {
                "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
                "email": None,
                "name": None,
                "phone": None,
                "tax_id": None,
            },
            "calculated_statement_descriptor": "LOCAL SHOP",
            "captured": False,
            "created": self._clock.timestamp(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": card.code,
            "failure_message": message(card) if refused else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": _outcome(card),
            "paid": not refused,
            "payment_intent": intent["id"],
            "payment_method": method_id,
            "payment_method_details": {"card": _card_details(card, intent), "type": "card"},
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": intent["shipping"],
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": None,
            "status": "failed" if refused else "succeeded",
            "transfer_data": None,
            "transfer_group": None,
            INTERNAL: {"reversed": 0},
        }
        self._store.put(COLLECTION, charge["id"], charge)
        return charge

    def capture(self, charge: Document, amount: int) -> Document:
        """Take `amount` of what was authorised, book it, and let go of the rest."""
        charge.update(captured=True, amount_captured=amount)
        rest = charge["amount"] - amount
        entry = self._book(charge, charge["amount"] if rest and self._two_entries() else amount)
        charge["balance_transaction"] = entry["id"]
        self._store.put(COLLECTION, charge["id"], charge)
        if rest and self._two_entries():
            self._reverse(charge, rest)
        return charge

    def capture_part(self, charge: Document, amount: int) -> Document:
        """Take `amount` more of what was authorised and book it: an entry of its own; the rest stays held."""
        charge.update(captured=True, amount_captured=charge["amount_captured"] + amount)
        charge["balance_transaction"] = self._book(charge, amount)["id"]
        self._store.put(COLLECTION, charge["id"], charge)
        return charge

    def get(self, charge_id: str) -> Document | None:
        """Return a charge by id."""
        return self._store.get(COLLECTION, charge_id)

    def put(self, charge: Document) -> None:
        """Write a charge back."""
        self._store.put(COLLECTION, charge["id"], charge)

    def of_intent(self, intent_id: str) -> list[Document]:
        """Return the charges of a payment intent, oldest first."""
        return self._store.index(COLLECTION, "payment_intent", intent_id)

    def of_order(self, order_id: str) -> list[Document]:
        """Return the charges whose metadata name an order, oldest first."""
        return self._store.index(COLLECTION, "metadata.order_id", order_id)

    def _book(self, charge: Document, amount: int) -> Document:
        return self._ledger.book(
            Movement(
                kind="charge",
                category="charge",
                amount=amount,
                currency=charge["currency"],
                source=charge["id"],
                fee=charge_fee(amount, settings.load(self._store)),
                description=charge["description"],
            )
        )

    def _reverse(self, charge: Document, rest: int) -> None:
        """Book the rest of a partial capture the old way: a refund object and an entry of its own category."""
        prices = settings.load(self._store)
        refund_id = self._store.next_id("re")
        entry = self._ledger.book(
            Movement(
                kind="refund",
                category="partial_capture_reversal",
                amount=-rest,
                currency=charge["currency"],
                source=refund_id,
                # The fee was taken on the whole authorisation; what it was too much comes back.
                fee=charge_fee(charge["amount_captured"], prices) - charge_fee(charge["amount"], prices),
                description=charge["description"],
            )
        )
        refund: Document = {
            "id": refund_id,
            "object": "refund",
            "amount": rest,
            "balance_transaction": entry["id"],
            "charge": charge["id"],
            "created": self._clock.timestamp(),
            "currency": charge["currency"],
            "destination_details": None,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": None,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
        self._store.put("refunds", refund_id, refund)
        charge["amount_refunded"] += rest
        charge[INTERNAL]["reversed"] = rest
        self._store.put(COLLECTION, charge["id"], charge)
        self._events.emit("charge.refunded", charge, {"amount_refunded": 0})

    def _two_entries(self) -> bool:
        wanted = settings.load(self._store).partial_capture
        if wanted == "by_version":
            return CALLER.get().version < _ONE_ENTRY_SINCE
        return wanted == "two"


def refundable(charge: Document) -> int:
    """Return what of a charge can still be given back, in minor units."""
    given_back = charge["amount_refunded"] - charge[INTERNAL]["reversed"]
    return int(charge["amount_captured"] - given_back)


def _outcome(card: Card) -> Document:
    if card.code is None:
        return {
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 8,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "network_status": "declined_by_network",
        "reason": card.decline_code or card.code,
        "risk_level": "normal",
        "risk_score": 8,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card_details(card: Card, intent: Document) -> Document:
    several = intent.get(INTERNAL, {}).get("several")
    return {
        "amount_authorized": intent["amount"],
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "funding": "credit",
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": {"status": "available" if several else "unavailable"},
        "network": card.brand,
        "three_d_secure": None,
        "wallet": None,
    }
