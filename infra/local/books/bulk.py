"""Made books of millions of orders, by DuckDB: tables to ask, files to read, and harm whose every finding is known.

    with bulk(Plan(size=1_000_000, days=30), harm=3000, memory="1GB", directory=folder) as books:
        books.write("statement", folder / "stripe.csv")

Relations: `orders`, `payments`, `entries`, `parcels` (ours), `items` and `lines` (the provider's, without and with its
payouts), `listed` (the shop's), `statement` (the provider's file), `expected` (what the payments leg must find).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType

import duckdb

from infra.local.books.market import (
    BASKETS,
    CANCELLED_IN_SHOP,
    COLLECTED,
    COURSES,
    FEE_BASIS_POINTS,
    HOURS,
    LAG_SECONDS,
    STATES,
    TENDERS,
    UNNAMED,
    WITHOUT_GOODS,
    WITHOUT_MONEY,
    Course,
    thresholds,
)
from infra.local.books.plan import DRAW_SQL, Plan
from infra.local.books.records import AGAIN_AFTER, FAILED_AFTER, PAYOUT_DAYS, SECOND_PAYMENT, VOIDED_AFTER, WON_AFTER

HARMS = MappingProxyType({
    "line_missing": 25,
    "entry_missing": 20,
    "amount_under": 12,
    "amount_over": 12,
    "currency": 5,
    "line_twice": 8,
    "refund_unknown": 6,
    "dispute_lost": 10,
    "unknown_type": 2,
})  # fmt: skip
"""What may be done to a plain order, and its share of all harm. Besides, `refund_lost` befalls partial refunds."""
MILLION = 1_000_000
_FILES = {
    ".csv": "FORMAT csv, HEADER",
    ".tsv": r"FORMAT csv, HEADER false, DELIMITER '\t', NULL '\N', QUOTE '', ESCAPE ''",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkBooks:
    """Made books in a database of DuckDB."""

    plan: Plan
    connection: duckdb.DuckDBPyConnection

    def count(self, relation: str) -> int:
        """Return how many rows a relation has."""
        (row,) = self.connection.sql(f"SELECT count(*) FROM {relation}").fetchall()  # noqa: S608 - a name of ours
        return int(row[0])

    def write(self, relation: str, path: Path, columns: str = "* EXCLUDE (number)", *, order: str = "") -> Path:
        """Write a relation as the file that the ending of `path` says: .csv with a header, .tsv for LOAD DATA, .parquet.

        Rows come by `order`; without it by kind, within a kind by order. In a .tsv nothing is quoted; NULL is as LOAD DATA
        knows it.
        """
        chosen = "*" if relation == "statement" else columns
        sorted_by = f" ORDER BY {order}" if order else ""
        query = f"SELECT {chosen} FROM {relation}{sorted_by}"  # noqa: S608 - names of ours
        self.connection.execute(f"COPY ({query}) TO '{path}' ({_FILES[path.suffix]})")
        return path


@contextmanager
def bulk(
    plan: Plan, *, harm: int = 0, directory: Path | None = None, memory: str = "1GB", threads: int | None = None
) -> Iterator[BulkBooks]:
    """Make books; `harm` orders in a million are harmed, each by one of `HARMS`.

    They live in memory, or in `directory` where what exceeds `memory` goes to disk; the database is removed at the end.
    """
    path = directory / f"books-{plan.size}-{plan.seed}.duckdb" if directory else None
    connection = duckdb.connect(str(path) if path else ":memory:")
    try:
        connection.execute("SET memory_limit = $memory", {"memory": memory})
        if threads is not None:
            connection.execute(f"SET threads = {int(threads)}")
        for statement in duckdb.extract_statements(script(plan, harm)):
            connection.execute(statement)
        yield BulkBooks(plan=plan, connection=connection)
    finally:
        connection.close()
        if path is not None:
            path.unlink(missing_ok=True)
            path.with_suffix(".duckdb.wal").unlink(missing_ok=True)


def script(plan: Plan, harm: int = 0) -> str:
    """Return the SQL that makes the books of a plan. Raises ValueError when more is to be harmed than there is."""
    if not 0 <= harm <= MILLION // 2:
        raise ValueError("at most half of a million orders can be harmed")
    plain = _cases("of_harm", _edges(harm * 1000 // COURSES[Course.PLAIN]), [*HARMS], rest="''")
    partly = f"CASE WHEN of_harm < {harm * 1000 // COURSES[Course.PLAIN]} THEN 'refund_lost' ELSE '' END"
    tenders = range(len(TENDERS))
    names = {
        "seed_part": plan.seed_part,
        "seed": plan.seed,
        "size": plan.size,
        "epoch": plan.epoch,
        "days": plan.days,
        "shop": plan.shop,
        "provider": plan.provider,
        "collected": COLLECTED,
        "unnamed": UNNAMED,
        "lag_seconds": LAG_SECONDS,
        "fee_basis_points": FEE_BASIS_POINTS,
        "payout_days": PAYOUT_DAYS,
        "second_payment": SECOND_PAYMENT,
        "again_after": AGAIN_AFTER,
        "failed_after": FAILED_AFTER,
        "won_after": WON_AFTER,
        "voided_after": VOIDED_AFTER,
        "course": _cases("of_course", thresholds(list(COURSES.values())), list(COURSES)),
        "tender": _cases("of_tender", thresholds([tender.share for tender in TENDERS]), tenders),
        "low": _cases("of_basket", thresholds([share for share, _, _ in BASKETS]), [low for _, low, _ in BASKETS]),
        "high": _cases("of_basket", thresholds([share for share, _, _ in BASKETS]), [high for _, _, high in BASKETS]),
        "hour": _cases("of_hour", thresholds(list(HOURS)), range(len(HOURS))),
        "code": _of_tender([tender.code for tender in TENDERS]),
        "step": _of_tender([tender.step for tender in TENDERS]),
        "fixed_fee": _of_tender([tender.fixed_fee for tender in TENDERS]),
        "dispute_fee": _of_tender([tender.dispute_fee for tender in TENDERS]),
        "numerator": _of_tender([tender.numerator for tender in TENDERS]),
        "denominator": _of_tender([tender.denominator for tender in TENDERS]),
        "state": " ".join(f"WHEN '{course}' THEN '{state}'" for course, state in STATES.items()),
        "without_money": _list(WITHOUT_MONEY),
        "without_goods": _list(WITHOUT_GOODS),
        "cancelled_in_shop": _list(CANCELLED_IN_SHOP),
        "harm": f"WHEN 'plain' THEN {plain} WHEN 'refunded_in_part' THEN {partly}",
    }
    text = Path(__file__).with_name("bulk.sql").read_text(encoding="utf-8")
    return Template(DRAW_SQL + text).substitute(names)


def _edges(of_million: int) -> list[int]:
    """Return the upper edges of the harms within the first `of_million` of a million."""
    total, edges, reached = sum(HARMS.values()), [], 0
    for share in HARMS.values():
        reached += share
        edges.append(of_million * reached // total)
    return edges


def _cases(column: str, edges: list[int], values: Iterable[object], rest: str = "NULL") -> str:
    arms = " ".join(f"WHEN {column} < {edge} THEN {_literal(value)}" for edge, value in zip(edges, values, strict=True))
    return f"CASE {arms} ELSE {rest} END"


def _of_tender(values: Iterable[object]) -> str:
    arms = " ".join(f"WHEN {position} THEN {_literal(value)}" for position, value in enumerate(values))
    return f"CASE tender {arms} END"


def _literal(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value}::BIGINT"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
