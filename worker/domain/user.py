"""A user: pending until the mailed token is confirmed, then active; expired when nobody confirms.

A new address is a change of its own: asked for, confirmed with the token that is mailed to it, and in force only then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

USERS_KEY = "user."
"""Begins the id of a user's own key; ids of the settings' keys have no dot."""


class UserState(StrEnum):
    """Where a user's registration stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    """A person switched the account off; it can be switched on again."""
    ERASED = "erased"
    """Only the id is left, so that it is never given to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user. `email` is personal data: it lives in MySQL and in mails, never in logs or errors."""

    user_id: str
    email: str
    state: UserState
    registered_at: datetime
    confirmed_at: datetime | None = None


class ChangeState(StrEnum):
    """Where the change of an address stands."""

    PENDING = "pending"
    CHANGED = "changed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    """The user asked for another one afterwards."""
    REFUSED = "refused"
    """The user is not active."""
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """A change of an address. `email` is the new one, `previous` the old one until it was told; both are emptied then."""

    user_id: str
    change_id: str
    email: str
    state: ChangeState
    asked_at: datetime
    previous: str = ""


def wait_for_resend(mailed: Sequence[datetime], now: datetime, pause: timedelta) -> timedelta:
    """Return how long the next mail that somebody asks for has to wait after those that were sent; zero: not at all."""
    return max(timedelta(0), mailed[-1] + pause - now) if mailed else timedelta(0)


def is_users_key(key_id: str) -> bool:
    """Tell a user's own key from one of the settings by its id."""
    return key_id.startswith(USERS_KEY)
