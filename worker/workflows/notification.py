"""One message to one subscription: sent, tried again up a ladder of days, until it is taken or given up.

    send -> delivered | wait -> send ... -> dead
A workflow for each message, so that an endpoint that is down holds up nobody else's messages and none of its own. The
message and what became of it live in MySQL; the wait is the answer of each try.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from worker.activities.outbound import OutboundActivities
    from worker.contract.names import NotificationMessage, WorkflowType
    from worker.contract.outbound import Notification, NotificationResult
    from worker.workflows.policies import SENDING


@workflow.defn(name=WorkflowType.NOTIFICATION)
class NotificationWorkflow:
    """Delivers one message; see the module's text."""

    def __init__(self) -> None:
        self._hurried = False

    @workflow.run
    async def run(self, notification: Notification) -> NotificationResult:
        """Return how the delivery ended."""
        while True:
            self._hurried = False
            told = await workflow.execute_activity_method(
                OutboundActivities.send_message, notification, summary=f"to {notification.subscription}", **SENDING
            )
            workflow.set_current_details(f"try {told.attempts}: **{told.state}** {told.detail}")
            if told.wait_seconds is None:
                return NotificationResult(state=told.state, attempts=told.attempts, detail=told.detail)
            try:
                await workflow.wait_condition(
                    lambda: self._hurried,
                    timeout=timedelta(seconds=told.wait_seconds),
                    timeout_summary=f"until try {told.attempts + 1}",
                )
            except TimeoutError:
                continue

    @workflow.signal(name=NotificationMessage.HURRY)
    def hurry(self) -> None:
        """Try again now instead of waiting: a person asked for it."""
        self._hurried = True
