"""Every SELECT ... FOR UPDATE, and the order in which one transaction may take them.

    1. watermark   one row a shop and provider: serialises its breaks, and guards the watermark itself
    2. run         one reconciliation run
    3. order       one order: its state, payments, book entries and parcels
    4. stock       the levels of one order's SKUs, in the order of their names
    5. audit head  one row a shop: the end of its audit trail, taken when all else is done, right before the commit

A transaction takes locks from top to bottom only, and never two rows of one kind (but watermarks, levels of stock and audit
heads: those in the order of their keys), so two of them cannot wait for each other. What they still may deadlock on
(unique keys met by inserts) the database retries.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.dialects.mysql import insert

from worker.domain.audit import NOTHING, AuditHead
from worker.repositories.schema import AUDIT_HEADS, ORDERS, RUNS, WATERMARKS
from worker.repositories.stock_tables import STOCK_LEVELS

_WATERMARK = (
    select(WATERMARKS)
    .where(WATERMARKS.c.shop == bindparam("shop"), WATERMARKS.c.provider == bindparam("provider"))
    .with_for_update()
)
# Not INSERT IGNORE: that leaves a shared lock on a row met, and two sharers that both want more deadlock.
_MADE_WATERMARK = (
    insert(WATERMARKS)
    .values(shop=bindparam("shop"), provider=bindparam("provider"))
    .on_duplicate_key_update(reached_at=WATERMARKS.c.reached_at)
)
_RUN = select(RUNS).where(RUNS.c.run_id == bindparam("run_id")).with_for_update()
_ORDER = (
    select(ORDERS)
    .where(ORDERS.c.shop == bindparam("shop"), ORDERS.c.order_id == bindparam("order_id"))
    .with_for_update()
)
# Along the primary key, whatever the optimiser thinks of a small table: a scan would lock, and wait for, other SKUs.
_STOCK = (
    select(STOCK_LEVELS)
    .with_hint(STOCK_LEVELS, "FORCE INDEX (PRIMARY)")
    .where(STOCK_LEVELS.c.shop == bindparam("shop"), STOCK_LEVELS.c.sku.in_(bindparam("skus", expanding=True)))
    .order_by(STOCK_LEVELS.c.sku)
    .with_for_update()
)
_MADE_LEVEL = (
    insert(STOCK_LEVELS)
    .values(shop=bindparam("shop"), sku=bindparam("sku"), available=0, reserved=0, shipped=0, updated_at=func.now(6))
    .on_duplicate_key_update(sku=STOCK_LEVELS.c.sku)
)
_AUDIT_HEAD = select(AUDIT_HEADS).where(AUDIT_HEADS.c.shop == bindparam("shop")).with_for_update()
_MADE_AUDIT_HEAD = (
    insert(AUDIT_HEADS)
    .values(shop=bindparam("shop"), sequence=0, hash=NOTHING)
    .on_duplicate_key_update(sequence=AUDIT_HEADS.c.sequence)
)


def lock_watermark(connection: Connection, shop: str, provider: str) -> Row[Any]:
    """Lock the watermarks of a shop and provider, making their row when it is the first time; return it."""
    key = {"shop": shop, "provider": provider}
    row = connection.execute(_WATERMARK, key).one_or_none()
    if row is None:
        connection.execute(_MADE_WATERMARK, key)
        row = connection.execute(_WATERMARK, key).one()
    return row


def lock_run(connection: Connection, run_id: str) -> Row[Any] | None:
    """Lock a reconciliation run; None when there is none."""
    return connection.execute(_RUN, {"run_id": run_id}).one_or_none()


def lock_order(connection: Connection, shop: str, order_id: str) -> Row[Any] | None:
    """Lock an order; None when there is none."""
    return connection.execute(_ORDER, {"shop": shop, "order_id": order_id}).one_or_none()


def lock_stock(connection: Connection, shop: str, skus: Sequence[str]) -> Sequence[Row[Any]]:
    """Lock the levels of some SKUs, sorted; those without a level are absent."""
    return connection.execute(_STOCK, {"shop": shop, "skus": sorted(skus)}).all()


def lock_stock_of_one(connection: Connection, shop: str, sku: str) -> Row[Any]:
    """Lock the level of an SKU, making an empty one when it is new; return it."""
    found = lock_stock(connection, shop, [sku])
    if not found:
        connection.execute(_MADE_LEVEL, {"shop": shop, "sku": sku})
        found = lock_stock(connection, shop, [sku])
    return found[0]


def lock_audit_head(connection: Connection, shop: str) -> AuditHead:
    """Lock the end of a shop's audit trail, making its row when it is the first time; return where it stands."""
    row = connection.execute(_AUDIT_HEAD, {"shop": shop}).one_or_none()
    if row is None:
        connection.execute(_MADE_AUDIT_HEAD, {"shop": shop})
        row = connection.execute(_AUDIT_HEAD, {"shop": shop}).one()
    return AuditHead(sequence=row.sequence, hash=row.hash)
