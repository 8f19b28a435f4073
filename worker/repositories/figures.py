"""The books as numbers, in MySQL. Nothing here locks, and nothing reads a whole table at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, case, func, select

from worker.domain.finding import OPEN_STATUSES
from worker.domain.payment import EntryKind
from worker.observability.figures import Account, LastRun, Moved, OpenBreaks
from worker.repositories.schema import BOOK_ENTRIES, BREAKS, INBOX, ORDERS, RUNS

_E, _B = BOOK_ENTRIES.c, BREAKS.c
_OPEN = sorted(status.value for status in OPEN_STATUSES)
_UNPROCESSED = "received"
_SHOPS: BindParameter[list[str]] = bindparam("shops", expanding=True)

_LAST_ENTRY = select(func.max(_E.entry_id))
# By the primary key: the cost is that of the entries asked for, however many there are.
_MOVED = (
    select(_E.shop, _E.provider, _E.currency, _E.kind, func.sum(_E.amount_minor).label("amount_minor"))
    .where(_E.entry_id > bindparam("after"), _E.entry_id <= bindparam("upto"))
    .group_by(_E.shop, _E.provider, _E.currency, _E.kind)
)
_ORDERS = (
    select(ORDERS.c.shop, ORDERS.c.state, func.count().label("orders"))
    .where(ORDERS.c.shop.in_(_SHOPS), ORDERS.c.state.in_(bindparam("states", expanding=True)))
    .group_by(ORDERS.c.shop, ORDERS.c.state)
)
_PROVIDERS = select(_B.shop, _B.provider).where(_B.shop.in_(_SHOPS)).group_by(_B.shop, _B.provider)
_WAITING = select(func.count().label("events"), func.min(INBOX.c.received_at).label("oldest_at")).where(
    INBOX.c.outcome == _UNPROCESSED
)
_EVENTS = (
    select(INBOX.c.outcome, func.count().label("events"))
    .where(INBOX.c.outcome.in_(bindparam("outcomes", expanding=True)), INBOX.c.received_at >= bindparam("since"))
    .group_by(INBOX.c.outcome)
)
_RECENT = (RUNS.c.shop.in_(_SHOPS), RUNS.c.started_at >= bindparam("since"))
_RUNS = (
    select(RUNS.c.shop, RUNS.c.provider, RUNS.c.verdict, func.count().label("runs"))
    .where(*_RECENT)
    .group_by(RUNS.c.shop, RUNS.c.provider, RUNS.c.verdict)
)
_FINISHED = (
    select(RUNS.c.shop, RUNS.c.provider, RUNS.c.verdict, RUNS.c.finished_at)
    .where(*_RECENT, RUNS.c.finished_at.is_not(None))
    .order_by(RUNS.c.finished_at)
)


class MysqlFigureStore:
    """Implements `FigureStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_entry(self) -> int:
        """Return the number of the newest book entry; 0 when there is none."""
        return self._connection.execute(_LAST_ENTRY).scalar_one() or 0

    def moved(self, after: int, upto: int) -> dict[Account, Moved]:
        """Return what the book entries with these numbers moved: above `after`, up to `upto`."""
        found: dict[Account, Moved] = {}
        for row in self._connection.execute(_MOVED, {"after": after, "upto": upto}):
            account, amount = Account(row.shop, row.provider, row.currency), int(row.amount_minor)
            one = Moved(captured_minor=amount) if row.kind == EntryKind.CAPTURE else Moved(refunded_minor=-amount)
            found[account] = found.get(account, Moved()).plus(one)
        return found

    def orders(self, shops: Sequence[str], states: Sequence[str]) -> dict[tuple[str, str], int]:
        """Return how many orders of the shops stand in each of the states; those without any are absent."""
        rows = self._connection.execute(_ORDERS, {"shops": list(shops), "states": list(states)})
        return {(row.shop, row.state): row.orders for row in rows}

    def open_breaks(self, shops: Sequence[str], edges: Mapping[str, datetime]) -> list[OpenBreaks]:
        """Return the open breaks of the shops, summed. `edges`: from when on a break is of this age, youngest first."""
        *younger, oldest = edges
        age = case(*[(_B.first_seen_at > edges[name], name) for name in younger], else_=oldest)
        statement = select(
            _B.kind,
            _B.currency,
            age.label("age"),
            func.count().label("breaks"),
            func.sum(_B.at_risk_minor).label("at_risk_minor"),
            func.min(_B.first_seen_at).label("oldest_at"),
        ).group_by(_B.kind, _B.currency, age)
        found: list[OpenBreaks] = []
        # Each shop and provider by itself: so an index leads to the open ones, past all that were resolved.
        for of in self._connection.execute(_PROVIDERS, {"shops": list(shops)}).all():
            open_ones = statement.where(_B.shop == of.shop, _B.provider == of.provider, _B.status.in_(_OPEN))
            found += [
                OpenBreaks(
                    shop=of.shop,
                    provider=of.provider,
                    kind=row.kind,
                    currency=row.currency,
                    age=row.age,
                    count=row.breaks,
                    at_risk_minor=int(row.at_risk_minor),
                    oldest_at=row.oldest_at,
                )
                for row in self._connection.execute(open_ones)
            ]
        return found

    def waiting_events(self) -> tuple[int, datetime | None]:
        """Return how many events nothing has become of yet, and when the oldest of them came in."""
        row = self._connection.execute(_WAITING).one()
        return row.events, row.oldest_at

    def events(self, outcomes: Sequence[str], since: datetime) -> dict[str, int]:
        """Return how many events that came in since have one of these outcomes; absent: none."""
        rows = self._connection.execute(_EVENTS, {"outcomes": list(outcomes), "since": since})
        return {row.outcome: row.events for row in rows}

    def runs(self, shops: Sequence[str], since: datetime) -> dict[tuple[str, str, str], int]:
        """Return how many reconciliations began since then, by shop, provider and verdict."""
        rows = self._connection.execute(_RUNS, {"shops": list(shops), "since": since})
        return {(row.shop, row.provider, row.verdict): row.runs for row in rows}

    def last_runs(self, shops: Sequence[str], since: datetime) -> list[LastRun]:
        """Return the newest finished one of each shop and provider among those that began since then."""
        newest: dict[tuple[str, str], LastRun] = {}
        for row in self._connection.execute(_FINISHED, {"shops": list(shops), "since": since}):
            newest[row.shop, row.provider] = LastRun(
                shop=row.shop, provider=row.provider, verdict=row.verdict, finished_at=row.finished_at
            )
        return list(newest.values())
