"""Every SELECT ... FOR UPDATE, and the order in which one transaction may take them.

    1. watermark   one row a shop and provider: serialises its breaks, and guards the watermark itself
    2. run         one reconciliation run
    3. order       one order: its state, payments, book entries and parcels

A transaction takes locks from top to bottom only, and never two rows of one kind, so two of them cannot wait for
each other. What they still may deadlock on (unique keys met by inserts) the database retries.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.dialects.mysql import insert

from worker.repositories.schema import ORDERS, RUNS, WATERMARKS

_WATERMARK = (
    select(WATERMARKS.c.reached_at)
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


def lock_watermark(connection: Connection, shop: str, provider: str) -> datetime | None:
    """Lock the watermark of a shop and provider, making its row when it is the first time; return where it stands."""
    key = {"shop": shop, "provider": provider}
    row = connection.execute(_WATERMARK, key).one_or_none()
    if row is None:
        connection.execute(_MADE_WATERMARK, key)
        row = connection.execute(_WATERMARK, key).one()
    reached: datetime | None = row.reached_at
    return reached


def lock_run(connection: Connection, run_id: str) -> Row[Any] | None:
    """Lock a reconciliation run; None when there is none."""
    return connection.execute(_RUN, {"run_id": run_id}).one_or_none()


def lock_order(connection: Connection, shop: str, order_id: str) -> Row[Any] | None:
    """Lock an order; None when there is none."""
    return connection.execute(_ORDER, {"shop": shop, "order_id": order_id}).one_or_none()
