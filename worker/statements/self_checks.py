"""What a file must agree with itself about, whatever its format; counted while it is read."""

from collections import Counter
from collections.abc import Mapping, Sequence

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements.cells import Cells
from worker.statements.dialect import FileCheck, Line
from worker.statements.scratch import Scratch

MOST_PAYOUTS = 20_000
"""Payouts of a file, by currency, that are checked one by one: each takes some memory, and a line of what is told."""


class Once(FileCheck):
    """Check that no line stands twice."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._names = Scratch("name")

    def add(self, row: Cells, lines: Sequence[Line]) -> None:  # noqa: ARG002 - a check of lines
        """Note their ids."""
        for line in lines:
            if isinstance(line, LedgerLine):
                self._names.add(line.line_id)

    def checks(self) -> dict[str, str]:
        """Say how many ids came more than once."""
        twice = "select name from notes group by name having count(*) > 1"
        ((repeated, first),) = self._names.ask(f"select count(*), min(name) from ({twice})")  # noqa: S608 - our own words
        return {f"each {self._what} once": f"failed: {repeated} repeated, first {first}" if repeated else "ok"}


class PayoutSums(FileCheck):
    """Check that each payout that stands among its own items is their sum."""

    def __init__(self) -> None:
        self._closing: Counter[tuple[str, str]] = Counter()
        self._items: Counter[tuple[str, str]] = Counter()
        self._provider = ""

    def add(self, row: Cells, lines: Sequence[Line]) -> None:  # noqa: ARG002 - a check of lines
        """Sum up by payout."""
        for line in lines:
            if isinstance(line, LedgerLine) and line.payout_id:
                self._provider = line.provider
                sums = self._closing if line.kind is LineKind.PAYOUT else self._items
                if max(len(self._closing), len(self._items)) <= MOST_PAYOUTS:
                    sums[line.payout_id, line.currency] += line.net_minor

    def checks(self) -> dict[str, str]:
        """Say of each payout what its items make."""
        return told_payouts(self._closing, self._items, self._provider)


def told_payouts(
    closing: Mapping[tuple[str, str], int], items: Mapping[tuple[str, str], int], provider: str
) -> dict[str, str]:
    """Say of each payout, by id and currency, whether its own lines (`closing`) are the sum of its items."""
    if max(len(closing), len(items)) > MOST_PAYOUTS:
        return {"payouts": f"not in the file: its payouts are more than {MOST_PAYOUTS}, too many to sum up each"}
    found: dict[str, str] = {}
    for key in sorted(items):
        payout, currency = key
        total = f"{currency} {format_minor(items[key], currency, provider)}"
        if key not in closing:
            found[f"payout {payout} {currency}"] = f"not in the file: its items make {total}"
        elif closing[key] + items[key]:
            paid = format_minor(-closing[key], currency, provider)
            found[f"payout {payout} {currency}"] = f"failed: its items make {total}, paid out is {paid}"
        else:
            found[f"payout {payout} {currency}"] = f"ok: its items make {total}, as paid out"
    return found
