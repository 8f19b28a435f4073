"""The warehouse's books: fulfilments accepted, shipped, failed or cancelled.

A request is accepted at once and ships after `ship_after_seconds` of simulated time (None: when told to). The same
idempotency key is the same fulfilment; two keys for one reference are two parcels, because that is what a real
warehouse does and what its callers must prevent.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from infra.local.simulator.clock import Clock
from infra.local.simulator.store import Document, Store
from infra.local.simulator.webhooks import Webhooks

FULFILMENTS = "warehouse_fulfilments"
ADDRESSES = "warehouse_addresses"
"""Where parcels go: read by control alone, no list and no event repeats it."""
REQUESTS = "warehouse_requests"
SOURCE = "warehouse"
FAILING_PREFIX = "FAIL-"
"""An SKU that starts like this is never in stock."""
_SHIP = "warehouse_ship"
_SHIP_AFTER = "warehouse_ship_after_seconds"
_DEFAULT_SHIP_AFTER = 1.0

Lines = Sequence[tuple[str, int]]


class FulfilmentNotFound(Exception):
    """The warehouse knows no such fulfilment."""


class NotAllowed(Exception):
    """The fulfilment's status does not allow what was asked; the message says why."""


class KeyReused(Exception):
    """The idempotency key was used for another request."""


class Warehouse:
    """Every fulfilment of the one warehouse there is."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks) -> None:
        """Continue with the fulfilments that `store` remembers; parcels due meanwhile ship when the clock runs."""
        self._store = store
        self._clock = clock
        self._webhooks = webhooks
        store.declare(FULFILMENTS, "reference")
        clock.on(_SHIP, lambda payload: self._due(str(payload["id"])))

    @property
    def ship_after_seconds(self) -> float | None:
        """Simulated seconds from acceptance to shipping; None when parcels wait to be told."""
        kept = self._store.fact(_SHIP_AFTER)
        return _DEFAULT_SHIP_AFTER if kept is None else json.loads(kept)

    @ship_after_seconds.setter
    def ship_after_seconds(self, seconds: float | None) -> None:
        self._store.set_fact(_SHIP_AFTER, json.dumps(seconds))

    def request(
        self, key: str, fingerprint: bytes, reference: str, lines: Lines, ship_to: Document | None = None
    ) -> tuple[Document, bool]:
        """Accept a fulfilment; returns it as first answered, and whether `key` is new. Raises KeyReused."""
        digest = hashlib.sha256(fingerprint).hexdigest()
        with self._store.transaction():
            earlier = self._store.get(REQUESTS, key)
            if earlier is not None:
                if earlier["fingerprint"] != digest:
                    raise KeyReused
                return dict(earlier["answer"]), False
            fulfilment = self._new(reference, lines)
            self._save(fulfilment)
            if ship_to is not None:
                self._store.put(ADDRESSES, fulfilment["id"], ship_to)
            self._store.put(REQUESTS, key, {"fingerprint": digest, "answer": fulfilment})
            wait = self.ship_after_seconds
            if wait is not None:
                self._clock.call_later(wait, _SHIP, {"id": fulfilment["id"]}, timer_id=_timer(fulfilment))
        return fulfilment, True

    def fulfilment(self, fulfilment_id: str) -> Document:
        """Return a fulfilment. Raises FulfilmentNotFound."""
        fulfilment = self._store.get(FULFILMENTS, fulfilment_id)
        if fulfilment is None:
            raise FulfilmentNotFound
        return fulfilment

    def addresses(self, reference: str) -> list[Document | None]:
        """Return where the parcels of a reference go, oldest first; None for one that came without an address."""
        return [self._store.get(ADDRESSES, found["id"]) for found in self.of_reference(reference)]

    def of_reference(self, reference: str) -> list[Document]:
        """Return the fulfilments of a reference, oldest first."""
        return self._store.index(FULFILMENTS, "reference", reference)

    def cancel(self, fulfilment_id: str) -> Document:
        """Stop a parcel that has not left; what failed or was cancelled stays so. Raises NotAllowed once shipped."""
        with self._store.transaction():
            fulfilment = self.fulfilment(fulfilment_id)
            if fulfilment["status"] == "shipped":
                raise NotAllowed("the parcel has left")
            if fulfilment["status"] == "accepted":
                fulfilment.update(status="cancelled", updated_at=self._now())
                self._save(fulfilment)
                self._clock.cancel(_timer(fulfilment))
        return fulfilment

    def ship(self, fulfilment_id: str) -> Document:
        """Hand an accepted parcel to the carrier and tell of it. Raises NotAllowed in any other status."""
        with self._store.transaction():
            fulfilment = self._accepted(fulfilment_id)
            now = self._now()
            fulfilment.update(status="shipped", tracking=self._tracking(), shipped_at=now, updated_at=now)
            self._save(fulfilment)
            self._tell("shipment.shipped", fulfilment, "tracking", "shipped_at")
        return fulfilment

    def ship_part(self, fulfilment_id: str, lines: Lines) -> Document:
        """Ship these pieces of an accepted parcel and tell of it, with the parcel in which the rest will follow.

        The rest waits to be told. Raises NotAllowed for pieces that the parcel does not have.
        """
        with self._store.transaction():
            fulfilment = self._accepted(fulfilment_id)
            rest = {line["sku"]: 0 for line in fulfilment["lines"]}
            for line in fulfilment["lines"]:
                rest[line["sku"]] += line["quantity"]
            for sku, quantity in lines:
                if quantity > rest.get(sku, 0):
                    raise NotAllowed(f"the parcel has no {quantity} of {sku}")
                rest[sku] -= quantity
            left = [(sku, quantity) for sku, quantity in rest.items() if quantity]
            if left:
                following = self._new(fulfilment["reference"], left)
                self._save(following)
                fulfilment["rest"] = following["id"]
            fulfilment["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
            now = self._now()
            fulfilment.update(status="shipped", tracking=self._tracking(), shipped_at=now, updated_at=now)
            self._save(fulfilment)
            named = ("lines", "rest") if left else ("lines",)
            self._tell("shipment.shipped", fulfilment, "tracking", "shipped_at", *named)
        return fulfilment

    def deliver(self, fulfilment_id: str) -> Document:
        """Note that a shipped parcel reached the customer and tell of it. Raises NotAllowed in any other status."""
        with self._store.transaction():
            fulfilment = self.fulfilment(fulfilment_id)
            if fulfilment["status"] != "shipped":
                raise NotAllowed(f"the fulfilment is {fulfilment['status']}")
            fulfilment.update(delivered_at=self._now(), updated_at=self._now())
            self._save(fulfilment)
            self._tell("shipment.delivered", fulfilment, "delivered_at")
        return fulfilment

    def fail(self, fulfilment_id: str, reason: str) -> Document:
        """Give up on an accepted parcel and tell of it. Raises NotAllowed in any other status."""
        with self._store.transaction():
            fulfilment = self._accepted(fulfilment_id)
            fulfilment.update(status="failed", reason=reason, updated_at=self._now())
            self._save(fulfilment)
            self._tell("shipment.failed", fulfilment, "reason")
        return fulfilment

    def ship_silently(self, reference: str, lines: Lines) -> Document:
        """Write a shipped parcel nobody asked for into the books and tell nobody (tampering)."""
        with self._store.transaction():
            fulfilment = self._new(reference, lines)
            fulfilment.update(status="shipped", tracking=self._tracking(), shipped_at=fulfilment["created_at"])
            self._save(fulfilment)
        return fulfilment

    def lose(self, fulfilment_id: str) -> Document:
        """Strike a fulfilment from the books as if it had never been, and tell nobody (tampering)."""
        with self._store.transaction():
            fulfilment = self.fulfilment(fulfilment_id)
            self._clock.cancel(_timer(fulfilment))
            self._store.delete(FULFILMENTS, fulfilment_id)
        return fulfilment

    def _due(self, fulfilment_id: str) -> None:
        fulfilment = self._store.get(FULFILMENTS, fulfilment_id)
        if fulfilment is None or fulfilment["status"] != "accepted":
            return
        if any(line["sku"].startswith(FAILING_PREFIX) for line in fulfilment["lines"]):
            self.fail(fulfilment_id, "out of stock")
        else:
            self.ship(fulfilment_id)

    def _accepted(self, fulfilment_id: str) -> Document:
        fulfilment = self.fulfilment(fulfilment_id)
        if fulfilment["status"] != "accepted":
            raise NotAllowed(f"the fulfilment is {fulfilment['status']}")
        self._clock.cancel(_timer(fulfilment))
        return fulfilment

    def _new(self, reference: str, lines: Lines) -> Document:
        now = self._now()
        return {
            "id": self._store.next_id("ful"),
            "reference": reference,
            "status": "accepted",
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
            "tracking": None,
            "reason": None,
            "created_at": now,
            "updated_at": now,
            "shipped_at": None,
        }

    def _save(self, fulfilment: Document) -> None:
        self._store.put(FULFILMENTS, fulfilment["id"], fulfilment)

    def _tell(self, topic: str, fulfilment: Document, *details: str) -> None:
        data = {name: fulfilment[name] for name in ("id", "reference", "status", *details)}
        event = {"type": topic, "timestamp": self._now(), "data": data}
        body = json.dumps(event, separators=(",", ":")).encode()
        self._webhooks.enqueue(SOURCE, self._store.next_id("msg"), topic, body)

    def _tracking(self) -> str:
        return f"SIM{self._store.next_number('warehouse_parcels'):09d}"

    def _now(self) -> str:
        return warehouse_time(self._clock.now())


def warehouse_time(moment: datetime) -> str:
    """Write a time as the warehouse does: UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _timer(fulfilment: Document) -> str:
    return f"{_SHIP}:{fulfilment['id']}"
