"""One change of a user's address: mail a token to the new one, wait for it, tell the old one."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.addresses import AddressActivities, AddressConfirmation, OneChange
    from worker.contract.names import UserMessage, WorkflowType
    from worker.contract.users import AddressStatus, ChangeAddress, ConfirmUser
    from worker.domain.errors import Conflict, InvalidInput
    from worker.domain.user import ChangeState
    from worker.workflows.policies import DATABASE, OUTSIDE


@workflow.defn(name=WorkflowType.ADDRESS_CHANGE)
class AddressChangeWorkflow:
    """Runs one change. The user's registration has its own process, and is over by then."""

    @workflow.init
    def __init__(self, request: ChangeAddress) -> None:
        self._change = OneChange(user_id=request.user_id, change_id=request.change_id)
        self._state: ChangeState | None = None
        # As in UserWorkflow: a confirmation at the last moment and the expiry must not pass each other.
        self._moving = asyncio.Lock()

    @workflow.run
    async def run(self, request: ChangeAddress) -> AddressStatus:
        """Return how the change ended."""
        begun = await workflow.execute_local_activity_method(
            AddressActivities.begin_address_change, request, summary="begin", **DATABASE
        )
        self._state = ChangeState(begun.state)
        if self._state is ChangeState.PENDING:
            await self._mail()
            try:
                await workflow.wait_condition(
                    lambda: self._state is not ChangeState.PENDING,
                    timeout=timedelta(seconds=begun.window_seconds),
                    timeout_summary="wait for the confirmation",
                )
            except TimeoutError:
                await self._expire()
        if self._state is ChangeState.CHANGED:
            await workflow.execute_activity_method(
                AddressActivities.tell_old_address, self._change, summary="tell the old address", **OUTSIDE
            )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    @workflow.query(name=UserMessage.STATUS)
    def status(self) -> AddressStatus:
        """Return where the change stands."""
        state = self._state or ChangeState.PENDING
        return AddressStatus(user_id=self._change.user_id, change_id=self._change.change_id, state=state)

    @workflow.update(name=UserMessage.CONFIRM)
    async def confirm(self, request: ConfirmUser) -> AddressStatus:
        """Confirm with a token; a wrong one is refused and changes nothing."""
        await workflow.wait_condition(lambda: self._state is not None)
        async with self._moving:
            self._may_confirm(request)
            if self._state is ChangeState.PENDING:
                await self._confirm(request.token_sha256)
        return self.status()

    @confirm.validator
    def _may_confirm(self, request: ConfirmUser) -> None:  # noqa: ARG002  the SDK wants the same signature
        if self._state not in {None, ChangeState.PENDING, ChangeState.CHANGED}:
            raise ApplicationError(f"the change is {self._state}; ask for it again", type=Conflict.code)

    async def _confirm(self, token_sha256: str) -> None:
        state = await workflow.execute_activity_method(
            AddressActivities.confirm_address,
            AddressConfirmation(
                user_id=self._change.user_id, change_id=self._change.change_id, token_sha256=token_sha256
            ),
            summary="check the token",
            **OUTSIDE,
        )
        if state == ChangeState.PENDING:
            raise ApplicationError("the token is not this change's", type=InvalidInput.code, non_retryable=True)
        self._state = ChangeState(state)
        if self._state is not ChangeState.CHANGED:
            raise ApplicationError(f"the change is {state}; ask for it again", type=Conflict.code, non_retryable=True)

    async def _expire(self) -> None:
        async with self._moving:
            if self._state is ChangeState.PENDING:
                state = await workflow.execute_local_activity_method(
                    AddressActivities.expire_address_change, self._change, summary="expire", **DATABASE
                )
                self._state = ChangeState(state)

    async def _mail(self) -> None:
        try:
            await workflow.execute_activity_method(
                AddressActivities.mail_address_token, self._change, summary="mail the token", **OUTSIDE
            )
        except ActivityError as problem:
            if not (isinstance(problem.cause, ApplicationError) and problem.cause.non_retryable):
                raise
            # The new address takes no mail: the change ends like any that nobody confirms.
            workflow.set_current_details(f"the mail was refused: {problem.cause.message}")
