"""The figures at the head of a report, and the sentence that says what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.domain.finding import Statement, Verdict
from worker.domain.money import Money
from worker.reports import words
from worker.reports.amounts import by_currency
from worker.reports.found import Found, Open
from worker.services.ports import Run

INCOMPLETE = "the run has not finished, or its lines do not explain the difference"
"""Why a run is incomplete that does not say so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One headline figure: a count, and an amount per currency."""

    code: str
    label: str
    count: int
    amounts: tuple[Money, ...]
    note: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer of a run and how much it compared."""

    verdict: Verdict
    agreeing: int
    compared: int

    @classmethod
    def of(cls, run: Run, found: Found) -> "Told":
        """Count what agrees; where no matched findings are given, it is what the run counted."""
        explained = len(found.explained)
        counted = (run.counts or {}).get("matched", explained)
        agreeing = found.matched.count + explained if found.matched.count else counted
        weighed = len(found.warnings) + len(found.settled)
        return cls(
            verdict=Verdict(run.verdict) if run.verdict else Verdict.INCOMPLETE,
            agreeing=agreeing,
            compared=agreeing + len(found.pending) + weighed + len(found.broken),
        )


def cards(statements: Sequence[Statement], told: Told, found: Found, opened: Open) -> tuple[Card, ...]:
    """Return the cards in the order in which they stand."""
    made = [_agree(statements, told, found), _pending(found)]
    if found.warnings:
        made.append(
            Card(
                code="warnings",
                label="Warnings",
                count=len(found.warnings),
                amounts=found.warnings_exposed.amounts,
                note="to be looked at, no break",
                tone="warn",
            )
        )
    made += [_breaks(opened), _at_risk(opened)]
    if found.settled:
        made.append(
            Card(
                code="settled",
                label="Settled by people",
                count=len(found.settled),
                amounts=found.settled_exposed.amounts,
                note="still different; someone decided that it does not count",
                tone="warn",
            )
        )
    if found.explained:
        made.append(
            Card(
                code="explained",
                label="Agree by a rule",
                count=len(found.explained),
                amounts=_moved(found.explained_apart.amounts),
                note="of those that agree: tolerance, exchange, returns",
                tone="good",
            )
        )
    if found.rejected:
        made.append(
            Card(
                code="rejected",
                label="Rows not read",
                count=len(found.rejected),
                amounts=(),
                note="what they say is not part of the comparison",
                tone="bad",
            )
        )
    return tuple(made)


def _agree(statements: Sequence[Statement], told: Told, found: Found) -> Card:
    if found.matched.count:
        agreed, note = found.matched.amounts, f"of {told.compared:,} compared, agree to the cent"
    else:
        agreed = by_currency(Money(one.ours_minor, one.currency) for one in statements)
        note = f"of {told.compared:,} compared"
        note += " agree to the cent; our books' total:" if agreed else ", agree to the cent"
    return Card(code="matched", label="Agree", count=told.agreeing, amounts=agreed, note=note, tone="good")


def _pending(found: Found) -> Card:
    return Card(
        code="pending",
        label="Within grace",
        count=len(found.pending),
        amounts=found.pending_exposed.amounts,
        note="one side is still silent; normal timing" if found.pending else "nothing is waiting",
        tone="wait",
    )


def _breaks(opened: Open) -> Card:
    return Card(
        code="breaks",
        label="Breaks",
        count=len(opened),
        amounts=_moved(opened.apart.amounts),
        note=f"{opened.fresh:,} new in this run; both sides differ by" if opened else "nothing is open",
        tone="bad" if opened else "good",
    )


def _at_risk(opened: Open) -> Card:
    exposed = words.count(opened.exposed, "break")
    return Card(
        code="at_risk",
        label="Breaks at risk",
        count=opened.exposed,
        amounts=opened.risk.amounts,
        note=f"{exposed} on {words.count(opened.orders(), 'order')} may cost"
        if opened.exposed
        else "no money is exposed",
        tone="bad" if opened.exposed else "good",
    )


def _moved(amounts: Sequence[Money]) -> tuple[Money, ...]:
    return tuple(money for money in amounts if money.minor)


def sentence(run: Run, told: Told, found: Found, opened: Open) -> str:
    """Say what the run answered."""
    agreeing, compared = told.agreeing, told.compared
    if not compared:
        said = "Nothing was there to compare"
    elif agreeing == compared:
        said = "The one comparison agrees" if compared == 1 else f"All {compared:,} comparisons agree"
    else:
        said = f"{agreeing:,} of {words.count(compared, 'comparison')} agree"
    parts = [said]
    if opened:
        risk = [str(money) for money in _moved(opened.risk.amounts)]
        number = words.count(len(opened), "break")
        # What this run found itself are breaks of its window; the others are open all the same.
        where = (
            "" if found.broken else f", which {'lies' if len(opened) == 1 else 'lie'} outside what this run compared"
        )
        parts.append(
            (f"{words.joined(risk)} at risk in {number}" if risk else f"{number} open, no money at risk") + where
        )
    if found.pending:
        parts.append(f"{len(found.pending):,} still within {'its' if len(found.pending) == 1 else 'their'} grace")
    if found.warnings:
        parts.append(f"{words.count(len(found.warnings), 'warning')} to look at")
    if found.settled:
        parts.append(f"{words.count(len(found.settled), 'difference')} settled by people")
    said = "; ".join(parts) + "."
    if told.verdict is Verdict.INCOMPLETE:
        why = "; ".join(run.incomplete_because) or INCOMPLETE
        return f"This run is incomplete and proves nothing: {why}. As far as it got: {said[0].lower()}{said[1:]}"
    return said
