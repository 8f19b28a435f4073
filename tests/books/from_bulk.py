"""Rows of DuckDB's made books as the domain's records, so that the plain Python rules can judge them."""

from datetime import UTC, datetime
from typing import Any

from infra.local.books.bulk import BulkBooks
from tests.books.filled import Filled
from tests.unit.matching_books import Books
from worker.domain.ledger import LedgerLine, LineKind, OwnOrder, Shipment, ShipmentState, ShopOrder
from worker.domain.payment import BookEntry, EntryKind


def from_bulk(bulk: BulkBooks) -> Filled:
    """Return all books, sorted by order. For tests: everything is held in memory."""
    return Filled(
        plan=bulk.plan,
        books=Books(
            entries=[
                BookEntry(**(row | {"kind": EntryKind(row["kind"])}))
                for row in rows(bulk, "entries", "number, occurred_at, kind, reference")
            ],
            lines=[
                LedgerLine(**(row | {"kind": LineKind(row["kind"])}))
                for row in rows(bulk, "lines", "number NULLS LAST, line_id")
            ],
            own=own_orders(bulk),
            shop=[ShopOrder(**row) for row in rows(bulk, "listed", "number")],
            parcels=[
                Shipment(**({k: v for k, v in row.items() if k != "shop"} | {"state": ShipmentState(row["state"])}))
                for row in rows(bulk, "parcels", "number")
            ],
            order_of_payment={row["reference"]: row["order_id"] for row in rows(bulk, "payments", "number, reference")},
        ),
    )


def own_orders(bulk: BulkBooks) -> list[OwnOrder]:
    """Return our orders with the sums that the repository would read."""
    query = """
        SELECT o.order_id, o.state, o.total_minor, o.currency, o.payment_mode,
            coalesce(e.captured, 0)::BIGINT AS captured_minor, coalesce(e.refunded, 0)::BIGINT AS refunded_minor,
            o.placed_at, o.updated_at, p.shipped_at, p.requested_at
        FROM orders AS o LEFT JOIN parcels AS p USING (order_id) LEFT JOIN (
            SELECT order_id, sum(amount_minor) FILTER (kind = 'capture') AS captured,
                -sum(amount_minor) FILTER (kind = 'refund') AS refunded
            FROM entries GROUP BY order_id
        ) AS e USING (order_id)
        ORDER BY o.number
    """
    return [OwnOrder(**row) for row in _read(bulk, query)]


def rows(bulk: BulkBooks, relation: str, order: str) -> list[dict[str, Any]]:
    """Return a relation's rows by column name, without the order's running number; times are aware."""
    return [
        {name: value for name, value in row.items() if name != "number"}
        for row in _read(bulk, f"SELECT * FROM {relation} ORDER BY {order}")  # noqa: S608 - names of ours
    ]


def _read(bulk: BulkBooks, query: str) -> list[dict[str, Any]]:
    found = bulk.connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [
        {n: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for n, v in zip(names, row, strict=True)}
        for row in found.fetchall()
    ]
