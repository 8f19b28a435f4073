"""Ports: what the use cases need from the outside, written down as Protocols.

`repositories/` and `gateways/` implement them, `app.py` wires them, tests may give fakes. All times are
timezone-aware UTC, all amounts integer minor units. Methods raise errors of `domain/errors.py` only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderAnswer, OrderEvent, PlaceOrder
from worker.domain.finding import Break, Finding, Statement
from worker.domain.ledger import LedgerLine, OwnOrder, Shipment, ShipmentState, ShopOrder
from worker.domain.order import Order, OrderState, Transition
from worker.domain.payment import BookEntry, Payment, Refund
from worker.domain.user import User, UserState

T = TypeVar("T")


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


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

    def recent(self, shop: str, *, state: str | None, limit: int) -> list[Order]:
        """Return the newest orders, optionally of one state."""
        ...

    def count_by_state(self, shop: str) -> dict[str, int]:
        """Return how many orders stand in each state."""
        ...

    def for_reconciliation(self, shop: str, start: datetime, end: datetime, order_ids: Sequence[str]) -> list[OwnOrder]:
        """Return the orders placed or updated in [start, end), and those named, each once, sorted by id."""
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


class ShipmentStore(Protocol):
    """Our record of parcels."""

    def save(self, shop: str, shipment: Shipment) -> None:
        """Insert or update by (shop, shipment_id)."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[Shipment]:
        """Return the parcels of an order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """One received event: the dedupe that outlives Temporal's retention."""

    source: str
    event_id: str
    topic: str
    origin: str
    body_sha256: str
    received_at: datetime
    workflow_id: str
    run_id: str
    """First run of the event's workflow: after retention the id may be started again, but not this run."""
    outcome: str = "received"
    detail: str = ""


class InboxStore(Protocol):
    """Events received; unique by (source, event_id)."""

    def open(self, entry: InboxEntry) -> InboxEntry:
        """Insert the entry, or return the one already there (its run id tells whose it is)."""
        ...

    def close(self, source: str, event_id: str, outcome: str, detail: str, at: datetime) -> None:
        """Record what became of the event."""
        ...

    def recent(self, *, source: str | None, outcome: str | None, limit: int) -> list[InboxEntry]:
        """Return the newest entries."""
        ...


class UserStore(Protocol):
    """Users."""

    def add(self, user: User) -> bool:
        """Insert; False when the id exists."""
        ...

    def get(self, user_id: str) -> User | None:
        """Return the user or None."""
        ...

    def move(self, user_id: str, expected: UserState, to: UserState, at: datetime) -> bool:
        """Change the state if it is `expected`; return whether it was."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reconciliation run, as stored. `verdict` is empty while it runs."""

    run_id: str
    shop: str
    provider: str
    window_start: datetime
    window_end: datetime
    source: str
    """`api`, or `statement:{sha256}`."""
    requested_by: str
    workflow_id: str
    started_at: datetime
    finished_at: datetime | None = None
    verdict: str = ""
    counts: Mapping[str, int] | None = None
    """matched, pending, warnings, breaks_open, breaks_new, breaks_persisting, breaks_resolved, repairs_requested."""
    incomplete_because: tuple[str, ...] = ()
    report: str = ""


class RunStore(Protocol):
    """Reconciliation runs, their statements and findings, and the watermark."""

    def begin(self, run: Run) -> None:
        """Insert the run, or start it over when it exists unfinished. A finished run is left as it is."""
        ...

    def finish(self, run: Run, statements: Sequence[Statement], findings: Sequence[Finding]) -> None:
        """Store the result: verdict and counts, statements, and every finding that is not matched."""
        ...

    def get(self, run_id: str) -> Run | None:
        """Return the run or None."""
        ...

    def recent(self, shop: str | None, limit: int) -> list[Run]:
        """Return the newest finished or running runs, newest first."""
        ...

    def statements(self, run_id: str) -> list[Statement]:
        """Return the statements of a run, by currency."""
        ...

    def findings(self, run_id: str) -> list[Finding]:
        """Return the stored findings of a run (all that were not matched)."""
        ...

    def set_report(self, run_id: str, report: str) -> None:
        """Record where the report was written."""
        ...

    def watermark(self, shop: str, provider: str) -> datetime | None:
        """Return up to when complete runs cover time without a hole, or None before the first."""
        ...

    def advance_watermark(self, shop: str, provider: str, start: datetime, end: datetime) -> datetime:
        """Move the watermark to `end` if [start, end) continues it; return where it stands (locked row)."""
        ...

    def lock(self, shop: str, provider: str) -> None:
        """Serialise the breaks of one shop and provider until the transaction ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakAction:
    """One line of a break's history; append-only."""

    at: datetime
    actor: str
    action: str
    """`found`, `seen`, `class_changed`, `repair_requested`, `resolved`, `reopened`."""
    run_id: str
    detail: str = ""


class BreakStore(Protocol):
    """Breaks and their history."""

    def open(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks, oldest first."""
        ...

    def by_ids(self, break_ids: Sequence[str]) -> dict[str, Break]:
        """Return the named breaks, whatever their status."""
        ...

    def save(self, item: Break, action: BreakAction | None) -> None:
        """Insert or update a break and append to its history."""
        ...

    def get(self, break_id: str) -> Break | None:
        """Return one break or None."""
        ...

    def history(self, break_id: str) -> list[BreakAction]:
        """Return the history of a break, oldest first."""
        ...

    def listed(self, shop: str | None, *, status: str | None, limit: int) -> list[Break]:
        """Return breaks, largest amount at risk first; `status` may be `open`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFile:
    """One imported statement file."""

    sha256: str
    shop: str
    provider: str
    format: str
    name: str
    imported_at: datetime
    rows: int
    rejected: int
    first_at: datetime | None
    last_at: datetime | None
    checks: Mapping[str, str]
    """Self-checks of the file and their result in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that could not be read; `line` counts from 1 and includes the header."""

    line: int
    column: str
    reason: str


class StatementStore(Protocol):
    """Imported statement files and their normalised lines."""

    def add(self, file: StatementFile, lines: Sequence[LedgerLine], rejects: Sequence[RejectedRow]) -> bool:
        """Store the file whole; return False when this very file (SHA-256) is there already."""
        ...

    def get(self, sha256: str) -> StatementFile | None:
        """Return the file or None."""
        ...

    def lines(self, sha256: str) -> Iterator[LedgerLine]:
        """Stream the lines in file order."""
        ...

    def rejects(self, sha256: str) -> list[RejectedRow]:
        """Return the rejected rows in file order."""
        ...


class Transaction(Protocol):
    """The stores, bound to one transaction."""

    @property
    def orders(self) -> OrderStore:
        """The orders store."""
        ...

    @property
    def payments(self) -> PaymentStore:
        """The payments store."""
        ...

    @property
    def shipments(self) -> ShipmentStore:
        """The shipments store."""
        ...

    @property
    def inbox(self) -> InboxStore:
        """The inbox store."""
        ...

    @property
    def users(self) -> UserStore:
        """The users store."""
        ...

    @property
    def runs(self) -> RunStore:
        """The runs store."""
        ...

    @property
    def breaks(self) -> BreakStore:
        """The breaks store."""
        ...

    @property
    def statements(self) -> StatementStore:
        """The statements store."""
        ...


class Database(Protocol):
    """MySQL, one transaction at a time."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and commit. Raises DatabaseUnavailable.

        `work` may run again after a deadlock (1213) or a lock wait (1205): no effect but on its stores.
        """
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

    def payment_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a captured payment. Raises NotFound."""
        ...

    def ledger(self, start: datetime, end: datetime) -> Iterator[LedgerLine]:
        """Stream the ledger lines of [start, end). Raises SourceUnreadable when it breaks off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPayment:
    """Money the shop collected for an order; `reference` is the payment provider's (payment intent)."""

    reference: str
    amount_minor: int
    currency: str
    at: datetime


class ShopGateway(Protocol):
    """The shop's own API."""

    def orders(self, start: datetime, end: datetime) -> Iterator[ShopOrder]:
        """Stream the orders created or updated in [start, end). Raises SourceUnreadable."""
        ...

    def payments(self, order_id: str) -> list[ShopPayment]:
        """Return what the shop collected for an order (successful sales and captures), oldest first."""
        ...

    def order_document(self, order_id: str) -> str:
        """Return the order's JSON as the shop's webhooks carry it. Raises NotFound."""
        ...


class WarehouseGateway(Protocol):
    """The warehouse's API."""

    def request(self, *, shop: str, order_id: str, lines: Sequence[tuple[str, int]], idempotency_key: str) -> Shipment:
        """Ask for a parcel; the same key is the same parcel. Raises ProviderRejected, ProviderUnavailable."""
        ...

    def cancel(self, shipment_id: str) -> ShipmentState:
        """Stop a parcel if it has not left; return its state."""
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

    def get(self, path: str) -> bytes:
        """Read the object. Raises NotFound."""
        ...


class ReportWriter(Protocol):
    """Renders a finished run."""

    def write(
        self,
        run: Run,
        *,
        statements: Sequence[Statement],
        findings: Sequence[Finding],
        breaks: Sequence[Break],
        resolved: Sequence[Break],
        earlier: Sequence[Run],
        history: Mapping[str, Sequence[BreakAction]],
    ) -> str:
        """Write HTML, CSV and JSON to the object store; return the path of the HTML."""
        ...


class Processes(Protocol):
    """The running workflows, as the use cases reach them. Async: these calls go to Temporal, not to a thread."""

    async def start_order(self, order: PlaceOrder) -> bool:
        """Start the order's workflow; False when it has been started before."""
        ...

    async def deliver(self, shop: str, order_id: str, event: OrderEvent) -> OrderAnswer:
        """Deliver an event to an order exactly once (update id = event id).

        Raises NotFound when the order has no workflow, Conflict when its workflow is closed.
        """
        ...

    async def start_event(self, event: ProviderEvent) -> bool:
        """Start the event's workflow, as a webhook would; False when it has been started before."""
        ...
