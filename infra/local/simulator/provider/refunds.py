"""Refunds: money given back, never more than was captured. The charge's fee is not given back."""

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.charges import Charges, refundable
from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.events import Events
from infra.local.simulator.provider.ledger import Ledger, Movement
from infra.local.simulator.store import Document, Store

COLLECTION = "refunds"


class Refunds:
    """Creates refunds and finds them."""

    def __init__(self, store: Store, clock: Clock, charges: Charges, ledger: Ledger, events: Events) -> None:
        """Share the simulator's store and clock and the provider's other books."""
        self._store = store
        self._clock = clock
        self._charges = charges
        self._ledger = ledger
        self._events = events
        store.declare(COLLECTION, "created", "charge", "payment_intent")

    def get(self, refund_id: str) -> Document:
        """Return a refund; refused with 404 when there is none."""
        refund = self._store.get(COLLECTION, refund_id)
        if refund is None:
            raise missing("refund", refund_id)
        return refund

    def charge_of_intent(self, intent_id: str) -> Document:
        """Return the captured charge of an intent; refused when the intent is unknown or took no money."""
        if self._store.get("payment_intents", intent_id) is None:
            raise missing("payment_intent", intent_id, param="payment_intent", status=400)
        captured = [charge for charge in self._charges.of_intent(intent_id) if charge["captured"]]
        if not captured:
            raise invalid(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.", param="payment_intent"
            )
        return captured[-1]

    def create(
        self,
        charge: Document,
        amount: int | None = None,
        *,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
        silent: bool = False,
    ) -> Document:
        """Give back `amount` of a charge, all that is left when None; `silent` tells nobody (tampering)."""
        self._check(charge, amount)
        wanted = refundable(charge) if amount is None else amount
        refund_id = self._store.next_id("re")
        entry = self._ledger.book(
            Movement(
                kind="refund",
                category="refund",
                amount=-wanted,
                currency=charge["currency"],
                source=refund_id,
                description=f"REFUND FOR CHARGE ({charge['description'] or charge['id']})",
            )
        )
        refund: Document = {
            "id": refund_id,
            "object": "refund",
            "amount": wanted,
            "balance_transaction": entry["id"],
            "charge": charge["id"],
            "created": self._clock.timestamp(),
            "currency": charge["currency"],
            "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
            "metadata": dict(metadata or {}),
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
        self._store.put(COLLECTION, refund_id, refund)
        before = {"amount_refunded": charge["amount_refunded"]}
        charge["amount_refunded"] += wanted
        if refundable(charge) == 0:
            before["refunded"] = False
            charge["refunded"] = True
        self._charges.put(charge)
        if not silent:
            self._events.emit("charge.refunded", charge, before)
        return refund

    def _check(self, charge: Document, amount: int | None) -> None:
        left = refundable(charge)
        if not charge["captured"]:
            raise invalid(f"Charge {charge['id']} has not been captured.", param="charge")
        if charge["disputed"] and not _dispute_won(self._store, charge["id"]):
            raise invalid(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
        if left == 0:
            raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if amount is not None and amount < 1:
            raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        if amount is not None and amount > left:
            raise invalid(
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
            )


def _dispute_won(store: Store, charge_id: str) -> bool:
    return all(dispute["status"] == "won" for dispute in store.index("disputes", "charge", charge_id))
