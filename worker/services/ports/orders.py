"""Stores of the order process: orders with their audit trail, payments with the book entries, parcels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.contract.shipping import ShipTo
from worker.domain.ledger import OwnOrder, Shipment
from worker.domain.order import Order, OrderState, Transition
from worker.domain.payment import BookEntry, Payment
from worker.services.ports.lake import EntryBlock


class OrderStore(Protocol):
    """Orders and their audit trail."""

    def add(self, order: Order, at: datetime, actor: str) -> bool:
        """Insert the order with its first trail line; return False (and change nothing) when it exists."""
        ...

    def get(self, shop: str, order_id: str) -> Order | None:
        """Return the order with its captured and refunded sums, or None."""
        ...

    def lock(self, shop: str, order_id: str) -> Order:
        """Return the order, locked until the transaction ends. Raises NotFound."""
        ...

    def move(self, order: Order, to: OrderState, *, at: datetime, actor: str, reason: str = "") -> Order:
        """Change the state (UPDATE ... WHERE state = the order's) and append to the trail.

        Raises Conflict when the transition table forbids it or somebody else moved the order meanwhile.
        """
        ...

    def trail(self, shop: str, order_id: str) -> list[Transition]:
        """Return the audit trail, oldest first."""
        ...

    def recent(self, shop: str, *, state: str | None, limit: int, since: datetime | None = None) -> list[Order]:
        """Return the newest orders by placing time, newest first; of one state, placed from `since` on."""
        ...

    def count_by_state(self, shop: str) -> dict[str, int]:
        """Return how many orders stand in each state."""
        ...

    def for_reconciliation(self, shop: str, start: datetime, end: datetime, order_ids: Sequence[str]) -> list[OwnOrder]:
        """Return the orders placed or updated in [start, end), and those named, each once, sorted by id.

        Also those placed before `end` that still hold money without being over (MONEY_IN_HAND), however old.
        """
        ...

    def by_number(self, shop: str, numbers: Sequence[str]) -> dict[str, str]:
        """Map numbers of orders to their ids. Left out is what is an id itself, and what several orders bear."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnumbered:
    """Orders that were taken before numbers were kept."""

    orders: int
    first_at: datetime | None
    """When the oldest was placed; None where there are none."""
    last_at: datetime | None


class NumberStore(Protocol):
    """The numbers that a shop's customers know orders by."""

    def lacking(self, shop: str) -> Unnumbered:
        """Return how many orders have no number, and of which time they are."""
        ...

    def complete(self, shop: str) -> bool:
        """Tell whether every order has its number."""
        ...

    def without(self, shop: str, order_ids: Sequence[str]) -> set[str]:
        """Return which of these orders are in the books and have no number."""
        ...

    def fill(self, shop: str, numbers: Mapping[str, str]) -> int:
        """Give orders their numbers, by id; return how many had none. Nothing else of them changes, nor does a number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledLines:
    """Pieces, by line, that one request cancelled: less was owed by `amount_minor`, `back_minor` of it goes back."""

    request_id: str
    pieces: Mapping[int, int]
    amount_minor: int
    back_minor: int
    requested_by: str


class LineStore(Protocol):
    """Cancelled pieces of orders."""

    def of_request(self, shop: str, order_id: str, request_id: str) -> CancelledLines | None:
        """Return what a request cancelled; None where it has not."""
        ...

    def cancel(self, smaller: Order, cancelled: CancelledLines, at: datetime) -> None:
        """Write down what was cancelled, and the order as it is without it. The order must be locked."""
        ...


class PaymentStore(Protocol):
    """What we know of payments at the provider, and our book entries."""

    def save(self, shop: str, order_id: str, payment: Payment, at: datetime) -> None:
        """Insert or update the payment by (provider, reference)."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[Payment]:
        """Return the payments of an order, oldest first."""
        ...

    def order_of_payment(self, shop: str, provider: str, references: Sequence[str]) -> dict[str, str]:
        """Map payment references to order ids; unknown references are absent."""
        ...

    def post(self, entry: BookEntry) -> bool:
        """Append a book entry; return False when (provider, kind, reference) is already booked."""
        ...

    def entries_of_order(self, shop: str, order_id: str) -> list[BookEntry]:
        """Return the book entries of an order, oldest first."""
        ...

    def entries(self, shop: str, provider: str, start: datetime, end: datetime) -> Iterator[BookEntry]:
        """Stream the book entries of [start, end), ordered by time and reference."""
        ...

    def entry_blocks(self, shop: str, provider: str, start: datetime, end: datetime) -> Iterator[EntryBlock]:
        """Stream the book entries of [start, end) in blocks of text, unordered, for engines that read columns."""
        ...


class ShipmentStore(Protocol):
    """Our record of parcels."""

    def save(self, shop: str, shipment: Shipment) -> None:
        """Insert or update by (shop, shipment_id)."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[Shipment]:
        """Return the parcels of an order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAddress:
    """Where an order's parcel goes: `ship_to` is None once it was erased."""

    ship_to: ShipTo | None
    request_id: str
    """Of the latest change; empty for the address that the order came with."""
    changed_at: datetime
    said_fingerprint: str = ""
    """Of the address that the shop said last, be it in force or not."""
    said_at: datetime | None = None
    """When the shop said it; None for what the order came with."""


class ShippingAddressStore(Protocol):
    """Where parcels go."""

    def save(
        self, shop: str, order_id: str, customer_id: str, ship_to: ShipTo, at: datetime, *, request_id: str = ""
    ) -> None:
        """Insert or replace the address of an order that is in the books."""
        ...

    def of_order(self, shop: str, order_id: str) -> KnownAddress | None:
        """Return what is known of an order's address; None where it never had one."""
        ...

    def heard(self, shop: str, order_id: str, fingerprint: str, at: datetime) -> None:
        """Keep what the shop said at a time of the address of an order that has one, unless it said something newer."""
        ...

    def needed(self, shop: str, customer_id: str) -> list[str]:
        """Return the customer's orders that have an address and are not over."""
        ...

    def of_customer(self, shop: str, customer_id: str) -> list[str]:
        """Return the customer's orders that have an address, or had one."""
        ...

    def forget(self, shop: str, customer_id: str, at: datetime) -> int:
        """Remove every address of a customer's orders; return how many there were."""
        ...
