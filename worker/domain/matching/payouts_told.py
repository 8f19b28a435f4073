"""Payouts as files tell them: lists of payouts beside statements whose lines name them.

    a list of payouts   ->  ToldPayout     what each comes to, where it stands, when it is due
    statements          ->  PayoutLines    the sums over the lines that name it, over all files at hand
    both                ->  PayoutSums     what the payouts leg and the bank leg judge, as they do the API's

A payout that several sources tell counts once. What they say must agree: amounts always; of a status the one that is
further on is believed, since lists are made at different times, but none that the provider itself is behind of.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.payouts import GIVEN_BACK, PayoutStatus, PayoutSums, Reach
from worker.domain.money import format_minor
from worker.domain.window import Span

_WORDS = {
    "scheduled": PayoutStatus.SCHEDULED,
    "pending": PayoutStatus.SCHEDULED,
    "in_transit": PayoutStatus.IN_TRANSIT,
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.CANCELLED,
    "cancelled": PayoutStatus.CANCELLED,
}
_FURTHER = {status: rank for rank, status in enumerate(PayoutStatus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPayout:
    """A payout as one list tells it. Its id is its day where the list gives no other."""

    payout_id: str
    currency: str
    amount_minor: int
    status: PayoutStatus
    arrives_at: datetime
    references: tuple[str, ...] = ()
    source: str = ""
    """The list, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLines:
    """The sums over the lines that name one payout, its own line apart."""

    payout_id: str
    currency: str
    net_minor: int
    counts: Mapping[LineKind, int]
    first_at: datetime
    """When the oldest of its lines was made."""
    paid_out_at: datetime | None = None
    """Its day, as far as its lines tell it."""
    closing_minor: int | None = None
    """What its own line in the statement says was paid out; None where it has none."""
    closing_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The lists of payouts at hand."""

    payouts: tuple[ToldPayout, ...] = ()
    periods: tuple[Span, ...] = ()
    """The days that each tells of: nothing is said of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The lines at hand: their sums by payout, and from when to when they are told without a gap."""

    lines: tuple[PayoutLines, ...]
    first_at: datetime
    last_at: datetime
    longest: timedelta = field(default=timedelta(0))
    """How long a line has waited at most for its payout."""

    @classmethod
    def of(cls, lines: Iterable[PayoutLines], first_at: datetime, last_at: datetime) -> "Ledger":
        """Return the ledger of some sums."""
        lines = tuple(lines)
        waits = [paid - one.first_at for one in lines if (paid := one.paid_out_at or one.closing_at) is not None]
        return cls(lines=lines, first_at=first_at, last_at=last_at, longest=max([timedelta(0), *waits]))


def told_in(lines: Iterable[LedgerLine], source: str) -> tuple[ToldPayout, ...]:
    """Return the payouts of a list, sorted: what came back of one stands as another line of it."""
    rows: defaultdict[tuple[str, str], list[LedgerLine]] = defaultdict(list)
    for line in lines:
        if line.payout_id:
            rows[line.payout_id, line.currency].append(line)
    return tuple(_told(payout_id, currency, rows[payout_id, currency], source) for payout_id, currency in sorted(rows))


def _told(payout_id: str, currency: str, rows: Sequence[LedgerLine], source: str) -> ToldPayout:
    left = [line for line in rows if line.kind is LineKind.PAYOUT]
    paid, back = -sum(line.net_minor for line in left), sum(line.net_minor for line in rows if line not in left)
    words = {_WORDS.get(line.type_text.strip().lower().replace(" ", "_")) for line in rows}
    known = [status for status in words if status is not None] or [PayoutStatus.FAILED if back else PayoutStatus.PAID]
    if back and paid != back:
        # Of several payouts of one day those count that did not come back.
        known = [status for status in known if status not in GIVEN_BACK] or known
        paid -= back
    return ToldPayout(
        payout_id=payout_id,
        currency=currency,
        amount_minor=paid,
        status=max(known, key=_FURTHER.__getitem__) if back else min(known, key=_FURTHER.__getitem__),
        arrives_at=max(line.payout_at or line.created_at for line in left or rows),
        references=tuple(sorted({line.source_id for line in rows} - {"", payout_id})),
        source=source,
    )


def payouts_of_files(lists: Lists, ledger: Ledger) -> tuple[PayoutSums, ...]:
    """Return the payouts that files tell, each once, sorted."""
    listed = _listed(lists.payouts)
    named = _by_name(ledger.lines, listed)
    by_hand = {one.currency for one in listed.values()} - {one.currency for one in ledger.lines}
    found = [_summed(one, named.pop(name, ()), ledger, by_hand) for name, one in sorted(listed.items())]
    for lines in named.values():
        (one,) = lines
        if one.closing_minor is not None and one.counts:
            found.append(_closed(one, one.closing_minor))
        elif one.closing_minor is None and one.net_minor:
            found.append(_unlisted(one, told=_within(one.paid_out_at, lists.periods)))
    return tuple(sorted(found, key=lambda one: (one.payout_id, one.currency)))


def held_against(payouts: Iterable[PayoutSums], lists: Lists, asked: Span | None) -> tuple[PayoutSums, ...]:
    """Return the API's payouts, marked where a list contradicts one; and those due in `asked` that only a list tells."""
    listed = {name: one for name, one in _listed(lists.payouts).items() if name[0] != _day(one.arrives_at)}
    found = []
    for one in payouts:
        told = listed.pop((one.payout_id, one.currency), None)
        if told is not None and told.amount_minor != one.amount_minor and told.status is not PayoutStatus.SCHEDULED:
            found.append(_against(one, told.amount_minor, "a list of payouts", "the provider's API"))
        elif told is not None and _FURTHER[told.status] > _FURTHER[one.status]:
            cause = f"a list of payouts calls it {_word(told.status)}, the provider's API still {_word(one.status)}"
            found.append(replace(one, otherwise=cause))
        else:
            found.append(one)
    for one in listed.values():
        if asked is not None and asked.start <= one.arrives_at < asked.end:
            cause = (
                f"a list of payouts tells {_text(one.amount_minor, one)}, and the provider's API knows no such payout"
            )
            found.append(replace(one, automatic=False, otherwise=cause, otherwise_minor=one.amount_minor))
    return tuple(sorted(found, key=lambda one: (one.payout_id, one.currency)))


def _listed(payouts: Iterable[ToldPayout]) -> dict[tuple[str, str], PayoutSums]:
    """Return each listed payout once, without its lines: as the list has it that knows most of what became of it."""
    found: dict[tuple[str, str], PayoutSums] = {}
    for told in sorted(payouts, key=lambda one: (_FURTHER[one.status], one.arrives_at, one.source)):
        before = found.get((told.payout_id, told.currency))
        one = PayoutSums(
            payout_id=told.payout_id,
            currency=told.currency,
            amount_minor=told.amount_minor,
            status=told.status,
            arrives_at=told.arrives_at,
            references=tuple(dict.fromkeys((*(before.references if before else ()), *told.references))),
            exported=True,
        )
        # A payout that was only scheduled may still have gathered lines.
        if before is not None and before.status is not PayoutStatus.SCHEDULED:
            one = replace(one, otherwise=before.otherwise, otherwise_minor=before.otherwise_minor)
            if before.amount_minor != told.amount_minor:
                one = _against(one, before.amount_minor, "another list", told.source)
        found[told.payout_id, told.currency] = one
    return found


def _by_name(
    lines: Iterable[PayoutLines], listed: Mapping[tuple[str, str], PayoutSums]
) -> dict[tuple[str, str], tuple[PayoutLines, ...]]:
    """Return the sums by the payout they are of: of one that is listed by its day, all that name a payout of that day."""
    found: dict[tuple[str, str], tuple[PayoutLines, ...]] = {}
    for one in lines:
        name = (one.payout_id, one.currency)
        if name not in listed and one.paid_out_at is not None:
            day = (_day(one.paid_out_at), one.currency)
            name = day if day in listed else name
        found[name] = (*found.get(name, ()), one)
    return found


def _summed(told: PayoutSums, lines: Sequence[PayoutLines], ledger: Ledger, by_hand: AbstractSet[str]) -> PayoutSums:
    """Return a listed payout with the sums over its lines."""
    counts: Counter[LineKind] = Counter()
    for one in lines:
        counts.update(one.counts)
    ids = sorted({one.payout_id for one in lines} - {told.payout_id})
    made = replace(
        told,
        payout_id=ids[0] if len(ids) == 1 else told.payout_id,
        references=(*told.references, *(ids if len(ids) > 1 else ())),
        lines_minor=sum(one.net_minor for one in lines),
        counts=dict(sorted(counts.items())),
        # Where no line names any payout of a currency, they are made by hand: no list says so, but nobody could itemise them.
        automatic=bool(counts) or told.currency not in by_hand,
    )
    own = [one.closing_minor for one in lines if one.closing_minor is not None]
    if own and sum(own) != made.amount_minor and made.status not in GIVEN_BACK:
        made = _against(made, sum(own), "its own line in the statement", "the list of payouts")
    return replace(made, reach=_reach(made, ledger, whole=bool(own)))


def _reach(payout: PayoutSums, ledger: Ledger, *, whole: bool) -> Reach:
    """Say how much of a payout's lines the files at hand may tell; `whole`: its own line stands among them."""
    if whole or payout.status in GIVEN_BACK or (payout.counts and payout.lines_minor == payout.amount_minor):
        return Reach.WHOLE
    if payout.arrives_at > ledger.last_at:
        return Reach.ENDS_AFTER if payout.counts else Reach.UNTOLD
    if payout.arrives_at - ledger.longest <= ledger.first_at:
        return Reach.BEGINS_BEFORE if payout.counts else Reach.UNTOLD
    return Reach.WHOLE


def _closed(lines: PayoutLines, closing_minor: int) -> PayoutSums:
    """Return a payout that no list tells, but its own line in the statement."""
    return PayoutSums(
        payout_id=lines.payout_id,
        currency=lines.currency,
        amount_minor=closing_minor,
        status=PayoutStatus.PAID,
        arrives_at=lines.closing_at or lines.paid_out_at or lines.first_at,
        lines_minor=lines.net_minor,
        counts=lines.counts,
    )


def _unlisted(lines: PayoutLines, *, told: bool) -> PayoutSums:
    """Return a payout of which nothing but its lines tells, though it should be in a list: one at hand, if `told`."""
    return PayoutSums(
        payout_id=lines.payout_id,
        currency=lines.currency,
        amount_minor=0 if told else lines.net_minor,
        status=PayoutStatus.PAID,
        arrives_at=lines.paid_out_at or lines.first_at,
        lines_minor=lines.net_minor,
        counts=lines.counts,
        exported=True,
        listed=False,
        day_told=told,
    )


def _within(day: datetime | None, periods: Iterable[Span]) -> bool:
    return day is not None and any(period.start <= day < period.end for period in periods)


def _against(payout: PayoutSums, minor: int, other: str, source: str) -> PayoutSums:
    """Mark a payout as told with another amount by another source."""
    cause = f"{source} says {_text(payout.amount_minor, payout)}, {other} {_text(minor, payout)}"
    return replace(payout, otherwise=cause, otherwise_minor=minor - payout.amount_minor)


def _text(minor: int, payout: PayoutSums) -> str:
    return f"{payout.currency} {format_minor(minor, payout.currency)}"


def _word(status: PayoutStatus) -> str:
    return status.replace("_", " ")


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
