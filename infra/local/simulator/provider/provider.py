"""The provider as the rest of the simulated world uses it: charge a customer now, give money back, look at the books."""

from contextlib import suppress

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.charges import Charges, refundable
from infra.local.simulator.provider.disputes import Disputes
from infra.local.simulator.provider.errors import CardRefused, missing
from infra.local.simulator.provider.events import Events
from infra.local.simulator.provider.idempotency import Idempotency
from infra.local.simulator.provider.intents import Confirmation, Intents, Order
from infra.local.simulator.provider.ledger import Ledger
from infra.local.simulator.provider.listing import Kind
from infra.local.simulator.provider.methods import Methods
from infra.local.simulator.provider.payouts import Payouts
from infra.local.simulator.provider.refunds import Refunds
from infra.local.simulator.provider.rendering import render
from infra.local.simulator.store import Document, Store
from infra.local.simulator.webhooks import Webhooks


class Provider:
    """The books of the payment provider. Every method is synchronous and atomic; join it to your own transaction."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks) -> None:
        """Open the books over the simulator's store."""
        self.store = store
        self.clock = clock
        self.events = Events(store, clock, webhooks)
        self.ledger = Ledger(store, clock)
        self.methods = Methods(store, clock)
        self.charges = Charges(store, clock, self.ledger, self.events)
        self.intents = Intents(store, clock, self.charges, self.methods, self.events)
        self.refunds = Refunds(store, clock, self.charges, self.ledger, self.events)
        self.disputes = Disputes(store, clock, self.charges, self.ledger, self.events)
        self.payouts = Payouts(store, clock, self.ledger, self.events)
        self.idempotency = Idempotency(store, clock)

    def charge_now(
        self, amount: int, currency: str, metadata: dict[str, str], method: str = "pm_card_visa"
    ) -> Document:
        """Create, confirm and capture a payment of `amount` minor units; returns the payment intent.

        Events are emitted as for an API call. When the card says no the intent is returned all the same, with status
        `requires_payment_method` and its `last_payment_error`. Raises ProviderRefusal for what cannot be asked.
        """
        with self.store.transaction():
            intent = self.intents.create(Order(amount=amount, currency=currency.lower(), metadata=metadata))
            with suppress(CardRefused):
                self.intents.confirm(intent, Confirmation(method=method))
            return self._shown(self.intents.get(intent["id"]))

    def refund(self, payment_intent: str, amount: int | None = None) -> Document:
        """Give back `amount` minor units (all that is left when None); returns the refund.

        Raises ProviderRefusal when there is nothing captured, or less than `amount` left.
        """
        with self.store.transaction():
            return self._shown(self.refunds.create(self.refunds.charge_of_intent(payment_intent), amount))

    def read(self, kind: Kind, object_id: str) -> Document:
        """Return an object of a list; refused with 404 when there is none."""
        document = self.store.get(kind.collection, object_id)
        if document is None:
            raise missing(kind.noun, object_id)
        return document

    def ledger_of_order(self, order_id: str) -> Document:
        """Return every charge, refund, dispute and ledger entry of one order, with the count and sum that were kept."""
        charges = self.charges.of_order(order_id)
        refunds = [refund for charge in charges for refund in self.store.index("refunds", "charge", charge["id"])]
        disputes = [item for charge in charges for item in self.store.index("disputes", "charge", charge["id"])]
        sources = [item["id"] for item in (*charges, *refunds, *disputes)]
        entries = [entry for source in sources for entry in self.ledger.of_source(source)]
        return {
            "order_id": order_id,
            "captured_count": sum(charge["captured"] for charge in charges),
            "net_minor": sum(refundable(charge) for charge in charges if charge["captured"]),
            "charges": [self._shown(charge) for charge in charges],
            "refunds": [self._shown(refund) for refund in refunds],
            "disputes": [self._shown(dispute) for dispute in disputes],
            "balance_transactions": [self._shown(entry) for entry in entries],
        }

    def charges_by_order(self) -> dict[str, list[int]]:
        """Return `{order id: [captured charges, minor units kept]}` for every order that was ever captured."""
        found: dict[str, list[int]] = {}
        for charge in self.store.scan("charges"):
            order_id = charge["metadata"].get("order_id")
            if order_id is not None and charge["captured"]:
                entry = found.setdefault(order_id, [0, 0])
                entry[0] += 1
                entry[1] += refundable(charge)
        return found

    def balance(self) -> Document:
        """Return what is available and what is pending, by currency: everything no payout has taken yet."""
        now = self.clock.timestamp()
        sums: dict[bool, dict[str, int]] = {True: {}, False: {}}
        for entry in self.store.ordered("balance_transactions", "internal.unpaid_available_on"):
            part = sums[entry["available_on"] <= now]
            part[entry["currency"]] = part.get(entry["currency"], 0) + entry["net"]
        shown = {
            name: [{"amount": amount, "currency": code, "source_types": {"card": amount}} for code, amount in rows]
            for name, rows in (("available", sorted(sums[True].items())), ("pending", sorted(sums[False].items())))
        }
        return {"object": "balance", "livemode": False, **shown}

    def _shown(self, document: Document) -> Document:
        return render(document, self.clock.timestamp())
