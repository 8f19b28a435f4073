"""Which books are made: how many orders, from when on, over how many days; and the chance they are made with.

Everything follows from (seed, number of the order), by whole numbers alone: the Python generator (`story`) and the SQL
one (`bulk`) compute the same draws and so the same books. A test keeps them equal, row by row.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.domain.errors import InvalidInput
from worker.domain.matching.scope import Scope

PRIME = 2**31 - 1
"""Draws lie in [0, PRIME); products of two stay below 2^63, so that a database's BIGINT holds them."""
_SPREAD, _SEEDS, _STIR = 1_103_515_245, 40_503_001, 69_069
DAY = 86_400
SETTLE_DAYS = 7
"""After the last day of orders: the time in which the last parcel, refund, dispute and payout come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Books of `size` orders placed over `days` days from `start` (midnight UTC). Raises InvalidInput."""

    size: int
    seed: int = 1
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    days: int = 1
    shop: str = "main"
    provider: str = "stripe"

    def __post_init__(self) -> None:
        """Refuse what the arithmetic of the draws cannot hold."""
        if not 0 < self.size <= 10**9 or not 0 <= self.seed < 10**6 or not 0 < self.days <= 3660:
            raise InvalidInput("books have 1 to 10^9 orders, a seed below 10^6 and 1 to 3660 days")
        if self.start != self.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0):
            raise InvalidInput("books start at midnight UTC")

    @property
    def epoch(self) -> int:
        """The start as seconds since 1970."""
        return int(self.start.timestamp())

    @property
    def end(self) -> datetime:
        """When everything has come to rest: on books that agree, a run up to here is `reconciled`, nothing pending."""
        return self.start + timedelta(days=self.days + SETTLE_DAYS)

    def scope(self, window_start: datetime | None = None) -> Scope:
        """Return the scope of a run over the books: all of them, or from `window_start` on with the rest looked back."""
        return Scope(
            window_start=window_start or self.start,
            window_end=self.end,
            horizon_start=self.start,
            payment_grace=timedelta(hours=1),
            shipment_grace=timedelta(days=2),
            order_grace=timedelta(minutes=15),
        )

    @property
    def seed_part(self) -> int:
        """The seed's part of every draw."""
        return self.seed * _SEEDS % PRIME


def draw(seed_part: int, number: int, salt: int) -> int:
    """Return the chance of order `number` for the purpose `salt`: uniform in [0, PRIME), the same for ever."""
    first = (number * _SPREAD + seed_part + salt * _STIR) % PRIME
    second = (first * first + number + salt) % PRIME
    return (second * second + first) % PRIME


DRAW_SQL = f"""
CREATE OR REPLACE MACRO draw_1(number, salt) AS (number * {_SPREAD} + $seed_part + salt * {_STIR}) % {PRIME};
CREATE OR REPLACE MACRO draw_2(first, number, salt) AS (first * first + number + salt) % {PRIME};
CREATE OR REPLACE MACRO draw_3(first, second) AS (second * second + first) % {PRIME};
CREATE OR REPLACE MACRO draw(number, salt) AS
    draw_3(draw_1(number, salt), draw_2(draw_1(number, salt), number, salt));
"""
"""`draw` as macros of DuckDB; `$seed_part` is to be replaced."""
