"""What the server's answers mean: RPC errors and refused updates as errors of this project.

The server says NOT_FOUND for an unknown id and for a closed one; callers tell them apart by describing.
"""

from typing import NoReturn

from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from worker.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    OrdersError,
    ProviderRejected,
    ProviderUnavailable,
    TooSoon,
)

_TRY_AGAIN = frozenset(
    {
        RPCStatusCode.CANCELLED,  # the SDK's own time-out arrives as this
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DATA_LOSS,
    }
)

_REFUSALS: dict[str, type[OrdersError]] = {
    "conflict": Conflict,
    "too_soon": TooSoon,
    "not_found": NotFound,
    "invalid_input": InvalidInput,
    "invalid_order": InvalidInput,
    # The server's own type: the workflow ended between accepting the update and answering it.
    "AcceptedUpdateCompletedWorkflow": Conflict,
}

UNREAD = "RuntimeError"
"""What the SDK refuses an update with that the workflow's code cannot read or does not know: a worker of an older release
has it. No code of ours refuses anything so."""


def raise_for(error: RPCError, what: str) -> NoReturn:
    """Raise the project's error for a failed call: NotFound, ProviderUnavailable (try again) or ProviderRejected.

    `what` names the thing asked for and stands in the message; it must hold ids only.
    """
    if error.status is RPCStatusCode.NOT_FOUND:
        raise NotFound(f"Temporal does not know {what}") from error
    if error.status in _TRY_AGAIN:
        raise ProviderUnavailable(f"Temporal did not answer for {what}: {error.status.name}") from error
    raise ProviderRejected(f"Temporal refused {what}: {error.status.name}") from error


def refusal(error: WorkflowUpdateFailedError, what: str) -> OrdersError:
    """Return the error a refused update stands for, by the failure's type; an unknown type is a Conflict.

    What a worker of an older release cannot read is ProviderUnavailable: a newer one will, so it is to be asked again.
    A step that failed within the update is ProviderRejected: the workflow is there, and will refuse it again.
    """
    cause = error.cause
    if isinstance(cause, ActivityError):
        return ProviderRejected(f"{what}: {cause.cause or cause}")
    if isinstance(cause, ApplicationError) and cause.type == UNREAD:
        return ProviderUnavailable(f"{what}: a worker of another release has the workflow and cannot read this yet")
    if isinstance(cause, ApplicationError):
        return _REFUSALS.get(cause.type or "", Conflict)(f"{what}: {cause.message}")
    return Conflict(f"{what} was refused")
