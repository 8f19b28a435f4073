"""PayPal's running balances: which rows moved one, and whether every one closes.

Rows of a currency follow one another, oldest or newest first; each balance is the one before plus the row's net.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from worker.domain.continuity import Mark
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements.cells import Cells, RowRejected
from worker.statements.dialect import FileCheck, Line
from worker.statements.paypal_words import MEMO, NOT_SETTLED, kind_of
from worker.statements.running_balance import Chain, Step

_DOWN, _UP = 1, 2


class Moves:
    """Which rows moved a balance: of each that may not have, a byte with the answer for either direction of the file."""

    def __init__(self) -> None:
        self._chains: defaultdict[str, Chain] = defaultdict(Chain)
        self._last: dict[str, tuple[Step, int | None]] = {}
        """The last step of each currency, and the place of its answer where that is open."""
        self._answers = bytearray()

    def look(self, row: Cells) -> None:
        """Take the next row."""
        place = None
        if not is_settled(row):
            if _is_memo(row):
                self._answers.append(0)
            else:
                place = len(self._answers)
                # Without a balance before it: PayPal takes a withdrawal out at once, while the bank is still at it.
                at_once = row.text("status").lower() in _WAITING
                at_once = at_once and kind_of("", row.text("type"), -1) is LineKind.PAYOUT
                self._answers.append(_DOWN | _UP if at_once else 0)
        found = _step(row)
        if found is None:
            return
        currency, step = found
        self._chains[currency].add(step)
        if currency in self._last:
            before, of_before = self._last[currency]
            self._answer(place, _DOWN, before, step)
            self._answer(of_before, _UP, step, before)
        self._last[currency] = step, place

    def _answer(self, place: int | None, direction: int, before: Step, step: Step) -> None:
        if place is not None:
            moved = before.balance_minor + step.moved_minor == step.balance_minor
            self._answers[place] = self._answers[place] & ~direction | (direction if moved else 0)

    def moved(self) -> Callable[[Cells], bool]:
        """Return what says of each row whether it moved a balance; it is to be asked for all rows, in their order."""
        answers = iter(self._answers)
        upwards = {currency for currency, chain in self._chains.items() if chain.upwards}

        def answer(row: Cells) -> bool:
            if is_settled(row):
                return True
            return bool(next(answers) & (_UP if row.text("currency").upper() in upwards else _DOWN))

        return answer


class RunningBalances(FileCheck):
    """Check that each row's balance is the one before it plus its net; rows that moved nothing leave it as it is."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._chains: defaultdict[str, Chain] = defaultdict(Chain)
        self._times: dict[str, tuple[datetime, datetime]] = {}

    def add(self, row: Cells, lines: Sequence[Line]) -> None:
        """Take a step."""
        found = _step(row)
        if found is None:
            return
        currency, step = found
        self._chains[currency].add(step)
        for line in lines:
            if isinstance(line, LedgerLine):
                at = line.created_at
                first, last = self._times.get(currency, (at, at))
                self._times[currency] = min(first, at), max(last, at)

    def checks(self) -> dict[str, str]:
        """Say of each currency whether its balance closes."""
        checked = {}
        for currency, chain in sorted(self._chains.items()):
            if chain.gap is None:
                said = f"ok: closes over {chain.count} rows"
            else:
                before, step = chain.gap
                amounts = (before.balance_minor, step.moved_minor, step.balance_minor)
                shown = [format_minor(minor, currency, self._provider) for minor in amounts]
                said = (
                    f"failed: {chain.gaps} gaps, first in line {step.line}: {shown[0]} and {shown[1]} is not {shown[2]}"
                )
            checked[f"running balance {currency}"] = said
        return checked

    def marks(self) -> tuple[Mark, ...]:
        """Return with which balance each currency opens and closes. The account stands in no export.

        Where the first row may or may not have moved its balance, nobody can say what it opened with.
        """
        found = []
        for currency, chain in sorted(self._chains.items()):
            opening, closing = chain.ends
            if opening.settled:
                first_at, last_at = self._times[currency]
                found.append(
                    Mark(
                        account="",
                        unit=currency,
                        opens=opening.balance_minor - opening.moved_minor,
                        closes=closing.balance_minor,
                        first_at=first_at,
                        last_at=last_at,
                    )
                )
        return tuple(found)


def is_settled(row: Cells) -> bool:
    """Whether a row has moved its balance for certain."""
    return row.text("status").lower() not in NOT_SETTLED and not _is_memo(row)


def _is_memo(row: Cells) -> bool:
    return row.text("balance impact").lower() in MEMO


def _step(row: Cells) -> tuple[str, Step] | None:
    """Return the currency and the step of a row that says its balance."""
    try:
        currency = row.currency("currency")
        net = row.amount("net", currency, required=True)
        balance = row.amount("balance", currency, required=True)
    except RowRejected:
        return None
    return currency, Step(row.line, net, balance, settled=is_settled(row))


_WAITING = frozenset({"pending", "ausstehend", "pendiente", "en attente", "in sospeso", "in behandeling"})
