"""What the bulk reader leaves to the parser of rows: the few rows of a large report that are not of the plain form.

Stripe's itemised reports only; what is read in bulk and what row by row is the same, and a test holds both together.
"""

from collections.abc import Iterable, Sequence

from worker.domain.ledger import LedgerLine
from worker.services.ports import RejectedRow
from worker.services.ports.lake import KeptReport
from worker.statements.cells import Cells, RowRejected
from worker.statements.self_checks import told_payouts
from worker.statements.stripe import PROVIDER, lines

FORMAT = "stripe_payout_reconciliation"

__all__ = ["FORMAT", "PROVIDER", "OddRows", "checks_of"]


class OddRows:
    """Implements `RowParser`."""

    def __init__(self, shop: str) -> None:
        self._shop = shop

    def __call__(
        self, header: Sequence[str], rows: Iterable[tuple[int, tuple[str, ...]]]
    ) -> tuple[list[LedgerLine], list[RejectedRow]]:
        """Return the lines of the rows that can be read, and the others with the line they stand in."""
        columns = {name: at for at, name in enumerate(header)}
        found: list[LedgerLine] = []
        rejects: list[RejectedRow] = []
        for line, cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            try:
                found += lines(Cells(columns, cells, PROVIDER), self._shop)
            except RowRejected as reason:
                rejects.append(RejectedRow(line=line, column=reason.column, reason=reason.reason))
        return found, rejects


def checks_of(kept: KeptReport) -> dict[str, str]:
    """Return what the report was checked for, in the words of the parser of rows."""
    rejected = len(kept.rejects)
    every = f"failed: {rejected} of {kept.rows} rejected" if rejected else f"ok: {kept.rows} rows"
    once = f"failed: {len(kept.repeated)} repeated, first {kept.repeated[0]}" if kept.repeated else "ok"
    closing = {(net.payout_id, net.currency): net.net_minor for net in kept.nets if net.is_payout}
    items = {(net.payout_id, net.currency): net.net_minor for net in kept.nets if not net.is_payout}
    return {
        "every row read": every,
        "gross less fee is net": f"ok: on {kept.rows - rejected} rows",
        "each balance transaction once": once,
        **told_payouts(closing, items, PROVIDER),
    }
