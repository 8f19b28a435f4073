"""What a bridge needs of the movements themselves: plain sums per currency, which a database can make as well.

`window_sums` makes them of the movements; an engine that clears keys in bulk makes them by adding up columns:

- ours: what we booked in the window; theirs: the compared amounts (`as_compared`) of the provider's lines of money in
  the window, both whatever became of their keys;
- outside: of the movements that count in any account, and of the loose lines, those dated before the window;
- fees: what the provider kept on the lines of the window, in the currency of settlement;
- converted: settled amounts of the window's converted lines by currency of settlement, less their compared amounts by
  currency of the customer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.movements import MONEY_KINDS, Account, accounts, as_compared, as_settled, loose_lines
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.payment import BookEntry

_COUNTED_FEES = MONEY_KINDS | {LineKind.PAYOUT, LineKind.TRANSFER}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSums:
    """The sums of one currency, minor units, signed from the shop's view."""

    currency: str
    ours_minor: int = 0
    theirs_minor: int = 0
    ours_outside_minor: int = 0
    theirs_outside_minor: int = 0
    outside_count: int = 0
    fees_minor: int = 0
    converted_minor: int = 0

    def __add__(self, other: "WindowSums") -> "WindowSums":
        """Add the sums of another part of the same currency's movements."""
        return WindowSums(
            currency=self.currency,
            ours_minor=self.ours_minor + other.ours_minor,
            theirs_minor=self.theirs_minor + other.theirs_minor,
            ours_outside_minor=self.ours_outside_minor + other.ours_outside_minor,
            theirs_outside_minor=self.theirs_outside_minor + other.theirs_outside_minor,
            outside_count=self.outside_count + other.outside_count,
            fees_minor=self.fees_minor + other.fees_minor,
            converted_minor=self.converted_minor + other.converted_minor,
        )


def window_sums(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    order_of_payment: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
) -> tuple[WindowSums, ...]:
    """Return the sums of every currency that moved, sorted."""
    entries, lines = tuple(entries), tuple(as_compared(line, rules) for line in lines)
    return sums_of(entries, lines, accounts(entries, lines, order_of_payment, scope, rules), scope)


def sums_of(
    entries: Sequence[BookEntry], lines: Sequence[LedgerLine], sides: Iterable[Account], scope: Scope
) -> tuple[WindowSums, ...]:
    """Return the sums of movements whose accounts are at hand; `lines` are as they are compared."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if scope.in_window(entry.occurred_at):
            found[entry.currency]["ours_minor"] += entry.amount_minor
    for line in lines:
        if scope.in_window(line.created_at):
            settled = as_settled(line)
            found[line.currency]["theirs_minor"] += line.gross_minor if line.kind in MONEY_KINDS else 0
            found[settled.currency]["fees_minor"] += _fee(settled)
            if settled is not line:
                found[line.currency]["converted_minor"] -= line.gross_minor
                found[settled.currency]["converted_minor"] += settled.gross_minor
    outside = loose_lines(lines, scope)
    for side in sides:
        # A currency that moved only before the window has its statement as well.
        sums = found[side.currency]
        outside += side.lines
        for entry in side.entries:
            if not scope.in_window(entry.occurred_at):
                sums["ours_outside_minor"] += entry.amount_minor
                sums["outside_count"] += 1
    for line in outside:
        sums = found[line.currency]
        if not scope.in_window(line.created_at):
            sums["theirs_outside_minor"] += line.gross_minor
            sums["outside_count"] += 1
    return tuple(WindowSums(currency=currency, **found[currency]) for currency in sorted(found))


def _fee(line: LedgerLine) -> int:
    """Return what the provider kept: the fee of a line; of a fee line the whole, in whichever field it stands."""
    if line.kind is LineKind.FEE:
        return -line.net_minor
    return line.fee_minor if line.kind in _COUNTED_FEES else 0
