"""Disputes as the provider last stated them, in MySQL. One belongs to one order for good."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.mysql import insert

from worker.domain.dispute import Dispute, DisputeState
from worker.domain.dispute_told import of_dispute
from worker.domain.errors import Conflict
from worker.repositories.dispute_tables import DISPUTES
from worker.repositories.outbound import MysqlOutboundStore
from worker.repositories.timeline import MysqlTimelineStore

_INSERT = insert(DISPUTES)
_SAVE = _INSERT.on_duplicate_key_update(
    {name: _INSERT.inserted[name] for name in ("amount_minor", "currency", "state", "reason", "updated_at")}
)
_OWNER = select(DISPUTES.c.shop, DISPUTES.c.order_id).where(
    DISPUTES.c.provider == bindparam("of_provider"), DISPUTES.c.reference == bindparam("of_reference")
)
_OF_ORDER = (
    select(DISPUTES)
    .where(DISPUTES.c.shop == bindparam("of_shop"), DISPUTES.c.order_id == bindparam("of_order"))
    .order_by(DISPUTES.c.opened_at, DISPUTES.c.reference)
)


class MysqlDisputeStore:
    """Implements `DisputeStore`."""

    def __init__(self, connection: Connection, timeline: MysqlTimelineStore, outbound: MysqlOutboundStore) -> None:
        self._connection = connection
        self._timeline = timeline
        self._outbound = outbound

    def save(self, shop: str, order_id: str, dispute: Dispute, at: datetime) -> None:
        """Insert or update a dispute, and tell of a new state in its order's timeline. Raises Conflict for another order's."""
        values = {
            "provider": dispute.provider,
            "reference": dispute.reference,
            "payment_reference": dispute.payment_reference,
            "shop": shop,
            "order_id": order_id,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "state": dispute.state.value,
            "reason": dispute.reason[:255],
            "opened_at": dispute.opened_at,
            "updated_at": at,
        }
        self._connection.execute(_SAVE, values)
        key = {"of_provider": dispute.provider, "of_reference": dispute.reference}
        owner = self._connection.execute(_OWNER, key).one()
        if (owner.shop, owner.order_id) != (shop, order_id):
            raise Conflict(
                f"dispute {dispute.reference} is order {owner.shop}/{owner.order_id}'s, not {shop}/{order_id}'s"
            )
        told = of_dispute(shop, order_id, dispute, at)
        self._timeline.add(told)
        self._outbound.changed(told)

    def of_order(self, shop: str, order_id: str) -> list[Dispute]:
        """Return the disputes of an order, oldest first, without their movements."""
        rows = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        return [
            Dispute(
                provider=row.provider,
                reference=row.reference,
                payment_reference=row.payment_reference,
                amount_minor=row.amount_minor,
                currency=row.currency,
                state=DisputeState(row.state),
                opened_at=row.opened_at,
                reason=row.reason,
            )
            for row in rows
        ]
