"""A clean set of the three books that agree to the cent, and the single records to corrupt them with.

Order n is worth 1000 + n minor units. Everything happened at `LONG_AGO` (inside the window, older than any grace).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from worker.domain.finding import Finding, FindingKind, Outcome, Statement
from worker.domain.ledger import LedgerLine, LineKind, OwnOrder, Shipment, ShipmentState, ShopOrder
from worker.domain.matching.bridge import statements
from worker.domain.matching.orders import match_orders
from worker.domain.matching.payments import match_payments
from worker.domain.matching.scope import Scope
from worker.domain.matching.shipments import match_shipments
from worker.domain.payment import BookEntry, EntryKind

CUT = datetime(2026, 3, 10, tzinfo=UTC)
WINDOW_START = CUT - timedelta(days=1)
HORIZON = CUT - timedelta(days=6)
LONG_AGO = CUT - timedelta(hours=12)
BEFORE_WINDOW = CUT - timedelta(days=3)
JUST_NOW = CUT - timedelta(minutes=5)
SCOPE = Scope(
    window_start=WINDOW_START,
    window_end=CUT,
    horizon_start=HORIZON,
    payment_grace=timedelta(hours=1),
    shipment_grace=timedelta(hours=8),
    order_grace=timedelta(minutes=15),
)


def entry(
    order: str,
    minor: int,
    *,
    at: datetime = LONG_AGO,
    reference: str = "",
    payment: str = "",
    currency: str = "EUR",
) -> BookEntry:
    """A capture, or a refund when `minor` is negative."""
    payment = payment or f"pi_{order}"
    return BookEntry(
        shop="main",
        order_id=order,
        provider="stripe",
        kind=EntryKind.CAPTURE if minor >= 0 else EntryKind.REFUND,
        reference=reference or (payment if minor >= 0 else f"re_{order}"),
        payment_reference=payment,
        amount_minor=minor,
        currency=currency,
        occurred_at=at,
    )


def line(
    order: str,
    minor: int,
    kind: LineKind | None = None,
    *,
    at: datetime = LONG_AGO,
    fee: int = 0,
    line_id: str = "",
    payment: str | None = None,
    source: str = "",
    currency: str = "EUR",
    known: bool = True,
) -> LedgerLine:
    """A charge, or a refund when `minor` is negative; `known` = it carries the order's id."""
    kind = kind or (LineKind.CHARGE if minor >= 0 else LineKind.REFUND)
    payment = f"pi_{order}" if payment is None else payment
    prefix = {LineKind.CHARGE: "ch", LineKind.REFUND: "re", LineKind.REFUND_FAILURE: "re"}.get(kind, str(kind))
    return LedgerLine(
        line_id=line_id or f"txn_{kind}_{payment or order}",
        provider="stripe",
        kind=kind,
        currency=currency,
        gross_minor=minor,
        fee_minor=fee,
        net_minor=minor - fee,
        created_at=at,
        payment_reference=payment,
        order_id=order if known else "",
        source_id=source or f"{prefix}_{order if prefix == 're' else payment or order}",
    )


def own(order: str, total: int, state: str = "completed", **changes: object) -> OwnOrder:
    paid = state in {"paid", "fulfilling", "shipped", "completed"}
    base = OwnOrder(
        order_id=order,
        state=state,
        total_minor=total,
        currency="EUR",
        payment_mode="collected_by_shop",
        captured_minor=total if paid else 0,
        refunded_minor=0,
        placed_at=LONG_AGO,
        updated_at=LONG_AGO,
        shipped_at=LONG_AGO if state in {"shipped", "completed"} else None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def listed(order: str, total: int, **changes: object) -> ShopOrder:
    base = ShopOrder(order_id=order, total_minor=total, currency="EUR", paid=True, cancelled=False, created_at=LONG_AGO)
    return replace(base, **changes)  # type: ignore[arg-type]


def parcel(order: str, state: ShipmentState = ShipmentState.SHIPPED, **changes: object) -> Shipment:
    base = Shipment(
        shipment_id=f"shp_{order}",
        order_id=order,
        state=state,
        requested_at=LONG_AGO,
        shipped_at=LONG_AGO if state is ShipmentState.SHIPPED else None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class Books:
    """The three books; change the lists, then compare."""

    entries: list[BookEntry] = field(default_factory=list)
    lines: list[LedgerLine] = field(default_factory=list)
    own: list[OwnOrder] = field(default_factory=list)
    shop: list[ShopOrder] = field(default_factory=list)
    parcels: list[Shipment] = field(default_factory=list)
    order_of_payment: dict[str, str] = field(default_factory=dict)

    def payments(self, scope: Scope = SCOPE) -> tuple[Finding, ...]:
        return match_payments(self.entries, self.lines, self.order_of_payment, scope)

    def orders(self, scope: Scope = SCOPE) -> tuple[Finding, ...]:
        return match_orders(self.shop, self.own, scope)

    def shipments(self, scope: Scope = SCOPE) -> tuple[Finding, ...]:
        return match_shipments(self.own, self.parcels, scope)

    def bridge(self, scope: Scope = SCOPE, findings: Iterable[Finding] | None = None) -> tuple[Statement, ...]:
        found = self.payments(scope) if findings is None else findings
        return statements(self.entries, self.lines, found, self.order_of_payment, scope)


def clean(size: int = 12) -> Books:
    """Books of `size` orders that agree; every third order is refunded in part."""
    books = Books()
    for number in range(size):
        name, total = f"{number:03d}", 1000 + number
        books.entries.append(entry(name, total))
        books.lines.append(line(name, total, fee=30))
        if number % 3 == 0:
            books.entries.append(entry(name, -100))
            books.lines.append(line(name, -100))
        books.own.append(own(name, total))
        books.shop.append(listed(name, total))
        books.parcels.append(parcel(name))
    return books


def exceptions(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are not plain matches."""
    return [finding for finding in findings if finding.outcome is not Outcome.MATCHED]


def only(findings: Iterable[Finding], kind: FindingKind, outcome: Outcome = Outcome.BREAK) -> Finding:
    """Demand exactly one finding beyond the matches, of this kind and outcome."""
    found = exceptions(findings)
    assert [(f.kind, f.outcome) for f in found] == [(kind, outcome)], [(f.key, f.kind, f.cause) for f in found]
    return found[0]
