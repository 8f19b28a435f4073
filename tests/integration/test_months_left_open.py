"""Months whose close was missed, failed or could not read everything: closed by a later run, in order, each once."""

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from tests.integration.office import Office
from tests.integration.own_database import at_once
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_services_runs_again import orders
from tests.workflows.sandbox import sandbox
from worker.activities.alerts import AlertActivities
from worker.activities.closing import ClosingActivities
from worker.activities.reconciliation import ReconciliationActivities
from worker.contract.reconciliation import SCHEDULE, Mode, Reconcile, Window
from worker.domain.alert import AlertRule, AlertTrigger
from worker.domain.closing import CloseRule, month_after
from worker.domain.finding import Verdict
from worker.domain.window import Span, month_before
from worker.services.alerting import AlertService
from worker.services.closing import Claim, MonthlyClose, months_left_open
from worker.services.ports import Notifier, Processes, Run, Transaction
from worker.services.reporting import ReportingService
from worker.temporal import search_attributes
from worker.workflows.reconciliation import ReconciliationWorkflow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = CloseRule(day_of_month=4, offset=6 * HOUR, again=(6 * HOUR, DAY), most_months=12)
RULES = {("main", "stripe"): RULE}
CLOSE = Reconcile(shop="main", provider="stripe", interval_seconds=0, repair=False, mode=Mode.CLOSE)
LEDGER = "GET /stripe/v1/balance_transactions"
PATIENCE_SECONDS = 60


@dataclass
class Months:
    """The months of one office, as its schedule and its runs come to them."""

    office: Office
    number: int = 0

    @property
    def closing(self) -> MonthlyClose:
        return MonthlyClose(self.office.database, self.office.clock, RULES)

    def claim(self, month: Span | None = None, nominal: datetime | None = None) -> Claim:
        self.number += 1
        window = Window(start=month.start.isoformat(), end=month.end.isoformat()) if month else None
        request = Reconcile(
            shop="main", provider="stripe", interval_seconds=0, repair=False, mode=Mode.CLOSE, window=window
        )
        at = nominal or self.office.clock.now()
        return self.closing.claim(request, at, run_id=f"close-{self.number}", workflow_id=f"w-{self.number}")

    def answer(self, claim: Claim, verdict: Verdict = Verdict.RECONCILED) -> str:
        """Store what the run of a claim came to, as a release did that kept no watermark of closing."""

        def work(tx: Transaction) -> None:
            run = tx.runs.get(claim.run_id)
            assert claim.mine
            assert run is not None
            tx.runs.finish(replace(run, finished_at=self.office.clock.now(), verdict=verdict), (), ())

        self.office.database.transact(work)
        return verdict

    def run(self, claim: Claim) -> Run:
        """Do what a run that has taken up its month does."""
        assert claim.mine
        return self.office.reconciliation.run(
            CLOSE, claim.span, run_id=claim.run_id, workflow_id="w", give_up=True, progress=lambda _: None
        )

    def close(self, month: Span) -> str:
        return self.answer(self.claim(month))

    def until(self, at: datetime) -> None:
        """Let time pass."""
        self.office.advance(at - self.office.clock.now())

    def next(self) -> Span | None:
        return self.closing.next_month("main", "stripe")

    def left(self) -> list[str]:
        now = self.office.clock.now()
        return [
            str(one)
            for one in self.office.database.transact(lambda tx: months_left_open(tx, RULE, "main", "stripe", now))
        ]

    def reached(self) -> datetime | None:
        self.next()
        return self.office.database.transact(lambda tx: tx.runs.watermark("main", "stripe", Mode.CLOSE))

    def by_schedule(self) -> Span:
        """Wait until a close is due, let its schedule do it, and return its month."""
        due = RULE.next_due(self.office.clock.now())
        self.until(due + timedelta(minutes=1))
        claim = self.claim(nominal=due)
        self.answer(claim)
        return claim.span


@pytest.fixture
def months(office: Office) -> Months:
    return Months(office)


@contextmanager
def unreadable(office: Office) -> Iterator[None]:
    office.outside.fault(LEDGER, "status", status=503, times=None)
    yield
    office.outside.heal()


def test_months_that_nobody_closed_are_noticed_and_closed_in_order(months: Months) -> None:
    assert (months.next(), months.left()) == (None, []), "whoever begins today does not want the years before"
    first = months.by_schedule()
    assert months.reached() == first.end
    # The schedule is paused for three months.
    missed = [month_after(first)]
    missed += [month_after(missed[0]), month_after(month_after(missed[0]))]
    months.until(RULE.due(missed[2]) + timedelta(minutes=30))
    assert months.left() == [f"{month.start:%Y-%m}" for month in missed]
    # A close that is only just due is left to its schedule; the others have waited long enough.
    for month in missed[:2]:
        assert months.next() == month
        assert months.close(month) == Verdict.RECONCILED
        assert months.reached() == month.end
    assert months.next() is None
    months.until(RULE.due(missed[2]) + HOUR)
    assert months.next() == missed[2]
    assert months.close(missed[2]) == Verdict.RECONCILED
    assert (months.next(), months.left()) == (None, [])
    # The run of the schedule that comes late finds all done, and says by whom.
    late = months.claim(nominal=RULE.due(missed[2]))
    assert (late.mine, late.span, late.verdict) == (False, missed[2], Verdict.RECONCILED)


def test_a_close_of_the_schedule_takes_the_oldest_month_and_a_past_one_its_own(months: Months) -> None:
    first = months.by_schedule()
    second = month_after(first)
    third = month_after(second)
    months.until(RULE.due(third))
    assert months.claim(nominal=RULE.due(third)).span == second
    # `orders schedules backfill` over the time before anything was kept: each nominal time is its own month.
    before = month_before(first.start)
    assert months.close(before) == Verdict.RECONCILED
    assert months.claim(nominal=RULE.due(before)).span == before
    assert months.reached() == first.end


def test_however_many_come_to_a_month_one_closes_it(months: Months) -> None:
    first = months.by_schedule()
    second = month_after(first)
    months.until(RULE.due(second) + HOUR)
    nominal = RULE.due(second)
    request = Reconcile(shop="main", provider="stripe", mode=Mode.CLOSE)

    def coming(number: int) -> Claim:
        return months.closing.claim(request, nominal, run_id=f"many-{number}", workflow_id=f"w-{number}")

    claims = at_once(6, coming)
    (mine,) = [claim for claim in claims if claim.mine]
    assert {(claim.span, claim.run_id) for claim in claims} == {(second, mine.run_id)}
    assert months.next() is None, "it is under way"
    number = int(mine.run_id.removeprefix("many-"))
    assert coming(number) == mine, "a step that is done again goes on with its month"
    # Its worker dies. After a day it is over, and so is the wait after a first try.
    months.office.advance(DAY + HOUR)
    assert months.next() == second
    assert months.close(second) == Verdict.RECONCILED
    # Thought dead, it comes back: what it stores is its own, and the month stays closed.
    assert months.answer(mine) == Verdict.RECONCILED
    assert (months.reached(), months.left()) == (second.end, [])


def test_a_month_whose_source_was_away_is_tried_again_on_a_ladder_and_told_until_it_is_closed(months: Months) -> None:
    office = months.office
    first = months.by_schedule()
    second = month_after(first)
    rule = AlertRule(name="month_open", when=AlertTrigger.MONTH_OPEN, min_age=DAY)
    told = AlertService(office.database, create_autospec(Notifier, instance=True), office.clock, (rule,), closes=RULES)
    months.until(RULE.due(second))
    with unreadable(office):
        tried = months.claim(nominal=RULE.due(second))
        assert months.run(tried).verdict == Verdict.INCOMPLETE
        assert told.evaluate(tried.run_id, HOUR) == {}, "it may yet be closed by itself"
        assert months.next() is None
        office.advance(7 * HOUR)
        assert months.next() == second
        assert months.run(months.claim(second)).verdict == Verdict.INCOMPLETE
        assert months.next() is None, "after a second try it waits for a day"
        office.advance(DAY)
        assert told.evaluate(tried.run_id, HOUR) == {"month_open": "opened"}
        assert months.answer(months.claim(second), Verdict.INCOMPLETE)
        office.advance(5 * DAY)
        assert months.next() is None, "after the last rung it waits for the next close"
    (alert,) = office.database.transact(lambda tx: tx.alerts.listed("open", 5))
    (reason,) = alert.concern.reasons
    assert reason.startswith(f"{second.start:%Y-%m} was due to be closed on ")
    third = month_after(second)
    months.until(RULE.due(third) + HOUR)
    assert months.left() == [f"{second.start:%Y-%m}", f"{third.start:%Y-%m}"]
    assert months.next() == second
    assert months.run(months.claim(second)).verdict == Verdict.RECONCILED
    watermark = office.database.transact(lambda tx: tx.runs.watermark("main", "stripe", Mode.CLOSE))
    assert watermark == second.end, "the run itself has moved it"
    closed = months.claim(months.next())
    months.answer(closed)
    assert told.evaluate(closed.run_id, HOUR) == {"month_open": "closed"}


def test_a_month_that_was_closed_by_hand_or_by_an_older_release_is_closed(months: Months) -> None:
    office = months.office
    first = months.by_schedule()
    second, third = month_after(first), month_after(month_after(first))
    months.until(RULE.due(third) + HOUR)
    by_hand = Reconcile(
        shop="main",
        provider="stripe",
        mode=Mode.CLOSE,
        requested_by="ada",
        window=Window(start=third.start.isoformat(), end=third.end.isoformat()),
    )
    office.reconciliation.run(by_hand, third, run_id="by-hand", workflow_id="w", give_up=False, progress=lambda _: None)
    assert (months.left(), months.reached()) == ([f"{second.start:%Y-%m}"], first.end), "one before it is open still"
    assert months.close(second) == Verdict.RECONCILED
    assert (months.next(), months.reached()) == (None, third.end)
    # A close of what is no month closes none.
    odd = Span(third.end, third.end + DAY)
    office.reconciliation.run(by_hand, odd, run_id="odd", workflow_id="w", give_up=False, progress=lambda _: None)
    assert months.reached() == third.end


async def test_runs_of_schedules_on_two_workers_see_to_the_months_that_were_left_open(
    months: Months, temporal_server: str
) -> None:
    office = months.office
    first = months.by_schedule()
    missed = [month_after(first), month_after(month_after(first))]
    months.until(RULE.due(missed[-1]) + 2 * HOUR)
    queue = uuid.uuid4().hex
    reporting = create_autospec(ReportingService, instance=True)
    reporting.write.return_value = "reports/x"
    steps = ReconciliationActivities(
        office.reconciliation, office.repair, reporting, create_autospec(Processes, instance=True)
    )
    alerts = AlertActivities(AlertService(office.database, create_autospec(Notifier, instance=True), office.clock, ()))
    closes = ClosingActivities(months.closing)
    every = [
        getattr(one, name)
        for one in (steps, alerts, closes)
        for name in vars(type(one))
        if hasattr(getattr(one, name), "__temporal_activity_definition")
    ]

    def worker(client: Client) -> Worker:
        return Worker(
            client,
            task_queue=queue,
            workflows=[ReconciliationWorkflow],
            activities=every,
            activity_executor=ThreadPoolExecutor(8),
            workflow_runner=sandbox(),
        )

    async with fresh_namespace(temporal_server) as client:
        await search_attributes.converge(client)
        another = await Client.connect(temporal_server, namespace=client.namespace)
        async with worker(client), worker(another):
            light = Reconcile(shop="main", provider="stripe", mode=Mode.LIGHT, repair=False, requested_by=SCHEDULE)
            both = [
                client.execute_workflow(ReconciliationWorkflow.run, light, id=f"light-{number}", task_queue=queue)
                for number in range(2)
            ]
            await asyncio.gather(*both)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while months.reached() != missed[-1].end:
                    await asyncio.sleep(0.1)
    since = first.end
    closes_made = office.database.transact(lambda tx: tx.runs.closes("main", "stripe", since))
    done = [Span(run.window_start, run.window_end) for run in closes_made]
    assert done == [first, *missed], "in order, each once"


def test_the_list_of_runs_ends_with_the_months_that_are_open(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The declared close is on the fourth, at six: months are due by the clock of whoever asks.
    rule = CloseRule(day_of_month=4, offset=6 * HOUR)
    newest = rule.last_due(datetime.now(UTC))
    begun = month_before(newest.start).start
    office.database.transact(lambda tx: tx.runs.advance_watermark("main", "stripe", begun, begun, Mode.CLOSE))
    told = orders(office, tmp_path, monkeypatch, "list")
    *_, older, newer = told.output.splitlines()
    assert older.startswith(f"stripe: {begun:%Y-%m} was due to be closed on ")
    assert newer.startswith(f"stripe: {newest.start:%Y-%m} was due to be closed on ")
    assert newer.endswith("no run came to it, the next one of a schedule starts it")
