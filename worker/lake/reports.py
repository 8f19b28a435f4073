"""Keeping a large report of lines: plain rows in bulk, the others as the parser of rows reads them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from worker.domain.ledger import LedgerLine, LineKind
from worker.lake.batches import Batch, Batches
from worker.lake.columns import batches_of, schema_of
from worker.lake.cutting import Bucketed, Cutter, bucketed, coded
from worker.lake.engine import EngineLimits, engine, parquet
from worker.lake.naming import LINE_NAME
from worker.lake.stripe_plain import SCHEMA
from worker.lake.stripe_report import Block, BulkReport, NotPlain, read_report
from worker.services.ports import RejectedRow
from worker.services.ports.lake import KeptReport, LineBatch, PayoutNet, RowParser

T = TypeVar("T")
R = TypeVar("R")


def keep_report(
    batches: Batches, limits: EngineLimits, shop: str, provider: str, name: str, path: Path, parser: RowParser
) -> KeptReport | None:
    """Keep the lines of a report as a batch; None where the whole file is for the parser of rows."""
    report = read_report(path, shop)
    if report is None:
        return None
    with engine(limits) as opened:
        buckets = batches.buckets_of(report.about())
        rejects: list[RejectedRow] = []
        with ThreadPoolExecutor(limits.threads, "report") as pool:
            cutter = Cutter(opened.folder / "lines", schema_of(LedgerLine), pool)
            reading = _Reading(report, parser, opened.connection, buckets)
            try:
                for lines, rejected in ahead(pool, reading, report.blocks()):
                    cutter.add(lines)
                    rejects += rejected
            except NotPlain:
                return None
            written = cutter.close()
        source = parquet([file for _, file in written])
        nets = opened.connection.execute(
            f"select payout_id, currency, kind = $payout, sum(net_minor)::bigint from {source} "  # noqa: S608 - our own columns
            "where payout_id <> '' group by all order by all",
            {"payout": str(LineKind.PAYOUT)},
        ).fetchall()
        (foreign,) = opened.connection.execute(
            f"select count(*) from {source} where shop not in ('', $shop)",  # noqa: S608
            {"shop": shop},
        ).fetchall()[0]
        batch = batches.find(shop, provider, name) or batches.keep(opened, written, shop, provider, name, buckets)
    return KeptReport(
        batch=line_batch(batch),
        rows=batch.rows + len(rejects),
        rejects=tuple(rejects),
        repeated=batch.repeated,
        nets=tuple(PayoutNet(payout_id=row[0], currency=row[1], is_payout=row[2], net_minor=row[3]) for row in nets),
        foreign=foreign,
    )


class _Reading:
    """Reads blocks, several at a time."""

    def __init__(
        self, report: BulkReport, parser: RowParser, connection: duckdb.DuckDBPyConnection, buckets: int
    ) -> None:
        self._report = report
        self._parser = parser
        self._connection = connection
        self._buckets = buckets

    def __call__(self, block: Block) -> tuple[Bucketed, list[RejectedRow]]:
        read = self._report.read(block)
        lines = bucketed(self._connection, read.lines, LINE_NAME, self._buckets)
        if not read.odd:
            return lines, []
        parsed, rejects = self._parser(self._report.header, read.odd)
        for some in batches_of(LedgerLine, parsed):
            lines = [*lines, *bucketed(self._connection, coded(some, SCHEMA), LINE_NAME, self._buckets)]
        return lines, list(rejects)


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield what becomes of the items, in order, while the next ones are worked on."""
    left = iter(items)
    waiting: deque[Future[R]] = deque()
    try:
        while True:
            waiting.extend(pool.submit(work, item) for item in islice(left, 2 - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def line_batch(batch: Batch) -> LineBatch:
    """Return a batch as services know it."""
    return LineBatch(name=batch.name, rows=batch.rows, first_at=batch.first_at, last_at=batch.last_at)
