"""Sampling the books for those who watch them: right whoever asks, and cheap however large the books are.

Every replica samples the same books and shows the same figures, so they are watched with `max`, never with `sum`: the
number is not that of one process. Money is summed from the entries of the books, which only grow, and not counted as it
moves: a restart loses nothing, an entry that two processes saw is in it once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from worker.domain.matching.ageing import BUCKETS, UPPER_EDGES
from worker.domain.order import TERMINAL, OrderState
from worker.observability.figures import Account, Books, Moved
from worker.services.ports import Clock, Database, FigureStore, Transaction

DEAD_EVENTS = ("unmatched", "unreadable")
"""What becomes of an event that nothing could process: its order never came, or nobody can read it."""

_UNSETTLED = 10_000
"""So many of the newest entries are summed anew each time: one with a smaller number may be committed after one with a
greater number, but not after so many. Transactions last seconds."""
_BLOCK = 250_000
"""Entries that one statement sums; it stays far below the time-out of reads."""
_AFRESH = timedelta(days=1)
"""How long sums are built upon: what was restored or repaired by hand shows up by then."""
_ENDED_EVERY = timedelta(minutes=5)
"""How often orders that are over are counted: the one question whose cost grows with all orders there ever were."""
_DAY = timedelta(days=1)

_OVER = sorted(TERMINAL)
_UNDER_WAY = sorted(set(OrderState) - TERMINAL)


class BusinessFigures:
    """Samples the books of the shops. Not thread-safe: one sample at a time."""

    def __init__(self, database: Database, clock: Clock, shops: Sequence[str]) -> None:
        self._database = database
        self._clock = clock
        self._shops = sorted(set(shops))
        self._settled: dict[Account, Moved] = {}
        self._settled_upto = 0
        self._begun_at: datetime | None = None
        self._ended: dict[tuple[str, str], int] = {}
        self._ended_at: datetime | None = None

    def sample(self) -> Books:
        """Return what the books say now. Raises DatabaseUnavailable."""
        now = self._clock.now()
        money = self._money(now)
        if self._ended_at is None or now - self._ended_at >= _ENDED_EVERY:
            self._ended = self._database.transact(lambda tx: tx.figures.orders(self._shops, _OVER))
            self._ended_at = now

        def read(tx: Transaction) -> Books:
            figures: FigureStore = tx.figures
            waiting, oldest = figures.waiting_events()
            return Books(
                at=now,
                orders=self._every_state(figures.orders(self._shops, _UNDER_WAY)),
                money=money,
                breaks=tuple(figures.open_breaks(self._shops, edges(now))),
                waiting_events=waiting,
                oldest_event_at=oldest,
                dead_events=dict.fromkeys(DEAD_EVENTS, 0) | figures.events(DEAD_EVENTS, now - _DAY),
                runs=figures.runs(self._shops, now - _DAY),
                last_runs=tuple(figures.last_runs(self._shops, now - _DAY)),
            )

        return self._database.transact(read)

    def _every_state(self, under_way: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        """Return a count for every state of every shop: a state without orders is 0, not gone."""
        none = {(shop, str(state)): 0 for shop in self._shops for state in OrderState}
        return none | dict(self._ended) | dict(under_way)

    def _money(self, now: datetime) -> dict[Account, Moved]:
        if self._begun_at is None or now - self._begun_at >= _AFRESH:
            self._settled, self._settled_upto, self._begun_at = {}, 0, now
        last = self._database.transact(lambda tx: tx.figures.last_entry())
        while (upto := min(self._settled_upto + _BLOCK, last - _UNSETTLED)) > self._settled_upto:
            self._settled = _together(self._settled, self._moved(self._settled_upto, upto))
            self._settled_upto = upto
        return _together(self._settled, self._moved(self._settled_upto, last))

    def _moved(self, after: int, upto: int) -> dict[Account, Moved]:
        return self._database.transact(lambda tx: tx.figures.moved(after, upto))


def edges(now: datetime) -> dict[str, datetime]:
    """Return the first moment of each age, youngest first; the oldest age has no edge and takes the rest."""
    return dict(zip(BUCKETS, (*(now - edge for edge in UPPER_EDGES), now - UPPER_EDGES[-1]), strict=True))


def _together(one: Mapping[Account, Moved], other: Mapping[Account, Moved]) -> dict[Account, Moved]:
    return dict(one) | {account: moved.plus(one.get(account, Moved())) for account, moved in other.items()}
