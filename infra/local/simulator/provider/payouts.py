"""Payouts: once a day, at midnight UTC, everything available goes to the bank, one payout a currency.

A payout's entries sum to its amount to the cent, and with its own entry (type `payout`) to zero. It is `pending` until
it arrives; then `payout.paid` is told, and a minute later that its itemisation is complete. The bank may send one back,
even days after it was paid: it is `failed`, and its money is an entry of its own that the next payout takes along.
"""

from datetime import datetime, timedelta

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider import settings
from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.events import Events
from infra.local.simulator.provider.ledger import Ledger, Movement
from infra.local.simulator.store import Document, Store

COLLECTION = "payouts"
_DAILY, _ARRIVES, _ITEMISED = "provider.daily_payouts", "provider.payout_arrives", "provider.payout_itemised"
_ITEMISED_AFTER = 60.0


class Payouts:
    """Makes payouts and lets them arrive."""

    def __init__(self, store: Store, clock: Clock, ledger: Ledger, events: Events) -> None:
        """Share the simulator's store and clock and the provider's other books; sets the daily timer."""
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._events = events
        store.declare(COLLECTION, "created", "status")
        clock.on(_DAILY, self._daily)
        clock.on(_ARRIVES, self._arrive)
        clock.on(_ITEMISED, self._itemise)
        # A timer that waits from before a restart must not be moved past a midnight it has still to fire for.
        if store.get("timers", _DAILY) is None:
            self._wait_for_midnight()
        clock.on_move(self._wait_again)

    def get(self, payout_id: str) -> Document:
        """Return a payout; refused with 404 when there is none."""
        payout = self._store.get(COLLECTION, payout_id)
        if payout is None:
            raise missing("payout", payout_id)
        return payout

    def run(self, *, automatic: bool = True) -> list[Document]:
        """Pay out what is available now; a currency whose sum is not above zero is carried over."""
        made = []
        for currency, entries in sorted(self._ledger.available(self._clock.timestamp()).items()):
            total = sum(entry["net"] for entry in entries)
            if total > 0:
                made.append(self._pay(currency, total, entries, automatic=automatic))
        return made

    def fail(self, payout_id: str) -> Document:
        """Let the bank send a payout back. Refused when it was sent back already."""
        payout = self.get(payout_id)
        if payout["status"] == "failed":
            raise invalid(f"payout {payout_id} has failed already")
        self._clock.cancel(_arrival(payout_id))
        movement = Movement(
            kind="payout_failure",
            category="payout_reversal",
            amount=payout["amount"],
            currency=payout["currency"],
            source=payout_id,
            description="REFUND FOR FAILED PAYOUT",
        )
        payout.update(
            status="failed",
            failure_balance_transaction=self._ledger.book_return(movement)["id"],
            failure_code="account_closed",
            failure_message="The bank account has been closed",
        )
        self._store.put(COLLECTION, payout_id, payout)
        self._events.emit("payout.failed", payout)
        return payout

    def _pay(self, currency: str, total: int, entries: list[Document], *, automatic: bool) -> Document:
        payout_id = self._store.next_id("po")
        told = payout_id if automatic else None
        arrives_in = settings.load(self._store).payout_arrival_seconds
        arrival = self._clock.timestamp() + arrives_in
        self._ledger.assign(entries, told)
        movement = Movement(
            kind="payout",
            category="payout",
            amount=-total,
            currency=currency,
            source=payout_id,
            description="STRIPE PAYOUT",
        )
        entry = self._ledger.book_payout(movement, told, arrival)
        payout: Document = {
            "id": payout_id,
            "object": "payout",
            "amount": total,
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": arrival,
            "automatic": automatic,
            "balance_transaction": entry["id"],
            "created": self._clock.timestamp(),
            "currency": currency,
            "description": "STRIPE PAYOUT",
            "destination": "ba_local",
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "livemode": False,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "in_progress" if automatic else "not_applicable",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": "pending",
            "trace_id": None,
            "type": "bank_account",
        }
        self._store.put(COLLECTION, payout_id, payout)
        self._clock.call_later(arrives_in, _ARRIVES, {"payout": payout_id}, timer_id=_arrival(payout_id))
        return payout

    def _daily(self, _: Document) -> None:
        self._wait_for_midnight()
        if settings.load(self._store).automatic_payouts:
            self.run()

    def _arrive(self, payload: Document) -> None:
        payout = self.get(payload["payout"])
        payout["status"] = "paid"
        self._store.put(COLLECTION, payout["id"], payout)
        self._events.emit("payout.paid", payout)
        if payout["automatic"]:
            self._clock.call_later(_ITEMISED_AFTER, _ITEMISED, payload)

    def _itemise(self, payload: Document) -> None:
        payout = self.get(payload["payout"])
        payout["reconciliation_status"] = "completed"
        self._store.put(COLLECTION, payout["id"], payout)
        self._events.emit("payout.reconciliation_completed", payout)

    def _wait_for_midnight(self) -> None:
        self._clock.call_at(_next_midnight(self._clock.now()), _DAILY, {}, timer_id=_DAILY)

    def _wait_again(self) -> None:
        """Bring the timer nearer when the clock was set back; forward moves have fired it on their way."""
        timer = self._store.get("timers", _DAILY)
        ahead = _next_midnight(self._clock.now())
        if timer is not None and timer["due_ms"] > ahead.timestamp() * 1000:
            self._wait_for_midnight()


def _arrival(payout_id: str) -> str:
    return f"{_ARRIVES}:{payout_id}"


def _next_midnight(moment: datetime) -> datetime:
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
