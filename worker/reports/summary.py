"""The sums of a report as rows of one shape: its figures, its statements, its ages, its checks on itself."""

from collections.abc import Iterator

from worker.domain.money import Money
from worker.reports import words
from worker.reports.amounts import plain
from worker.reports.bridge import Bridge
from worker.reports.cells import Cell, Columns, Holds
from worker.reports.model import Report

COLUMNS: Columns = {
    "section": Holds.WORD,
    "code": Holds.TEXT,
    "label": Holds.TEXT,
    "currency": Holds.WORD,
    "count": Holds.NUMBER,
    "amount_minor": Holds.NUMBER,
    "amount": Holds.AMOUNT,
    "detail": Holds.TEXT,
}


def rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows in the order of `COLUMNS`."""
    run = report.run
    for code, label, value in (
        ("run_id", "Run", run.run_id),
        ("shop", "Shop", run.shop),
        ("provider", "Provider", run.provider),
        ("window_start", "From (inclusive)", words.iso(run.window_start)),
        ("window_end", "To (exclusive)", words.iso(run.window_end)),
        ("as_of", "As of", words.iso(report.as_of)),
        ("source", "Provider's side read from", run.source),
        ("verdict", "Verdict", report.verdict.value),
        ("sentence", "In a sentence", report.sentence),
        ("reproduce", "Reproduce with", report.reproduce),
    ):
        yield ("run", code, label, None, None, None, None, value)
    for task in report.agenda:
        yield ("agenda", task.code, "What to do now", None, None, None, None, task.text)
    for card in report.cards:
        yield from _sums("totals", card.code, card.label, card.count, card.amounts, card.note)
    for bridge in report.bridges:
        yield from _statement(bridge)
    for row in report.ageing.rows:
        for name, cell in zip((*report.ageing.buckets, "total"), (*row.cells, row.total), strict=True):
            yield from _sums("ages", row.code, row.label, cell.count, cell.amounts, name)
    for number, check in enumerate(report.checks, 1):
        held = "holds" if check.holds else "fails"
        yield ("checks", f"check_{number}", check.text, None, None, None, None, f"{held}: {check.detail}")


def _sums(
    section: str, code: str, label: str, count: int, amounts: tuple[Money, ...], detail: str
) -> Iterator[tuple[Cell, ...]]:
    """Yield the number once, and below it an amount a row: a number beside each amount would be added up."""
    yield (section, code, label, None, count, None, None, detail)
    for money in amounts:
        yield (section, code, label, money.currency, None, *_amount(money), detail)


def _statement(bridge: Bridge) -> Iterator[tuple[Cell, ...]]:
    for row in bridge.rows:
        yield ("statement", row.code, row.label, bridge.currency, row.count, *_amount(row.amount), None)
    for code, label, money in (
        ("unexplained", "Unexplained", bridge.residual),
        ("fees", "Provider's fees", bridge.fees),
        ("converted", "Converted", bridge.converted),
        ("net", "Net after fees", bridge.net),
    ):
        yield ("statement", code, label, bridge.currency, None, *_amount(money), None)
    if bridge.roll is not None:
        since = bridge.roll.previous_run or None
        for line in bridge.roll.rows:
            yield (
                "open_items",
                line.code,
                line.label,
                bridge.currency,
                line.count,
                *_amount(line.amount),
                since,
            )


def _amount(money: Money) -> tuple[int, str]:
    return money.minor, plain(money.minor, money.currency)
