"""Alerts: one per rule, shop and provider, however many breaks it is about; opened, repeated at most once a period, closed.

A rule weighs a situation into a concern or into none. An alert that is closed and comes back within its period is
the same alert, opened again without another notice before the period is over: what flaps tells of itself as often
as what stays.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.closing import OpenMonth
from worker.domain.finding import OPEN_STATUSES, Break, FindingKind, RepairState, Verdict

TOP = 5
"""How many breaks a notice names."""


class AlertTrigger(StrEnum):
    """What a rule looks at."""

    BREAKS = "breaks"
    """Open breaks."""
    REPAIR_FAILED = "repair_failed"
    """Open breaks whose repair failed or was refused: they wait for a person."""
    INCOMPLETE = "incomplete"
    """A run could not read or explain everything, of an API or of a file, and none has since."""
    SCHEDULE_MISSED = "schedule_missed"
    """The last scheduled run had to make up for windows whose own run never came."""
    DEAD_WEBHOOKS = "dead_webhooks"
    """Webhooks that we send to the shop's own programs were given up and wait for a person."""
    MONTH_OPEN = "month_open"
    """A month was due to be closed and is not: its run never came, failed, or could not read everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule of the settings. Raises ValueError when it could never be kept."""

    name: str
    when: AlertTrigger
    to: tuple[str, ...] = ()
    """Names of endpoints; without any the alert is only recorded."""
    period: timedelta = timedelta(days=1)
    kinds: frozenset[FindingKind] = frozenset()
    """Kinds of breaks that count; empty: all."""
    min_count: int = 1
    min_at_risk: Mapping[str, int] = field(default_factory=dict)
    """Minor units by currency: one of them must be reached; empty: any amount."""
    min_age: timedelta = timedelta(0)
    """Breaks younger than this do not count, nor do months that are overdue for less."""

    def __post_init__(self) -> None:
        if self.period <= timedelta(0):
            raise ValueError("the period must be longer than nothing")
        if self.min_count < 1 or self.min_age < timedelta(0) or any(minor < 0 for minor in self.min_at_risk.values()):
            raise ValueError("min_count is at least 1, min_age_seconds and min_at_risk at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a run left behind, for one shop and provider."""

    shop: str
    provider: str
    run_id: str
    verdict: str
    """Of the last run; `incomplete` as long as any stands that is."""
    incomplete_because: tuple[str, ...]
    missed_windows: int
    report: str
    breaks: Sequence[Break]
    dead_webhooks: int = 0
    """Dead letters of the shop, whichever run looks."""
    open_months: Sequence[OpenMonth] = ()
    """Months that were due and are not closed, whichever run looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Why an alert is open: counts and amounts, never persons."""

    subjects: int
    """How many breaks, or windows, or reasons."""
    run_id: str
    verdict: str
    report: str = ""
    by_kind: Mapping[str, int] = field(default_factory=dict)
    at_risk: Mapping[str, int] = field(default_factory=dict)
    """Minor units by currency."""
    by_repair: Mapping[str, int] = field(default_factory=dict)
    """How many breaks stand in which state of repair: what is requested may mend itself, what failed will not."""
    top: tuple[Mapping[str, str | int], ...] = ()
    """The largest breaks: id, kind, currency, at_risk_minor, since."""
    reasons: tuple[str, ...] = ()


class AlertState(StrEnum):
    """Whether the concern stands."""

    OPEN = "open"
    CLOSED = "closed"


class Change(StrEnum):
    """What a notice tells."""

    OPENED = "opened"
    """It was quiet and is not."""
    STILL_OPEN = "still_open"
    """A period later it is still so."""
    CLOSED = "closed"
    """It is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert over its life."""

    alert_id: str
    rule: str
    shop: str
    provider: str
    state: AlertState
    opened_at: datetime
    last_seen_at: datetime
    concern: Concern
    closed_at: datetime | None = None
    last_notified_at: datetime | None = None
    notices: int = 0
    """How many were made; the number of a notice is part of its id."""
    standing: tuple[str, ...] = ()
    """The incomplete runs it is about, oldest first; each is one until a later run answers it. Empty of other rules."""


def weigh(rule: AlertRule, situation: Situation, now: datetime) -> Concern | None:
    """Return the rule's concern about a situation; None when there is none."""
    if rule.when is AlertTrigger.INCOMPLETE:
        reasons = situation.incomplete_because
        return _concern(situation, max(1, len(reasons)), reasons) if situation.verdict == Verdict.INCOMPLETE else None
    if rule.when is AlertTrigger.SCHEDULE_MISSED:
        missed = situation.missed_windows
        reason = f"{missed} scheduled window{'s' if missed != 1 else ''} had no run; the last run made up for it"
        return _concern(situation, missed, (reason,)) if missed >= rule.min_count else None
    if rule.when is AlertTrigger.DEAD_WEBHOOKS:
        dead = situation.dead_webhooks
        reason = f"dead letters: {dead}; orders outbound list --state dead"
        return _concern(situation, dead, (reason,)) if dead >= rule.min_count else None
    if rule.when is AlertTrigger.MONTH_OPEN:
        months = [month for month in situation.open_months if now - month.due_at >= rule.min_age]
        reasons = tuple(month.text for month in months)
        return _concern(situation, len(months), reasons) if len(months) >= rule.min_count else None
    counted = [item for item in situation.breaks if _counts(rule, item, now)]
    at_risk: defaultdict[str, int] = defaultdict(int)
    for item in counted:
        at_risk[item.finding.currency] += item.finding.at_risk_minor
    reached = [currency for currency, minor in rule.min_at_risk.items() if at_risk.get(currency, 0) >= minor]
    if len(counted) < rule.min_count or (rule.min_at_risk and not reached):
        return None
    largest = sorted(counted, key=lambda item: (-item.finding.at_risk_minor, item.first_seen_at, item.break_id))
    return Concern(
        subjects=len(counted),
        run_id=situation.run_id,
        verdict=situation.verdict,
        report=situation.report,
        by_kind=dict(sorted(Counter(str(item.finding.kind) for item in counted).items())),
        by_repair=dict(sorted(Counter(str(item.repair_state) for item in counted).items())),
        at_risk={currency: at_risk[currency] for currency in sorted(at_risk) if at_risk[currency]},
        top=tuple(_named(item) for item in largest[:TOP]),
    )


def advance(
    rule: AlertRule,
    before: Alert | None,
    concern: Concern | None,
    *,
    shop: str,
    provider: str,
    now: datetime,
    standing: tuple[str, ...] = (),
) -> tuple[Alert | None, Change | None]:
    """Return the alert's next state and what is to be told, either None when there is nothing.

    `before` is the rule's newest alert for this shop and provider.
    """
    if concern is None:
        if before is None or before.state is AlertState.CLOSED:
            return None, None
        # Whoever was never told that it opened need not hear that it closed.
        told = (
            Change.CLOSED
            if before.last_notified_at is not None and before.last_notified_at >= before.opened_at
            else None
        )
        closed = replace(before, state=AlertState.CLOSED, closed_at=now, notices=before.notices + (told is not None))
        return closed, told
    if before is None or (before.state is AlertState.CLOSED and _period_over(rule, before, now)):
        opened = Alert(
            alert_id=alert_id(rule.name, shop, provider, now),
            rule=rule.name,
            shop=shop,
            provider=provider,
            state=AlertState.OPEN,
            opened_at=now,
            last_seen_at=now,
            concern=concern,
            last_notified_at=now,
            notices=1,
            standing=standing,
        )
        return opened, Change.OPENED
    back = before.state is AlertState.CLOSED
    seen = replace(
        before,
        state=AlertState.OPEN,
        closed_at=None,
        opened_at=now if back else before.opened_at,
        last_seen_at=now,
        concern=concern,
        standing=standing,
    )
    if not _period_over(rule, before, now):
        return seen, None
    untold = before.last_notified_at is None or before.last_notified_at < before.opened_at
    told_again = replace(seen, last_notified_at=now, notices=seen.notices + 1)
    return told_again, Change.OPENED if untold else Change.STILL_OPEN


def alert_id(rule: str, shop: str, provider: str, opened_at: datetime) -> str:
    """Return the id of the alert that opens now: 16 hex digits."""
    return hashlib.sha256(f"{rule}\n{shop}\n{provider}\n{opened_at.isoformat()}".encode()).hexdigest()[:16]


def _period_over(rule: AlertRule, alert: Alert, now: datetime) -> bool:
    return alert.last_notified_at is None or now - alert.last_notified_at >= rule.period


def _counts(rule: AlertRule, item: Break, now: datetime) -> bool:
    waiting = item.repair_state in {RepairState.FAILED, RepairState.REFUSED}
    return (
        item.status in OPEN_STATUSES
        and (rule.when is AlertTrigger.BREAKS or waiting)
        and (not rule.kinds or item.finding.kind in rule.kinds)
        and now - item.first_seen_at >= rule.min_age
    )


def _concern(situation: Situation, subjects: int, reasons: tuple[str, ...]) -> Concern:
    return Concern(
        subjects=subjects,
        run_id=situation.run_id,
        verdict=situation.verdict,
        report=situation.report,
        reasons=tuple(reason[:300] for reason in reasons[:TOP]),
    )


def _named(item: Break) -> Mapping[str, str | int]:
    return {
        "break_id": item.break_id,
        "kind": str(item.finding.kind),
        "leg": str(item.finding.leg),
        "repair": str(item.repair_state),
        "currency": item.finding.currency,
        "at_risk_minor": item.finding.at_risk_minor,
        "since": item.first_seen_at.isoformat(),
    }
