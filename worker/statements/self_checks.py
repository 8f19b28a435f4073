"""What a file must agree with itself about, whatever its format."""

from collections import Counter
from collections.abc import Sequence

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor


def once(what: str, read: Sequence[LedgerLine]) -> dict[str, str]:
    """Check that no line stands twice."""
    repeated = sorted(name for name, times in Counter(line.line_id for line in read).items() if times > 1)
    return {f"each {what} once": f"failed: {len(repeated)} repeated, first {repeated[0]}" if repeated else "ok"}


def payout_sums(read: Sequence[LedgerLine]) -> dict[str, str]:
    """Check that each payout that stands among its own items is their sum."""
    found: dict[str, str] = {}
    closing: dict[tuple[str, str], int] = {}
    items: Counter[tuple[str, str]] = Counter()
    for line in read:
        key = (line.payout_id, line.currency)
        if line.kind is LineKind.PAYOUT and line.payout_id:
            closing[key] = closing.get(key, 0) + line.net_minor
        elif line.payout_id:
            items[key] += line.net_minor
    for key in sorted(items):
        payout, currency = key
        total = f"{currency} {format_minor(items[key], currency, read[0].provider)}"
        if key not in closing:
            found[f"payout {payout} {currency}"] = f"not in the file: its items make {total}"
        elif closing[key] + items[key]:
            paid = format_minor(-closing[key], currency, read[0].provider)
            found[f"payout {payout} {currency}"] = f"failed: its items make {total}, paid out is {paid}"
        else:
            found[f"payout {payout} {currency}"] = f"ok: its items make {total}, as paid out"
    return found
