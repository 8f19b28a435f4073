"""The books of one comparison: read from the provider, the shop, the warehouse and our own database.

The outside is read before our own books, so that what it tells has had the longest time to reach us; the warehouse
after them, since they say how far back to ask.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from worker.contract.reconciliation import Mode, Reconcile
from worker.domain.errors import InvalidInput, SourceUnreadable
from worker.domain.finding import Break, Leg
from worker.domain.ledger import LedgerLine, OwnOrder, Shipment, ShopOrder
from worker.domain.matching.payouts import PayoutSums, payout_scope, payouts_named
from worker.domain.matching.rejects import UnreadRow
from worker.domain.matching.rules import Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.shipments import parcels_from
from worker.domain.window import Span
from worker.services.continuity import gaps_of
from worker.services.payout_books import read_payouts
from worker.services.payout_files import PayoutFiles
from worker.services.ports import (
    Database,
    PaymentGateway,
    RejectedRow,
    ShopGateway,
    StatementFile,
    StatementScope,
    Transaction,
    WarehouseGateway,
)
from worker.services.ports.lake import EntryBlock, Gathering

T = TypeVar("T")

_TOLD_EVERY = 1_000
"""Lines of the ledger after which progress is told: ten pages, a few seconds."""

_SCOPES = {StatementScope.PAYOUTS: "payouts", StatementScope.BANK: "a bank account"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which legs were read to their end, and what was not."""

    legs_read: frozenset[Leg]
    incomplete_because: tuple[str, ...]
    unread_rows: tuple[UnreadRow, ...] = ()
    """Rows of the statement file that could not be read."""
    payouts_until: datetime | None = None
    """Up to when payouts are judged, where lists of them lie beside a statement."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """By which number the shop's customers know its orders, by id."""


class BookReader:
    """Reads the books over the ports."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        shop: ShopGateway,
        warehouse: WarehouseGateway,
    ) -> None:
        self._database = database
        self._payments = payments
        self._shop = shop
        self._warehouse = warehouse

    def statement(self, request: Reconcile) -> StatementFile | None:
        """Return the file the run compares with, None for the API; either must be of the books asked for."""
        sha256 = request.statement_sha256
        if sha256 is None:
            if request.provider != self._payments.name:
                raise InvalidInput(f"the ledger at hand is {self._payments.name}'s, not {request.provider}'s")
            return None
        file = self._database.transact(lambda tx: tx.statements.get(request.shop, sha256))
        if file is None:
            raise InvalidInput(f"no statement file imported for {request.shop} has the SHA-256 {sha256[:12]}...")
        if file.scope is not StatementScope.LEDGER:
            raise InvalidInput(
                f"the statement file {sha256[:12]}... tells of {_SCOPES[file.scope]}, not of single payments: "
                "there is nothing in it that orders could be compared with"
            )
        if file.provider != request.provider:
            raise InvalidInput(f"the statement file {sha256[:12]}... is of {file.provider}, not of {request.provider}")
        return file

    def read(
        self,
        request: Reconcile,
        scope: Scope,
        rules: Rules,
        open_breaks: Sequence[Break],
        gathering: Gathering,
        *,
        give_up: bool,
        progress: Callable[[str], None],
        now: datetime,
    ) -> Told:
        """Read all books of a scope into a lake.

        A source that cannot be read raises SourceUnreadable, or is left out (`give_up`).
        """
        start, end = scope.read_from, scope.window_end
        unread: list[str] = []
        paid_out = {Leg.PAYOUTS} if rules.judges_payouts(request.shop) else set()
        legs = {Leg.PAYMENTS, Leg.ORDERS, Leg.SHIPMENTS} | paid_out

        def outside(name: str, leg: Leg, read: Callable[[], Iterable[T]]) -> tuple[T, ...]:
            progress(f"reading {name}")
            try:
                return tuple(read())
            except SourceUnreadable as problem:
                if not give_up:
                    raise
                unread.append(f"{name} could not be read: {problem}")
                legs.discard(leg)
                return ()

        lists = PayoutFiles(self._database, gathering, request.shop, request.provider)
        file = self.statement(request)
        if file is not None:
            rejects = self._database.transact(lambda tx: tx.statements.rejects(file.shop, file.sha256))
            progress("reading the statement file")
            gathering.statement(file.sha256, lambda: self._stored_lines(file))
            at_hand = None
            if paid_out:
                window = Span(scope.window_start, scope.window_end) if request.window is not None else None
                at_hand = lists.beside(file, payout_scope(scope, rules), window, rules, now)
            if at_hand is not None:
                gathering.records(PayoutSums, at_hand.payouts)
            self._gather_entries(request, scope, gathering, progress)
            # A provider's file says nothing of orders or parcels: only money is compared.
            return Told(
                legs_read=frozenset({Leg.PAYMENTS} | paid_out),
                incomplete_because=(
                    *_unsound(file),
                    *gaps_of(self._database, file),
                    *(at_hand.unread if at_hand is not None else ()),
                ),
                unread_rows=_unread(file, rejects),
                payouts_until=at_hand.until if at_hand is not None else None,
            )

        def ledger() -> Iterable[LedgerLine]:
            gathering.told(lambda after: counted(self._payments.ledger(start, end, after)))
            return ()

        def counted(lines: Iterable[LedgerLine]) -> Iterator[LedgerLine]:
            for number, line in enumerate(lines):
                if number % _TOLD_EVERY == 0:
                    progress(f"reading the provider's ledger, {number} lines")
                yield line

        outside("the provider's ledger", Leg.PAYMENTS, ledger)
        if Leg.PAYMENTS not in legs:
            gathering.lines(())
        if request.mode == Mode.LIGHT:
            self._gather_entries(request, scope, gathering, progress)
            return Told(legs_read=frozenset(legs & {Leg.PAYMENTS}), incomplete_because=tuple(unread))
        if paid_out:
            of_payouts = payout_scope(scope, rules)
            of_names, judged = payouts_named(of_payouts, rules), Span(of_payouts.horizon_start, end)
            payouts = outside(
                "the provider's payouts",
                Leg.PAYOUTS,
                lambda: read_payouts(self._payments, gathering, of_names, judged, progress),
            )
            payouts = lists.against(payouts, judged.start, end) if Leg.PAYOUTS in legs else payouts
            gathering.records(PayoutSums, payouts)
        shop_orders = outside("the shop's orders", Leg.ORDERS, lambda: self._shop.orders(start, end))
        self._gather_entries(request, scope, gathering, progress)
        named = {order.order_id for order in shop_orders} | set(gathering.booked_orders())
        named |= {item.finding.order_id for item in open_breaks if item.finding.order_id}
        found = self._database.transact(
            lambda tx: tx.orders.for_reconciliation(request.shop, start, end, sorted(named))
        )
        own_orders = {order.order_id: order for order in found}
        # After our books: they tell how long ago a parcel that leaves only now was asked for.
        asked = parcels_from(own_orders.values(), scope)
        parcels = outside(
            "the warehouse's parcels", Leg.SHIPMENTS, lambda: self._warehouse.shipments(request.shop, asked, end)
        )
        more = sorted({parcel.order_id for parcel in parcels} - own_orders.keys())
        found = self._database.transact(lambda tx: tx.orders.for_reconciliation(request.shop, end, end, more))
        own_orders |= {order.order_id: order for order in found if order.order_id in more}
        gathering.records(OwnOrder, [own_orders[order_id] for order_id in sorted(own_orders)])
        gathering.records(ShopOrder, shop_orders)
        gathering.records(Shipment, parcels)
        numbers = {order.order_id: order.number for order in shop_orders if order.number}
        return Told(legs_read=frozenset(legs), incomplete_because=tuple(unread), numbers=numbers)

    def _gather_entries(
        self, request: Reconcile, scope: Scope, gathering: Gathering, progress: Callable[[str], None]
    ) -> None:
        def gather(tx: Transaction) -> None:
            def blocks() -> Iterator[EntryBlock]:
                rows = 0
                for block in tx.payments.entry_blocks(
                    request.shop, request.provider, scope.read_from, scope.window_end
                ):
                    rows += block.rows
                    progress(f"reading our books, {rows} entries")
                    yield block

            gathering.entries(blocks())

        progress("reading our books")
        self._database.transact(gather)

    def _stored_lines(self, file: StatementFile) -> Iterable[LedgerLine]:
        """Return the lines of a file that a release without a lake imported."""
        return self._database.transact(lambda tx: tuple(tx.statements.lines(file.shop, file.sha256)))


def _unread(file: StatementFile, rejects: Iterable[RejectedRow]) -> tuple[UnreadRow, ...]:
    return tuple(
        UnreadRow(file=file.name, line=row.line, column=row.column, reason=row.reason, read_at=file.imported_at)
        for row in rejects
    )


def _unsound(file: StatementFile) -> list[str]:
    """Return why a file may not hold everything the provider moved."""
    found = [f"{file.rejected} of {file.rows} rows of the statement file could not be read"] if file.rejected else []
    # Rows that stand twice were read: the comparison counts them. A rejected row fails checks, and is said already.
    failed = [name for name, result in sorted(file.checks.items()) if result.startswith("failed")]
    failed = [name for name in failed if not name.startswith("each ")]
    return found or [f"the statement file contradicts itself: {name}: {file.checks[name]}" for name in failed]
