"""Words of the report: classes, statuses, ages and commands as people read them.

Every enum value has a word (a test keeps it so); nothing here computes an amount.
"""

import shlex
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from worker.domain.finding import BreakStatus, FindingKind, Leg, Repair, RepairState, SettledAs, Settlement, Verdict

KIND: dict[FindingKind, str] = {
    FindingKind.MATCHED: "Both sides agree",
    FindingKind.MATCHED_WITHIN_TOLERANCE: "Agree within the tolerance",
    FindingKind.MATCHED_IN_PARTS: "Agree, paid in parts",
    FindingKind.MISSING_INTERNAL: "Missing in our books",
    FindingKind.MISSING_EXTERNAL: "Missing on their side",
    FindingKind.AMOUNT_UNDER: "They show less than we do",
    FindingKind.AMOUNT_OVER: "They show more than we do",
    FindingKind.CURRENCY_MISMATCH: "Different currencies",
    FindingKind.STATUS_MISMATCH: "Different status",
    FindingKind.DUPLICATE_INTERNAL: "Booked twice by us",
    FindingKind.DUPLICATE_EXTERNAL: "Charged or shipped twice",
    FindingKind.REFUND_MISSING: "Refund not made by the provider",
    FindingKind.REFUND_EXCEEDS: "Refunded more than we know of",
    FindingKind.DISPUTED: "Disputed by the customer",
    FindingKind.SHIPPED_UNPAID: "Shipped but not paid",
    FindingKind.PAID_UNSHIPPED: "Paid but not shipped",
    FindingKind.REVERSED_AFTER_FULFILMENT: "Money went back after shipping",
    FindingKind.NEEDS_ATTENTION: "A person has to decide",
    FindingKind.FEE_VARIANCE: "Fee is not as agreed",
    FindingKind.FX_DIFFERENCE: "Exchange difference",
    FindingKind.PAYOUT_INCOMPLETE: "Payout is not the sum of its lines",
    FindingKind.PAYOUT_NOT_ITEMISABLE: "Payout without a list of lines",
    FindingKind.PAYOUT_FAILED: "Payout failed",
    FindingKind.PAYOUT_UNDER_WAY: "Payout on its way, as far as files say",
    FindingKind.PAYOUT_UNLISTED: "Payout that no list has",
    FindingKind.PAYOUT_CONTRADICTED: "Payout told in two ways",
    FindingKind.PAYOUT_MISSING_AT_BANK: "Payout did not reach the bank",
    FindingKind.PAYOUT_AMOUNT_DIFFERS: "Bank booked another amount",
    FindingKind.BANK_CREDIT_WITHOUT_PAYOUT: "Bank booking without a payout",
    FindingKind.UNCLASSIFIED: "Movement of an unknown type",
    FindingKind.REJECTED_ROW: "Row could not be read",
}

RULE: dict[FindingKind, str] = {
    FindingKind.MATCHED: "Amount, currency and number of movements are the same on both sides.",
    FindingKind.MATCHED_WITHIN_TOLERANCE: "The sides differ by no more than the tolerance of the settings.",
    FindingKind.MATCHED_IN_PARTS: "Several payments of one side, of this order, make one of the other, within the date window.",
    FindingKind.MISSING_INTERNAL: "Theirs has it and ours has not, and our grace is over.",
    FindingKind.MISSING_EXTERNAL: "Ours has it and theirs has not, and their grace is over.",
    FindingKind.AMOUNT_UNDER: "Both have it; theirs is smaller by more than the tolerance.",
    FindingKind.AMOUNT_OVER: "Both have it; theirs is larger by more than the tolerance.",
    FindingKind.CURRENCY_MISMATCH: "The same payment stands in two currencies.",
    FindingKind.STATUS_MISMATCH: "Both have it, in states that cannot both be true, and the grace is over.",
    FindingKind.DUPLICATE_INTERNAL: "One movement of theirs stands against several bookings of ours.",
    FindingKind.DUPLICATE_EXTERNAL: "One booking of ours stands against several movements of theirs.",
    FindingKind.REFUND_MISSING: "We booked a refund that the provider has not made within its grace.",
    FindingKind.REFUND_EXCEEDS: "The provider gave back more than we booked.",
    FindingKind.DISPUTED: "The provider took money back because the customer disputes the charge.",
    FindingKind.SHIPPED_UNPAID: "A parcel left for an order whose money has not come.",
    FindingKind.PAID_UNSHIPPED: "The money came, no parcel did, and the warehouse's grace is over.",
    FindingKind.REVERSED_AFTER_FULFILMENT: "The goods left, and afterwards all the money went back.",
    FindingKind.NEEDS_ATTENTION: "The order itself says that it does not get on without a person.",
    FindingKind.FEE_VARIANCE: "The fee is not what the agreed rate makes of the amount.",
    FindingKind.FX_DIFFERENCE: "A charge and its refund were converted at different rates.",
    FindingKind.PAYOUT_INCOMPLETE: "The lines of a payout must sum to it, and do not.",
    FindingKind.PAYOUT_NOT_ITEMISABLE: "The provider cannot say which lines a manual or instant payout pays out.",
    FindingKind.PAYOUT_FAILED: "The provider says that the payout failed.",
    FindingKind.PAYOUT_UNDER_WAY: "A file calls the payout scheduled or in transit, and no newer one tells that it arrived.",
    FindingKind.PAYOUT_UNLISTED: "Lines name a payout that no list has: a break where a list tells of its day, else pending, then a warning.",
    FindingKind.PAYOUT_CONTRADICTED: "Two sources tell the payout, and what they say cannot both be true.",
    FindingKind.PAYOUT_MISSING_AT_BANK: "The bank's statement covers the day and has no such booking.",
    FindingKind.PAYOUT_AMOUNT_DIFFERS: "The bank booked another amount than the provider paid out.",
    FindingKind.BANK_CREDIT_WITHOUT_PAYOUT: "The bank booked money from the provider that no payout explains.",
    FindingKind.UNCLASSIFIED: "The provider's type of movement is unknown here; it is counted, never dropped.",
    FindingKind.REJECTED_ROW: "The row could not be read; what it says is not part of the comparison.",
}
"""What makes a finding be of its class, in a sentence."""

LEG: dict[Leg, str] = {
    Leg.ORDERS: "Shop and our orders",
    Leg.PAYMENTS: "Our books and the provider",
    Leg.SHIPMENTS: "Our orders and the warehouse",
    Leg.PAYOUTS: "The provider's payouts and their lines",
    Leg.BANK: "The provider's payouts and the bank",
}

OUR_SIDE: dict[Leg, str] = {
    Leg.ORDERS: "Our books",
    Leg.PAYMENTS: "Our books",
    Leg.SHIPMENTS: "Our books",
    Leg.PAYOUTS: "Lines of the payout",
    Leg.BANK: "Provider",
}
THEIR_SIDE: dict[Leg, str] = {
    Leg.ORDERS: "Shop",
    Leg.PAYMENTS: "Provider",
    Leg.SHIPMENTS: "Warehouse",
    Leg.PAYOUTS: "Payout",
    Leg.BANK: "Bank",
}

STATUS: dict[BreakStatus, str] = {
    BreakStatus.NEW: "New",
    BreakStatus.PERSISTING: "Persisting",
    BreakStatus.REOPENED: "Reopened",
    BreakStatus.RESOLVED: "Resolved",
}

STATUS_TONE: dict[BreakStatus, str] = {
    BreakStatus.NEW: "bad",
    BreakStatus.PERSISTING: "warn",
    BreakStatus.REOPENED: "bad",
    BreakStatus.RESOLVED: "good",
}

REPAIR: dict[Repair, str] = {
    Repair.NONE: "no safe automatic repair",
    Repair.START_ORDER: "start the order's workflow from the shop's record",
    Repair.DELIVER_PAYMENT: "deliver the lost payment event again",
    Repair.DELIVER_SHIPMENT: "deliver the lost shipment event again",
    Repair.DELIVER_CANCELLATION: "deliver the lost cancellation again",
    Repair.DELIVER_REFUND: "deliver the lost refund event again",
    Repair.DELIVER_DISPUTE: "deliver the lost dispute event again",
    Repair.ASK_PROVIDER: "ask the provider again what became of the money",
    Repair.REQUEST_FULFILMENT: "ask for the parcel again, under the first request's id",
}

SETTLED: dict[SettledAs, str] = {SettledAs.RESOLVED: "Resolved by hand", SettledAs.IGNORED: "Ignored"}

REPAIR_STATE: dict[RepairState, str] = {
    RepairState.NONE: "not requested",
    RepairState.WOULD: "would be made, but the policy is dry",
    RepairState.REQUESTED: "requested",
    RepairState.DONE: "done",
    RepairState.FAILED: "failed, for a person",
    RepairState.REFUSED: "over the limit, for a person",
}

VERDICT: dict[Verdict, str] = {
    Verdict.INCOMPLETE: "Incomplete",
    Verdict.BREAKS: "Breaks",
    Verdict.WARNINGS: "Warnings",
    Verdict.PENDING: "Pending",
    Verdict.RECONCILED: "Reconciled",
}

ANSWER: dict[Verdict, str] = {
    Verdict.INCOMPLETE: "Whether the books agree is not known.",
    Verdict.BREAKS: "The books do not agree.",
    Verdict.WARNINGS: "The books agree, and there is something to look at.",
    Verdict.PENDING: "The books agree as far as both sides have spoken.",
    Verdict.RECONCILED: "The books agree.",
}
"""Of a verdict, to the one question that a report is opened for."""

TONE: dict[Verdict, str] = {
    Verdict.INCOMPLETE: "bad",
    Verdict.BREAKS: "bad",
    Verdict.WARNINGS: "warn",
    Verdict.PENDING: "wait",
    Verdict.RECONCILED: "good",
}
"""The colour family of a verdict; only `reconciled` is green."""


BUCKET: dict[str, str] = {"0-1d": "up to a day", "1-3d": "1 to 3 days", "3-7d": "3 to 7 days", ">7d": "over 7 days"}
"""Ages as people read them."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 break`, `1,204 breaks`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def joined(parts: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def moment(at: datetime) -> str:
    """Return a time to the minute, in UTC: `22 Nov 2026, 14:05`."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at.hour:02}:{at.minute:02}"


def span(start: datetime, end: datetime) -> str:
    """Return a window in words; the day is said once when both ends share it."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    last = f"{end:%H:%M}" if start.date() == end.date() else moment(end)
    return f"{moment(start)} to {last} UTC"


def duration(length: timedelta) -> str:
    """Return a length of time at the two largest units that matter: `3 d 4 h`, `12 min`, `0.4 s`."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"-{duration(-length)}"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def decided(settlement: Settlement) -> str:
    """Return a person's decision in one line, without its reason: `Ignored by alice, 22 Nov 2026, 14:05, until ...`."""
    until = f", until {moment(settlement.until)}" if settlement.until else ""
    return f"{SETTLED[settlement.how]} by {settlement.by}, {moment(settlement.at)}{until}"


def source(text: str, provider: str) -> str:
    """Return in words where the provider's side was read from (`api`, or `statement:{sha256}`)."""
    if text == "api":
        return f"{provider} API"
    if text.startswith("api/"):
        return f"{provider} API, {text.partition('/')[2]} run"
    kind, _, digest = text.partition(":")
    return f"statement file {digest[:12]}…" if kind == "statement" and digest else text


def reproduce(shop: str, provider: str, start: datetime, end: datetime, read_from: str) -> str:
    """Return the command that runs the same comparison again."""
    words = ["orders", "reconcile", "run", "--shop", shop, "--provider", provider]
    words += ["--from", iso(start), "--to", iso(end)]
    _, _, mode = read_from.partition("/")
    if mode:
        words += ["--mode", mode]
    kind, _, digest = read_from.partition(":")
    if kind == "statement":
        words += ["--statement", digest]
    return shlex.join(words)


@lru_cache(maxsize=4096)
def iso(at: datetime) -> str:
    """Return ISO 8601 in UTC, to the second (or finer if it is finer), with `Z`."""
    return f"{at.astimezone(UTC).isoformat()[:-6]}Z"
