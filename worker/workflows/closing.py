"""Closing months from runs of schedules: a close takes up its month first, and any run sees to one that was left open.

That is started as a workflow of its own, since it may take as long as the run that found it; nothing here can fail a run.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from worker.activities.closing import BooksOf, ClaimedMonth, CloseOrder, ClosingActivities
    from worker.contract.ids import reconciliation_workflow_id
    from worker.contract.names import SearchAttribute, WorkflowType
    from worker.contract.reconciliation import SCHEDULE, Mode, Reconcile, Window
    from worker.domain.closing import LONGEST
    from worker.domain.finding import Verdict
    from worker.workflows.policies import DATABASE, DATABASE_AFTERWARDS

PATCH = "months-left-open"
SHOP = SearchAttributeKey.for_keyword(SearchAttribute.SHOP)


class Closing:
    """Months, as one run of a schedule sees to them."""

    def __init__(self) -> None:
        self.claims = False
        """Whether the run must take up its month before it does anything."""
        self._sees = False

    def begin(self, request: Reconcile) -> None:
        """Decide what to see to; to be called before anything else is done, as `Comparing.begin`."""
        # A person's run closes what it was asked to, and a window that is named is no part of the schedule's course.
        closing = request.mode == Mode.CLOSE
        if request.requested_by == SCHEDULE and (closing or request.window is None) and not request.statement_sha256:
            self._sees = workflow.patched(PATCH)
            self.claims = self._sees and closing

    async def claim(self, request: Reconcile, nominal: datetime, run_id: str) -> ClaimedMonth:
        """Take up the month to close."""
        return await workflow.execute_local_activity_method(
            ClosingActivities.claim_month,
            CloseOrder(
                request=request,
                nominal=nominal.isoformat(),
                run_id=run_id,
                workflow_id=workflow.info().workflow_id,
            ),
            summary="take up a month",
            **DATABASE,
        )

    async def see_to_open_months(self, request: Reconcile, verdict: str) -> None:
        """Start closing the oldest month that was left open; after a run that read nothing a close would not either."""
        if not self._sees or (verdict == Verdict.INCOMPLETE and not self.claims):
            return
        try:
            month = await workflow.execute_activity_method(
                ClosingActivities.next_month,
                BooksOf(shop=request.shop, provider=request.provider),
                summary="look for a month left open",
                **DATABASE_AFTERWARDS,
            )
            if month is not None:
                await self._start(request, month)
        except ActivityError as problem:
            if is_cancelled_exception(problem):
                raise
            workflow.logger.warning("open months are left to the next run", extra={"cause": str(problem.cause)})
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the month is being closed already")

    async def _start(self, request: Reconcile, month: Window) -> None:
        name = month.start[: len("2026-11")]
        await workflow.start_child_workflow(
            WorkflowType.RECONCILIATION,
            Reconcile(
                shop=request.shop,
                provider=request.provider,
                interval_seconds=0,
                window=month,
                repair=False,
                mode=Mode.CLOSE.value,
            ),
            id=reconciliation_workflow_id(request.shop, request.provider, f"close-{name}"),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            run_timeout=LONGEST,
            search_attributes=TypedSearchAttributes([SearchAttributePair(SHOP, request.shop)]),
            static_summary=f"{request.shop} against {request.provider}, close of {name}, which was left open",
        )
