"""Users: register one, confirm the address with the mailed token, have it mailed again, change the address.

The address is personal data and the token a secret: neither is logged or answered, and only the token's
SHA-256 travels on.
"""

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, g, request

from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.idempotency import id_from_key, idempotency_key
from functions.problems import NotFound
from functions.replies import reply, started_reply
from functions.temporal import Start, Temporal
from worker.contract.ids import address_workflow_id, is_valid_part, user_workflow_id
from worker.contract.names import Queue, UserMessage, WorkflowType
from worker.contract.users import (
    AddressStatus,
    ChangeAddress,
    ConfirmUser,
    RegisterUser,
    ResendConfirmation,
    UserStatus,
)

_EMAIL = re.compile(r"(?=.{3,254}\Z)[!#-'*+./0-9=?A-Z^_`a-z{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
"""The addresses mail systems take in practice; whether one exists, only the mailed token tells."""


class Users:
    """The function `users`."""

    def __init__(self, temporal: Temporal, *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._max_body_bytes = max_body_bytes

    def register(self) -> Response:
        """POST /users: Register a user.

        A token is mailed to the address. The user's own id makes a repeat safe: the same registration again is
        answered as a duplicate, another one under the same id is a conflict. A user without an id takes one from
        the Idempotency-Key header.
        """
        body = json_object(request, raw_body(request, self._max_body_bytes))
        own_id = id_from_key(g.caller.holder, idempotency_key(request))
        user = read_user(Fields(body), datetime.now(UTC), own_id)
        workflow_id = user_workflow_id(user.user_id)
        print_of_request = request_fingerprint(body)
        started = self._temporal.start(
            Start(
                workflow=WorkflowType.USER,
                workflow_id=workflow_id,
                queue=Queue.USERS,
                argument=user,
                fingerprint=print_of_request,
                summary=f"registration of user {user.user_id}",
            )
        )
        return started_reply(started, print_of_request, workflow_id=workflow_id, user_id=user.user_id)

    def confirm(self, user_id: str) -> Response:
        """POST /users/{user_id}/confirm: Confirm a user's address with the mailed token.

        A wrong token is 422, an expired registration 409. The same token again gets the first answer.
        """
        _check_ids(user_id)
        token = read_token(Fields(json_object(request, raw_body(request, self._max_body_bytes))))
        digest = hashlib.sha256(token.encode()).hexdigest()
        status = self._temporal.update(
            user_workflow_id(user_id),
            UserMessage.CONFIRM,
            ConfirmUser(token_sha256=digest),
            update_id=f"confirm-{digest}",
            answer=UserStatus,
        )
        return reply(200, {"user_id": status.user_id, "state": status.state})

    def resend(self, user_id: str) -> Response:
        """POST /users/{user_id}/resend: Mail a user's token once more.

        Takes no body. Refused with 429 when it was mailed a moment ago, with 409 when it was mailed often enough or there is nothing
        to confirm any more.
        """
        _check_ids(user_id)
        key = idempotency_key(request) or uuid.uuid4().hex
        status = self._temporal.update(
            user_workflow_id(user_id),
            UserMessage.RESEND,
            ResendConfirmation(request_id=key, requested_by=g.caller.holder),
            update_id=f"resend:{key}",
            answer=UserStatus,
        )
        return reply(200, {"user_id": status.user_id, "state": status.state, "mails_sent": status.mails_sent})

    def change_address(self, user_id: str) -> Response:
        """POST /users/{user_id}/address: Ask for another address of a user.

        A token is mailed to the new address, which takes the old one's place once that token was confirmed; a later
        wish takes the place of one that waits. The change's own id makes a repeat safe; a change without one takes it
        from the Idempotency-Key header.
        """
        _check_ids(user_id)
        body = json_object(request, raw_body(request, self._max_body_bytes))
        own_id = id_from_key(g.caller.holder, idempotency_key(request))
        change = read_address(Fields(body), datetime.now(UTC), user_id, own_id)
        workflow_id = address_workflow_id(user_id, change.change_id)
        print_of_request = request_fingerprint(body)
        started = self._temporal.start(
            Start(
                workflow=WorkflowType.ADDRESS_CHANGE,
                workflow_id=workflow_id,
                queue=Queue.USERS,
                argument=change,
                fingerprint=print_of_request,
                summary=f"another address of user {user_id}",
            )
        )
        return started_reply(
            started, print_of_request, workflow_id=workflow_id, user_id=user_id, change_id=change.change_id
        )

    def confirm_address(self, user_id: str, change_id: str) -> Response:
        """POST /users/{user_id}/address/{change_id}/confirm: Confirm a new address with the mailed token.

        A wrong token is 422; a change that expired, or that another one took the place of, is 409.
        """
        _check_ids(user_id, change_id)
        token = read_token(Fields(json_object(request, raw_body(request, self._max_body_bytes))))
        digest = hashlib.sha256(token.encode()).hexdigest()
        status = self._temporal.update(
            address_workflow_id(user_id, change_id),
            UserMessage.CONFIRM,
            ConfirmUser(token_sha256=digest),
            update_id=f"confirm-{digest}",
            answer=AddressStatus,
        )
        return reply(200, {"user_id": status.user_id, "change_id": status.change_id, "state": status.state})

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {
            "register": self.register,
            "confirm": self.confirm,
            "resend": self.resend,
            "change_address": self.change_address,
            "confirm_address": self.confirm_address,
        }


def _check_ids(*ids: str) -> None:
    if not all(map(is_valid_part, ids)):
        raise NotFound("there is no such thing")


def read_user(fields: Fields, now: datetime, own_id: str = "") -> RegisterUser:
    """Read a registration; `own_id` (unless empty) stands in for its id. Raises Unprocessable with every problem."""
    user = RegisterUser(
        user_id=own_id if own_id and not fields.present("user_id") else fields.key("user_id"),
        email=fields.matching("email", _EMAIL, "an e-mail address"),
        registered_at=now.isoformat(),
    )
    fields.finish()
    return user


def read_address(fields: Fields, now: datetime, user_id: str, own_id: str = "") -> ChangeAddress:
    """Read a wish for another address; `own_id` (unless empty) stands in for its id. Raises Unprocessable."""
    change = ChangeAddress(
        user_id=user_id,
        change_id=own_id if own_id and not fields.present("change_id") else fields.key("change_id"),
        email=fields.matching("email", _EMAIL, "an e-mail address"),
        asked_at=now.isoformat(),
    )
    fields.finish()
    return change


def read_token(fields: Fields) -> str:
    """Read the mailed token. Raises Unprocessable."""
    token = fields.text("token", 512, shortest=1)
    fields.finish()
    return token
