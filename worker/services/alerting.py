"""Alerting: after a run each rule is weighed, its one alert opened, repeated or closed, and told to its endpoints.

What is to be told is stored with the change itself and sent afterwards, so a notice is neither lost with a worker
nor made up for a change that was rolled back. It is sent at least once, always under the same id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from worker.contract.reconciliation import Mode
from worker.domain.alert import Alert, AlertRule, AlertState, Change, Concern, Situation, advance, weigh
from worker.domain.closing import OpenMonth
from worker.domain.errors import InvalidInput, NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.finding import Verdict
from worker.domain.money import format_minor
from worker.services.closing import CloseRules, months_left_open
from worker.services.ports import Clock, Database, Notice, Notifier, Run, Transaction

GIVEN_UP_AFTER = timedelta(days=3)
"""A notice that could not be delivered for so long is news no more; `orders alerts show` still tells of it."""

TYPE = "reconciliation.alert"


class AlertService:
    """Weighs the rules of the settings and sends what they have to tell."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        clock: Clock,
        rules: Sequence[AlertRule],
        closes: CloseRules | None = None,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._clock = clock
        self._rules = rules
        self._closes = closes or {}

    def evaluate(self, run_id: str, interval: timedelta) -> dict[str, str]:
        """Weigh every rule after a run; return what changed, by rule. Doing it again changes nothing more.

        `interval` is that of the run's schedule. Raises NotFound for a run that was never begun.
        """

        def work(tx: Transaction) -> dict[str, str]:
            run = tx.runs.get(run_id)
            if run is None:
                raise NotFound(f"run {run_id} was never begun")
            tx.runs.lock(run.shop, run.provider)
            now = self._clock.now()
            rule_of_close = self._closes.get((run.shop, run.provider))
            months = months_left_open(tx, rule_of_close, run.shop, run.provider, now) if rule_of_close else ()
            situation = _situation(run, interval, months, tx)
            changes = {}
            for rule in self._rules:
                before = tx.alerts.newest(run.shop, run.provider, rule.name)
                concern = weigh(rule, situation, now)
                raised_by = tx.runs.get(before.concern.run_id) if before is not None else None
                if not _says_something(rule, run, concern, raised_by):
                    continue
                if before is not None and concern is not None and before.concern.run_id == run_id:
                    continue  # this run was weighed before; its activity is done again
                after, change = advance(rule, before, concern, shop=run.shop, provider=run.provider, now=now)
                if after is None:
                    continue
                notices = [] if change is None else _notices(rule, after, change, now)
                tx.alerts.save(after, notices)
                if change is not None:
                    changes[rule.name] = str(change)
            return changes

        return self._database.transact(work)

    def deliver(self) -> int:
        """Send what is pending, whichever run made it; return how many were delivered.

        One endpoint that does not answer keeps no other waiting; ProviderUnavailable is raised at the end.
        """
        since = self._clock.now() - GIVEN_UP_AFTER
        delivered, unanswered = 0, []
        for notice in self._database.transact(lambda tx: tx.alerts.pending(since)):
            try:
                self._notifier.send(notice)
            except ProviderUnavailable as problem:
                unanswered.append(f"{notice.endpoint}: {problem}")
                continue
            except (ProviderRejected, InvalidInput, NotFound) as refusal:
                self._finish(notice, "refused", str(refusal)[:300])
                continue
            self._finish(notice, "delivered", "")
            delivered += 1
        if unanswered:
            raise ProviderUnavailable("notices are kept for the next try: " + "; ".join(unanswered[:3]))
        return delivered

    def _finish(self, notice: Notice, outcome: str, detail: str) -> None:
        done = replace(notice, outcome=outcome, detail=detail, finished_at=self._clock.now())
        self._database.transact(lambda tx: tx.alerts.finish(done))


def document_of(rule: AlertRule, alert: Alert, change: Change, at: datetime) -> Mapping[str, Any]:
    """Return what is sent about a change: counts, amounts and ids of breaks."""
    concern = alert.concern
    return {
        "type": f"{TYPE}.{change}",
        "timestamp": at.isoformat(),
        "data": {
            "alert_id": alert.alert_id,
            "rule": rule.name,
            "when": str(rule.when),
            "shop": alert.shop,
            "provider": alert.provider,
            "state": str(alert.state),
            "opened_at": alert.opened_at.isoformat(),
            "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
            "count": concern.subjects,
            "by_kind": dict(concern.by_kind),
            "by_repair": dict(concern.by_repair),
            "at_risk": [
                {"currency": currency, "minor": minor, "amount": format_minor(minor, currency)}
                for currency, minor in concern.at_risk.items()
            ],
            "top": [dict(each) for each in concern.top],
            "reasons": list(concern.reasons),
            "run_id": concern.run_id,
            "verdict": concern.verdict,
            "report": concern.report,
            "command": f"orders alerts show {alert.alert_id}",
        },
    }


def sample(rule: AlertRule, shop: str, provider: str, at: datetime) -> list[Notice]:
    """Return a notice to each endpoint of a rule that says of itself that it is a test."""
    concern = Concern(subjects=0, run_id="test", verdict=str(Verdict.RECONCILED), reasons=("this is a test",))
    alert = Alert(
        alert_id="test",
        rule=rule.name,
        shop=shop,
        provider=provider,
        state=AlertState.OPEN,
        opened_at=at,
        last_seen_at=at,
        concern=concern,
    )
    document = {**document_of(rule, alert, Change.OPENED, at), "type": f"{TYPE}.test"}
    notice_id = f"alert_test_{int(at.timestamp())}"
    return [
        Notice(notice_id=notice_id, endpoint=endpoint, alert_id="test", document=document, created_at=at)
        for endpoint in rule.to
    ]


def _situation(run: Run, interval: timedelta, months: Sequence[OpenMonth], tx: Transaction) -> Situation:
    scheduled = run.requested_by == "schedule" and run.of_api
    windows = (run.window_end - run.window_start) // interval if scheduled and interval else 1
    return Situation(
        shop=run.shop,
        provider=run.provider,
        run_id=run.run_id,
        verdict=run.verdict,
        incomplete_because=run.incomplete_because,
        missed_windows=max(0, windows - 1),
        report=run.report,
        breaks=tx.breaks.open(run.shop, run.provider),
        dead_webhooks=tx.outbound.dead(run.shop),
        open_months=months,
    )


def _says_something(rule: AlertRule, run: Run, concern: Concern | None, raised_by: Run | None) -> bool:
    """Tell whether a run has a say over a rule.

    One over a statement file knows nothing of the API, one on demand nothing of the schedule. That a run is in order
    is no answer to what one of another mode complained of, unless it is a full one and the other was light.
    """
    has = {
        "incomplete": run.of_api,
        "schedule_missed": run.of_api and run.requested_by == "schedule",
    }.get(rule.when)
    if has is None:
        return True
    answers = raised_by is None or run.mode in {raised_by.mode, Mode.FULL}
    if raised_by is not None and raised_by.mode is Mode.CLOSE:
        answers = run.mode is Mode.CLOSE
    return has and (concern is not None or answers)


def _notices(rule: AlertRule, alert: Alert, change: Change, at: datetime) -> list[Notice]:
    document = document_of(rule, alert, change, at)
    return [
        Notice(
            notice_id=f"alert_{alert.alert_id}_{alert.notices}",
            endpoint=endpoint,
            alert_id=alert.alert_id,
            document=document,
            created_at=at,
        )
        for endpoint in rule.to
    ]
