"""Payment methods: which test card stands behind a `pm_` id. No card number is ever kept."""

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.cards import TOKENS, Card
from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.rendering import INTERNAL, render
from infra.local.simulator.store import Document, Store

COLLECTION = "payment_methods"


class Methods:
    """Makes payment methods of test tokens and cards."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Share the simulator's store and clock."""
        self._store = store
        self._clock = clock

    def get(self, method_id: str) -> Document:
        """Return a payment method; refused with 404 when there is none."""
        method = self._store.get(COLLECTION, method_id)
        if method is None:
            raise missing("PaymentMethod", method_id, param="payment_method")
        return render(method, self._clock.timestamp())

    def resolve(self, method: str) -> Document:
        """Return the payment method of an id, or a new one of a test token; refused when it is neither."""
        token = TOKENS.get(method)
        if token is not None:
            return self.make(token)
        found = self._store.get(COLLECTION, method)
        if found is None:
            raise missing("PaymentMethod", method, param="payment_method", status=400)
        return found

    def make(self, card: Card) -> Document:
        """Write a new payment method for a test card."""
        method: Document = {
            "id": self._store.next_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "card": {
                "brand": card.brand,
                "country": "US",
                "exp_month": 12,
                "exp_year": 2034,
                "funding": "credit",
                "last4": card.last4,
            },
            "created": self._clock.timestamp(),
            "customer": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
            INTERNAL: {
                "code": card.code,
                "decline_code": card.decline_code,
                "needs_action": card.needs_action,
            },
        }
        self._store.put(COLLECTION, method["id"], method)
        return method

    def card(self, method_id: str) -> Card:
        """Return the test card behind a payment method."""
        method = self._store.get(COLLECTION, method_id)
        if method is None:
            raise invalid("The payment method is gone.", param="payment_method")
        known = method[INTERNAL]
        return Card(
            method["card"]["brand"],
            method["card"]["last4"],
            known["code"],
            known["decline_code"],
            known["needs_action"],
        )
