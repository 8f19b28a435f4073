"""By what a movement is paired, as SQL: the same on both sides, so that a pair lies in one bucket.

The classes and names follow worker/domain/matching/movements.py, which decides; here a name only has to be such that
two movements that agree bear the same one.
"""

from worker.domain.ledger import LineKind
from worker.domain.matching.movements import CHARGE_KINDS, DISPUTE_KINDS, LOOSE_KINDS, MONEY_KINDS, REFUND_KINDS


def in_kinds(kinds: frozenset[LineKind]) -> str:
    """Return the condition that a line is of one of the kinds."""
    return f"kind in ({', '.join(repr(str(kind)) for kind in sorted(kinds))})"


def _first_of(*columns: str) -> str:
    named = [f"nullif({column}, '')" for column in columns[:-1]]
    return f"coalesce({', '.join(named)}, {columns[-1]})"


LINE_CLASS = (
    f"case when {in_kinds(CHARGE_KINDS)} then 'capture' when {in_kinds(REFUND_KINDS)} then 'refund' "
    f"when {in_kinds(DISPUTE_KINDS)} then 'dispute' when {in_kinds(LOOSE_KINDS)} then 'loose' else 'other' end"
)
LINE_NAME = (
    f"case when {in_kinds(CHARGE_KINDS)} then {_first_of('payment_reference', 'source_id', 'line_id')} "
    f"else {_first_of('source_id', 'payment_reference', 'line_id')} end"
)
ENTRY_CLASS = "case kind when 'dispute_reversal' then 'dispute' else kind end"
ENTRY_NAME = "case kind when 'capture' then payment_reference else reference end"
LINE_KEY = (
    "hash(class, case when class = 'capture' and payment_reference <> '' then payment "
    "when source_id <> '' then hash(source_id) when payment_reference <> '' then payment else hash(line_id) end)"
)
"""Hash of the class and the name of a line, where `class` is LINE_CLASS and `payment` the hash of its payment reference."""
ENTRY_KEY = f"hash({ENTRY_CLASS}, case kind when 'capture' then payment else hash(reference) end)"
"""The same of an entry."""
MONEY = in_kinds(MONEY_KINDS)
PAYMENT_OF_LINE = _first_of("payment_reference", "source_id", "line_id")
"""As `payment_of` has it."""
