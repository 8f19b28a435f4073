"""Disputes: a customer's bank takes the money back, with a fee, until the matter is won or lost."""

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider import settings
from infra.local.simulator.provider.charges import Charges, refundable
from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.events import Events
from infra.local.simulator.provider.ledger import Ledger, Movement
from infra.local.simulator.store import Document, Store

COLLECTION = "disputes"
REASONS = frozenset(
    {
        "credit_not_processed",
        "duplicate",
        "fraudulent",
        "general",
        "product_not_received",
        "product_unacceptable",
        "subscription_canceled",
        "unrecognized",
    }
)
_OPEN = frozenset({"needs_response", "under_review"})
_DAYS_TO_ANSWER = 9


class Disputes:
    """Opens and closes disputes."""

    def __init__(self, store: Store, clock: Clock, charges: Charges, ledger: Ledger, events: Events) -> None:
        """Share the simulator's store and clock and the provider's other books."""
        self._store = store
        self._clock = clock
        self._charges = charges
        self._ledger = ledger
        self._events = events
        store.declare(COLLECTION, "created", "charge", "payment_intent")

    def get(self, dispute_id: str) -> Document:
        """Return a dispute; refused with 404 when there is none."""
        dispute = self._store.get(COLLECTION, dispute_id)
        if dispute is None:
            raise missing("dispute", dispute_id)
        return dispute

    def open(self, charge: Document, amount: int | None = None, reason: str = "fraudulent") -> Document:
        """Take `amount` (all that was kept when None) back from the merchant, and the dispute fee with it."""
        wanted = refundable(charge) if amount is None else amount
        if not charge["captured"] or charge["disputed"]:
            raise invalid(f"Charge {charge['id']} cannot be disputed: not captured, or disputed already.")
        if not 0 < wanted <= refundable(charge):
            raise invalid("A dispute is about more than nothing and at most what was kept.", param="amount")
        if reason not in REASONS:
            raise invalid(f"reason must be one of {', '.join(sorted(REASONS))}", param="reason")
        now = self._clock.timestamp()
        dispute: Document = {
            "id": self._store.next_id("dp"),
            "object": "dispute",
            "amount": wanted,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {},
            "evidence_details": {
                "due_by": now + _DAYS_TO_ANSWER * 86_400,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": charge["payment_method_details"]["card"]["brand"],
                    "case_type": "chargeback",
                    "network_reason_code": "83",
                },
                "type": "card",
            },
            "reason": reason,
            "status": "needs_response",
        }
        fee = settings.load(self._store).dispute_fee
        dispute["balance_transactions"].append(self._book(dispute, "dispute", -wanted, fee))
        self._store.put(COLLECTION, dispute["id"], dispute)
        charge["disputed"] = True
        self._charges.put(charge)
        self._events.emit("charge.dispute.created", dispute)
        return dispute

    def close(self, dispute: Document, *, won: bool) -> Document:
        """End an open dispute; winning brings the amount back (never the fee)."""
        if dispute["status"] not in _OPEN:
            raise invalid("This dispute is already closed.", code="dispute_already_closed")
        dispute["status"] = "won" if won else "lost"
        if won:
            dispute["is_charge_refundable"] = True
            dispute["balance_transactions"].append(self._book(dispute, "dispute_reversal", dispute["amount"], 0))
        self._store.put(COLLECTION, dispute["id"], dispute)
        self._events.emit("charge.dispute.closed", dispute)
        return dispute

    def _book(self, dispute: Document, category: str, amount: int, fee: int) -> Document:
        word = "Chargeback withdrawal" if amount < 0 else "Chargeback reversal"
        return self._ledger.book(
            Movement(
                kind="adjustment",
                category=category,
                amount=amount,
                currency=dispute["currency"],
                source=dispute["id"],
                fee=fee,
                description=f"{word} for {dispute['charge']}",
            )
        )
