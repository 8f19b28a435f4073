"""Erasure of a user on request: what says who it is goes, what says what happened stays.

    MySQL      the address is removed, as is where the parcels of their orders went, the user's key is dropped, the audit trail notes who did it and why; orders,
               payments and the trail keep ids and amounts
    Temporal   the user's own process is ended and its history deleted (worker/temporal/forgetting.py), and with it
               those of their orders that had a shipping address
    copies     of Temporal's database (backups, archives) hold bytes: what activities said was sealed with the user's
               own key and is lost at once; the start, which came from the functions before there was such a key, is
               sealed with a key of the settings, and is lost when that key is given up

An order that is not over still needs its address: erasure waits for it, or for somebody who cancels it. Who never
registered and only ordered (the shop's own customers) is erased by the id that their orders name them by.

What this cannot reach: webhooks that mention the person (a shop's order names its buyer) are kept sealed by a key of
the settings until the namespace's retention ends, since nobody can tell from outside whose they are.
"""

from dataclasses import dataclass
from datetime import datetime

from worker.domain.audit import AuditRecord, canonical
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.domain.user import User, UserState
from worker.services.ports import Database, Transaction

ERASED = "erased"
GUEST = "guest"
"""Whom the shop's orders name that name nobody: many people, of whom none can be told from the others."""
_NAMED = 5
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure found in MySQL."""

    user_id: str
    before: UserState | None
    """None for a customer who never registered."""
    had_key: bool
    changes: tuple[str, ...] = ()
    """Changes of address that the user asked for: each has a process, whose history is to be deleted."""
    orders: tuple[str, ...] = ()
    """Orders that had a shipping address: their histories have it, too."""
    addresses: int = 0
    """Shipping addresses that were removed."""

    @property
    def first(self) -> bool:
        """Whether it was this request that erased somebody, and not an earlier one."""
        return self.addresses > 0 if self.before is None else self.before is not UserState.ERASED


def erase(database: Database, shop: str, user_id: str, *, actor: str, reason: str, at: datetime) -> Erasure:
    """Remove from MySQL what says who a user is. Doing it again changes nothing, and is noted nowhere.

    Raises NotFound for a user who is not in our books, InvalidInput for a reason that is empty or too long, Conflict
    while a parcel is still to reach them.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise InvalidInput(f"give a reason of at most {_LONGEST_REASON} characters")

    def work(tx: Transaction) -> Erasure:
        user, orders = found(tx, shop, user_id)
        addresses = tx.shipping_addresses.forget(shop, user_id, at)
        erased = tx.users.erase(user_id, at) or addresses > 0
        changes = tx.address_changes.forget(user_id, at)
        had_key = tx.user_keys.drop(user_id, at)
        if erased:
            was = str(user.state) if user else "not registered"
            detail = canonical({"reason": reason, "was": was, "key_dropped": had_key, "addresses": addresses})
            tx.audit.append(
                shop, AuditRecord(at=at, actor=actor, action=ERASED, subject=f"user/{user_id}", detail=detail)
            )
        return Erasure(
            user_id=user_id,
            before=user.state if user else None,
            had_key=had_key,
            changes=tuple(changes),
            orders=tuple(orders),
            addresses=addresses,
        )

    return database.transact(work)


def found(tx: Transaction, shop: str, user_id: str) -> tuple[User | None, list[str]]:
    """Return who is to be erased (None: a customer who never registered), and their orders with an address.

    Raises NotFound, and Conflict while a parcel is still to reach them.
    """
    user = tx.users.get(user_id)
    orders = tx.shipping_addresses.of_customer(shop, user_id)
    if user is None and (not orders or user_id == GUEST):
        raise NotFound(f"user {user_id} is not in our books")
    if needed := tx.shipping_addresses.needed(shop, user_id):
        names = ", ".join(needed[:_NAMED]) + (" and more" if len(needed) > _NAMED else "")
        raise Conflict(
            f"user {user_id} has orders that are not over and need their address ({names}): let them end, or cancel them, "
            "and erase then"
        )
    return user, orders
