"""One user's registration: mail a token, wait with reminders, mail it again on wish, end active or expired."""

import asyncio
import math
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.users import Confirmation, Mailing, UserActivities
    from worker.contract.names import UserMessage, WorkflowType
    from worker.contract.users import ConfirmUser, RegisterUser, ResendConfirmation, UserStatus
    from worker.domain.errors import Conflict, InvalidInput, TooSoon
    from worker.domain.user import UserState, wait_for_resend
    from worker.workflows.policies import DATABASE, OUTSIDE


@workflow.defn(name=WorkflowType.USER)
class UserWorkflow:
    """Runs one registration."""

    @workflow.init
    def __init__(self, request: RegisterUser) -> None:
        self._user_id = request.user_id
        self._state: UserState | None = None
        self._mails = 0
        self._mailed: list[datetime] = []
        self._resend_pause, self._mails_at_most = timedelta(0), 0
        # A confirmation at the last moment and the expiry must not pass each other between book and workflow.
        self._moving = asyncio.Lock()

    @workflow.run
    async def run(self, request: RegisterUser) -> UserStatus:
        """Return where the registration ended."""
        registered = await workflow.execute_local_activity_method(
            UserActivities.register_user, request, summary="register", **DATABASE
        )
        self._resend_pause = timedelta(seconds=registered.resend_pause_seconds)
        self._mails_at_most = registered.mails_at_most
        self._state = UserState(registered.state)
        window = registered.confirmation_window_seconds
        waited = 0
        for until in [*sorted(seconds for seconds in registered.reminder_seconds if seconds < window), window]:
            if self._state is not UserState.PENDING:
                break
            await self._mail()
            wait, waited = until - waited, until
            try:
                await workflow.wait_condition(
                    lambda: self._state is not UserState.PENDING,
                    timeout=timedelta(seconds=wait),
                    timeout_summary="wait for the confirmation",
                )
            except TimeoutError:
                continue
        await self._expire()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    @workflow.query(name=UserMessage.STATUS)
    def status(self) -> UserStatus:
        """Return where the registration stands."""
        return UserStatus(user_id=self._user_id, state=self._state or UserState.PENDING, mails_sent=self._mails)

    @workflow.update(name=UserMessage.CONFIRM)
    async def confirm(self, request: ConfirmUser) -> UserStatus:
        """Confirm with a token; a wrong one is refused and changes nothing."""
        await workflow.wait_condition(lambda: self._state is not None)
        async with self._moving:
            self._may_confirm(request)
            right = await workflow.execute_activity_method(
                UserActivities.confirm_user,
                Confirmation(user_id=self._user_id, token_sha256=request.token_sha256),
                summary="check the token",
                **OUTSIDE,
            )
            if not right:
                raise ApplicationError("the token is not this user's", type=InvalidInput.code, non_retryable=True)
            self._state = UserState.ACTIVE
        return self.status()

    @confirm.validator
    def _may_confirm(self, request: ConfirmUser) -> None:  # noqa: ARG002  the SDK wants the same signature
        if self._state is UserState.EXPIRED:
            raise ApplicationError("the registration has expired; register again", type=Conflict.code)

    @workflow.update(name=UserMessage.RESEND)
    async def resend(self, request: ResendConfirmation) -> UserStatus:
        """Mail the token once more, unless it was mailed a moment ago or often enough."""
        await workflow.wait_condition(lambda: self._state is not None)
        self._may_resend(request)
        await self._mail("asked for again")
        return self.status()

    @resend.validator
    def _may_resend(self, request: ResendConfirmation) -> None:  # noqa: ARG002  the SDK wants the same signature
        if self._state is None:
            return
        if self._state is not UserState.PENDING:
            raise ApplicationError(f"the user is {self._state}: there is nothing to confirm", type=Conflict.code)
        if self._mails >= self._mails_at_most:
            raise ApplicationError(f"{self._mails} mails were sent, and no more are", type=Conflict.code)
        wait = math.ceil(wait_for_resend(self._mailed, workflow.now(), self._resend_pause).total_seconds())
        if wait > 0:
            raise ApplicationError(f"a mail was sent just now; ask again in {wait} s", wait, type=TooSoon.code)

    async def _expire(self) -> None:
        async with self._moving:
            if self._state is UserState.PENDING:
                state = await workflow.execute_local_activity_method(
                    UserActivities.expire_user, self._user_id, summary="expire", **DATABASE
                )
                self._state = UserState(state)

    async def _mail(self, why: str = "") -> None:
        self._mails += 1
        self._mailed.append(workflow.now())
        try:
            await workflow.execute_activity_method(
                UserActivities.mail_confirmation,
                Mailing(user_id=self._user_id, number=self._mails),
                summary=why or ("confirmation" if self._mails == 1 else f"reminder {self._mails - 1}"),
                **OUTSIDE,
            )
        except ActivityError as problem:
            if not (isinstance(problem.cause, ApplicationError) and problem.cause.non_retryable):
                raise
            # The address takes no mail: the registration ends like any that nobody confirms.
            workflow.set_current_details(f"mail {self._mails} was refused: {problem.cause.message}")
