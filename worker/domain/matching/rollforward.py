"""The roll-forward: open items of the run before + movements of the window - what was agreed = open items now.

    opening            as the run before stored it, not computed again
    + movements        theirs minus ours in the window, plain sums
    + late             dated before the window, but known only since: keys that had no difference then
    + changed          dated before the window: keys that had another difference then
    + left             items older than anything this run looks at
    - accepted         newly within a tolerance, or settled by a person
    = closing          counted from this run's findings

The opening and the closing come from two runs, the movements from sums that know nothing of findings. They can only
meet if no item was lost: what the run before stored as its items must sum to what it stored as its closing, and every
difference of this run must be an item of it. Otherwise there is a residual, and the run is incomplete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from worker.domain.finding import Finding, FindingKind, Leg, Outcome, RollForward, Statement, StatementLine
from worker.domain.matching.sums import WindowSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one key left open, or accepted, in one currency: theirs minus ours."""

    minor: int
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the run before left behind in one currency: its closing as stored, and its items."""

    run_id: str
    count: int
    minor: int
    items: Mapping[str, Item] = field(default_factory=dict)


APART = frozenset({FindingKind.FX_DIFFERENCE, FindingKind.REJECTED_ROW})
"""Kinds of the payments leg that are no part of the difference between the two books."""
_LABELS = {
    "movements": "Moved in the window, theirs less ours",
    "late": "Dated before the window, known only since",
    "changed": "Dated before the window, changed since",
    "left": "Older than what is looked at now",
    "accepted": "Agreed: within a tolerance, or settled by a person",
}


def is_item(finding: Finding) -> bool:
    """Tell whether a finding is part of the difference between the two books of money."""
    return (
        finding.leg is Leg.PAYMENTS
        and finding.kind not in APART
        and (finding.difference_minor != 0 or finding.outcome is not Outcome.MATCHED)
    )


def is_open(finding: Finding) -> bool:
    """Tell whether an item waits for something: it is neither agreed nor settled by a person."""
    return is_item(finding) and finding.outcome is not Outcome.MATCHED and finding.settlement is None


def items(findings: Iterable[Finding], currency: str) -> dict[str, Item]:
    """Return the items of a run in one currency by key: what the next run opens with."""
    return {
        finding.key: Item(minor=finding.difference_minor, open=is_open(finding))
        for finding in findings
        if finding.currency == currency and is_item(finding)
    }


def opening_of(run_id: str, statements: Iterable[Statement], findings: Iterable[Finding]) -> dict[str, Opening] | None:
    """Return by currency what a stored run left behind; None where it kept no closing."""
    findings = tuple(findings)
    rolls = {one.currency: one.roll for one in statements if one.roll is not None}
    if not rolls:
        return None
    return {
        currency: Opening(
            run_id=run_id, count=roll.closing_count, minor=roll.closing_minor, items=items(findings, currency)
        )
        for currency, roll in rolls.items()
    }


def roll_forward(sums: WindowSums, findings: Iterable[Finding], opening: Opening | None) -> RollForward:
    """Return the roll-forward of one currency; `findings` are those of the payments leg in it.

    Without an opening (the first run of a chain) the run opens with what its books bring along from before the window.
    """
    findings = tuple(finding for finding in findings if finding.currency == sums.currency)
    here = {f.key: f for f in findings if f.leg is Leg.PAYMENTS and f.kind not in APART}
    now = items(findings, sums.currency)
    before = {} if opening is None else dict(opening.items)
    brought = sums.theirs_outside_minor - sums.ours_outside_minor
    known = {key: item for key, item in before.items() if key in here}
    left = [item.minor for key, item in before.items() if key not in here and item.open]
    was_open = {key for key, item in before.items() if item.open}
    are_open = {key for key, item in now.items() if item.open}
    changed = {key: here[key].before_minor - item.minor for key, item in known.items()}
    late = brought - sum(here[key].before_minor for key in known)
    accepted = {key: -item.minor for key, item in now.items() if not item.open}
    for key, item in known.items():
        if not item.open:
            accepted[key] = accepted.get(key, 0) + item.minor
    newcomers = sum(bool(here[key].before_minor) for key in here.keys() - known.keys())
    parts = [
        ("movements", 0, sums.theirs_minor - sums.ours_minor),
        ("late", newcomers, 0 if opening is None else late),
        ("changed", *_counted(changed.values())),
        ("left", len(left), -sum(left)),
        ("accepted", *_counted(accepted.values())),
    ]
    return RollForward(
        previous_run="" if opening is None else opening.run_id,
        opening_count=len(was_open) if opening is None else opening.count,
        opening_minor=late if opening is None else opening.minor,
        lines=tuple(
            StatementLine(code=code, label=_LABELS[code], count=count, amount_minor=minor)
            for code, count, minor in parts
            if minor
        ),
        closing_count=len(are_open),
        closing_minor=sum(item.minor for item in now.values() if item.open),
        opened=len(are_open - was_open),
        cleared=len(was_open - are_open),
    )


def _counted(amounts: Iterable[int]) -> tuple[int, int]:
    moved = [minor for minor in amounts if minor]
    return len(moved), sum(moved)
