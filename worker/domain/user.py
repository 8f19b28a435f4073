"""A user: pending until the mailed token is confirmed, then active; expired when nobody confirms."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

USERS_KEY = "user."
"""Begins the id of a user's own key; ids of the settings' keys have no dot."""


class UserState(StrEnum):
    """Where a user's registration stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
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


def is_users_key(key_id: str) -> bool:
    """Tell a user's own key from one of the settings by its id."""
    return key_id.startswith(USERS_KEY)
