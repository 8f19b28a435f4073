"""Movements of money of both sides, brought together under one key and currency.

A key is `order/{id}` where an order is known (by the references of the rules, in their order), else
`payment/{reference}`. Every movement that counts lands in exactly one account, so sums over accounts are sums over
movements.

Which movements count: those before the cut and from the horizon on; and those in the margin before the horizon
whose class (captures, refunds, disputes of that key) also moved from the horizon on, since a pair must not be torn
apart. Of the margin only what both sides show by one reference counts: the partner of anything else may lie beyond
it. Anything older is left out on both sides alike, however much the caller read.

Locality: the account of a key and currency is a function of that key's movements, the scope and the rules alone.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from datetime import datetime

from worker.domain.dispute import DISPUTED
from worker.domain.finding import Fact
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.paid import Paid, payments
from worker.domain.matching.rules import PLAIN, Compared, Reference, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.together import together
from worker.domain.payment import BookEntry, EntryKind

CHARGE_KINDS = frozenset({LineKind.CHARGE, LineKind.PARTIAL_CAPTURE_REVERSAL})
"""A charge for the whole authorisation and the reversal of its uncaptured rest are one capture (Stripe's
reporting categories)."""
REFUND_KINDS = frozenset({LineKind.REFUND, LineKind.REFUND_FAILURE})
DISPUTE_KINDS = frozenset({LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL})
ORDER_KINDS = CHARGE_KINDS | REFUND_KINDS | DISPUTE_KINDS
LOOSE_KINDS = frozenset({LineKind.ADJUSTMENT, LineKind.UNCLASSIFIED})
"""Money that moved for a reason no order explains: shown, never dropped."""
MONEY_KINDS = ORDER_KINDS | LOOSE_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(LedgerLine):
    """A line in the customer's currency, with the line as it was settled."""

    settlement: LedgerLine


@dataclass(slots=True, kw_only=True)
class Account:
    """Both sides of one key in one currency, each list ordered by time and id."""

    key: str
    currency: str
    captures: list[BookEntry] = field(default_factory=list)
    refunds: list[BookEntry] = field(default_factory=list)
    disputes: list[BookEntry] = field(default_factory=list)
    charged: list[LedgerLine] = field(default_factory=list)
    refunded: list[LedgerLine] = field(default_factory=list)
    disputed: list[LedgerLine] = field(default_factory=list)

    @property
    def entries(self) -> list[BookEntry]:
        """Everything we booked."""
        return [*self.captures, *self.refunds, *self.disputes]

    @property
    def lines(self) -> list[LedgerLine]:
        """Everything the provider shows."""
        return [*self.charged, *self.refunded, *self.disputed]

    @property
    def order_id(self) -> str:
        """The order behind the key; empty when none is known."""
        return self.key.removeprefix("order/") if self.key.startswith("order/") else ""

    @property
    def methods(self) -> set[str]:
        """How the customer paid, as far as either side says."""
        return {e.method for e in self.entries if e.method} | {x.method for x in self.lines if x.method}


def as_compared(line: LedgerLine, rules: Rules) -> LedgerLine:
    """Return the line in the currency it is compared in: the customer's where the provider converted it.

    Some reports state the customer's amount without its sign: the sign is that of the settled amount.
    """
    if (
        not line.customer_currency
        or not line.customer_minor
        or line.customer_currency == line.currency
        or line.kind not in MONEY_KINDS
        or rules.compared is Compared.SETTLEMENT
        or isinstance(line, Converted)
    ):
        return line
    minor = abs(line.customer_minor)
    if line.gross_minor < 0 or (not line.gross_minor and line.customer_minor < 0):
        minor = -minor
    known = {field.name: getattr(line, field.name) for field in fields(LedgerLine)}
    return Converted(**known | {"currency": line.customer_currency, "gross_minor": minor}, settlement=line)


def as_settled(line: LedgerLine) -> LedgerLine:
    """Return the line as it was settled."""
    return line.settlement if isinstance(line, Converted) else line


def payment_of(line: LedgerLine) -> str:
    """Return the payment a line belongs to, as well as the line says it."""
    return line.payment_reference or line.source_id or line.line_id


def captured(entries: Iterable[BookEntry]) -> list[Paid]:
    """Return captures of ours as payments."""
    return payments((one.payment_reference, one.amount_minor, one.occurred_at) for one in entries)


def charged(lines: Iterable[LedgerLine]) -> list[Paid]:
    """Return charges of theirs, and reversals of what was not captured, as payments."""
    return payments((payment_of(one), one.gross_minor, one.created_at) for one in lines)


def key_of(line: LedgerLine, order_of_payment: Mapping[str, str], rules: Rules = PLAIN) -> str:
    """Return the key of a line of order money."""
    for reference in rules.references:
        value = str(getattr(line, reference))
        order_id = value if reference is Reference.ORDER else order_of_payment.get(value)
        if order_id:
            return f"order/{order_id}"
    return f"payment/{payment_of(line)}"


def payments_named(line: LedgerLine, rules: Rules = PLAIN) -> set[str]:
    """Return the payments of ours that a line may belong to: those whose orders `key_of` must know."""
    return {str(getattr(line, one)) for one in rules.references if one is not Reference.ORDER} - {""}


def loose_lines(lines: Iterable[LedgerLine], scope: Scope) -> list[LedgerLine]:
    """Return the lines of money that no order explains, from the horizon to the cut."""
    return [line for line in lines if line.kind in LOOSE_KINDS and scope.judged(line.created_at)]


def accounts(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    order_of_payment: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
) -> list[Account]:
    """Return the accounts of all order money that counts, sorted by key and currency; empty ones are left out.

    `lines` are as they are compared (`as_compared`).
    """
    found: dict[tuple[str, str], Account] = {}

    def account(key: str, currency: str) -> Account:
        known = found.get((key, currency))
        if known is None:
            known = found[key, currency] = Account(key=key, currency=currency)
        return known

    for entry in entries:
        side = account(f"order/{entry.order_id}", entry.currency)
        if entry.kind in DISPUTED:
            side.disputes.append(entry)
        else:
            (side.captures if entry.kind is EntryKind.CAPTURE else side.refunds).append(entry)
    for line in lines:
        if line.kind not in ORDER_KINDS:
            continue
        side = account(key_of(line, order_of_payment, rules), line.currency)
        if line.kind in CHARGE_KINDS:
            side.charged.append(line)
        else:
            (side.refunded if line.kind in REFUND_KINDS else side.disputed).append(line)
    for side in found.values():
        linked = _linked(side, scope, rules)
        side.captures, side.charged = _counting(side.captures, side.charged, scope, linked)
        side.refunds, side.refunded = _counting(side.refunds, side.refunded, scope)
        side.disputes, side.disputed = _counting(side.disputes, side.disputed, scope, whole=True)
    return [found[name] for name in sorted(found) if found[name].entries or found[name].lines]


def entry_fact(entry: BookEntry) -> Fact:
    """Return an entry of ours as evidence."""
    return Fact(
        record=entry.kind,
        reference=entry.reference,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        at=entry.occurred_at,
        status=entry.payment_reference,
    )


def line_fact(line: LedgerLine) -> Fact:
    """Return a line of theirs as evidence: named by its row in the ledger, with the payment as its status."""
    return Fact(
        record=line.kind,
        reference=line.line_id,
        amount_minor=line.gross_minor,
        currency=line.currency,
        at=line.created_at,
        status=line.payment_reference or line.source_id,
    )


def _linked(side: Account, scope: Scope, rules: Rules) -> set[str]:
    """Return the payments whose partners in the margin are known although they bear another reference."""
    times = [one.occurred_at for one in side.captures] + [one.created_at for one in side.charged]
    if not (rules.many_to_one and side.captures and side.charged) or min(times) >= scope.horizon_start:
        return set()
    # Rows that stand twice are set aside later on, and hide no partner here.
    entries = {one.reference: one for one in side.captures if scope.read_from <= one.occurred_at < scope.cut}
    lines = {(one.line_id, one.kind): one for one in side.charged if scope.read_from <= one.created_at < scope.cut}
    found = together(captured(entries.values()), charged(lines.values()), side.currency, rules)
    return {paid.reference for one in found for paid in (*one.ours, *one.theirs)}


def _counting(
    entries: list[BookEntry],
    lines: list[LedgerLine],
    scope: Scope,
    linked: AbstractSet[str] = frozenset(),
    *,
    whole: bool = False,
) -> tuple[list[BookEntry], list[LedgerLine]]:
    """Return the movements of a class that count; `whole`: those in the margin belong to each other, not to a partner.

    A dispute and its reversal are months apart often enough, and both books date them by the provider's word. Of
    payments that are `linked` nothing is torn apart either.
    """
    if not entries and not lines:
        return entries, lines
    times = [entry.occurred_at for entry in entries] + [line.created_at for line in lines]
    judged = [scope.judged(at) for at in times]
    if not any(judged):
        return [], []
    if all(judged):
        return sorted(entries, key=_entry_order), sorted(lines, key=_line_order)  # as nearly always
    entries = [entry for entry in entries if scope.read_from <= entry.occurred_at < scope.cut]
    lines = [line for line in lines if scope.read_from <= line.created_at < scope.cut]
    if whole:
        return sorted(entries, key=_entry_order), sorted(lines, key=_line_order)
    ours = {name for entry in entries for name in _entry_names(entry)} | linked
    theirs = {name for line in lines for name in _line_names(line)} | linked
    return (
        sorted((e for e in entries if scope.judged(e.occurred_at) or theirs & _entry_names(e)), key=_entry_order),
        sorted((x for x in lines if scope.judged(x.created_at) or ours & _line_names(x)), key=_line_order),
    )


def _entry_names(entry: BookEntry) -> set[str]:
    """Name the provider's objects behind an entry: a capture is its payment, a refund is itself."""
    return {entry.reference, entry.payment_reference} if entry.kind is EntryKind.CAPTURE else {entry.reference}


def _line_names(line: LedgerLine) -> set[str]:
    return {payment_of(line)} if line.kind in CHARGE_KINDS else {line.source_id or payment_of(line)}


def _entry_order(entry: BookEntry) -> tuple[datetime, str, int, str]:
    return entry.occurred_at, entry.reference, entry.amount_minor, entry.payment_reference


def _line_order(line: LedgerLine) -> tuple[datetime, str, str, int, str, str]:
    """Order lines completely, so that no result depends on the order they were read in."""
    return line.created_at, line.line_id, line.kind, line.gross_minor, line.source_id, line.payment_reference
