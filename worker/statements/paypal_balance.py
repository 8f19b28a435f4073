"""PayPal's running balances: which rows moved one, and whether every one closes.

Rows of a currency follow one another, oldest or newest first; each balance is the one before plus the row's net.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from worker.domain.continuity import Mark
from worker.domain.ledger import LineKind
from worker.domain.money import format_minor
from worker.statements.cells import Cells, RowRejected
from worker.statements.paypal_words import MEMO, NOT_SETTLED, kind_of


@dataclass(frozen=True, slots=True)
class Step:
    """A row that says its balance."""

    row: Cells
    net_minor: int
    balance_minor: int
    settled: bool


def moves(rows: Sequence[Cells]) -> frozenset[int]:
    """Return the lines of the rows that moved a balance."""
    found = {row.line for row in rows if _settled(row)}
    steps = {step.row.line: (before, step) for chain in _chains(rows).values() for before, step in _links(chain)}
    for row in rows:
        if row.line in found or row.text("balance impact").lower() in MEMO:
            continue
        before, step = steps.get(row.line, (None, None))
        if before is not None and step is not None:
            if before.balance_minor + step.net_minor == step.balance_minor:
                found.add(row.line)
        elif row.text("status").lower() in _WAITING and kind_of("", row.text("type"), -1) is LineKind.PAYOUT:
            # Without a balance before it: PayPal takes a withdrawal out at once, while the bank is still at it.
            found.add(row.line)
    return frozenset(found)


def running_balances(rows: Sequence[Cells], provider: str) -> dict[str, str]:
    """Check that each row's balance is the one before it plus its net; rows that moved nothing leave it as it is."""
    checked = {}
    for currency, chain in sorted(_chains(rows).items()):
        links = _links(chain)
        wrong = [(before, step) for before, step in links if before is not None and not _joined(before, step)]
        if wrong:
            before, step = wrong[0]
            assert before is not None
            shown = [
                format_minor(x, currency, provider) for x in (before.balance_minor, step.net_minor, step.balance_minor)
            ]
            said = (
                f"failed: {len(wrong)} gaps, first in line {step.row.line}: {shown[0]} and {shown[1]} is not {shown[2]}"
            )
        else:
            said = f"ok: closes over {len(chain)} rows"
        checked[f"running balance {currency}"] = said
    return checked


def balance_marks(rows: Sequence[Cells], times: Mapping[str, datetime]) -> tuple[Mark, ...]:
    """Return with which balance each currency opens and closes; `times` of rows, by transaction.

    Where the first row may or may not have moved its balance, nobody can say what it opened with.
    """
    found = []
    for currency, chain in sorted(_chains(rows).items()):
        at = [times[name] for step in chain if (name := step.row.text("transaction id")) in times]
        if not at or not chain[0].settled:
            continue
        found.append(
            Mark(
                account="",
                unit=currency,
                opens=chain[0].balance_minor - chain[0].net_minor,
                closes=chain[-1].balance_minor,
                first_at=min(at),
                last_at=max(at),
            )
        )
    return tuple(found)


def _joined(before: Step, step: Step) -> bool:
    moved = before.balance_minor + step.net_minor == step.balance_minor
    return moved or (not step.settled and before.balance_minor == step.balance_minor)


def _chains(rows: Sequence[Cells]) -> dict[str, list[Step]]:
    """Return the rows of each currency that say their balance, oldest first."""
    chains: defaultdict[str, list[Step]] = defaultdict(list)
    for row in rows:
        try:
            currency = row.currency("currency")
            net = row.amount("net", currency, required=True)
            balance = row.amount("balance", currency, required=True)
        except RowRejected:
            continue
        chains[currency].append(Step(row, net, balance, settled=_settled(row)))
    return {currency: max(chain, chain[::-1], key=_joints) for currency, chain in chains.items()}


def _joints(chain: Sequence[Step]) -> int:
    return sum(_joined(before, step) for before, step in pairwise(chain))


def _links(chain: Sequence[Step]) -> list[tuple[Step | None, Step]]:
    return list(zip([None, *chain[:-1]], chain, strict=True))


def _settled(row: Cells) -> bool:
    return row.text("status").lower() not in NOT_SETTLED and row.text("balance impact").lower() not in MEMO


_WAITING = frozenset({"pending", "ausstehend", "pendiente", "en attente", "in sospeso", "in behandeling"})
