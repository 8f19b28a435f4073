"""Workflows under the worker's names that only answer updates: the other half of the functions' contract."""

import hashlib

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from worker.contract.names import OrderMessage, UserMessage, WorkflowType
from worker.contract.orders import CancelOrder, OrderAnswer, PlaceOrder
from worker.contract.users import ConfirmUser, RegisterUser, UserStatus

RIGHT_TOKEN = "right-token"
_RIGHT = hashlib.sha256(RIGHT_TOKEN.encode()).hexdigest()


@workflow.defn(name=WorkflowType.ORDER)
class AnsweringOrder:
    """Answers `applied` once, then counts; a reason `raise X` fails with the type X."""

    def __init__(self) -> None:
        self._cancelled = 0

    @workflow.run
    async def run(self, order: PlaceOrder) -> None:
        await workflow.wait_condition(lambda: self._cancelled < 0)

    @workflow.update(name=OrderMessage.CANCEL)
    async def cancel(self, request: CancelOrder) -> OrderAnswer:
        if request.reason.startswith("raise "):
            raise ApplicationError("card 4242 says no", type=request.reason.removeprefix("raise "))
        self._cancelled += 1
        outcome = "applied" if self._cancelled == 1 else {2: "2nd", 3: "3rd"}[self._cancelled]
        return OrderAnswer(outcome=outcome, state=f"cancelled by {request.requested_by}: {request.reason}")


@workflow.defn(name=WorkflowType.USER)
class AnsweringUser:
    """Confirms the right token and ends; a wrong one fails with `invalid_input`."""

    def __init__(self) -> None:
        self._confirmed = False

    @workflow.run
    async def run(self, user: RegisterUser) -> None:
        await workflow.wait_condition(lambda: self._confirmed and workflow.all_handlers_finished())

    @workflow.update(name=UserMessage.CONFIRM)
    async def confirm(self, request: ConfirmUser) -> UserStatus:
        if request.token_sha256 != _RIGHT:
            raise ApplicationError("no such token", type="invalid_input")
        self._confirmed = True
        return UserStatus(user_id=workflow.info().workflow_id.removeprefix("user/"), state="active")
