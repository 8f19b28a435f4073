"""Breaks over runs: which are new, persist, come back, or are resolved. Nothing is ever deleted.

Invariants:
- a leg that was not read to its end neither opens nor resolves a break: silence there is no evidence;
- a break resolves when its key was compared and agrees; or when its key is gone although the run looked back as far
  as the break's first movement and was complete;
- a run that does not cover all of a break's evidence (an old window run again, a statement file's span) has no say
  over it: it neither resolves it nor replaces its evidence; it may only widen how far the next run looks back;
- what another run judged after this one began to read is left as it is: that run saw more;
- what a person settled stays resolved until the evidence changes, or the time it is ignored for has ended;
- a repair is verified here: a break that resolves after it was repaired, one that comes back was not (`failed`);
- the same run applied twice (same `now`) changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from worker.domain.errors import Conflict
from worker.domain.finding import (
    OPEN_STATUSES,
    Break,
    BreakStatus,
    Finding,
    Leg,
    Outcome,
    Repair,
    RepairState,
    Settlement,
    break_id,
)
from worker.domain.matching.scope import Scope

REPAIRED = "repaired"
AGREES_AGAIN = "agrees again"

_TRIED = frozenset({RepairState.DONE, RepairState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleStep:
    """What one run does to the breaks: those to store, sorted by id, and how many of each kind."""

    upserts: tuple[Break, ...]
    new: int = 0
    persisting: int = 0
    reopened: int = 0
    resolved: int = 0


def advance(
    open_and_past: Mapping[str, Break],
    findings: Iterable[Finding],
    *,
    shop: str,
    provider: str,
    now: datetime,
    scope: Scope,
    incomplete: bool,
    legs_read: frozenset[Leg],
    read_at: datetime | None = None,
) -> LifecycleStep:
    """Return the next state of the breaks of one shop and provider.

    `open_and_past` holds, by id, at least every open break and every break a finding may belong to. A break whose
    finding fell back to pending stays open with the evidence it had. `read_at` is when the run began to read its books.
    Raises Conflict when two findings claim one id.
    """
    examined: dict[str, tuple[Finding, datetime | None]] = {}
    for finding in findings:
        if finding.leg not in legs_read:
            continue
        name = break_id(shop, provider, finding.leg, finding.key, finding.currency)
        if name in examined:
            raise twice(finding)
        examined[name] = (finding, min((fact.at for fact in (*finding.ours, *finding.theirs)), default=None))
    past = {name: item for name, item in open_and_past.items() if (item.shop, item.provider) == (shop, provider)}
    course = Course(
        shop=shop,
        provider=provider,
        now=now,
        scope=scope,
        incomplete=incomplete,
        legs_read=legs_read,
        read_at=read_at,
    )
    upserts: dict[str, Break] = {}
    for name in sorted(examined.keys() | past.keys()):
        following = course.following(name, past.get(name), *examined.get(name, ()))
        if following is not None:
            upserts[name] = following
    counts = [item.status for item in upserts.values()]
    return LifecycleStep(
        upserts=tuple(upserts.values()),
        new=counts.count(BreakStatus.NEW),
        persisting=counts.count(BreakStatus.PERSISTING),
        reopened=counts.count(BreakStatus.REOPENED),
        resolved=counts.count(BreakStatus.RESOLVED),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a run that has its answer does to each break, one by one."""

    shop: str
    provider: str
    now: datetime
    scope: Scope
    incomplete: bool
    legs_read: frozenset[Leg]
    read_at: datetime | None = None
    of_payouts: Scope | None = None
    """What the run covers of payouts and the bank, where that is another time than of single payments."""

    def following(
        self, name: str, item: Break | None, examined: Finding | None = None, first_at: datetime | None = None
    ) -> Break | None:
        """Return the next state of a break, None where it stays as it is (or is none): `examined` is its finding.

        That may come without its evidence; `first_at` is the oldest fact behind it, if there is any.
        """
        if examined is not None and examined.leg not in self.legs_read:
            examined = None
        if item is not None and self.read_at is not None and _judged_at(item) > self.read_at:
            return None
        if item is not None and item.status in OPEN_STATUSES and not _covered(item, self._scope_of(item)):
            return _widened(item, examined, first_at or item.first_movement_at, self.now)
        if examined is not None and examined.outcome is Outcome.BREAK:
            return self._seen(name, item, examined, first_at or self.scope.window_start)
        if item is None or item.status not in OPEN_STATUSES:
            return None
        if examined is not None:
            return _waiting(item, self.now) if examined.outcome is Outcome.PENDING else _resolved(item, self.now)
        if item.finding.leg in self.legs_read and not self.incomplete:
            return _resolved(item, self.now)
        return None

    def _seen(self, name: str, item: Break | None, finding: Finding, first_at: datetime) -> Break | None:
        if item is None:
            return Break(
                break_id=name,
                shop=self.shop,
                provider=self.provider,
                finding=finding,
                status=BreakStatus.NEW,
                first_seen_at=self.now,
                last_seen_at=self.now,
                first_movement_at=first_at,
            )
        first_at = min(first_at, item.first_movement_at)
        if item.status in OPEN_STATUSES:
            return replace(_waiting(item, self.now), finding=finding, first_movement_at=first_at)
        if _settled(item, finding, self.now):
            return None
        return replace(
            item,
            finding=finding,
            status=BreakStatus.REOPENED,
            last_seen_at=self.now,
            first_movement_at=first_at,
            runs_seen=item.runs_seen + 1,
            # A repair whose break came back did not mend the cause: a person must look. Another message that was lost
            # about the same order is another matter.
            repair_state=RepairState.FAILED
            if item.repair_state in _TRIED and finding.repair is item.finding.repair
            else RepairState.NONE,
            repair_next_at=None,
            resolved_at=None,
            resolution="",
            settlement=None,
        )

    def _scope_of(self, item: Break) -> Scope:
        if self.of_payouts is not None and item.finding.leg in {Leg.PAYOUTS, Leg.BANK}:
            return self.of_payouts
        return self.scope


def twice(finding: Finding) -> Conflict:
    """Return the error of two findings that claim one break."""
    return Conflict(f"two findings for {finding.leg} {finding.key} {finding.currency}")


def acknowledged(
    findings: Iterable[Finding], past: Mapping[str, Break], *, shop: str, provider: str, now: datetime
) -> tuple[Finding, ...]:
    """Return the findings with those that a person has settled weighed as warnings, marked with that decision.

    A settled difference is still shown and still part of the bridge; it only stops counting as a break. It counts
    again as soon as its class or an amount changes, and when the time it is ignored for has ended.
    """
    ids = ((break_id(shop, provider, one.leg, one.key, one.currency), one) for one in findings)
    return tuple(marked(one, decision_on(one, past.get(name), now)) for name, one in ids)


def decision_on(finding: Finding, item: Break | None, now: datetime) -> Settlement | None:
    """Return the decision of a person that holds for a finding; `item` is the break that it belongs to."""
    if item is None or finding.outcome is not Outcome.BREAK or not _settled(item, finding, now):
        return None
    return item.settlement


def marked(finding: Finding, decision: Settlement | None) -> Finding:
    """Return the finding as a warning that bears the decision, or as it is where there is none."""
    if decision is None:
        return finding
    return replace(finding, outcome=Outcome.WARNING, repair=Repair.NONE, settlement=decision)


def _settled(item: Break, finding: Finding, now: datetime) -> bool:
    """Tell whether a person's decision on this break still holds and the finding shows nothing new since."""
    known, decision = item.finding, item.settlement
    return (
        item.status is BreakStatus.RESOLVED
        and decision is not None
        and (decision.until is None or now < decision.until)
        and (known.kind, known.ours_minor, known.theirs_minor, known.at_risk_minor)
        == (finding.kind, finding.ours_minor, finding.theirs_minor, finding.at_risk_minor)
    )


def _judged_at(item: Break) -> datetime:
    return item.last_seen_at if item.resolved_at is None else max(item.last_seen_at, item.resolved_at)


def _covered(item: Break, scope: Scope) -> bool:
    """Tell whether the run looked at all that the break is made of: back to its first movement, and past its last."""
    times = [fact.at for fact in (*item.finding.ours, *item.finding.theirs)]
    return scope.horizon_start <= item.first_movement_at and max([item.first_movement_at, *times]) < scope.cut


def _widened(item: Break, finding: Finding | None, first_at: datetime, now: datetime) -> Break | None:
    """Return the break, seen again in a part of its time: it keeps its evidence, the next run looks back further."""
    if finding is None or finding.outcome is not Outcome.BREAK:
        return None
    return replace(_waiting(item, now), first_movement_at=min(first_at, item.first_movement_at))


def _waiting(item: Break, now: datetime) -> Break:
    if item.last_seen_at == now:
        return item
    return replace(item, status=BreakStatus.PERSISTING, last_seen_at=now, runs_seen=item.runs_seen + 1)


def _resolved(item: Break, now: datetime) -> Break:
    repaired = item.repair_state == RepairState.REQUESTED
    return replace(
        item,
        status=BreakStatus.RESOLVED,
        resolved_at=now,
        resolution=REPAIRED if repaired else AGREES_AGAIN,
        repair_state=RepairState.DONE if repaired else item.repair_state,
        repair_next_at=None,
    )
