"""Payment intents: the state machine from a wish to be paid to money captured or let go.

requires_payment_method -> requires_confirmation -> (requires_action) -> requires_capture -> succeeded, with canceled
reachable until the money is captured; a refused card goes back to requires_payment_method.
"""

from dataclasses import dataclass, field

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider import settings
from infra.local.simulator.provider.cards import MESSAGES, Card, message
from infra.local.simulator.provider.charges import Charges
from infra.local.simulator.provider.currencies import DECIMALS
from infra.local.simulator.provider.errors import CardRefused, ProviderRefusal, invalid, missing
from infra.local.simulator.provider.events import Events
from infra.local.simulator.provider.methods import Methods
from infra.local.simulator.provider.rendering import INTERNAL, render
from infra.local.simulator.store import Document, Store

COLLECTION = "payment_intents"
_EXPIRY = "provider.authorisation_expiry"
_SMALLEST, _LARGEST = 50, 99_999_999
_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_CANCELABLE = _CONFIRMABLE | {"requires_capture"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller wants to be paid: `amount` in minor units of the lower-case `currency`."""

    amount: int
    currency: str
    metadata: dict[str, str] = field(default_factory=dict)
    capture_method: str = "automatic"
    description: str | None = None
    customer: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    shipping: Document | None = None
    several: bool = False
    """Whether to ask for multicapture, `if_available`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """How a caller confirms: with which method, whether the customer is there, where to send them."""

    method: str | None = None
    off_session: bool = False
    return_url: str | None = None


class Intents:
    """Creates and moves payment intents. Refusals are ProviderRefusal; CardRefused has already been written down."""

    def __init__(self, store: Store, clock: Clock, charges: Charges, methods: Methods, events: Events) -> None:
        """Share the simulator's store and clock and the provider's other books."""
        self._store = store
        self._clock = clock
        self._charges = charges
        self._methods = methods
        self._events = events
        store.declare(COLLECTION, "created", "customer", "metadata.order_id")
        clock.on(_EXPIRY, self._expire)

    def get(self, intent_id: str) -> Document:
        """Return an intent; refused with 404 when there is none."""
        intent = self._store.get(COLLECTION, intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, param="intent")
        return intent

    def create(self, order: Order) -> Document:
        """Write a new intent that waits for a payment method."""
        if order.currency not in DECIMALS:
            raise invalid(f"Invalid currency: {order.currency[:8]}", param="currency")
        if order.amount < _SMALLEST:
            raise invalid(
                f"Amount must be at least {_SMALLEST} in the smallest unit", param="amount", code="amount_too_small"
            )
        if order.amount > _LARGEST:
            raise invalid("Amount must be no more than 99999999", param="amount", code="amount_too_large")
        intent_id = self._store.next_id("pi")
        intent: Document = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": order.amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": order.capture_method,
            "client_secret": f"{intent_id}_secret_{self._store.next_id('cs').removeprefix('cs_')}",
            "confirmation_method": "automatic",
            "created": self._clock.timestamp(),
            "currency": order.currency,
            "customer": order.customer,
            "description": order.description,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": dict(order.metadata),
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": order.receipt_email,
            "review": None,
            "setup_future_usage": None,
            "shipping": order.shipping,
            "statement_descriptor": order.statement_descriptor,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
            INTERNAL: {"several": order.several and settings.load(self._store).multicapture},
        }
        self._put(intent)
        return intent

    def attach(self, intent: Document, method: str) -> Document:
        """Give an intent its payment method (a `pm_` id or a test token)."""
        intent["payment_method"] = self._methods.resolve(method)["id"]
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"
        self._put(intent)
        return intent

    def annotate(self, intent: Document, metadata: dict[str, str], description: str | None) -> Document:
        """Add to an intent's metadata, and describe it anew when `description` is given."""
        intent["metadata"].update(metadata)
        if description is not None:
            intent["description"] = description
        self._put(intent)
        return intent

    def confirm(self, intent: Document, how: Confirmation) -> Document:
        """Charge the card: authorised or captured, waiting for the customer, or refused with CardRefused."""
        self._must_be(intent, _CONFIRMABLE, "confirm")
        if how.method is not None:
            self.attach(intent, how.method)
        if intent["payment_method"] is None:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.",
                code="payment_intent_unexpected_state",
                intent=self._shown(intent),
            )
        card = self._methods.card(intent["payment_method"])
        if card.needs_action and how.off_session:
            refused = Card(card.brand, card.last4, "authentication_required", "authentication_required")
            return self._charge(intent, refused)
        if card.needs_action:
            intent["status"] = "requires_action"
            intent["next_action"] = _next_action(how.return_url)
            self._put(intent)
            return intent
        return self._charge(intent, card)

    def authenticate(self, intent: Document, *, succeed: bool = True) -> Document:
        """Let the customer finish (or fail) what `requires_action` waits for; nobody is told of a refusal but by event."""
        self._must_be(intent, frozenset({"requires_action"}), "authenticate")
        intent["next_action"] = None
        if not succeed:
            intent.update(status="requires_payment_method", payment_method=None)
            intent["last_payment_error"] = {
                "code": "payment_intent_authentication_failure",
                "message": "The provided PaymentMethod has failed authentication.",
                "type": "invalid_request_error",
            }
            self._put(intent)
            self._events.emit("payment_intent.payment_failed", intent)
            return intent
        card = self._methods.card(intent["payment_method"])
        return self._charge(intent, Card(card.brand, card.last4))

    def capture(self, intent: Document, amount: int | None = None, *, final: bool = True) -> Document:
        """Take what is held, or `amount` of it; the rest is let go if this is the `final` capture, as it is by default."""
        self._must_be(intent, frozenset({"requires_capture"}), "capture")
        if not final and not _several(intent):
            raise invalid("final_capture can only be false when multicapture is available.", param="final_capture")
        wanted = intent["amount_capturable"] if amount is None else amount
        # Nothing more of what was captured in part lets go of its rest.
        if wanted < (0 if final and intent["amount_received"] else 1):
            raise invalid("Invalid positive integer", param="amount_to_capture", code="parameter_invalid_integer")
        if wanted > intent["amount_capturable"]:
            raise invalid(
                f"The requested capture amount is greater than the amount you can capture for this charge:"
                f" {intent['amount_capturable']}.",
                param="amount_to_capture",
                code="amount_too_large",
            )
        if not final and wanted < intent["amount_capturable"]:
            return self._take_part(intent, wanted)
        self._clock.cancel(_timer(intent["id"]))
        return self._settle(intent, wanted)

    def cancel(self, intent: Document, reason: str | None = None) -> Document:
        """Give up an intent; what is authorised and not captured is let go."""
        self._must_be(intent, _CANCELABLE, "cancel")
        self._clock.cancel(_timer(intent["id"]))
        intent.update(
            status="canceled",
            canceled_at=self._clock.timestamp(),
            cancellation_reason=reason,
            amount_capturable=0,
            next_action=None,
        )
        self._put(intent)
        self._events.emit("payment_intent.canceled", intent)
        return intent

    def _charge(self, intent: Document, card: Card) -> Document:
        charge = self._charges.open(intent, card, intent["payment_method"])
        intent["latest_charge"] = charge["id"]
        if card.code is not None:
            raise self._refused(intent, card, charge)
        intent["last_payment_error"] = None
        intent["next_action"] = None
        if intent["capture_method"] != "manual":
            return self._settle(intent, intent["amount"])
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        self._put(intent)
        holds_for = settings.load(self._store).authorisation_seconds
        self._clock.call_later(holds_for, _EXPIRY, {"payment_intent": intent["id"]}, timer_id=_timer(intent["id"]))
        self._events.emit("payment_intent.amount_capturable_updated", intent)
        return intent

    def _take_part(self, intent: Document, amount: int) -> Document:
        """Take a part and go on holding the rest."""
        self._charges.capture_part(self._charge_of(intent), amount)
        intent["amount_received"] += amount
        intent["amount_capturable"] -= amount
        self._put(intent)
        self._events.emit("payment_intent.amount_capturable_updated", intent)
        return intent

    def _charge_of(self, intent: Document) -> Document:
        charge = self._charges.get(intent["latest_charge"])
        if charge is None:
            raise missing("charge", intent["latest_charge"])
        return charge

    def _settle(self, intent: Document, amount: int) -> Document:
        charge = self._charge_of(intent)
        if not intent["amount_received"]:
            self._charges.capture(charge, amount)
        elif amount:
            self._charges.capture_part(charge, amount)
        intent.update(status="succeeded", amount_received=intent["amount_received"] + amount, amount_capturable=0)
        self._put(intent)
        self._events.emit("payment_intent.succeeded", intent)
        return intent

    def _refused(self, intent: Document, card: Card, charge: Document) -> CardRefused:
        text = MESSAGES["authentication_required"] if card.code == "authentication_required" else message(card)
        method = self._methods.get(intent["payment_method"])
        error: Document = {
            "charge": charge["id"],
            "code": card.code,
            "decline_code": card.decline_code,
            "message": text,
            "payment_method": method,
            "type": "card_error",
        }
        intent["last_payment_error"] = {key: value for key, value in error.items() if value is not None}
        intent.update(status="requires_payment_method", payment_method=None)
        self._put(intent)
        self._events.emit("payment_intent.payment_failed", intent)
        return CardRefused(
            text,
            code=card.code,
            decline_code=card.decline_code,
            charge=charge["id"],
            payment_intent=self._shown(intent),
            payment_method=method,
        )

    def _expire(self, payload: Document) -> None:
        """Let go of an authorisation nobody captured in time (7 days for cards)."""
        intent = self._store.get(COLLECTION, payload["payment_intent"])
        if intent is None or intent["status"] != "requires_capture":
            return
        if intent["amount_received"]:  # what was captured stays so; only the rest goes
            self._settle(intent, 0)
        else:
            self.cancel(intent, "expired")

    def _must_be(self, intent: Document, states: frozenset[str], verb: str) -> None:
        if intent["status"] not in states:
            raise self._unexpected(intent, states, verb)

    def _unexpected(self, intent: Document, states: frozenset[str], verb: str) -> ProviderRefusal:
        return invalid(
            f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
            f" Only a PaymentIntent with one of the following statuses may be used: {', '.join(sorted(states))}.",
            code="payment_intent_unexpected_state",
            intent=self._shown(intent),
        )

    def _put(self, intent: Document) -> None:
        self._store.put(COLLECTION, intent["id"], intent)

    def _shown(self, intent: Document) -> Document:
        return render(intent, self._clock.timestamp())


def _several(intent: Document) -> bool:
    return bool(intent.get(INTERNAL, {}).get("several"))


def _timer(intent_id: str) -> str:
    return f"expiry_{intent_id}"


def _next_action(return_url: str | None) -> Document:
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": return_url}}
