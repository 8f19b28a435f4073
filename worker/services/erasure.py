"""Erasure of a user on request: what says who it is goes, what says what happened stays.

    MySQL      the address is removed, the user's key is dropped, the audit trail notes who did it and why; orders,
               payments and the trail keep ids and amounts
    Temporal   the user's own process is ended and its history deleted (worker/temporal/forgetting.py)
    copies     of Temporal's database (backups, archives) hold bytes: what activities said was sealed with the user's
               own key and is lost at once; the start, which came from the functions before there was such a key, is
               sealed with a key of the settings, and is lost when that key is given up

What this cannot reach: webhooks that mention the person (a shop's order names its buyer) are kept sealed by a key of
the settings until the namespace's retention ends, since nobody can tell from outside whose they are.
"""

from dataclasses import dataclass
from datetime import datetime

from worker.domain.audit import AuditRecord, canonical
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.user import UserState
from worker.services.ports import Database, Transaction

ERASED = "erased"
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure found in MySQL."""

    user_id: str
    before: UserState
    had_key: bool
    changes: tuple[str, ...] = ()
    """Changes of address that the user asked for: each has a process, whose history is to be deleted."""

    @property
    def first(self) -> bool:
        """Whether it was this request that erased the user, and not an earlier one."""
        return self.before is not UserState.ERASED


def erase(database: Database, shop: str, user_id: str, *, actor: str, reason: str, at: datetime) -> Erasure:
    """Remove from MySQL what says who a user is. Doing it again changes nothing, and is noted nowhere.

    Raises NotFound for a user who is not in our books, InvalidInput for a reason that is empty or too long.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise InvalidInput(f"give a reason of at most {_LONGEST_REASON} characters")

    def work(tx: Transaction) -> Erasure:
        user = tx.users.get(user_id)
        if user is None:
            raise NotFound(f"user {user_id} is not in our books")
        erased = tx.users.erase(user_id, at)
        changes = tx.address_changes.forget(user_id, at)
        had_key = tx.user_keys.drop(user_id, at)
        if erased:
            detail = canonical({"reason": reason, "was": str(user.state), "key_dropped": had_key})
            tx.audit.append(
                shop, AuditRecord(at=at, actor=actor, action=ERASED, subject=f"user/{user_id}", detail=detail)
            )
        return Erasure(user_id=user_id, before=user.state, had_key=had_key, changes=tuple(changes))

    return database.transact(work)
