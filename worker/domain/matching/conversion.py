"""Converted payments: what the rates between a charge and its refund made of the money.

The books are compared in the customer's currency, where a payment given back whole is zero. In the currency it was
settled in it is not, when the rate moved in between. That rest is a gain or a loss of the exchange, not a difference
of the books: it has a finding of its own, outside the sums of the bridge.
"""

from dataclasses import dataclass

from worker.domain.finding import Finding, FindingKind, Leg, Outcome
from worker.domain.matching.movements import Account, Converted, line_fact, payment_of
from worker.domain.matching.rules import BASIS_POINTS, Rules
from worker.domain.money import format_minor


def fx_findings(account: Account, rules: Rules) -> list[Finding]:
    """Return the exchange difference of an account that is free of repeats, per currency of settlement.

    `ours` is what the refunds would have cost at the rate of their charges, `theirs` what they did cost. A minor unit
    per refund is rounding.
    """
    payments: dict[tuple[str, str], tuple[list[Converted], list[Converted]]] = {}
    for which, lines in enumerate((account.charged, account.refunded)):
        for line in lines:
            if isinstance(line, Converted):
                name = (line.settlement.currency, payment_of(line))
                payments.setdefault(name, ([], []))[which].append(line)
    found: dict[str, list[_Exchanged]] = {}
    for (currency, _), (charges, refunds) in sorted(payments.items()):
        at_rate = _at_rate(charges, refunds)
        cost = sum(line.settlement.gross_minor for line in refunds)
        if at_rate is not None and abs(cost - at_rate) > len(refunds):
            found.setdefault(currency, []).append(_Exchanged(at_rate, cost, (*charges, *refunds)))
    return [_finding(account, currency, parts, rules) for currency, parts in found.items()]


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """The refunds of one payment: their worth at the charge's rate, their cost, and all lines of it."""

    at_rate: int
    cost: int
    lines: tuple[Converted, ...]


def _at_rate(charges: list[Converted], refunds: list[Converted]) -> int | None:
    """Return what the refunds are worth at the rate of the charges, rounded half away from zero; None without one."""
    paid = sum(line.gross_minor for line in charges)
    settled = sum(line.settlement.gross_minor for line in charges)
    given = sum(line.gross_minor for line in refunds)
    if paid <= 0 or settled <= 0 or not refunds:
        return None
    worth = (abs(given) * settled * 2 + paid) // (2 * paid)
    return worth if given >= 0 else -worth


def _finding(account: Account, currency: str, parts: list[_Exchanged], rules: Rules) -> Finding:
    at_rate, cost = sum(part.at_rate for part in parts), sum(part.cost for part in parts)
    moved = any(abs(p.cost - p.at_rate) * BASIS_POINTS > abs(p.at_rate) * rules.fx_allowed_bp for p in parts)
    outcome = rules.fx_difference if moved else Outcome.MATCHED
    gone = cost - at_rate
    lines = sorted(
        (line.settlement for part in parts for line in part.lines),
        key=lambda line: (line.created_at, line.line_id, line.gross_minor),
    )
    return Finding(
        leg=Leg.PAYMENTS,
        key=f"fx/{account.currency}/{account.key}",
        kind=FindingKind.FX_DIFFERENCE,
        outcome=outcome,
        currency=currency,
        ours_minor=at_rate,
        theirs_minor=cost,
        at_risk_minor=0 if outcome is Outcome.MATCHED else max(-gone, 0),
        order_id=account.order_id,
        cause=f"charged and given back at different rates: the exchange {'took' if gone < 0 else 'brought'} "
        f"{currency} {format_minor(abs(gone), currency)}",
        theirs=tuple(line_fact(line) for line in lines),
    )
