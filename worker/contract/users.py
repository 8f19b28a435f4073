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
class ResendConfirmation:
    """Mail the token once more; `request_id` names the wish."""

    request_id: str
    requested_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAddress:
    """Input of AddressChangeWorkflow: have `email` in place of the user's address once it is confirmed."""

    user_id: str
    change_id: str
    email: str
    asked_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressStatus:
    """Answer of the `status` query and the `confirm` update, and result of AddressChangeWorkflow."""

    user_id: str
    change_id: str
    state: str
    """`pending`, `changed`, `expired`, `superseded`, `refused` or `erased`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStatus:
    """Answer of the `status` query, of the `confirm` and `resend` updates, and result of UserWorkflow."""

    user_id: str
    state: str
    """`pending`, `active`, `expired`, `deactivated` or `erased`."""
    mails_sent: int = 0
