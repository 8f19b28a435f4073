"""What a statement format is to the parser: the columns it needs, how a row becomes lines, what the file must sum to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from worker.domain.continuity import Mark
from worker.domain.ledger import BankEntry, LedgerLine
from worker.services.ports import StatementScope
from worker.statements.cells import PLAIN, Cells
from worker.statements.numbers import Numbers
from worker.statements.told import Told

Line: TypeAlias = LedgerLine | BankEntry
RowReader: TypeAlias = Callable[[Cells], Sequence[Line]]
"""Turns one row into its lines. Raises RowRejected."""


Begin: TypeAlias = Callable[[Sequence[Cells], Told, Sequence[str]], RowReader]


def row_by_row(lines: Callable[[Cells, str], list[LedgerLine]], numbers: Numbers = PLAIN) -> Begin:
    """Adapt a format whose rows can each be read alone; the second argument of `lines` is our shop."""

    def begin(rows: Sequence[Cells], told: Told, _header: Sequence[str]) -> RowReader:
        for row in rows:
            row.numbers = numbers
        return lambda row: lines(row, told.shop)

    return begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One statement format."""

    name: str
    provider: str
    needs: tuple[tuple[str, ...], ...]
    """Columns (lower case) a header must have; each entry lists names that may stand for one another."""
    optional: tuple[str, ...]
    begin: Begin
    """Look at all rows and the header (how does this file write numbers and dates?), then read them one by one.
    Raises InvalidStatement when the file leaves open what must not be guessed."""
    checks: Callable[[Sequence[Line], Sequence[Cells]], dict[str, str]]
    """Check the file as a whole over the lines and rows that were read."""
    marks: Callable[[Sequence[Line], Sequence[Cells]], tuple[Mark, ...]] = lambda _lines, _rows: ()
    """What the file begins and ends with: balances, numbers of batches."""
    scope: StatementScope = StatementScope.LEDGER
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of columns, as languages and versions have them: lower-case name in the file -> name used here."""
    totals: tuple[str, ...] = ()
    """Columns that a trailing row of totals sums up."""
    checked: str = "gross less fee is net"
    """What every row that was read has been checked for; empty where rows have nothing to check."""

    @property
    def read(self) -> frozenset[str]:
        """Every column the dialect reads."""
        return frozenset(name for names in self.needs for name in names) | frozenset(self.optional)

    def missing(self, header: Collection[str]) -> list[str]:
        """Return the needed columns `header` lacks, alternatives joined by `or`."""
        return [" or ".join(names) for names in self.needs if not any(name in header for name in names)]

    @staticmethod
    def plain(header: Sequence[str]) -> list[str]:
        """Return the names of a header in lower case, each space once."""
        return [" ".join(cell.split()).lower() for cell in header]

    def names(self, header: Sequence[str]) -> list[str]:
        """Return the columns of a header under the names used here. A name of ours beats an alias of it."""
        own = self.plain(header)
        return [self.aliases.get(name, name) if self.aliases.get(name, name) not in own else name for name in own]
