"""Records that stand in a book twice, set aside and counted before anything else is compared.

A repeated row still agrees with its partner, so a comparison by set or by key alone never sees it while the cash is
counted twice. Here a repeat is its own issue, whatever the rest of the key looks like.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from worker.domain.finding import FindingKind
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.issue import Issue
from worker.domain.matching.movements import Account, charged, payment_of
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry

T = TypeVar("T")


def set_repeats_aside(account: Account) -> tuple[Account, list[Issue]]:
    """Return the account without its repeats, and one issue per repeated record.

    A repeat is a second row with the same line id and kind (theirs) or the same kind and reference (ours). The same
    object booked under two line ids with one amount (a charge, a refund) counts as one only where their side shows
    more of it than ours does: several captures of one charge are legal.
    """
    classes = (account.captures, account.refunds, account.disputes, account.charged, account.refunded, account.disputed)
    if all(len(movements) < 2 for movements in classes):
        return account, []  # as nearly always: what is alone does not stand twice
    captures, captured_twice = _split(account.captures, lambda entry: entry.reference)
    refunds, given_back_twice = _split(account.refunds, lambda entry: entry.reference)
    disputes, booked_twice = _split(account.disputes, lambda entry: (entry.kind, entry.reference))
    charges, charged_twice = _split(account.charged, _row)
    refunded, refunded_twice = _split(account.refunded, _row)
    disputed, disputed_twice = _split(account.disputed, _row)
    if _gross(charges) > _booked(captures):
        charges, same_object = _split(charges, _object)
        charged_twice += same_object
    if _gross(refunded) < _booked(refunds):
        refunded, same_object = _split(refunded, _object)
        refunded_twice += same_object
    unique = Account(
        key=account.key,
        currency=account.currency,
        captures=captures,
        refunds=refunds,
        disputes=disputes,
        charged=charges,
        refunded=refunded,
        disputed=disputed,
    )
    issues = [
        Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            difference_minor=line.gross_minor,
            at_risk_minor=abs(line.gross_minor),
            cause=f"the provider's ledger holds {line.kind} {line.source_id or line.line_id} of "
            f"{account.currency} {format_minor(line.gross_minor, account.currency)} more than once",
        )
        for line in (*charged_twice, *refunded_twice, *disputed_twice)
    ]
    issues += [
        Issue(
            kind=FindingKind.DUPLICATE_INTERNAL,
            difference_minor=-entry.amount_minor,
            at_risk_minor=abs(entry.amount_minor),
            cause=f"our books hold {entry.kind} {entry.reference} of "
            f"{account.currency} {format_minor(entry.amount_minor, account.currency)} more than once",
        )
        for entry in (*captured_twice, *given_back_twice, *booked_twice)
    ]
    return unique, issues


def set_voids_aside(account: Account) -> tuple[Account, list[str]]:
    """Return the account without payments that we never heard of and that were given back whole; and which.

    This is how a double charge is put right at the provider: charge, then full refund, both beyond our books. It
    applies only where their side shows more payments than ours, so a refund of a payment we hold stays visible.
    """
    if not account.charged or not account.refunded:
        return account, []
    outside = [paid.reference for paid in charged(account.charged)]
    surplus = len(outside) - len({entry.payment_reference for entry in account.captures})
    back = given_back_whole(account)
    voids = [name for name in outside if name in back][: max(surplus, 0)]
    if not voids:
        return account, []
    rest = Account(
        key=account.key,
        currency=account.currency,
        captures=account.captures,
        refunds=account.refunds,
        disputes=account.disputes,
        charged=[line for line in account.charged if payment_of(line) not in voids],
        refunded=[line for line in account.refunded if payment_of(line) not in voids],
        disputed=[line for line in account.disputed if payment_of(line) not in voids],
    )
    return rest, [f"payment {name} was charged and given back whole outside our books" for name in voids]


def given_back_whole(account: Account) -> set[str]:
    """Return the payments that we never heard of and that were given back whole."""
    known = {entry.payment_reference for entry in account.entries}
    returned = {payment_of(line) for line in account.refunded}
    balance: Counter[str] = Counter()
    for line in account.lines:
        balance[payment_of(line)] += line.gross_minor
    return {name for name in returned - known if not balance[name]}


def _row(line: LedgerLine) -> Hashable:
    return line.line_id, line.kind


def _object(line: LedgerLine) -> Hashable:
    """Name the provider's object behind a line; a line that names none of its own is nobody's repeat."""
    if not line.source_id or line.source_id == line.payment_reference or line.kind not in _OBJECTS:
        return line.line_id, line.kind
    return line.source_id, line.kind, line.gross_minor


_OBJECTS = frozenset({LineKind.CHARGE, LineKind.REFUND})


def _split(records: Iterable[T], name: Callable[[T], Hashable]) -> tuple[list[T], list[T]]:
    seen: set[Hashable] = set()
    first: list[T] = []
    again: list[T] = []
    for record in records:
        (again if name(record) in seen else first).append(record)
        seen.add(name(record))
    return first, again


def _gross(lines: Iterable[LedgerLine]) -> int:
    return sum(line.gross_minor for line in lines)


def _booked(entries: Iterable[BookEntry]) -> int:
    return sum(entry.amount_minor for entry in entries)
