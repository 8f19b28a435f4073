"""From what is wrong with one key to its finding.

A key may have several things wrong at once: the worst names the finding, the rest is said in its cause, and the
amounts at risk add up. Mature issues outweigh pending ones, so a grace never hides a break.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.domain.finding import Fact, Finding, FindingKind, Outcome, Repair

MAX_FACTS = 20
"""Evidence kept per side, oldest first; the cause says when there is more."""

_WEIGHT = {Outcome.BREAK: 0, Outcome.WARNING: 1, Outcome.PENDING: 2, Outcome.MATCHED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One thing wrong with a key."""

    kind: FindingKind
    cause: str
    difference_minor: int = 0
    """The part of theirs minus ours that this issue explains."""
    at_risk_minor: int = 0
    break_on: datetime | None = None
    """When silence becomes a break; None = it is one at once."""
    warning: bool = False
    accepted: bool = False
    """A rule allows it: told and counted, but agreed."""
    repair: Repair = Repair.NONE
    repair_reference: str = ""

    def outcome(self, cut: datetime) -> Outcome:
        """Return what the issue weighs at the cut."""
        if self.accepted:
            return Outcome.MATCHED
        if self.break_on is not None and self.break_on > cut:
            return Outcome.PENDING
        return Outcome.WARNING if self.warning else Outcome.BREAK


def conclude(key: Finding, issues: Iterable[Issue], severity: Sequence[FindingKind], cut: datetime) -> Finding:
    """Return the finding of a key: `key` is it as matched, with amounts and all evidence; `issues` is what is wrong.

    `severity` ranks the kinds, worst first. Only a break carries a repair: what is pending may still arrive by
    itself. Without issues the key is matched (and keeps the cause it came with).
    """
    issues = tuple(issues)
    cut_off = _cut_off("our", key.ours) + _cut_off("their", key.theirs)
    ours, theirs, cause = _oldest(key.ours), _oldest(key.theirs), "; ".join(filter(None, (key.cause, *cut_off)))
    if not issues:
        return replace(key, ours=ours, theirs=theirs, cause=cause) if len(ours) > 1 or len(theirs) > 1 else key
    weighed = [(issue.outcome(cut), issue) for issue in issues]
    if len(weighed) > 1:
        weighed.sort(key=lambda one: (_WEIGHT[one[0]], severity.index(one[1].kind), one[1].cause))
    outcome, worst = weighed[0]
    waiting = [issue.break_on for _, issue in weighed if issue.break_on is not None and issue.break_on > cut]
    repairs = [issue for weight, issue in weighed if weight is Outcome.BREAK and issue.repair is not Repair.NONE]
    repair = repairs[0] if repairs else None
    late = " (still within its grace)" if outcome is not Outcome.PENDING else ""
    causes = [issue.cause + (late if weight is Outcome.PENDING else "") for weight, issue in weighed]
    return replace(
        key,
        kind=worst.kind,
        outcome=outcome,
        at_risk_minor=sum(issue.at_risk_minor for issue in issues),
        break_on=min(waiting) if outcome is Outcome.PENDING else None,
        cause="; ".join(filter(None, (*causes, cause))),
        ours=ours,
        theirs=theirs,
        repair=repair.repair if repair else Repair.NONE,
        repair_reference=repair.repair_reference if repair else "",
    )


def _oldest(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    if len(facts) < 2:
        return facts
    ranked = sorted(facts, key=lambda fact: (fact.at, fact.record, fact.reference, fact.amount_minor or 0, fact.status))
    return tuple(ranked[:MAX_FACTS])


def _cut_off(side: str, facts: Sequence[Fact]) -> list[str]:
    return [f"the oldest {MAX_FACTS} of {side} {len(facts)} records are shown"] if len(facts) > MAX_FACTS else []
