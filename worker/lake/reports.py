"""Keeping a large report of lines: plain rows in bulk, the others as the parser of rows reads them."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from worker.domain.ledger import LedgerLine, LineKind
from worker.lake.batches import Batch, Batches, cut
from worker.lake.columns import batches_of, schema_of
from worker.lake.engine import EngineLimits, engine, parquet
from worker.lake.stripe_report import read_report
from worker.services.ports.lake import KeptReport, LineBatch, PayoutNet, RowParser


def keep_report(
    batches: Batches, limits: EngineLimits, shop: str, provider: str, name: str, path: Path, parser: RowParser
) -> KeptReport | None:
    """Keep the lines of a report as a batch; None where the whole file is for the parser of rows."""
    with engine(limits) as opened:
        report = read_report(path, shop)
        if report is None:
            return None
        buckets = batches.buckets_of(report.records)
        try:
            # The text is read once, straight into the files that are kept; everything after that reads columns.
            written = cut(opened, f"({report.plain})", buckets, "plain")
        except duckdb.Error:
            return None
        unread = report.odd_rows(opened, sum(pq.ParquetFile(file).metadata.num_rows for _, file in written))
        if unread is None:
            return None
        lines, rejects = parser(report.header, unread)
        if lines:
            odd = opened.folder / "odd.parquet"
            with pq.ParquetWriter(odd, schema_of(LedgerLine)) as writer:
                for some in batches_of(LedgerLine, lines):
                    writer.write_batch(some)
            written += cut(opened, parquet([odd]), buckets, "odd")
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
        rows=report.records,
        rejects=tuple(rejects),
        repeated=batch.repeated,
        nets=tuple(PayoutNet(payout_id=row[0], currency=row[1], is_payout=row[2], net_minor=row[3]) for row in nets),
        foreign=foreign,
    )


def line_batch(batch: Batch) -> LineBatch:
    """Return a batch as services know it."""
    return LineBatch(name=batch.name, rows=batch.rows, first_at=batch.first_at, last_at=batch.last_at)
