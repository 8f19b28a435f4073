"""The numbers that a shop's customers know orders by, for orders that were taken before numbers were kept."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from worker.repositories.paging import chunked
from worker.repositories.schema import ORDERS
from worker.services.ports.orders import Unnumbered

_C = ORDERS.c
_LACKING = select(func.count(), func.min(_C.placed_at), func.max(_C.placed_at)).where(_C.number == "")
_FILL = (
    update(ORDERS)
    .where(_C.shop == bindparam("of_shop"), _C.order_id == bindparam("of_order"), _C.number == "")
    .values(number=bindparam("told"))
)


class MysqlNumberStore:
    """Implements `NumberStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lacking(self, shop: str) -> Unnumbered:
        """Return how many orders have no number, and of which time they are."""
        count, first, last = self._connection.execute(_LACKING.where(_C.shop == shop)).one()
        return Unnumbered(orders=count, first_at=first, last_at=last)

    def complete(self, shop: str) -> bool:
        """Tell whether every order has its number: one look into the index."""
        columns = select(_C.order_id).where(_C.shop == shop, _C.number == "").limit(1)
        return self._connection.execute(columns).first() is None

    def without(self, shop: str, order_ids: Sequence[str]) -> set[str]:
        """Return which of these orders are in the books and have no number."""
        found: set[str] = set()
        for some in chunked(order_ids):
            columns = select(_C.order_id).where(_C.shop == shop, _C.order_id.in_(some), _C.number == "")
            found |= set(self._connection.execute(columns).scalars())
        return found

    def fill(self, shop: str, numbers: Mapping[str, str]) -> int:
        """Give orders their numbers, by id; return how many had none. Nothing else of them changes, nor does a number."""
        rows = [{"of_shop": shop, "of_order": name, "told": number} for name, number in sorted(numbers.items())]
        return sum(self._connection.execute(_FILL, row).rowcount for row in rows)
