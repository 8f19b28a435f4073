"""Accounts whose payments in parts stand as one payment, so that all that follows sees one on either side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from worker.domain.finding import FindingKind
from worker.domain.ledger import LedgerLine
from worker.domain.matching.issue import Issue
from worker.domain.matching.movements import Account, captured, charged, payment_of
from worker.domain.matching.repeats import given_back_whole
from worker.domain.matching.rules import Rules, Side
from worker.domain.matching.scope import Scope
from worker.domain.matching.together import Together, together
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was merged, as far as the captures that are left must know it."""

    ours_minor: frozenset[int] = frozenset()
    theirs_minor: frozenset[int] = frozenset()
    """Amounts of the parts: one of them again is no further part, but the same payment twice."""
    awaited_until: datetime | None = None
    """Parts are lacking, and may come until then."""


NOTHING_MERGED = Merged()


def merge_parts(account: Account, scope: Scope, rules: Rules) -> tuple[Account, list[Issue], Merged]:
    """Return an account free of repeats with its payments in parts merged, and what to tell of that.

    The parts bear the name of the payment that they are; amounts, dates and the lines themselves stay.
    """
    if not rules.many_to_one or not account.captures or not account.charged:
        return account, [], NOTHING_MERGED
    ours, theirs = captured(account.captures), charged(account.charged)
    if {(paid.reference, paid.minor) for paid in ours} == {(paid.reference, paid.minor) for paid in theirs}:
        return account, [], NOTHING_MERGED  # as nearly always
    back = given_back_whole(account)
    # A payment that was undone outside our books is a part only where the others do not do without it.
    parts = _in_parts(together(ours, [paid for paid in theirs if paid.reference not in back], account.currency, rules))
    if back and not any(one.complete for one in parts):
        parts = _in_parts(together(ours, theirs, account.currency, rules))
    if not parts:
        return account, [], NOTHING_MERGED
    their_names = {part.reference: one.ours[0].reference for one in parts if len(one.ours) == 1 for part in one.theirs}
    our_names = {part.reference: one.theirs[0].reference for one in parts if len(one.ours) > 1 for part in one.ours}
    merged = Merged(
        ours_minor=frozenset(part.minor for one in parts if len(one.ours) > 1 for part in one.ours),
        theirs_minor=frozenset(part.minor for one in parts if len(one.ours) == 1 for part in one.theirs),
        awaited_until=next((_awaited_until(one, account, scope, rules) for one in parts if not one.complete), None),
    )
    issues = [
        Issue(kind=FindingKind.MATCHED_IN_PARTS, cause=_told(one, account), accepted=True)
        for one in parts
        if one.complete
    ]
    return _renamed(account, our_names, their_names), issues, merged


def _in_parts(found: list[Together]) -> list[Together]:
    return [one for one in found if len(one.ours) != len(one.theirs) or not one.complete]


def _awaited_until(one: Together, account: Account, scope: Scope, rules: Rules) -> datetime:
    late = Side.EXTERNAL if one.apart_minor < 0 else Side.INTERNAL
    last = max(paid.last_at for paid in (*one.ours, *one.theirs))
    return last + rules.grace(late, account.methods, scope.payment_grace)


def _told(one: Together, account: Account) -> str:
    split = len(one.ours) == 1
    whole, parts = (one.ours[0], one.theirs) if split else (one.theirs[0], one.ours)
    amount = f"{account.currency} {format_minor(sum(part.minor for part in parts), account.currency)}"
    named = f"{amount} in {len(parts)} payments ({', '.join(part.reference for part in parts)})"
    if split:
        return f"the provider took {named} that are one of ours ({whole.reference})"
    return f"we booked {named} that are one of the provider's ({whole.reference})"


def _renamed(account: Account, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Account:
    def entries(some: Iterable[BookEntry]) -> list[BookEntry]:
        return [
            replace(one, payment_reference=ours[one.payment_reference]) if one.payment_reference in ours else one
            for one in some
        ]

    def lines(some: Iterable[LedgerLine]) -> list[LedgerLine]:
        return [
            replace(one, payment_reference=theirs[payment_of(one)]) if payment_of(one) in theirs else one
            for one in some
        ]

    return Account(
        key=account.key,
        currency=account.currency,
        captures=entries(account.captures),
        refunds=entries(account.refunds),
        disputes=entries(account.disputes),
        charged=lines(account.charged),
        refunded=lines(account.refunded),
        disputed=lines(account.disputed),
    )
