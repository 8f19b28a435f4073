"""Changes of users' addresses in MySQL. Addresses are personal data: kept no longer than they are needed."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from worker.domain.user import AddressChange, ChangeState
from worker.repositories.insertion import insert_once
from worker.repositories.schema import ADDRESS_CHANGES

_OF_USER = ADDRESS_CHANGES.c.user_id == bindparam("of_user")
_ONE = ADDRESS_CHANGES.c.change_id == bindparam("of_change")
_PENDING = ADDRESS_CHANGES.c.state == ChangeState.PENDING.value
_ADD = insert(ADDRESS_CHANGES)
_GET = select(ADDRESS_CHANGES).where(_OF_USER, _ONE)
_IDS = select(ADDRESS_CHANGES.c.change_id).where(_OF_USER).order_by(ADDRESS_CHANGES.c.change_id)
_FINISH = (
    update(ADDRESS_CHANGES)
    .where(_OF_USER, _ONE, _PENDING)
    .values(state=bindparam("to_state"), email="", previous=bindparam("old"), finished_at=bindparam("at"))
)
_FINISH_ALL = (
    update(ADDRESS_CHANGES)
    .where(_OF_USER, _PENDING)
    .values(state=bindparam("to_state"), email="", previous="", finished_at=bindparam("at"))
)
_TOLD = update(ADDRESS_CHANGES).where(_OF_USER, _ONE).values(previous="")
_FORGET = update(ADDRESS_CHANGES).where(_OF_USER).values(email="", previous="")


class MysqlAddressChangeStore:
    """Implements `AddressChangeStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, change: AddressChange) -> bool:
        """Insert; False when the user's change of that id exists."""
        values = {
            "user_id": change.user_id,
            "change_id": change.change_id,
            "email": change.email,
            "previous": change.previous,
            "state": change.state.value,
            "asked_at": change.asked_at,
            "finished_at": None,
        }
        return insert_once(self._connection, _ADD, values)

    def get(self, user_id: str, change_id: str) -> AddressChange | None:
        """Return one change or None."""
        row = self._connection.execute(_GET, {"of_user": user_id, "of_change": change_id}).one_or_none()
        if row is None:
            return None
        return AddressChange(
            user_id=row.user_id,
            change_id=row.change_id,
            email=row.email,
            state=ChangeState(row.state),
            asked_at=row.asked_at,
            previous=row.previous,
        )

    def finish(self, user_id: str, change_id: str, to: ChangeState, at: datetime, *, previous: str = "") -> bool:
        """End a pending change; False when it was over. `previous` is kept until it was told."""
        values = {"of_user": user_id, "of_change": change_id, "to_state": to.value, "at": at, "old": previous}
        return self._connection.execute(_FINISH, values).rowcount == 1

    def finish_pending(self, user_id: str, to: ChangeState, at: datetime) -> int:
        """End every pending change of a user; return how many."""
        return self._connection.execute(_FINISH_ALL, {"of_user": user_id, "to_state": to.value, "at": at}).rowcount

    def told(self, user_id: str, change_id: str) -> None:
        """Forget the old address of a change: it was told."""
        self._connection.execute(_TOLD, {"of_user": user_id, "of_change": change_id})

    def forget(self, user_id: str, at: datetime) -> list[str]:
        """Remove every address of a user's changes, ending those that are pending; return the ids of all."""
        self.finish_pending(user_id, ChangeState.ERASED, at)
        self._connection.execute(_FORGET, {"of_user": user_id})
        return list(self._connection.execute(_IDS, {"of_user": user_id}).scalars())
