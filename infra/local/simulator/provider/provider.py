"""The provider as the rest of the simulated world uses it: charge a customer now, give money back."""

from infra.local.simulator.clock import Clock
from infra.local.simulator.store import Document, Store
from infra.local.simulator.webhooks import Webhooks


class Provider:
    """The books of the payment provider. Every method is synchronous and atomic; join it to your own transaction."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks) -> None:
        self._store = store
        self._clock = clock
        self._webhooks = webhooks

    def charge_now(
        self, amount: int, currency: str, metadata: dict[str, str], method: str = "pm_card_visa"
    ) -> Document:
        """Create, confirm and capture a payment of `amount` minor units; returns the payment intent."""
        raise NotImplementedError

    def refund(self, payment_intent: str, amount: int | None = None) -> Document:
        """Give back `amount` minor units (all that is left when None); returns the refund."""
        raise NotImplementedError
