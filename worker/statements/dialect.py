"""What a statement format is to the parser: the columns it needs, how a row becomes lines, what the file must sum to."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from worker.domain.ledger import LedgerLine
from worker.statements.cells import Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One statement format."""

    name: str
    provider: str
    needs: tuple[tuple[str, ...], ...]
    """Columns (lower case) a header must have; each entry lists names that may stand for one another."""
    optional: tuple[str, ...]
    lines: Callable[[Cells, str], list[LedgerLine]]
    """Turn one row into its lines; the second argument is our shop (empty: not told). Raises RowRejected."""
    checks: Callable[[Sequence[LedgerLine], Sequence[Cells]], dict[str, str]]
    """Check the file as a whole over the lines that were read."""

    @property
    def read(self) -> frozenset[str]:
        """Every column the dialect reads."""
        return frozenset(name for names in self.needs for name in names) | frozenset(self.optional)

    def missing(self, header: Collection[str]) -> list[str]:
        """Return the needed columns `header` lacks, alternatives joined by `or`."""
        return [" or ".join(names) for names in self.needs if not any(name in header for name in names)]
