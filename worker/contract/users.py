"""Messages of the user process. Times are ISO 8601 in UTC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """Input of UserWorkflow."""

    user_id: str
    email: str
    registered_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmUser:
    """Confirm the address with the mailed token. Only the token's SHA-256 travels (the token is a secret)."""

    token_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStatus:
    """Answer of the `status` query, of the `confirm` update, and result of UserWorkflow."""

    user_id: str
    state: str
    """`pending`, `active`, `expired` or `erased`."""
    mails_sent: int = 0
