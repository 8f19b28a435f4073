"""What a file must agree with itself about, whatever its format."""

from collections import Counter
from collections.abc import Mapping, Sequence

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor


def once(what: str, read: Sequence[LedgerLine]) -> dict[str, str]:
    """Check that no line stands twice."""
    repeated = sorted(name for name, times in Counter(line.line_id for line in read).items() if times > 1)
    return {f"each {what} once": f"failed: {len(repeated)} repeated, first {repeated[0]}" if repeated else "ok"}


def payout_sums(read: Sequence[LedgerLine]) -> dict[str, str]:
    """Check that each payout that stands among its own items is their sum."""
    closing: Counter[tuple[str, str]] = Counter()
    items: Counter[tuple[str, str]] = Counter()
    for line in read:
        if line.payout_id:
            (closing if line.kind is LineKind.PAYOUT else items)[line.payout_id, line.currency] += line.net_minor
    return told_payouts(closing, items, read[0].provider) if read else {}


def told_payouts(
    closing: Mapping[tuple[str, str], int], items: Mapping[tuple[str, str], int], provider: str
) -> dict[str, str]:
    """Say of each payout, by id and currency, whether its own lines (`closing`) are the sum of its items."""
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
