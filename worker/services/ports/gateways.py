"""The outside world: payment provider, shop, warehouse, mail, object store, time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from worker.contract.shipping import ShipTo
from worker.domain.dispute import Dispute
from worker.domain.ledger import LedgerLine, Packed, Shipment, ShipmentState, ShopOrder
from worker.domain.matching.payouts import PayoutSums
from worker.domain.payment import Payment, Refund


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class PaymentGateway(Protocol):
    """The payment provider. Every call that moves money takes an idempotency key; the same key is the same effect."""

    name: str

    def authorise(
        self, *, shop: str, order_id: str, amount_minor: int, currency: str, method: str, idempotency_key: str
    ) -> Payment:
        """Authorise without capturing. Raises PaymentDeclined, ProviderRejected, ProviderUnavailable."""
        ...

    def capture(self, reference: str, *, idempotency_key: str) -> Payment:
        """Capture the whole authorisation; capturing a captured payment returns it as it is."""
        ...

    def capture_part(self, reference: str, amount_minor: int, *, final: bool, idempotency_key: str) -> Payment:
        """Capture so much more of the authorisation; `final` lets go of the rest, which stays held otherwise.

        Raises ProviderRejected for more than is held, or for a part that is not final where the payment takes one capture.
        """
        ...

    def release(self, reference: str, *, idempotency_key: str) -> Payment:
        """Let go of what is held beyond what was captured; the payment is `captured` then, or cancelled if nothing was."""
        ...

    def cancel(self, reference: str, *, idempotency_key: str) -> Payment:
        """Void the authorisation; cancelling a cancelled payment returns it as it is."""
        ...

    def refund(self, reference: str, amount_minor: int, *, idempotency_key: str) -> Refund:
        """Refund part or all of a captured payment. Raises ProviderRejected when it refuses."""
        ...

    def retrieve(self, reference: str) -> Payment:
        """Return what the provider says now."""
        ...

    def find(self, *, shop: str, order_id: str, since: datetime) -> list[Payment]:
        """Return the payments the provider holds for an order (by metadata), oldest first."""
        ...

    def refunds(self, reference: str) -> list[Refund]:
        """Return every refund the provider made on a payment, oldest first, failed ones left out."""
        ...

    def dispute(self, reference: str) -> Dispute:
        """Return a dispute as it stands, with the money it moved. Raises NotFound."""
        ...

    def payment_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a captured payment. Raises NotFound."""
        ...

    def refund_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a payment that was given back. Raises NotFound."""
        ...

    def dispute_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a payment's latest dispute. Raises NotFound."""
        ...

    def ledger(self, start: datetime, end: datetime, after: str = "") -> Iterator[LedgerLine]:
        """Stream the ledger lines of [start, end), in an order that stays; with `after`, those behind that line's id.

        Raises SourceUnreadable when it breaks off.
        """
        ...

    def payouts(self, start: datetime, end: datetime) -> Iterator[PayoutSums]:
        """Stream the payouts due at the bank in [start, end), without the sums over their lines.

        Raises SourceUnreadable when it breaks off.
        """
        ...

    def payout_lines(self, payout_id: str) -> Iterator[LedgerLine]:
        """Stream the lines that an automatic payout pays out, its own among them. Raises SourceUnreadable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPayment:
    """Money the shop collected for an order; `reference` is the payment provider's (payment intent)."""

    reference: str
    amount_minor: int
    currency: str
    at: datetime
    gateway: str = ""
    """Who took it, in the shop's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopRefund:
    """Money that the shop says went back to the buyer; `amount_minor` is positive."""

    reference: str
    """The shop's id of the step: its own payments have no other that is always there."""
    payment_reference: str
    """The payment it was taken from; empty where the shop does not say."""
    amount_minor: int
    currency: str
    at: datetime
    gateway: str


class ShopGateway(Protocol):
    """The shop's own API."""

    def orders(self, start: datetime, end: datetime) -> Iterator[ShopOrder]:
        """Stream the orders created or updated in [start, end). Raises SourceUnreadable."""
        ...

    def payments(self, order_id: str) -> list[ShopPayment]:
        """Return what the shop collected for an order (successful sales and captures), oldest first."""
        ...

    def refunds(self, order_id: str) -> list[ShopRefund]:
        """Return what went back of an order's money, through whichever gateway, oldest first."""
        ...

    def refund_document(self, order_id: str, reference: str) -> str:
        """Return the JSON of the refund that a step belongs to, as the shop's webhooks carry it. Raises NotFound."""
        ...

    def order_document(self, order_id: str) -> str:
        """Return the order's JSON as the shop's webhooks carry it. Raises NotFound."""
        ...


class WarehouseGateway(Protocol):
    """The warehouse's API."""

    def request(
        self,
        *,
        shop: str,
        order_id: str,
        lines: Sequence[tuple[str, int]],
        idempotency_key: str,
        ship_to: ShipTo | None = None,
    ) -> Shipment:
        """Ask for a parcel; the same key is the same parcel. Raises ProviderRejected, ProviderUnavailable."""
        ...

    def cancel(self, shipment_id: str) -> ShipmentState:
        """Stop a parcel if it has not left; return its state."""
        ...

    def contents(self, shipment_id: str) -> Sequence[Packed]:
        """Return what a parcel holds, as far as the warehouse says. Raises NotFound."""
        ...

    def parcels(self, shop: str, order_id: str) -> list[Shipment]:
        """Return every parcel that was asked for in an order's name, oldest first. Raises ProviderUnavailable."""
        ...

    def shipments(self, shop: str, start: datetime, end: datetime) -> Iterator[Shipment]:
        """Stream the parcels requested in [start, end). Raises SourceUnreadable."""
        ...

    def shipment_document(self, shipment_id: str) -> str:
        """Return the event JSON the warehouse would have sent for the parcel's present state. Raises NotFound."""
        ...


class MailGateway(Protocol):
    """Outgoing mail."""

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        """Hand one mail to the relay. Raises ProviderUnavailable."""
        ...


class ObjectStore(Protocol):
    """Files that outlive a process: statements, reports."""

    def put(self, path: str, content: bytes) -> str:
        """Write the object at once (readers see all or nothing); return where it is."""
        ...

    def put_file(self, path: str, source: Path) -> str:
        """Write the object from a file, in parts where it is large; return where it is as `put` does."""
        ...

    def holding(self, source: Path) -> AbstractContextManager[Callable[[str], str]]:
        """Begin to take in a file whose path will only be known once it was read.

        What is yielded is told the path and writes the object as `put_file` does; a file that was told none is not kept.
        """
        ...

    def get(self, path: str) -> bytes:
        """Read the object. Raises NotFound."""
        ...

    def fetch(self, path: str, into: Path) -> Path:
        """Return a local file with the object's content: itself in a folder, else a copy in the folder `into`.

        Raises NotFound.
        """
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the paths of the objects below `prefix` (which ends with a slash), sorted; none is no error."""
        ...
