"""Alerting: after a run each rule is weighed, its one alert opened, repeated or closed, and told to its endpoints.

What is to be told is stored with the change itself and sent afterwards, so a notice is neither lost with a worker
nor made up for a change that was rolled back. It is sent at least once, always under the same id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from worker.contract.reconciliation import SCHEDULE, Mode
from worker.domain.alert import Alert, AlertRule, AlertState, AlertTrigger, Change, Concern, Situation, advance, weigh
from worker.domain.closing import OpenMonth
from worker.domain.errors import InvalidInput, NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.finding import Verdict
from worker.domain.money import format_minor
from worker.services.closing import CloseRules, months_left_open
from worker.services.ports import Clock, Database, Notice, Notifier, Run, Transaction

GIVEN_UP_AFTER = timedelta(days=3)
"""A notice that could not be delivered for so long is news no more; `orders alerts show` still tells of it."""

MOST_STANDING = 50
"""How many incomplete runs one alert is about at most, the newest: whoever imports a folder of damaged files knows."""

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
                standing = _standing(tx, run, before) if rule.when is AlertTrigger.INCOMPLETE else []
                concern = weigh(rule, _as_they_stand(situation, standing), now)
                if rule.when is AlertTrigger.SCHEDULE_MISSED and not _by_schedule(run):
                    continue  # one on demand, or over a file, knows nothing of the schedule
                if before is not None and concern is not None and before.concern.run_id == run_id:
                    continue  # this run was weighed before; its activity is done again
                after, change = advance(
                    rule,
                    before,
                    concern,
                    shop=run.shop,
                    provider=run.provider,
                    now=now,
                    standing=tuple(one.run_id for one in standing),
                )
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
    windows = (run.window_end - run.window_start) // interval if _by_schedule(run) and interval else 1
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


def _by_schedule(run: Run) -> bool:
    return run.requested_by == SCHEDULE and run.of_api


def _standing(tx: Transaction, run: Run, before: Alert | None) -> list[Run]:
    """Return the incomplete runs that no later one has answered, this one included, oldest first."""
    told = (before.standing or (before.concern.run_id,)) if before and before.state is AlertState.OPEN else ()
    earlier = (tx.runs.get(run_id) for run_id in told if run_id != run.run_id)
    left = [one for one in earlier if one is not None and not _answers(run, one)]
    return [*left, run][-MOST_STANDING:] if run.verdict == Verdict.INCOMPLETE else left


def _answers(run: Run, earlier: Run) -> bool:
    """Tell whether what a run says takes the place of what an incomplete one before it said.

    That a run is in order is no answer to what one of another mode complained of, unless it is a full one and the other
    was light; what could not be read of a file is answered over that file, or over another that tells of its whole time.
    """
    covers = run.window_start <= earlier.window_start and run.window_end >= earlier.window_end
    complete = run.verdict != Verdict.INCOMPLETE
    if earlier.mode is Mode.CLOSE:
        return run.mode is Mode.CLOSE and covers
    if earlier.of_api:
        return run.of_api and (run.mode is earlier.mode or (run.mode is Mode.FULL and complete))
    return run.source == earlier.source or (covers and run.mode is Mode.FULL and (complete or not run.of_api))


def _as_they_stand(situation: Situation, standing: Sequence[Run]) -> Situation:
    """Return the situation with the incomplete runs that stand, the newest first."""
    if not standing:
        return situation
    newest = standing[-1]
    return replace(
        situation,
        run_id=newest.run_id,
        verdict=newest.verdict,
        report=newest.report,
        incomplete_because=tuple(
            because if len(standing) == 1 else f"run {one.run_id}: {because}"
            for one in reversed(standing)
            for because in one.incomplete_because
        ),
    )


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
