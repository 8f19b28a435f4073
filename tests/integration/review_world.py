"""A shop, its books, its provider, its warehouse, as runs of a review meet them: real database, small outside worlds."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from tests.unit.lake_books import lake_in
from worker.contract.reconciliation import Reconcile, Window
from worker.domain.errors import NotFound, SourceUnreadable
from worker.domain.finding import Break, FindingKind
from worker.domain.ledger import LedgerLine, LineKind, Shipment, ShopOrder
from worker.domain.matching.payouts import PayoutSums
from worker.domain.order import Line, Order, OrderState
from worker.domain.payment import BookEntry, EntryKind, Payment, Refund
from worker.repositories.database import MysqlDatabase
from worker.services.bookkeeping import Bookkeeping
from worker.services.lost_messages import LostMessages, Sources
from worker.services.ports import Run, ShopPayment, StatementFile
from worker.services.reconciliation import Graces, ReconciliationService

NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
CUT = NOW - timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACES = Graces(payment=HOUR, shipment=2 * DAY, order=timedelta(minutes=15), lookback=5 * DAY)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Provider:
    name: str = "stripe"
    lines: list[LedgerLine] = field(default_factory=list)
    held: dict[str, Payment] = field(default_factory=dict)
    made: list[Refund] = field(default_factory=list)
    away: bool = False

    def ledger(self, start: datetime, end: datetime, after: str = "") -> Iterator[LedgerLine]:
        if self.away:
            raise SourceUnreadable("the provider is away")
        return (line for line in self.lines if start <= line.created_at < end and line.line_id > after)

    def payouts(self, start: datetime, end: datetime) -> Iterator[PayoutSums]:
        return iter(())

    def retrieve(self, reference: str) -> Payment:
        if reference not in self.held:
            raise NotFound(reference)
        return self.held[reference]

    def refunds(self, reference: str) -> list[Refund]:
        return [refund for refund in self.made if refund.payment_reference == reference]

    def payment_document(self, reference: str) -> str:
        return json.dumps({"id": reference})


@dataclass
class Shop:
    listed: list[ShopOrder] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    collected: list[ShopPayment] = field(default_factory=list)

    def orders(self, start: datetime, end: datetime) -> Iterator[ShopOrder]:
        return (o for o in self.listed if (o.updated_at or o.created_at) >= start and o.created_at < end)

    def payments(self, order_id: str) -> list[ShopPayment]:
        assert order_id
        return self.collected

    def order_document(self, order_id: str) -> str:
        if order_id not in self.documents:
            raise NotFound(order_id)
        return json.dumps(self.documents[order_id])


@dataclass
class Warehouse:
    parcels: list[Shipment] = field(default_factory=list)

    def shipments(self, shop: str, start: datetime, end: datetime) -> Iterator[Shipment]:
        assert shop
        return (parcel for parcel in self.parcels if start <= parcel.requested_at < end)


class World:
    """One shop's books and its outside."""

    def __init__(self, database: MysqlDatabase, shop: str, folder: Path) -> None:
        self.database, self.shop = database, shop
        self.provider, self.store, self.warehouse, self.clock = Provider(), Shop(), Warehouse(), Clock()
        payments, store, warehouse = cast("Any", self.provider), cast("Any", self.store), cast("Any", self.warehouse)
        self.lake = lake_in(folder)
        self.service = ReconciliationService(database, payments, store, warehouse, self.clock, GRACES, self.lake)
        self.messages = LostMessages(database, payments, store, warehouse, self.clock, Sources())
        self.books = Bookkeeping(database, payments, store, self.clock)
        self.runs = 0

    def request(self, **changes: Any) -> Reconcile:
        return replace(Reconcile(shop=self.shop, provider="stripe"), **changes)

    def between(self, start: datetime, end: datetime = CUT) -> Reconcile:
        return self.request(window=Window(start=start.isoformat(), end=end.isoformat()))

    def run(self, request: Reconcile | None = None, nominal: datetime = NOW, *, give_up: bool = False) -> Run:
        request = request or self.request(offset_seconds=300)
        self.runs += 1
        self.clock.at += timedelta(seconds=1)
        return self.service.run(
            request,
            self.service.window(request, nominal),
            run_id=f"{self.shop}-{self.runs}",
            workflow_id="reconcile/x",
            give_up=give_up,
            progress=lambda _: None,
        )

    def open(self) -> list[Break]:
        return self.database.transact(lambda tx: tx.breaks.open(self.shop, "stripe"))

    def kinds(self) -> list[tuple[str, FindingKind]]:
        return [(item.finding.order_id, item.finding.kind) for item in self.open()]

    def watermark(self) -> datetime | None:
        return self.database.transact(lambda tx: tx.runs.watermark(self.shop, "stripe"))

    def order(self, order_id: str, *states: OrderState, at: datetime, mode: str = "charge", total: int = 500) -> None:
        order = Order(
            shop=self.shop,
            order_id=order_id,
            currency="EUR",
            total_minor=total,
            lines=(Line(sku="a", quantity=1, unit_price_minor=total),),
            customer_id="c",
            payment_mode=mode,
            placed_at=at,
            origin="api",
        )
        self.database.transact(lambda tx: tx.orders.add(order, at, "test"))
        for state in states:
            self.move(order_id, state, at=at)

    def move(self, order_id: str, to: OrderState, *, at: datetime) -> None:
        self.database.transact(lambda tx: tx.orders.move(tx.orders.lock(self.shop, order_id), to, at=at, actor="test"))

    def paid(self, order_id: str, *, at: datetime, theirs_at: datetime | None = None, minor: int = 500) -> None:
        """Book a capture, and show it in the provider's ledger."""
        payment = f"pi_{self.shop}_{order_id}"
        entry = BookEntry(
            shop=self.shop,
            order_id=order_id,
            provider="stripe",
            kind=EntryKind.CAPTURE,
            reference=payment,
            payment_reference=payment,
            amount_minor=minor,
            currency="EUR",
            occurred_at=at,
        )
        self.database.transact(lambda tx: tx.payments.post(entry))
        self.provider.lines.append(self.charge(order_id, at=theirs_at or at, minor=minor))

    def charge(self, order_id: str, *, at: datetime, minor: int = 500, shop: str = "") -> LedgerLine:
        payment = f"pi_{self.shop}_{order_id}"
        return LedgerLine(
            line_id=f"txn_{payment}",
            provider="stripe",
            kind=LineKind.CHARGE,
            currency="EUR",
            gross_minor=minor,
            fee_minor=0,
            net_minor=minor,
            created_at=at,
            payment_reference=payment,
            order_id=order_id,
            source_id=f"ch_{order_id}",
            shop=shop or self.shop,
        )

    def statement(self, lines: Sequence[LedgerLine], **changes: Any) -> str:
        file = StatementFile(
            sha256=(self.shop * 64)[:60] + f"{self.runs:04d}",
            shop=self.shop,
            provider="stripe",
            format="stripe_payout_reconciliation",
            name="x.csv",
            imported_at=NOW,
            rows=len(lines),
            rejected=0,
            first_at=min(line.created_at for line in lines),
            last_at=max(line.created_at for line in lines),
            checks={"every row read": "ok"},
        )
        file = replace(file, **changes)
        self.lake.keep(file.shop, file.provider, file.sha256, lines)
        self.database.transact(lambda tx: tx.statements.add(file, ()))
        return file.sha256
