"""Workflows under the worker's names that only answer updates: the other half of the functions' contract."""

import hashlib

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from worker.contract.names import OrderMessage, UserMessage, WorkflowType
from worker.contract.orders import (
    CancelLines,
    CancelOrder,
    LateRefund,
    LinesAnswer,
    OrderAnswer,
    PaymentAnswer,
    PlaceOrder,
    ReaddressOrder,
    RefundAnswer,
    RefundOrder,
    RetryPayment,
)
from worker.contract.users import (
    AddressStatus,
    ChangeAddress,
    ConfirmUser,
    RegisterUser,
    ResendConfirmation,
    UserStatus,
)

RIGHT_TOKEN = "right-token"
_RIGHT = hashlib.sha256(RIGHT_TOKEN.encode()).hexdigest()


@workflow.defn(name=WorkflowType.ORDER)
class AnsweringOrder:
    """Answers `applied` once and counts; a reason `raise X` fails with the type X."""

    def __init__(self) -> None:
        self._cancelled = 0
        self._refunds: list[RefundOrder] = []

    @workflow.run
    async def run(self, order: PlaceOrder) -> None:
        await workflow.wait_condition(lambda: self._cancelled < 0)

    @workflow.update(name=OrderMessage.CANCEL)
    async def cancel(self, request: CancelOrder) -> OrderAnswer:
        if request.reason.startswith("raise "):
            raise ApplicationError("jane.doe says no", type=request.reason.removeprefix("raise "))
        self._cancelled += 1
        outcome = "applied" if self._cancelled == 1 else "ignored"
        return OrderAnswer(
            outcome=outcome, state=f"cancellation {self._cancelled} by {request.requested_by}: {request.reason}"
        )

    @workflow.update(name=OrderMessage.REFUND)
    async def refund(self, request: RefundOrder) -> RefundAnswer:
        same = [known for known in self._refunds if known.request_id == request.request_id]
        if same and same[0].amount_minor != request.amount_minor:
            raise ApplicationError("another refund", type="conflict")
        self._refunds += [request] if not same else []
        return refunded("duplicate" if same else "applied", request, request.requested_by)

    @workflow.update(name=OrderMessage.RETRY_PAYMENT)
    async def retry_payment(self, request: RetryPayment) -> PaymentAnswer:
        return PaymentAnswer(outcome="declined", state=request.requested_by, reason=request.payment_method)

    @retry_payment.validator
    def _may_retry(self, request: RetryPayment) -> None:
        if request.payment_method.startswith("raise_"):
            raise ApplicationError("jane.doe says no", type=request.payment_method.removeprefix("raise_"))

    @workflow.update(name=OrderMessage.CHANGE_ADDRESS)
    async def change_address(self, request: ReaddressOrder) -> OrderAnswer:
        return OrderAnswer(outcome="applied", state=f"{request.ship_to.country} for {request.requested_by}")

    @change_address.validator
    def _may_change_address(self, request: ReaddressOrder) -> None:
        if request.reason.startswith("raise "):
            raise ApplicationError("jane.doe says no", type=request.reason.removeprefix("raise "))

    @workflow.update(name=OrderMessage.CANCEL_LINES)
    async def cancel_lines(self, request: CancelLines) -> LinesAnswer:
        pieces = sum(each.quantity for each in request.lines)
        return LinesAnswer(
            outcome="applied",
            state=f"{pieces} pieces for {request.requested_by}",
            currency="EUR",
            amount_minor=pieces,
            refunded_minor=0,
            total_minor=100,
            reason=request.reason,
        )

    @cancel_lines.validator
    def _may_cancel_lines(self, request: CancelLines) -> None:
        if request.reason.startswith("raise "):
            raise ApplicationError("jane.doe says no", type=request.reason.removeprefix("raise "))

    @refund.validator
    def _may_refund(self, request: RefundOrder) -> None:
        if request.reason.startswith("raise "):
            raise ApplicationError("jane.doe says no", type=request.reason.removeprefix("raise "))


@workflow.defn(name=WorkflowType.REFUND)
class AnsweringRefund:
    """Refunds; a reason `raise X` fails with the type X."""

    @workflow.run
    async def run(self, late: LateRefund) -> RefundAnswer:
        if late.refund.reason.startswith("raise "):
            raise ApplicationError("jane.doe says no", type=late.refund.reason.removeprefix("raise "))
        return refunded("applied", late.refund, f"late in {late.shop}/{late.order_id}")


def refunded(outcome: str, request: RefundOrder, state: str) -> RefundAnswer:
    """Return an answer that tells what was asked."""
    amount = request.amount_minor or 12345
    return RefundAnswer(outcome=outcome, state=state, currency="EUR", amount_minor=amount, refunded_minor=amount)


@workflow.defn(name=WorkflowType.USER)
class AnsweringUser:
    """Confirms the right token and ends; a wrong one fails with `invalid_input`."""

    def __init__(self) -> None:
        self._confirmed = False
        self._mails = 1

    @workflow.run
    async def run(self, user: RegisterUser) -> None:
        await workflow.wait_condition(lambda: self._confirmed and workflow.all_handlers_finished())

    @workflow.update(name=UserMessage.CONFIRM)
    async def confirm(self, request: ConfirmUser) -> UserStatus:
        if request.token_sha256 != _RIGHT:
            raise ApplicationError("no such token", type="invalid_input")
        self._confirmed = True
        return UserStatus(user_id=workflow.info().workflow_id.removeprefix("user/"), state="active")

    @workflow.update(name=UserMessage.RESEND)
    async def resend(self, request: ResendConfirmation) -> UserStatus:
        self._mails += 1
        if self._mails > 2:
            raise ApplicationError("jane.doe was mailed just now", 42, type="too_soon")
        return UserStatus(user_id="u", state="pending", mails_sent=self._mails)


@workflow.defn(name=WorkflowType.ADDRESS_CHANGE)
class AnsweringAddress:
    """Takes the right token; another one fails with `invalid_input`."""

    @workflow.run
    async def run(self, change: ChangeAddress) -> None:
        self._change = change
        await workflow.wait_condition(lambda: False)

    @workflow.update(name=UserMessage.CONFIRM)
    async def confirm(self, request: ConfirmUser) -> AddressStatus:
        if request.token_sha256 != _RIGHT:
            raise ApplicationError("no such token", type="invalid_input")
        return AddressStatus(user_id=self._change.user_id, change_id=self._change.change_id, state="changed")
