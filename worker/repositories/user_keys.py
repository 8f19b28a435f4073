"""Users' own keys in MySQL, wrapped: a copy of this table alone opens nothing. What was dropped leaves an empty row."""

from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from worker.repositories.insertion import insert_once
from worker.repositories.schema import USER_KEYS
from worker.services.ports.users import StoredKey

_ADD = insert(USER_KEYS)
_OF_USER = select(USER_KEYS).where(USER_KEYS.c.user_id == bindparam("of_user"))
_BY_ID = select(USER_KEYS).where(USER_KEYS.c.key_id == bindparam("of_key"))
_DROP = (
    update(USER_KEYS)
    .where(USER_KEYS.c.user_id == bindparam("of_user"), USER_KEYS.c.dropped_at.is_(None))
    .values(wrapped="", wrapped_with="", dropped_at=bindparam("at"))
)
_WRAPPED_OTHERWISE = (
    select(USER_KEYS)
    .where(USER_KEYS.c.wrapped_with != bindparam("current"), USER_KEYS.c.dropped_at.is_(None))
    .order_by(USER_KEYS.c.key_id)
    .limit(bindparam("most"))
)
# Dropped meanwhile: it must not come back.
_WRAP = (
    update(USER_KEYS)
    .where(USER_KEYS.c.key_id == bindparam("of_key"), USER_KEYS.c.dropped_at.is_(None))
    .values(wrapped=bindparam("to"), wrapped_with=bindparam("by"))
)


class MysqlUserKeyStore:
    """Implements `UserKeyStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: StoredKey, at: datetime) -> bool:
        """Insert; False when the user has one, or had."""
        values = {
            "key_id": key.key_id,
            "user_id": key.user_id,
            "wrapped": key.wrapped,
            "wrapped_with": key.wrapped_with,
            "made_at": at,
            "dropped_at": None,
        }
        return insert_once(self._connection, _ADD, values)

    def of_user(self, user_id: str) -> StoredKey | None:
        """Return the user's key or None."""
        return _read(self._connection.execute(_OF_USER, {"of_user": user_id}).one_or_none())

    def by_id(self, key_id: str) -> StoredKey | None:
        """Return a key by its id or None."""
        return _read(self._connection.execute(_BY_ID, {"of_key": key_id}).one_or_none())

    def drop(self, user_id: str, at: datetime) -> bool:
        """Forget the user's key; False when there is none, or none any more."""
        return self._connection.execute(_DROP, {"of_user": user_id, "at": at}).rowcount == 1

    def wrapped_otherwise(self, current: str, most: int) -> list[StoredKey]:
        """Return keys that another key than `current` wraps, at most so many."""
        rows = self._connection.execute(_WRAPPED_OTHERWISE, {"current": current, "most": most})
        return [key for row in rows if (key := _read(row)) is not None]

    def wrap(self, key_id: str, wrapped: str, by: str) -> None:
        """Store the same key, wrapped anew."""
        self._connection.execute(_WRAP, {"of_key": key_id, "to": wrapped, "by": by})


def _read(row: "Row[tuple[object, ...]] | None") -> StoredKey | None:
    if row is None:
        return None
    return StoredKey(
        key_id=row.key_id,
        user_id=row.user_id,
        wrapped=row.wrapped,
        wrapped_with=row.wrapped_with,
        dropped=row.dropped_at is not None,
    )
