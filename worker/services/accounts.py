"""Accounts switched off and on again by people: who did it and why stands in the audit trail."""

from datetime import datetime

from worker.domain.audit import AuditRecord, canonical
from worker.domain.errors import Conflict, NotFound
from worker.domain.user import ChangeState, User, UserState
from worker.services.ports import Database, Transaction


def deactivate(database: Database, shop: str, user_id: str, *, actor: str, reason: str, at: datetime) -> bool:
    """Switch an active user off, with the change of address that was under way; False when it was done before.

    Raises NotFound, Conflict for a user who is neither active nor deactivated.
    """
    return _move(database, shop, user_id, UserState.ACTIVE, UserState.DEACTIVATED, actor=actor, reason=reason, at=at)


def reactivate(database: Database, shop: str, user_id: str, *, actor: str, reason: str, at: datetime) -> bool:
    """Switch a user on again; False when it was done before. Raises as `deactivate` does."""
    return _move(database, shop, user_id, UserState.DEACTIVATED, UserState.ACTIVE, actor=actor, reason=reason, at=at)


def account_of(tx: Transaction, user_id: str) -> User:
    """Return a user. Raises NotFound."""
    user = tx.users.get(user_id)
    if user is None:
        raise NotFound(f"user {user_id} is not in our books; `orders users list` shows who is")
    return user


def _move(
    database: Database,
    shop: str,
    user_id: str,
    expected: UserState,
    to: UserState,
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> bool:
    def work(tx: Transaction) -> bool:
        user = account_of(tx, user_id)
        if user.state is to:
            return False
        if not tx.users.move(user_id, expected, to, at):
            raise Conflict(f"user {user_id} is {user.state}: only one who is {expected} becomes {to}")
        if to is UserState.DEACTIVATED:
            tx.address_changes.finish_pending(user_id, ChangeState.REFUSED, at)
        record = AuditRecord(
            at=at, actor=actor, action=str(to), subject=f"user/{user_id}", detail=canonical({"reason": reason})
        )
        tx.audit.append(shop, record)
        return True

    return database.transact(work)
