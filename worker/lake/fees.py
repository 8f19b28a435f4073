"""Agreed fees as SQL: a charge whose fee is as agreed may be cleared, any other is judged by the rules.

Mirrors `FeeSchedule` of worker/domain/matching/rules.py for one charge; a test holds both against each other.
"""

from worker.domain.matching.rules import BASIS_POINTS, FeeSchedule, Rules
from worker.lake.engine import quoted


def agreed_fee(rules: Rules) -> str:
    """Return the condition that a line is no charge, or its fee is as agreed or nothing was agreed."""
    ranked = sorted(rules.fees, key=lambda schedule: -schedule.narrowness)
    cases = " ".join(f"when {_concerns(schedule)} then {_as_agreed(schedule)}" for schedule in ranked)
    return f"(kind <> 'charge' or case {cases} else true end)"


def _concerns(schedule: FeeSchedule) -> str:
    named = (("method", schedule.method), ("country", schedule.country), ("currency", schedule.currency))
    return " and ".join(f"{column} = {quoted(value)}" for column, value in named if value) or "true"


def _as_agreed(schedule: FeeSchedule) -> str:
    share = f"(gross_minor * {schedule.basis_points * 2} + {BASIS_POINTS}) // {2 * BASIS_POINTS}"
    expected = f"({share} + {schedule.fixed_minor})"
    apart = f"abs(fee_minor - {expected})"
    return (
        f"({apart} <= {schedule.variance_minor} "
        f"or {apart} * {BASIS_POINTS} <= abs({expected}) * {schedule.variance_bp})"
    )
