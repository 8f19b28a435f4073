"""Users: register one, confirm the address with the mailed token.

The address is personal data and the token a secret: neither is logged or answered, and only the token's
SHA-256 travels on.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, request

from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.problems import NotFound
from functions.replies import reply, started_reply
from functions.temporal import Start, Temporal
from worker.contract.ids import is_valid_part, user_workflow_id
from worker.contract.names import Queue, UserMessage, WorkflowType
from worker.contract.users import ConfirmUser, RegisterUser, UserStatus

_EMAIL = re.compile(r"(?=.{3,254}\Z)[!#-'*+./0-9=?A-Z^_`a-z{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
"""The addresses mail systems take in practice; whether one exists, only the mailed token tells."""


class Users:
    """The function `users`."""

    def __init__(self, temporal: Temporal, *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._max_body_bytes = max_body_bytes

    def register(self) -> Response:
        """POST /users: start the registration, which mails a token."""
        body = json_object(request, raw_body(request, self._max_body_bytes))
        fields = Fields(body)
        user = RegisterUser(
            user_id=fields.key("user_id"),
            email=fields.matching("email", _EMAIL, "an e-mail address"),
            registered_at=datetime.now(UTC).isoformat(),
        )
        fields.finish()
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
        """POST /users/{user_id}/confirm: the token proves the address; 200 with the user's state.

        A wrong token is 422, an expired registration 409. The same token again gets the first answer.
        """
        if not is_valid_part(user_id):
            raise NotFound("there is no such thing")
        fields = Fields(json_object(request, raw_body(request, self._max_body_bytes)))
        token = fields.text("token", 512, shortest=1)
        fields.finish()
        digest = hashlib.sha256(token.encode()).hexdigest()
        status = self._temporal.update(
            user_workflow_id(user_id),
            UserMessage.CONFIRM,
            ConfirmUser(token_sha256=digest),
            update_id=f"confirm-{digest}",
            answer=UserStatus,
        )
        return reply(200, {"user_id": status.user_id, "state": status.state})

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"register": self.register, "confirm": self.confirm}
