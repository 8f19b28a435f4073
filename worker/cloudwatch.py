"""What is reported to CloudWatch once a minute: what scales the worker, and what wakes a person.

Every replica may report; the alarms look at the greatest value of a minute. What was not readable is left out, and a
figure that is missing for long is an alarm of its own.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from worker.config import ScheduleConfig
from worker.contract.names import WorkflowType
from worker.domain.finding import Break
from worker.observability.emf import Figures
from worker.observability.metrics import Backlog
from worker.services.figures import DEAD_EVENTS
from worker.services.ports import Database
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT
from worker.temporal.schedule_control import ScheduleView

MEANING = {
    "BacklogCount": "Tasks that wait in the queue.",
    "BacklogAgeSeconds": "Age of the oldest of them.",
    "BacklogPerPoller": "Tasks that wait for each worker that polls; more tasks are started by it.",
    "OpenBreaks": "Open breaks of the shop.",
    "BreaksAtRisk": "Of these, how many have been open for more than a day and have money in them.",
    "SchedulesMissed": "Declared schedules that should have started a run and did not.",
    "ReconciliationRunsFailed": "Reconciliations that ended with an error within the last hour.",
    "DeadLetters": "Events of the last day that nothing could process: `orders webhooks list` shows them.",
    "StuckWork": "Steps that keep failing, and workflows whose code fails: `orders attention list` shows them.",
    "DeadWebhooks": "Webhooks of ours that were given up within the last day.",
}
"""What each figure says, for who reads it; a test holds it against what is reported."""

OVERDUE = timedelta(days=1)
"""From when an open break with money in it is at risk: by then every grace is over and every repair was tried."""

LOOK_BACK = timedelta(hours=1)
"""How long a failed run is reported after it failed."""


def of_queues(backlogs: Iterable[Backlog]) -> list[Figures]:
    """Return what waits in each queue: workflow and activity tasks together, the older of both."""
    queues: dict[str, list[Backlog]] = {}
    for item in backlogs:
        queues.setdefault(item.queue, []).append(item)
    return [
        Figures(
            values={
                "BacklogCount": (sum(each.tasks for each in items), "Count"),
                "BacklogAgeSeconds": (max(each.oldest_seconds for each in items), "Seconds"),
                "BacklogPerPoller": (
                    sum(each.tasks for each in items) / max(1, *(each.pollers for each in items)),
                    "Count",
                ),
            },
            dimensions={"Queue": queue},
        )
        for queue, items in queues.items()
    ]


def of_breaks(breaks: Iterable[Break], shops: Iterable[str], now: datetime) -> list[Figures]:
    """Return the open breaks of each shop, also of those that have none: silence would look like an outage."""
    found: dict[str, list[Break]] = {shop: [] for shop in shops}
    for item in breaks:
        found.setdefault(item.shop, []).append(item)
    return [
        Figures(
            values={
                "OpenBreaks": (len(items), "Count"),
                "BreaksAtRisk": (
                    sum(each.finding.at_risk_minor > 0 and now - each.first_seen_at > OVERDUE for each in items),
                    "Count",
                ),
            },
            dimensions={"Shop": shop},
        )
        for shop, items in sorted(found.items())
    ]


def missed(views: Sequence[ScheduleView], declared: Iterable[ScheduleConfig], began: datetime, now: datetime) -> int:
    """Return how many declared schedules should have started a run and did not.

    Twice the interval is waited (of a month's close: a day), and from `began`, when this process did, if there was no run
    yet. A schedule that an operator paused misses nothing; one that is not there misses everything.
    """
    known = {view.id: view for view in views}
    count = 0
    for schedule in declared:
        view = known.get(schedule.id)
        if view is not None and view.paused:
            continue
        last = max(began, view.recent[-1].started_at) if view is not None and view.recent else began
        count += now > _overdue(schedule, last)
    return count


def _overdue(schedule: ScheduleConfig, last: datetime) -> datetime:
    """Return until when the run after `last` may begin."""
    if not schedule.day_of_month:
        return last + timedelta(seconds=2 * schedule.interval_seconds)
    month = last.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while True:
        due = month.replace(day=schedule.day_of_month) + timedelta(seconds=schedule.offset_seconds)
        if due > last:
            return due + OVERDUE
        month = (month + timedelta(days=32)).replace(day=1)


async def failed_runs(client: Client, now: datetime) -> int:
    """Return how many reconciliations ended with an error within LOOK_BACK. Raises ProviderUnavailable."""
    query = (
        f"WorkflowType = '{WorkflowType.RECONCILIATION}' AND ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')"
        f" AND CloseTime > '{(now - LOOK_BACK).isoformat()}'"
    )
    try:
        return (await client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count
    except RPCError as error:
        raise_for(error, "the reconciliations that failed")


def dead_letters(database: Database, now: datetime) -> int:
    """Return how many events of the last day nothing could process. Blocks."""
    return sum(database.transact(lambda tx: tx.figures.events(DEAD_EVENTS, now - OVERDUE)).values())


def dead_webhooks(database: Database, now: datetime) -> int:
    """Return how many webhooks of ours were given up within the last day. Blocks."""
    return database.transact(lambda tx: tx.outbound.died(now - OVERDUE))


def of_work(*, missed_schedules: int, failed: int, dead: int, stuck: int, dead_webhooks: int) -> Figures:
    """Return the figures of the environment as a whole."""
    return Figures(
        values={
            "SchedulesMissed": (missed_schedules, "Count"),
            "ReconciliationRunsFailed": (failed, "Count"),
            "DeadLetters": (dead, "Count"),
            "StuckWork": (stuck, "Count"),
            "DeadWebhooks": (dead_webhooks, "Count"),
        },
        dimensions={},
    )
