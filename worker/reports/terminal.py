"""The report in a terminal: the verdict, a summary per currency, the breaks.

On a terminal it is drawn by rich; anywhere else (a pipe, a log) it is plain lines, a break a line, so that
`grep` and `awk` work on it. Names that came from outside are printed as text, never as markup.
"""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from worker.domain.finding import Break, Finding, Repair, RepairState
from worker.domain.money import Money, format_minor
from worker.reports import words
from worker.reports.agenda import Task
from worker.reports.amounts import exposure
from worker.reports.bridge import Bridge
from worker.reports.model import OpenBreak, Report
from worker.services.spool import Mapped, Spool

STYLE = {"good": "green", "wait": "blue", "warn": "yellow", "bad": "red"}
NOTHING = "\N{EN DASH}"
WIDE = 120
"""Columns from which status and repair of a break have room beside it."""
SHOWN = 20
"""Breaks and pending items shown each on a terminal."""


def show(report: Report, console: Console) -> None:
    """Print the report: drawn on a terminal, plain elsewhere."""
    if console.is_terminal:
        console.print(render(report, console.width))
    else:
        for line in plain(report):
            console.print(Text(_clean(line)), soft_wrap=True)


def render(report: Report, width: int = WIDE) -> RenderableType:
    """Return the report as one rich renderable for a terminal of that width."""
    tone = STYLE[words.TONE[report.verdict]]
    title = Text(f" {words.VERDICT[report.verdict]} ", style=f"bold reverse {tone}")
    where = f"{report.run.shop} and {report.run.provider}, {words.span(report.run.window_start, report.run.window_end)}"
    parts: list[RenderableType] = [
        Panel(
            Text(_clean(report.sentence)),
            title=title,
            title_align="left",
            subtitle=Text(_clean(where)),
            border_style=tone,
        ),
        _agenda(report.agenda),
        _summary(report),
    ]
    parts += [
        Text(f" ✗ {check.text}: {_clean(check.detail)}", style="bold red") for check in report.checks if not check.holds
    ]
    if report.breaks:
        parts.append(_breaks(report.breaks, wide=width >= WIDE))
    if report.pending:
        parts.append(_pending(report.pending))
    if report.settled:
        parts.append(_settled(report.settled))
    parts += [
        Text(f" {words.count(len(findings), one)} {said}", style=style)
        for findings, one, said, style in (
            (report.warnings, "warning", "to look at, in the report", "yellow"),
            (report.explained, "item", "explained by a rule (tolerance, exchange, returns)", "dim"),
            (report.rejected, "row", "of the statement could not be read", "bold red"),
        )
        if findings
    ]
    if report.repaired:
        parts.append(
            Text(
                f" {words.count(len(report.repaired), 'break')} repaired automatically since the last run",
                style="green",
            )
        )
    if report.run.report:
        parts.append(Text(f" Report: {_clean(report.run.report)}", style="dim"))
    return Group(*parts)


def plain(report: Report) -> Iterator[str]:
    """Yield the report as plain lines without colour or boxes; columns are separated by two spaces or more."""
    run = report.run
    yield f"{report.verdict.value}: {report.sentence}"
    yield f"run  {run.run_id}  {words.iso(run.window_start)}  {words.iso(run.window_end)}"
    for task in report.agenda:
        yield f"{'goes on' if task.tone == 'wait' else 'to do'}  {task.code}  {task.text}"
    yield from _proofs(report.bridges)
    for check in report.checks:
        if not check.holds:
            yield f"failed  {check.text}: {check.detail}"
    for broken in report.breaks:
        finding = broken.item.finding
        yield (
            f"break  {broken.item.break_id}  {broken.item.status.value}  {finding.kind.value}  "
            f"{finding.leg.value}  {_subject(finding)}  "
            f"{broken.at_risk}  {words.duration(broken.age)}"
        )
    for waiting in report.pending:
        until = words.iso(waiting.break_on) if waiting.break_on else "-"
        yield f"pending  {waiting.kind.value}  {waiting.leg.value}  {_subject(waiting)}  {exposure(waiting)}  until {until}"
    for name, findings in (("warning", report.warnings), ("explained", report.explained)):
        for told in findings:
            yield f"{name}  {told.kind.value}  {told.leg.value}  {_subject(told)}  {_amount_of(told)}  {told.cause}"
    for settled in report.settled:
        if settled.settlement is not None:
            decided = f"{words.decided(settled.settlement)}: {settled.settlement.reason}"
            yield f"settled  {settled.kind.value}  {settled.leg.value}  {_subject(settled)}  {exposure(settled)}  {decided}"
    for row in report.rejected:
        yield f"rejected  {row.cause}"
    if run.report:
        yield f"report  {run.report}"


def _proofs(bridges: Sequence[Bridge]) -> Iterator[str]:
    """Yield each currency's statement and open items, equal columns below each other."""
    statements = [
        {
            "ours": f"ours {_amount(one.ours)}",
            "theirs": f"theirs {_amount(one.theirs)}",
            "explained": f"explained {_amount(one.explained)}",
            "unexplained": f"unexplained {_amount(one.residual)}",
        }
        for one in bridges
    ]
    rolls = [
        {row.code: f"{row.code} {_amount(row.amount)}" for row in one.roll.rows}
        | {"opened": f"opened {one.roll.opened}", "cleared": f"cleared {one.roll.cleared}"}
        if one.roll is not None
        else {}
        for one in bridges
    ]
    for one, statement, roll in zip(bridges, _in_columns(statements), _in_columns(rolls), strict=True):
        yield f"statement   {one.currency}  {statement}"
        if one.roll is not None:
            yield f"open items  {one.currency}  {roll}"


def _in_columns(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return rows of cells by name as lines, right-aligned; a row without a cell that another has leaves it blank."""
    order = ("opening", "closing", "opened", "cleared")
    names = dict.fromkeys(name for row in rows for name in row)
    # What moved stands between the opening and the closing, whichever currency had it.
    between = [name for name in names if name not in order]
    inside = [name for name in (order[0], *between, *order[1:]) if name in names]
    widths = {name: max(len(row.get(name, "")) for row in rows) for name in inside}
    return ["  ".join(row.get(name, "").rjust(widths[name]) for name in inside) for row in rows]


def _agenda(tasks: Sequence[Task]) -> Table:
    table = Table.grid(padding=(0, 1))
    for task in tasks:
        style = STYLE[task.tone]
        table.add_row("", Text("\N{BULLET}", style=style), Text(_clean(task.text), style=style))
    return table


def _summary(report: Report) -> Table:
    """Return the sums, a currency a column: amounts are never cut, however narrow the terminal."""
    risk = {money.currency: money for card in report.cards if card.code == "at_risk" for money in card.amounts}
    bridges = {one.currency: one for one in report.bridges}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2))
    table.add_column("")
    currencies = [*bridges, *(currency for currency in sorted(risk) if currency not in bridges)]
    for currency in currencies:
        table.add_column(currency, justify="right", overflow="fold")
    columns = [_sums(bridges.get(one), risk.get(one, Money(0, one))) for one in currencies]
    for name in _SUMS if columns else ():
        table.add_row(name, *(column[name] for column in columns))
    return table


_SUMS = ("Our books", "Provider", "Difference", "Explained", "Unexplained", "Open before", "Open now", "At risk")


def _sums(one: Bridge | None, exposed: Money) -> dict[str, Text]:
    told = dict.fromkeys(_SUMS, Text(NOTHING))
    if one is not None:
        told |= {
            "Our books": Text(_amount(one.ours)),
            "Provider": Text(_amount(one.theirs)),
            "Difference": Text(_amount(one.theirs - one.ours)),
            "Explained": Text(_amount(one.explained)),
            "Unexplained": Text(_amount(one.residual), style="green" if one.ties else "bold red"),
        }
        if one.roll is not None:
            told["Open before"] = Text(_amount(one.roll.opening))
            told["Open now"] = Text(_amount(one.roll.closing), style="" if one.roll.ties else "bold red")
    return told | {"At risk": Text(_amount(exposed), style="red" if exposed.minor else "dim")}


def _breaks(breaks: Mapped[OpenBreak], *, wide: bool) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title="Breaks", title_justify="left")
    for name in ("Break", "What", "Leg", "Subject", *(("Status", "Repair") if wide else ()), "Age", "At risk"):
        whole = name in {"Break", "Leg", "Status", "Age", "At risk"}
        table.add_column(name, justify="right" if name in {"Age", "At risk"} else "left", no_wrap=whole)
    for one in breaks[:SHOWN]:
        table.add_row(
            Text(one.item.break_id, style="dim"),
            words.KIND[one.item.finding.kind],
            one.item.finding.leg.value,
            Text(_clean(_subject(one.item.finding))),
            *((words.STATUS[one.item.status], _repair(one.item)) if wide else ()),
            words.duration(one.age),
            Text(str(one.at_risk), style="bold"),
        )
    return _capped(table, len(breaks))


def _repair(item: Break) -> Text:
    if item.finding.repair is Repair.NONE and item.repair_state == RepairState.NONE:
        return Text(NOTHING, style="dim")
    waits = item.repair_state in {RepairState.FAILED, RepairState.REFUSED}
    return Text(str(item.repair_state), style="red" if waits else "")


def _pending(pending: Spool[Finding]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2), title="Within grace", title_justify="left")
    for name in ("What", "Subject", "Becomes a break (UTC)", "Amount"):
        table.add_column(name, justify="right" if name == "Amount" else "left")
    for one in pending[:SHOWN]:
        until = words.moment(one.break_on) if one.break_on else NOTHING
        table.add_row(words.KIND[one.kind], Text(_clean(_subject(one))), until, str(exposure(one)))
    return _capped(table, len(pending))


def _settled(settled: Spool[Finding]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2), title="Settled by people", title_justify="left")
    for name in ("What", "Subject", "Decision (UTC)", "Why", "Amount"):
        table.add_column(name, justify="right" if name == "Amount" else "left")
    for one in settled[:SHOWN]:
        if one.settlement is not None:
            why, decided = Text(_clean(one.settlement.reason)), Text(_clean(words.decided(one.settlement)))
            table.add_row(words.KIND[one.kind], Text(_clean(_subject(one))), decided, why, str(exposure(one)))
    return _capped(table, len(settled))


def _capped(table: Table, total: int) -> RenderableType:
    if total <= SHOWN:
        return table
    return Group(table, Padding(Text(f"{total - SHOWN:,} more in the report", style="dim"), (0, 1)))


def _subject(finding: Finding) -> str:
    return f"order {finding.order_id}" if finding.order_id else finding.key


def _amount_of(finding: Finding) -> Money:
    """Return what a finding puts in question; of one that agrees, how far it is apart."""
    return exposure(finding) if exposure(finding).minor else Money(finding.difference_minor, finding.currency)


def _amount(money: Money) -> str:
    return format_minor(money.minor, money.currency)


def _clean(text: str) -> str:
    """Replace control characters: a name from outside must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
