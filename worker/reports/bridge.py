"""The proof of the report: each currency's bridge and open items, and the checks of the run on itself.

A bridge ties when its lines explain the whole difference, and its open items when they roll forward without a rest.
One that does not is said at the top, in red.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.domain.finding import RollForward, Statement
from worker.domain.matching.side_by_side import side_by_side
from worker.domain.money import Money
from worker.reports import words
from worker.reports.charts import Bar, waterfall
from worker.services.ports import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRow:
    """One row of a bridge: a total at either end, a line that explains, or what nothing explains."""

    role: str
    """`total`, `line` or `residual`."""
    code: str
    label: str
    count: int | None
    amount: Money
    bar: Bar
    joint: float | None
    """Where the running total stands after this row, in percent of the chart; None after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollRow:
    """One row of the open items: what was open, what moved, what is open."""

    role: str
    """`total`, `line` or `residual`."""
    code: str
    label: str
    count: int | None
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """The open items of a currency, rolled forward from the run before."""

    rows: tuple[RollRow, ...]
    previous_run: str
    opened: int
    cleared: int
    opening: Money
    closing: Money
    residual: Money

    @property
    def ties(self) -> bool:
        """Whether the rows lead from the opening to the closing."""
        return self.residual.minor == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A statement, ready to draw."""

    currency: str
    rows: tuple[BridgeRow, ...]
    ours: Money
    theirs: Money
    explained: Money
    residual: Money
    fees: Money
    converted: Money
    net: Money
    broken_axis: bool
    roll: Roll | None

    @property
    def ties(self) -> bool:
        """Whether the lines explain the whole difference."""
        return self.residual.minor == 0


def bridge(statement: Statement) -> Bridge:
    """Lay out one statement. Lines without rows and without an amount are left out."""
    currency = statement.currency
    steps = [(line.code, line.label, line.count, line.amount_minor, "line") for line in statement.lines]
    steps = [step for step in steps if step[2] or step[3]]
    if statement.residual_minor:
        steps.append(("residual", "Not explained", 0, statement.residual_minor, "residual"))
    chart = waterfall(statement.ours_minor, [step[3] for step in steps], statement.theirs_minor)
    ends = (
        ("ours", "Our books", None, statement.ours_minor, "total"),
        ("theirs", "Provider", None, statement.theirs_minor, "total"),
    )
    rows = tuple(
        BridgeRow(
            role=role,
            code=code,
            label=label,
            count=number,
            amount=Money(minor, currency),
            bar=chart.bars[index],
            joint=chart.joints[index] if index < len(chart.joints) else None,
        )
        for index, (code, label, number, minor, role) in enumerate([ends[0], *steps, ends[1]])
    )
    return Bridge(
        currency=currency,
        rows=rows,
        ours=Money(statement.ours_minor, currency),
        theirs=Money(statement.theirs_minor, currency),
        explained=Money(sum(line.amount_minor for line in statement.lines), currency),
        residual=Money(statement.residual_minor, currency),
        fees=Money(statement.fees_minor, currency),
        converted=Money(statement.converted_minor, currency),
        net=Money(statement.net_minor, currency),
        broken_axis=chart.broken,
        roll=None if statement.roll is None else _roll(statement.roll, currency),
    )


def _roll(roll: RollForward, currency: str) -> Roll:
    opening = "Open before" if roll.previous_run else "Brought along from before the window"
    steps = [("total", "opening", opening, roll.opening_count, roll.opening_minor)]
    steps += [("line", line.code, line.label, line.count, line.amount_minor) for line in roll.lines]
    if roll.residual_minor:
        steps.append(("residual", "residual", "Not explained", 0, roll.residual_minor))
    steps.append(("total", "closing", "Open now", roll.closing_count, roll.closing_minor))
    return Roll(
        rows=tuple(
            RollRow(role=role, code=code, label=label, count=number, amount=Money(minor, currency))
            for role, code, label, number, minor in steps
        ),
        previous_run=roll.previous_run,
        opened=roll.opened,
        cleared=roll.cleared,
        opening=Money(roll.opening_minor, currency),
        closing=Money(roll.closing_minor, currency),
        residual=Money(roll.residual_minor, currency),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the run on itself."""

    text: str
    holds: bool
    detail: str


def moved_on(run: Run, breaks: int) -> bool:
    """Tell whether later runs have changed the open breaks since `run`: then they are today's, not the run's."""
    return (run.counts or {}).get("breaks_open", breaks) != breaks


def checks(
    run: Run,
    statements: Sequence[Statement],
    counted: Mapping[str, int],
    broken: Iterable[str],
    known: Iterable[str],
    number_open: int,
) -> tuple[Check, ...]:
    """Check the run against itself; what is stored in counts is counted again here (`counted`).

    `broken` are the ids of the breaks that its differences belong to, `known` those of the open breaks, both sorted.
    Whether each difference is followed as a break can only be told while the open breaks are still the run's.
    """
    done = [
        Check(
            text="Both sides were read to their end",
            holds=not run.incomplete_because,
            detail="; ".join(run.incomplete_because) or words.source(run.source, run.provider),
        )
    ]
    for statement in sorted(statements, key=lambda one: one.currency):
        residual = Money(statement.residual_minor, statement.currency)
        done.append(
            Check(
                text=f"The {statement.currency} difference is explained to the last minor unit",
                holds=statement.residual_minor == 0,
                detail=f"{residual} unexplained",
            )
        )
        if statement.roll is not None:
            rest = Money(statement.roll.residual_minor, statement.currency)
            done.append(
                Check(
                    text=f"The open items in {statement.currency} roll forward from the run before",
                    holds=rest.minor == 0,
                    detail=f"{rest} unexplained; "
                    + (statement.roll.previous_run or "no complete run ends where this one starts"),
                )
            )
    stored = {name: (run.counts or {}).get(name, counted[name]) for name in counted}
    done.append(
        Check(
            text="The run's counts equal what is listed here",
            holds=stored == counted,
            detail=", ".join(
                f"{name} {stored[name]}" + ("" if stored[name] == counted[name] else f" but {counted[name]} listed")
                for name in counted
            ),
        )
    )
    if moved_on(run, number_open):
        return tuple(done)
    differing = lost = 0
    for name, followed in side_by_side(broken, known, left_key=str, right_key=str):
        differing += name is not None
        lost += name is not None and followed is None
    done.append(
        Check(
            text="Every difference beyond its grace is followed as a break",
            holds=lost == 0,
            detail=f"{differing} found, {differing - lost} followed",
        )
    )
    return tuple(done)
