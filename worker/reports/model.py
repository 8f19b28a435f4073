"""The report as data: everything summed, sorted, aged and said in words, before any format is chosen.

HTML, CSV, JSON and the terminal all render this one model, so they cannot disagree. Amounts are `Money`
(minor units and currency) and are never added across currencies. Times are aware and UTC. The model is a
function of its inputs alone: no clock, so that the same run gives the same report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.finding import OPEN_STATUSES, Break, Finding, FindingKind, Outcome, Statement, Verdict
from worker.domain.money import Money
from worker.reports import words
from worker.reports.ageing import Ageing, ageing, break_age
from worker.reports.amounts import at_risk, by_currency, exposure
from worker.reports.bridge import Bridge, Check, bridge, checks, moved_on
from worker.reports.charts import share
from worker.reports.trend import Trend, trend
from worker.services.ports import BreakAction, Run

TOP = 10


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
class OpenBreak:
    """One open break with its age and what was done about it."""

    item: Break
    age: timedelta
    at_risk: Money
    share: float
    """Part of the largest amount at risk in its currency, in percent: the width of its bar."""
    history: tuple[BreakAction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finished run, ready to render."""

    run: Run
    as_of: datetime
    """When the run finished (or started, while it has not): ages count up to here."""
    verdict: Verdict
    sentence: str
    compared: int
    cards: tuple[Card, ...]
    bridges: tuple[Bridge, ...]
    checks: tuple[Check, ...]
    ageing: Ageing
    trend: Trend
    breaks: tuple[OpenBreak, ...]
    """By currency, largest amount at risk first, then oldest first."""
    pending: tuple[Finding, ...]
    """The next to become a break first."""
    warnings: tuple[Finding, ...]
    settled: tuple[Finding, ...]
    """Differences that are still there and that a person settled: each says who, when and why."""
    explained: tuple[Finding, ...]
    """What agrees by a rule and not to the cent: within a tolerance, exchange differences, returned goods."""
    rejected: tuple[Finding, ...]
    """Rows of the statement that could not be read, in the order of the file."""
    repaired: tuple[Break, ...]
    """Resolved since the last run because a repair of ours worked."""
    agreed: tuple[Break, ...]
    """Resolved since the last run for any other reason."""
    reproduce: str
    moved_on: bool
    """The open breaks are those of now: later runs changed them since this one."""

    @property
    def sound(self) -> bool:
        """Whether the report's checks on itself all hold."""
        return all(check.holds for check in self.checks)

    @property
    def top(self) -> tuple[OpenBreak, ...]:
        """The `TOP` breaks of each currency with the most at risk."""
        seen: dict[str, int] = {}
        chosen = []
        for one in self.breaks:
            seen[one.at_risk.currency] = seen.get(one.at_risk.currency, 0) + 1
            if seen[one.at_risk.currency] <= TOP:
                chosen.append(one)
        return tuple(chosen)


def build(
    run: Run,
    *,
    statements: Sequence[Statement],
    findings: Sequence[Finding],
    breaks: Sequence[Break],
    resolved: Sequence[Break],
    earlier: Sequence[Run],
    history: Mapping[str, Sequence[BreakAction]] | None = None,
) -> Report:
    """Build the report of a run.

    `findings` may hold matched ones; where it does not, their number comes from the run's counts.
    `breaks` are the open ones, `resolved` those resolved by this run, `earlier` other runs in any order,
    `history` the actions on a break by its id, where the caller has them.
    """
    as_of = run.finished_at or run.started_at
    verdict = Verdict(run.verdict) if run.verdict else Verdict.INCOMPLETE
    followed = [item for item in breaks if item.status in OPEN_STATUSES]
    matched = [finding for finding in findings if finding.kind is FindingKind.MATCHED]
    explained = [one for one in findings if one.outcome is Outcome.MATCHED and one.kind is not FindingKind.MATCHED]
    rejected = [finding for finding in findings if finding.kind is FindingKind.REJECTED_ROW]
    pending = [finding for finding in findings if finding.outcome is Outcome.PENDING]
    weighed = [one for one in findings if one.outcome is Outcome.WARNING and one.kind is not FindingKind.REJECTED_ROW]
    warnings = [finding for finding in weighed if finding.settlement is None]
    settled = [finding for finding in weighed if finding.settlement is not None]
    broken = sum(finding.outcome is Outcome.BREAK for finding in findings)
    agreeing = len(matched) + len(explained) if matched else (run.counts or {}).get("matched", len(explained))
    compared = agreeing + len(pending) + len(weighed) + broken
    open_breaks = _open(followed, as_of, history or {})
    repaired = [item for item in resolved if item.repair_state == "done"]
    return Report(
        run=run,
        as_of=as_of,
        verdict=verdict,
        sentence=_sentence(run, verdict, agreeing, compared, followed, pending, warnings, settled),
        compared=compared,
        cards=_cards(statements, agreeing, compared, matched, followed, pending, warnings, settled)
        + _rule_cards(explained, rejected),
        bridges=tuple(bridge(one) for one in sorted(statements, key=lambda one: one.currency)),
        checks=checks(run, statements, findings, followed),
        ageing=ageing(followed, pending, as_of),
        trend=trend(run, earlier),
        breaks=open_breaks,
        pending=tuple(sorted(pending, key=lambda one: (one.break_on or as_of, one.currency, one.leg, one.key))),
        warnings=tuple(sorted(warnings, key=_largest)),
        settled=tuple(sorted(settled, key=_largest)),
        explained=tuple(
            sorted(explained, key=lambda one: (one.currency, -abs(one.difference_minor), one.leg, one.key))
        ),
        rejected=tuple(sorted(rejected, key=_row_order)),
        repaired=tuple(sorted(repaired, key=_resolved_order)),
        agreed=tuple(sorted((item for item in resolved if item.repair_state != "done"), key=_resolved_order)),
        reproduce=words.reproduce(run.shop, run.provider, run.window_start, run.window_end, run.source),
        moved_on=moved_on(run, followed),
    )


def _largest(finding: Finding) -> tuple[str, int, str, str]:
    return (finding.currency, -exposure(finding).minor, finding.leg, finding.key)


def _row_order(finding: Finding) -> tuple[str, int, str]:
    """Order rejected rows as they stand in their file: their key ends in the line."""
    file, _, line = finding.key.rpartition("/")
    return (file, int(line) if line.isdecimal() else 0, finding.key)


def _rule_cards(explained: Sequence[Finding], rejected: Sequence[Finding]) -> tuple[Card, ...]:
    cards = []
    if explained:
        apart = by_currency(Money(abs(one.difference_minor), one.currency) for one in explained)
        cards.append(
            Card(
                code="explained",
                label="Agree by a rule",
                count=len(explained),
                amounts=tuple(money for money in apart if money.minor),
                note="of those that agree: tolerance, exchange, returns",
                tone="good",
            )
        )
    if rejected:
        cards.append(
            Card(
                code="rejected",
                label="Rows not read",
                count=len(rejected),
                amounts=(),
                note="what they say is not part of the comparison",
                tone="bad",
            )
        )
    return tuple(cards)


def _resolved_order(item: Break) -> tuple[datetime, str]:
    return (item.resolved_at or item.last_seen_at, item.break_id)


def _open(
    breaks: Sequence[Break], as_of: datetime, history: Mapping[str, Sequence[BreakAction]]
) -> tuple[OpenBreak, ...]:
    largest: dict[str, int] = {}
    for item in breaks:
        money = at_risk(item)
        largest[money.currency] = max(largest.get(money.currency, 0), money.minor)
    ordered = sorted(
        breaks,
        key=lambda item: (
            item.finding.currency,
            -item.finding.at_risk_minor,
            item.first_movement_at,
            item.break_id,
        ),
    )
    return tuple(
        OpenBreak(
            item=item,
            age=break_age(item, as_of),
            at_risk=at_risk(item),
            share=share(item.finding.at_risk_minor, largest[item.finding.currency]),
            history=tuple(history.get(item.break_id, ())),
        )
        for item in ordered
    )


def _cards(
    statements: Sequence[Statement],
    agreeing: int,
    compared: int,
    matched: Sequence[Finding],
    breaks: Sequence[Break],
    pending: Sequence[Finding],
    warnings: Sequence[Finding],
    settled: Sequence[Finding],
) -> tuple[Card, ...]:
    if matched:
        agreed, note = by_currency(Money(one.theirs_minor, one.currency) for one in matched), "agree to the cent"
    else:
        agreed = by_currency(Money(one.ours_minor, one.currency) for one in statements)
        note = "agree to the cent; our books' total:" if agreed else "agree to the cent"
    risk = by_currency(at_risk(item) for item in breaks)
    exposed = [item for item in breaks if item.finding.at_risk_minor]
    orders = {item.finding.order_id for item in exposed if item.finding.order_id}
    apart = by_currency(Money(abs(item.finding.difference_minor), item.finding.currency) for item in breaks)
    fresh = sum(item.runs_seen <= 1 for item in breaks)
    cards = [
        Card(
            code="matched",
            label="Agree",
            count=agreeing,
            amounts=agreed,
            note=f"of {compared:,} compared {note}" if agreed and not matched else f"of {compared:,} compared, {note}",
            tone="good",
        ),
        Card(
            code="pending",
            label="Within grace",
            count=len(pending),
            amounts=by_currency(exposure(one) for one in pending),
            note="one side is still silent; normal timing" if pending else "nothing is waiting",
            tone="wait",
        ),
        Card(
            code="breaks",
            label="Breaks",
            count=len(breaks),
            amounts=tuple(money for money in apart if money.minor),
            note=f"{fresh} new in this run; both sides differ by" if breaks else "nothing is open",
            tone="bad" if breaks else "good",
        ),
        Card(
            code="at_risk",
            label="At risk",
            count=len(exposed),
            amounts=risk,
            note=f"{words.count(len(exposed), 'break')} on {words.count(len(orders), 'order')} may cost money"
            if exposed
            else "no money is exposed",
            tone="bad" if exposed else "good",
        ),
    ]
    if warnings:
        cards.insert(
            2,
            Card(
                code="warnings",
                label="Warnings",
                count=len(warnings),
                amounts=by_currency(exposure(one) for one in warnings),
                note="to be looked at, no break",
                tone="warn",
            ),
        )
    if settled:
        cards.append(
            Card(
                code="settled",
                label="Settled by people",
                count=len(settled),
                amounts=by_currency(exposure(one) for one in settled),
                note="still different; someone decided that it does not count",
                tone="warn",
            )
        )
    return tuple(cards)


def _sentence(
    run: Run,
    verdict: Verdict,
    agreeing: int,
    compared: int,
    breaks: Sequence[Break],
    pending: Sequence[Finding],
    warnings: Sequence[Finding],
    settled: Sequence[Finding],
) -> str:
    if not compared:
        said = "Nothing was there to compare"
    elif agreeing == compared:
        said = "The one comparison agrees" if compared == 1 else f"All {compared:,} comparisons agree"
    else:
        said = f"{agreeing:,} of {words.count(compared, 'comparison')} agree"
    parts = [said]
    if breaks:
        risk = [str(money) for money in by_currency(at_risk(item) for item in breaks) if money.minor]
        number = words.count(len(breaks), "break")
        # What this run found itself are breaks of its window; the others are open all the same.
        found = compared - agreeing - len(pending) - len(warnings) - len(settled)
        where = "" if found else f", which {'lies' if len(breaks) == 1 else 'lie'} outside what this run compared"
        parts.append(
            (f"{words.joined(risk)} at risk in {number}" if risk else f"{number} open, no money at risk") + where
        )
    if pending:
        parts.append(f"{len(pending):,} still within {'its' if len(pending) == 1 else 'their'} grace")
    if warnings:
        parts.append(f"{words.count(len(warnings), 'warning')} to look at")
    if settled:
        parts.append(f"{words.count(len(settled), 'difference')} settled by people")
    told = "; ".join(parts) + "."
    if verdict is Verdict.INCOMPLETE:
        why = (
            "; ".join(run.incomplete_because) or "the run has not finished, or its lines do not explain the difference"
        )
        return f"This run is incomplete and proves nothing: {why}. As far as it got: {told[0].lower()}{told[1:]}"
    return told
