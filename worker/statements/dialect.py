"""What a statement format is to the parser: the columns it needs, how a row becomes lines, what the file must sum to."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
"""Turns one row into its lines; is given the rows in their order, each once. Raises RowRejected."""


Begin: TypeAlias = Callable[[Iterable[Cells], Told, Sequence[str]], RowReader]
"""Look at the header, and where needed at the rows: to go through them is to read the file once more."""


class FileCheck:
    """Something about one file as a whole that is counted while its rows are read: no row is held for it."""

    def add(self, row: Cells, lines: Sequence[Line]) -> None:
        """Count a row that was read, and what it became."""

    def checks(self) -> dict[str, str]:
        """Say what was checked, after the last row."""
        return {}

    def marks(self) -> tuple[Mark, ...]:
        """Return what the file begins and ends with: balances, numbers of batches."""
        return ()


def row_by_row(lines: Callable[[Cells, str], list[LedgerLine]], numbers: Numbers = PLAIN) -> Begin:
    """Adapt a format whose rows can each be read alone; the second argument of `lines` is our shop."""

    def begin(_rows: Iterable[Cells], told: Told, _header: Sequence[str]) -> RowReader:
        def read(row: Cells) -> Sequence[Line]:
            row.numbers = numbers
            return lines(row, told.shop)

        return read

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
    checks: tuple[Callable[[], FileCheck], ...] = ()
    """What a file as a whole is checked for, each made anew for every file."""
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
