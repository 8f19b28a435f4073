"""The provider's own books: balance transactions. Every movement of money is one, and `net = amount - fee` always."""

from dataclasses import dataclass

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider import settings
from infra.local.simulator.provider.rendering import INTERNAL
from infra.local.simulator.store import Document, Store

COLLECTION = "balance_transactions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One movement to book. `amount` is signed from the merchant's view; `fee` is what it costs (negative: returned)."""

    kind: str
    category: str
    amount: int
    currency: str
    source: str
    fee: int = 0
    description: str | None = None


class Ledger:
    """Books movements and knows which of them no payout has paid out yet."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Share the simulator's store and clock."""
        self._store = store
        self._clock = clock
        store.declare(COLLECTION, "created", "type", "source", f"{INTERNAL}.payout", f"{INTERNAL}.unpaid_available_on")

    def book(self, movement: Movement) -> Document:
        """Write one balance transaction; it becomes available after the settlement delay, and is then paid out."""
        created = self._clock.timestamp()
        available_on = created + settings.load(self._store).available_after_seconds
        return self._write(movement, created, available_on, {"payout": None, "unpaid_available_on": available_on})

    def book_payout(self, movement: Movement, payout_id: str | None, available_on: int) -> Document:
        """Write the balance transaction of a payout itself."""
        internal: Document = {"payout": payout_id, "unpaid_available_on": None}
        return self._write(movement, self._clock.timestamp(), available_on, internal)

    def book_return(self, movement: Movement) -> Document:
        """Write the balance transaction of a payout that came back: available at once, and so paid out anew."""
        now = self._clock.timestamp()
        return self._write(movement, now, now, {"payout": None, "unpaid_available_on": now})

    def available(self, now: int) -> dict[str, list[Document]]:
        """Return what is available at `now` and not yet paid out, by currency, oldest first."""
        found: dict[str, list[Document]] = {}
        for entry in self._store.ordered(COLLECTION, f"{INTERNAL}.unpaid_available_on", high=now):
            found.setdefault(entry["currency"], []).append(entry)
        return found

    def assign(self, entries: list[Document], payout_id: str | None) -> None:
        """Note that `entries` are paid out by `payout_id`; None: by one of which nobody can say what it pays out."""
        for entry in entries:
            entry[INTERNAL] = {"payout": payout_id, "unpaid_available_on": None}
            self._store.put(COLLECTION, entry["id"], entry)

    def of_source(self, source: str) -> list[Document]:
        """Return the entries of a charge, refund, dispute or payout, oldest first."""
        return self._store.index(COLLECTION, "source", source)

    def of_payout(self, payout_id: str) -> list[Document]:
        """Return what a payout paid out, with the payout's own entry, oldest first."""
        return self._store.index(COLLECTION, f"{INTERNAL}.payout", payout_id)

    def _write(self, movement: Movement, created: int, available_on: int, internal: Document) -> Document:
        fee_details = (
            [
                {
                    "amount": movement.fee,
                    "application": None,
                    "currency": movement.currency,
                    "description": "Dispute fee" if movement.category == "dispute" else "Stripe processing fees",
                    "type": "stripe_fee",
                }
            ]
            if movement.fee
            else []
        )
        entry: Document = {
            "id": self._store.next_id("txn"),
            "object": "balance_transaction",
            "amount": movement.amount,
            "available_on": available_on,
            "balance_type": "payments",
            "created": created,
            "currency": movement.currency,
            "description": movement.description,
            "exchange_rate": None,
            "fee": movement.fee,
            "fee_details": fee_details,
            "net": movement.amount - movement.fee,
            "reporting_category": movement.category,
            "source": movement.source,
            "status": "pending",
            "type": movement.kind,
            INTERNAL: internal,
        }
        self._store.put(COLLECTION, entry["id"], entry)
        return entry
