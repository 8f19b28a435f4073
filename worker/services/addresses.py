"""Changes of users' addresses: a new one is mailed a token, and takes the old one's place once that came back.

The old address is told of it, so that who lost an account hears of it. Tokens are made like those of registrations
(services/users.py), and name the change: one confirms no other.
"""

import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import datetime

from worker.contract.users import ChangeAddress
from worker.domain.errors import InvalidInput, NotFound, ProviderRejected
from worker.domain.user import AddressChange, ChangeState, UserState
from worker.services.ports import Clock, Database, MailGateway, Transaction


class AddressService:
    """Changes of addresses over their ports; every step may be repeated."""

    def __init__(
        self, database: Database, mail: MailGateway, clock: Clock, *, token_key: bytes, address_url: str
    ) -> None:
        self._database = database
        self._mail = mail
        self._clock = clock
        self._key = token_key
        self._address_url = address_url

    def begin(self, request: ChangeAddress) -> ChangeState:
        """Write the change down as pending, in place of one that was; return where the change of that id stands.

        A user who is not active gets `refused`, and nothing is written.
        """
        now = self._clock.now()
        change = AddressChange(
            user_id=request.user_id,
            change_id=request.change_id,
            email=request.email,
            state=ChangeState.PENDING,
            asked_at=datetime.fromisoformat(request.asked_at),
        )

        def work(tx: Transaction) -> ChangeState:
            known = tx.address_changes.get(change.user_id, change.change_id)
            if known is not None:
                return known.state
            user = tx.users.get(change.user_id)
            if user is None or user.state is not UserState.ACTIVE:
                return ChangeState.REFUSED
            tx.address_changes.finish_pending(change.user_id, ChangeState.SUPERSEDED, now)
            tx.address_changes.add(change)
            return ChangeState.PENDING

        return self._database.transact(work)

    def send_token(self, user_id: str, change_id: str) -> None:
        """Mail the token to the new address. Sending it twice is harmless: same Message-ID."""
        change = self._change(user_id, change_id)
        if change.state is not ChangeState.PENDING:
            return
        url = self._address_url.format(user_id=user_id, change_id=change_id)
        self._mail.send(
            to=change.email,
            subject="Please confirm your new address",
            text=f"To use this address from now on, send this token to {url}:\n\n{self.token(change)}\n",
            message_id=_message_id("address", change),
        )

    def confirm(self, user_id: str, change_id: str, token_sha256: str) -> ChangeState:
        """Put the new address in force if the token is the change's; return where the change stands.

        `pending` says that the token is wrong. Raises NotFound.
        """
        expected = hashlib.sha256(self.token(self._change(user_id, change_id)).encode()).hexdigest()
        if not hmac.compare_digest(expected, token_sha256):
            return ChangeState.PENDING
        now = self._clock.now()

        def work(tx: Transaction) -> ChangeState:
            change = tx.address_changes.get(user_id, change_id)
            user = tx.users.get(user_id)
            if change is None or user is None:
                return ChangeState.REFUSED
            if change.state is not ChangeState.PENDING:
                return change.state
            if not tx.users.set_email(user_id, change.email, now):
                tx.address_changes.finish(user_id, change_id, ChangeState.REFUSED, now)
                return ChangeState.REFUSED
            tx.address_changes.finish(user_id, change_id, ChangeState.CHANGED, now, previous=user.email)
            return ChangeState.CHANGED

        return self._database.transact(work)

    def tell_old_address(self, user_id: str, change_id: str) -> None:
        """Tell the old address that it is no longer the user's, then forget it."""
        change = self._change(user_id, change_id)
        if not change.previous:
            return
        with suppress(ProviderRejected, InvalidInput):  # an address that takes no mail is forgotten all the same
            self._mail.send(
                to=change.previous,
                subject="Your address was changed",
                text="Another address was confirmed for your account, and this one is no longer used.\n"
                "If that was not you, please get in touch with the shop.\n",
                message_id=_message_id("address-changed", change),
            )
        self._database.transact(lambda tx: tx.address_changes.told(user_id, change_id))

    def expire(self, user_id: str, change_id: str) -> ChangeState:
        """End a change that nobody confirmed; return where it stands (a late confirmation wins)."""
        now = self._clock.now()
        self._database.transact(lambda tx: tx.address_changes.finish(user_id, change_id, ChangeState.EXPIRED, now))
        return self._change(user_id, change_id).state

    def token(self, change: AddressChange) -> str:
        """Return the change's token."""
        message = f"address\n{change.user_id}\n{change.change_id}\n{change.asked_at.isoformat()}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, message, "sha256")).rstrip(b"=").decode()

    def _change(self, user_id: str, change_id: str) -> AddressChange:
        change = self._database.transact(lambda tx: tx.address_changes.get(user_id, change_id))
        if change is None:
            raise NotFound(f"user {user_id} has no change {change_id}")
        return change


def _message_id(kind: str, change: AddressChange) -> str:
    digest = hashlib.sha256(f"{change.user_id}/{change.change_id}".encode()).hexdigest()[:24]
    return f"<{kind}.{digest}@orders>"
