"""Bank leg: the provider's payouts against what the bank booked. Read only where a bank statement is at hand.

A credit belongs to the payouts that its references name; equal amounts alone never match anything, they are only
suggested. One credit may hold several payouts, and one payout may come in several credits.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.payouts import SENT, PayoutStatus, PayoutSums, Reach, payout_fact
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.window import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCredit:
    """One booking on our account. `amount_minor` is positive for money in; `references` is all text that may name it."""

    credit_id: str
    amount_minor: int
    currency: str
    booked_at: datetime
    references: tuple[str, ...] = ()


SEVERITY = (
    FindingKind.CURRENCY_MISMATCH,
    FindingKind.DUPLICATE_EXTERNAL,
    FindingKind.STATUS_MISMATCH,
    FindingKind.PAYOUT_MISSING_AT_BANK,
    FindingKind.PAYOUT_AMOUNT_DIFFERS,
    FindingKind.BANK_CREDIT_WITHOUT_PAYOUT,
)
"""Which class names a finding when several apply, worst first."""


def match_bank(
    payouts: Iterable[PayoutSums],
    bookings: Iterable[BankCredit],
    covered: Span,
    scope: Scope,
    rules: Rules = PLAIN,
    accounts: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Compare payouts with the bank's bookings; one finding per payout or unexplained credit, sorted by key.

    A finding's `ours` is the payout, its `theirs` what the bank booked. `covered` is what the bank statements at hand
    cover: a payout due outside of it, or not due yet at the cut, is not missing. `payouts` must hold every payout
    that a credit of the span may name. `accounts` are the currencies whose balances statements at hand tell of, whether
    anything was booked there or not.
    """
    payouts, bookings = tuple(payouts), tuple(bookings)
    # Of an account whose statements nobody imports nothing is known; what is said to be missing there must be looked at.
    looked_at = {one.currency for one in bookings} | set(accounts)
    untold = {one.currency for one in payouts} - looked_at if looked_at else set()
    booked = sorted(
        (one for one in bookings if one.booked_at < scope.cut),
        key=lambda one: (one.booked_at, one.credit_id, one.amount_minor),
    )
    findings: list[Finding | None] = []
    expected = [one if one.listed else replace(one, amount_minor=one.lines_minor) for one in payouts]
    # What names a payout may be told by its lines alone: while they are not, nothing at the bank can be told to be its.
    unnamed = [one for one in expected if one.reach is Reach.UNTOLD and not one.names]
    known = sorted((one for one in expected if one not in unnamed), key=lambda one: (one.payout_id, one.currency))
    groups = _groups(known, booked)
    for group in groups:
        if not group.payouts:
            findings += [
                _unexplained(one, scope)
                for one in group.credits
                if _is_the_providers(one, scope, rules) and not _may_be_of(one, unnamed, rules)
            ]
        elif len(group.payouts) == 1:
            alone = group.payouts[0]
            account_told = alone.currency not in untold
            findings.append(_alone(alone, group.credits, covered, scope, rules, account_told=account_told))
        else:
            for currency in sorted({one.currency for one in group.payouts}):
                some = [one for one in group.payouts if one.currency == currency]
                findings += _together(_Group(some, group.credits), scope)
    told = (finding for finding in findings if finding is not None)
    return tuple(sorted(told, key=lambda finding: (finding.key, finding.currency)))


@dataclass(slots=True)
class _Group:
    """Payouts and credits that belong together: a credit that names several payouts joins them."""

    payouts: list[PayoutSums] = field(default_factory=list)
    credits: list[BankCredit] = field(default_factory=list)


def _groups(payouts: list[PayoutSums], booked: list[BankCredit]) -> list[_Group]:
    group_of = {(one.payout_id, one.currency): _Group([one]) for one in payouts}
    by_name = _by_name(payouts)
    unnamed = _Group()
    for credit in booked:
        named = _named(credit, by_name)
        target = group_of[named[0].payout_id, named[0].currency] if named else unnamed
        for other in named[1:]:
            joined = group_of[other.payout_id, other.currency]
            if joined is not target:
                target.payouts += joined.payouts
                target.credits += joined.credits
                group_of |= {(one.payout_id, one.currency): target for one in joined.payouts}
        target.credits.append(credit)
    return list({id(group): group for group in (*group_of.values(), unnamed)}.values())


def _by_name(payouts: Iterable[PayoutSums]) -> dict[str, list[PayoutSums]]:
    found: defaultdict[str, list[PayoutSums]] = defaultdict(list)
    for payout in payouts:
        for name in payout.names:
            if name:
                found[name.casefold()].append(payout)
    return found


def _named(credit: BankCredit, by_name: dict[str, list[PayoutSums]]) -> list[PayoutSums]:
    """Return the payouts whose name stands in the credit's references as a word of its own."""
    words = {word for text in credit.references for word in (text.casefold().strip(), *_words(text))}
    found = {(one.payout_id, one.currency): one for word in sorted(words) for one in by_name.get(word, ())}
    same = {name: one for name, one in found.items() if one.currency == credit.currency}
    return [one for _, one in sorted((same or found).items())]


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text.casefold())


def _alone(
    payout: PayoutSums, mine: list[BankCredit], covered: Span, scope: Scope, rules: Rules, *, account_told: bool
) -> Finding | None:
    due = payout.arrives_at + rules.bank_grace
    # What no list has is expected only where the bank has it: its amount is what its lines make.
    sent = _sent(payout, mine) and (payout.listed or bool(mine))
    if not mine and not (sent and scope.judged(payout.arrives_at) and covered.start <= payout.arrives_at):
        return None
    if not mine and covered.end < due <= scope.cut:
        # The bank has not told of the days it may still come in: nothing can be said of it here.
        return None
    if mine and not scope.judged(payout.arrives_at) and not any(scope.judged(one.booked_at) for one in mine):
        return None
    here = [credit for credit in mine if credit.currency == payout.currency]
    expected = payout.amount_minor if sent else 0
    apart = sum(credit.amount_minor for credit in here) - expected
    kind, cause = _what(payout, mine, here, apart)
    # Where a payout may come in parts, the others have the bank's time as the whole has.
    late = kind is FindingKind.PAYOUT_MISSING_AT_BANK or (
        rules.many_to_one and kind is FindingKind.PAYOUT_AMOUNT_DIFFERS and apart < 0
    )
    issues = [
        Issue(
            kind=kind,
            difference_minor=apart,
            at_risk_minor=abs(apart),
            cause=cause
            if mine or account_told
            else f"{cause}; no statement at hand has a booking in {payout.currency}",
            break_on=due if late else None,
            warning=not mine and not account_told,
        )
    ]
    return conclude(_base(payout, expected, expected + apart, mine), issues if apart else [], SEVERITY, scope.cut)


def _sent(payout: PayoutSums, mine: list[BankCredit]) -> bool:
    """Tell whether the money has left. A file that calls it scheduled is older than the bank's booking of it."""
    return payout.status in SENT or (bool(mine) and payout.exported and payout.status is PayoutStatus.SCHEDULED)


def _what(payout: PayoutSums, mine: list[BankCredit], here: list[BankCredit], apart: int) -> tuple[FindingKind, str]:
    """Return what is wrong with a payout whose bookings are `apart` from it, and why."""
    if not mine:
        cause = f"due on {payout.arrives_at:%Y-%m-%d}, but no booking of the bank names it"
        if not payout.names:
            cause += ": what lists it gives neither an id nor a bank reference, so none could"
        return FindingKind.PAYOUT_MISSING_AT_BANK, cause
    if not here:
        cause = f"paid out in {payout.currency}, booked by the bank in {mine[0].currency}"
        return FindingKind.CURRENCY_MISMATCH, cause
    if not _sent(payout, mine):
        return FindingKind.STATUS_MISMATCH, f"the bank booked a payout that the provider calls {payout.status}"
    times = sum(credit.amount_minor == payout.amount_minor for credit in here)
    if times > 1 and apart == payout.amount_minor * (times - 1):
        return FindingKind.DUPLICATE_EXTERNAL, f"the bank booked the payout {times} times"
    return FindingKind.PAYOUT_AMOUNT_DIFFERS, (
        f"the bank booked {payout.currency} {format_minor(abs(apart), payout.currency)} "
        f"{'less' if apart < 0 else 'more'} than was paid out"
    )


def _together(group: _Group, scope: Scope) -> list[Finding | None]:
    """Judge payouts of one currency that came in one credit: together they must make it; the first bears a difference."""
    if not any(scope.judged(credit.booked_at) for credit in group.credits):
        return []
    payouts = sorted(group.payouts, key=lambda one: (one.payout_id, one.currency))
    first = payouts[0]
    here = [credit for credit in group.credits if credit.currency == first.currency]
    expected = {one.payout_id: one.amount_minor if _sent(one, group.credits) else 0 for one in payouts}
    apart = sum(credit.amount_minor for credit in here) - sum(expected.values())
    kind, cause = _what(first, group.credits, here, apart)
    issues = [Issue(kind=kind, difference_minor=apart, at_risk_minor=abs(apart), cause=cause)] if apart else []
    found: list[Finding | None] = []
    for one in payouts:
        others = ", ".join(other.payout_id for other in payouts if other is not one)
        ours = expected[one.payout_id]
        theirs = ours + (apart if one is first else 0)
        cause = f"booked together with {others}" if others else ""
        base = replace(_base(one, ours, theirs, group.credits), cause=cause)
        found.append(conclude(base, issues if one is first else [], SEVERITY, scope.cut))
    return found


def _unexplained(credit: BankCredit, scope: Scope) -> Finding:
    base = Finding(
        leg=Leg.BANK,
        key=f"credit/{credit.credit_id}",
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=credit.currency,
        ours_minor=0,
        theirs_minor=credit.amount_minor,
        theirs=(_credit_fact(credit),),
    )
    issue = Issue(
        kind=FindingKind.BANK_CREDIT_WITHOUT_PAYOUT,
        difference_minor=credit.amount_minor,
        at_risk_minor=abs(credit.amount_minor),
        cause="the bank booked it from the provider, but no payout that we know is named",
    )
    return conclude(base, [issue], SEVERITY, scope.cut)


def _is_the_providers(credit: BankCredit, scope: Scope, rules: Rules) -> bool:
    """Tell whether a credit that names no payout comes from the provider all the same, and is this run's to judge."""
    if not scope.judged(credit.booked_at):
        return False
    names = rules.bank_names or ((rules.provider,) if rules.provider else ())
    text = " ".join(credit.references).casefold()
    return any(name.casefold() in text for name in names)


def _may_be_of(credit: BankCredit, payouts: Iterable[PayoutSums], rules: Rules) -> bool:
    """Tell whether a credit was booked when one of these payouts may have come in."""
    return any(
        one.currency == credit.currency and one.arrives_at <= credit.booked_at <= one.arrives_at + rules.bank_grace
        for one in payouts
    )


def _base(payout: PayoutSums, ours_minor: int, theirs_minor: int, booked: list[BankCredit]) -> Finding:
    return Finding(
        leg=Leg.BANK,
        key=payout.key,
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=payout.currency,
        ours_minor=ours_minor,
        theirs_minor=theirs_minor,
        ours=(payout_fact(payout),),
        theirs=tuple(_credit_fact(credit) for credit in booked),
    )


def _credit_fact(credit: BankCredit) -> Fact:
    return Fact(
        record="bank booking",
        reference=credit.credit_id,
        amount_minor=credit.amount_minor,
        currency=credit.currency,
        at=credit.booked_at,
        status=" ".join(credit.references)[:120],
    )
