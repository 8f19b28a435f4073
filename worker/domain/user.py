"""A user: pending until the mailed token is confirmed, then active; expired when nobody confirms."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class UserState(StrEnum):
    """Where a user's registration stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user. `email` is personal data: it lives in MySQL and in mails, never in logs or errors."""

    user_id: str
    email: str
    state: UserState
    registered_at: datetime
    confirmed_at: datetime | None = None
