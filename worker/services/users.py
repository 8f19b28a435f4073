"""User use cases: register, mail a signed token, confirm, expire.

A token is HMAC-SHA256 of the user's id and registration time under a key of the settings: it needs no
storage, every reminder carries the same one, and only its SHA-256 travels through Temporal.
"""

import base64
import hashlib
import hmac
from datetime import datetime

from worker.contract.users import RegisterUser
from worker.domain.errors import Conflict, Erased, NotFound
from worker.domain.user import User, UserState
from worker.services.ports import Clock, Database, MailGateway, Transaction
from worker.services.user_keys import UserKeys


class UserService:
    """The registration process over its ports."""

    def __init__(
        self,
        database: Database,
        mail: MailGateway,
        clock: Clock,
        *,
        token_key: bytes,
        confirm_url: str,
        keys: UserKeys | None = None,
    ) -> None:
        self._database = database
        self._mail = mail
        self._clock = clock
        self._key = token_key
        self._confirm_url = confirm_url
        self._keys = keys

    def register(self, request: RegisterUser) -> UserState:
        """Write the user down as pending, with a key of their own; return the state of the user of that id."""
        user = User(
            user_id=request.user_id,
            email=request.email,
            state=UserState.PENDING,
            registered_at=datetime.fromisoformat(request.registered_at),
        )

        def work(tx: Transaction) -> UserState:
            if tx.users.add(user) and self._keys is not None:
                self._keys.make(tx, user.user_id, user.registered_at)
            stored = tx.users.get(request.user_id)
            return stored.state if stored else UserState.PENDING

        return self._database.transact(work)

    def send_confirmation(self, user_id: str, number: int) -> None:
        """Mail the confirmation (number 1) or a reminder. Sending one twice is harmless: same Message-ID."""
        user = self._user(user_id)
        if user.state is not UserState.PENDING:
            return
        url = self._confirm_url.format(user_id=user_id)
        self._mail.send(
            to=user.email,
            subject="Please confirm your address" if number == 1 else "Reminder: please confirm your address",
            text=f"To confirm, send this token to {url}:\n\n{self.token(user)}\n",
            message_id=f"<confirm.{number}.{hashlib.sha256(user_id.encode()).hexdigest()[:24]}@orders>",
        )

    def confirm(self, user_id: str, token_sha256: str) -> bool:
        """Activate the user if the token is theirs; return whether it was. Raises NotFound, Erased."""
        user = self._user(user_id)
        if user.state is UserState.ERASED:
            raise Erased(f"user {user_id} was erased")
        if user.state is UserState.DEACTIVATED:
            raise Conflict(f"user {user_id} was deactivated")
        expected = hashlib.sha256(self.token(user).encode()).hexdigest()
        if not hmac.compare_digest(expected, token_sha256):
            return False
        now = self._clock.now()
        self._database.transact(lambda tx: tx.users.move(user_id, UserState.PENDING, UserState.ACTIVE, now))
        return True

    def expire(self, user_id: str) -> UserState:
        """End a registration nobody confirmed; return where the user stands (a late confirmation wins)."""
        now = self._clock.now()
        self._database.transact(lambda tx: tx.users.move(user_id, UserState.PENDING, UserState.EXPIRED, now))
        return self._user(user_id).state

    def token(self, user: User) -> str:
        """Return the user's confirmation token."""
        message = f"{user.user_id}\n{user.registered_at.isoformat()}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, message, "sha256")).rstrip(b"=").decode()

    def _user(self, user_id: str) -> User:
        user = self._database.transact(lambda tx: tx.users.get(user_id))
        if user is None:
            raise NotFound(f"user {user_id} is not in our books")
        return user
