"""Activities of the user process."""

from dataclasses import dataclass

from temporalio import activity

from worker.contract.users import RegisterUser
from worker.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The state of the user, and the waits of the registration (settings, fixed in the history here)."""

    state: str
    confirmation_window_seconds: int
    reminder_seconds: tuple[int, ...]
    resend_pause_seconds: int = 60
    """How long after a mail another one may be asked for."""
    mails_at_most: int = 10
    """How many mails one registration gets in all, reminders among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """Mail number `number` (1 is the confirmation, the rest are reminders)."""

    user_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A token somebody presented, as its SHA-256."""

    user_id: str
    token_sha256: str


class UserActivities:
    """Steps of UserWorkflow."""

    def __init__(
        self,
        users: UserService,
        *,
        confirmation_window_seconds: int,
        reminder_seconds: tuple[int, ...],
        resend_pause_seconds: int,
        mails_at_most: int,
    ) -> None:
        self._users = users
        self._confirmation_window_seconds = confirmation_window_seconds
        self._reminder_seconds = reminder_seconds
        self._resend_pause_seconds = resend_pause_seconds
        self._mails_at_most = mails_at_most

    @activity.defn
    def register_user(self, request: RegisterUser) -> Registered:
        """Write the user down as pending."""
        return Registered(
            state=self._users.register(request),
            confirmation_window_seconds=self._confirmation_window_seconds,
            reminder_seconds=self._reminder_seconds,
            resend_pause_seconds=self._resend_pause_seconds,
            mails_at_most=self._mails_at_most,
        )

    @activity.defn
    def mail_confirmation(self, mailing: Mailing) -> None:
        """Mail the confirmation or a reminder."""
        self._users.send_confirmation(mailing.user_id, mailing.number)

    @activity.defn
    def confirm_user(self, confirmation: Confirmation) -> bool:
        """Activate the user if the token is theirs."""
        return self._users.confirm(confirmation.user_id, confirmation.token_sha256)

    @activity.defn
    def expire_user(self, user_id: str) -> str:
        """End a registration nobody confirmed; return where the user stands."""
        return self._users.expire(user_id)
