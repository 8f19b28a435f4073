"""Users in MySQL. The address is personal data: it is stored here and never part of an error."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from worker.domain.user import User, UserState
from worker.repositories.insertion import insert_once
from worker.repositories.schema import USERS

_ADD = insert(USERS)
_GET = select(USERS).where(USERS.c.user_id == bindparam("of_user"))
_MOVE = (
    update(USERS)
    .where(USERS.c.user_id == bindparam("of_user"), USERS.c.state == bindparam("expected"))
    .values(
        state=bindparam("to_state"),
        updated_at=bindparam("at"),
        # Once confirmed, the time stays whatever the user becomes later.
        confirmed_at=func.coalesce(USERS.c.confirmed_at, bindparam("confirmed", type_=USERS.c.confirmed_at.type)),
    )
)
_LISTED = select(USERS).order_by(USERS.c.registered_at.desc(), USERS.c.user_id.desc()).limit(bindparam("at_most"))
_LISTED_IN = _LISTED.where(USERS.c.state == bindparam("in_state"))
_SET_EMAIL = (
    update(USERS)
    .where(USERS.c.user_id == bindparam("of_user"), USERS.c.state == UserState.ACTIVE.value)
    .values(email=bindparam("to_email"), updated_at=bindparam("at"))
)
_ERASE = (
    update(USERS)
    .where(USERS.c.user_id == bindparam("of_user"), USERS.c.state != UserState.ERASED.value)
    .values(email="", state=UserState.ERASED.value, updated_at=bindparam("at"))
)


class MysqlUserStore:
    """Implements `UserStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, user: User) -> bool:
        """Insert; False when the id exists."""
        values = {
            "user_id": user.user_id,
            "email": user.email,
            "state": user.state.value,
            "registered_at": user.registered_at,
            "confirmed_at": user.confirmed_at,
            "updated_at": user.confirmed_at or user.registered_at,
        }
        return insert_once(self._connection, _ADD, values)

    def get(self, user_id: str) -> User | None:
        """Return the user or None."""
        row = self._connection.execute(_GET, {"of_user": user_id}).one_or_none()
        return _user(row) if row is not None else None

    def recent(self, *, state: UserState | None, limit: int) -> list[User]:
        """Return the newest users, of one state or all."""
        asked = {"at_most": limit} | ({"in_state": state.value} if state else {})
        return [_user(row) for row in self._connection.execute(_LISTED_IN if state else _LISTED, asked).all()]

    def set_email(self, user_id: str, email: str, at: datetime) -> bool:
        """Put another address in force; False for a user who is not active."""
        return self._connection.execute(_SET_EMAIL, {"of_user": user_id, "to_email": email, "at": at}).rowcount == 1

    def move(self, user_id: str, expected: UserState, to: UserState, at: datetime) -> bool:
        """Change the state if it is `expected`; return whether it was. Becoming active sets `confirmed_at`."""
        values = {
            "of_user": user_id,
            "expected": expected.value,
            "to_state": to.value,
            "at": at,
            "confirmed": at if to is UserState.ACTIVE else None,
        }
        return self._connection.execute(_MOVE, values).rowcount == 1

    def erase(self, user_id: str, at: datetime) -> bool:
        """Remove the address and end in `erased`, whatever the state; False when that was done before."""
        return self._connection.execute(_ERASE, {"of_user": user_id, "at": at}).rowcount == 1


def _user(row: Row[Any]) -> User:
    return User(
        user_id=row.user_id,
        email=row.email,
        state=UserState(row.state),
        registered_at=row.registered_at,
        confirmed_at=row.confirmed_at,
    )
