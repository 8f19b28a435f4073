"""The bridge's lines, with what people settled told apart from what is still broken."""

from collections.abc import Iterable
from dataclasses import replace

from worker.domain.finding import Finding, Leg, Statement, StatementLine

PREFIX = "settled_"


def settled_apart(statements: Iterable[Statement], findings: Iterable[Finding]) -> tuple[Statement, ...]:
    """Return the statements with each settled difference moved from its class's line to a `settled_` line below it.

    Nothing is added and nothing taken away, so the residual stays what it was. `findings` are those that
    `acknowledged` returned; their classes' lines are those that `statements` made of them.
    """
    settled = [finding for finding in findings if finding.leg is Leg.PAYMENTS and finding.settlement is not None]
    return tuple(
        replace(one, lines=tuple(_lines(one.lines, [item for item in settled if item.currency == one.currency])))
        for one in statements
    )


def _lines(lines: Iterable[StatementLine], settled: list[Finding]) -> Iterable[StatementLine]:
    for line in lines:
        moved = [finding for finding in settled if finding.kind == line.code]
        amount = sum(finding.difference_minor for finding in moved)
        if len(moved) != line.count or amount != line.amount_minor or not moved:
            yield replace(line, count=line.count - len(moved), amount_minor=line.amount_minor - amount)
        if moved:
            yield StatementLine(
                code=PREFIX + line.code,
                label=f"{line.label} (settled by a person)",
                count=len(moved),
                amount_minor=amount,
            )
