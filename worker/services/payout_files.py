"""Payouts as imported files tell them: the lists that are at hand for a run, and the statements whose lines they pay out.

A file that is imported tomorrow changes what is known, but not what a run knew: what it judges is kept with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from worker.domain.matching.payouts import PayoutSums
from worker.domain.matching.payouts_told import Ledger, Lists, PayoutLines, held_against, payouts_of_files, told_in
from worker.domain.matching.rules import Rules
from worker.domain.matching.scope import Scope
from worker.domain.window import Span
from worker.services.ports import Database, StatementFile, StatementScope
from worker.services.ports.lake import Gathering

GATHERED = timedelta(days=35)
"""How long a provider gathers the lines of a payout at most: some pay out once a month."""
QUIET = timedelta(days=3)
"""How long nothing may move at a shop that sells: a longer hole between two statements is a third one that lacks."""
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsAtHand:
    """What files tell of payouts."""

    payouts: tuple[PayoutSums, ...]
    until: datetime
    """Up to when they are judged: the bank has had its time with those that the statement's lines name."""
    unread: tuple[str, ...] = ()
    """Why a list may not hold every payout of its time."""


class PayoutFiles:
    """Reads payouts of files for the runs of one shop and provider."""

    def __init__(self, database: Database, gathering: Gathering, shop: str, provider: str) -> None:
        self._database = database
        self._gathering = gathering
        self._of = (shop, provider)

    def beside(
        self, file: StatementFile, scope: Scope, window: Span | None, rules: Rules, now: datetime
    ) -> PayoutsAtHand | None:
        """Return the payouts that lists tell beside a statement; None where there is no list: it speaks for itself.

        `scope` is that of the payouts; a `window` that was asked for ends them, too.
        """
        since = scope.horizon_start - GATHERED
        files = self._telling(StatementScope.PAYOUTS, scope.horizon_start - rules.payout_lookback, scope.cut + GATHERED)
        lists = self._lists(files)
        if not lists.payouts:
            return None
        statements = self._telling(StatementScope.LEDGER, since, scope.cut + GATHERED)
        lines = self._gathering.payout_lines([one.sha256 for one in statements], since)
        known = _without_gap(file, statements) or Span(scope.window_start, scope.cut)
        ledger = Ledger.of(lines, known.start, known.end)
        until = scope.cut if window is not None else max(scope.cut, min(now, _settled_by(lines, scope, rules)))
        return PayoutsAtHand(
            payouts=payouts_of_files(lists, ledger),
            until=until,
            unread=tuple(
                f"{one.rejected} of {one.rows} rows of the list of payouts {one.name} could not be read"
                for one in files
                if one.rejected
            ),
        )

    def against(self, payouts: Iterable[PayoutSums], start: datetime, end: datetime) -> tuple[PayoutSums, ...]:
        """Return the API's payouts due in [start, end), each marked where a list says otherwise of it."""
        # At either end a list may date a payout a day off.
        asked = Span(start + _DAY, end - _DAY) if start + _DAY < end - _DAY else None
        files = self._telling(StatementScope.PAYOUTS, start - GATHERED, end + GATHERED)
        return held_against(payouts, self._lists(files), asked)

    def _lists(self, files: Sequence[StatementFile]) -> Lists:
        told = [one for file in files for one in told_in(self._gathering.kept_lines(file.sha256), file.name)]
        return Lists(
            payouts=tuple(told),
            periods=tuple(
                Span(_midnight(file.first_at), _midnight(file.last_at) + _DAY)
                for file in files
                if file.first_at is not None and file.last_at is not None
            ),
        )

    def _telling(self, scope: StatementScope, start: datetime, end: datetime) -> list[StatementFile]:
        return self._database.transact(lambda tx: tx.statements.telling(*self._of, scope, start, end))


def _settled_by(lines: Sequence[PayoutLines], scope: Scope, rules: Rules) -> datetime:
    """Return when the bank has had its time with the last payout that lines of the statement's time name."""
    days = [one.paid_out_at or one.closing_at for one in lines if one.first_at < scope.cut]
    return max((day + _DAY + rules.bank_grace for day in days if day is not None), default=scope.cut)


def _without_gap(file: StatementFile, statements: Iterable[StatementFile]) -> Span | None:
    """Return the time that a statement and those before and after it tell of without a gap worth speaking of."""
    spans = sorted(
        (one.first_at, one.last_at)
        for one in (file, *statements)
        if one.first_at is not None and one.last_at is not None
    )
    joined: list[tuple[datetime, datetime]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + QUIET:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    mine = file.first_at
    whole = ((first, last) for first, last in joined if mine is not None and first <= mine <= last)
    return next((Span(first, max(last, first + _INSTANT)) for first, last in whole), None)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(), at.tzinfo)
