"""Keeping a large report of lines: plain rows in bulk, the others as the parser of rows reads them."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from worker.domain.ledger import LedgerLine
from worker.lake.batches import Batch, Batches, tally_of
from worker.lake.columns import batches_of, schema_of
from worker.lake.cutting import Cutter, coded
from worker.lake.engine import EngineLimits, engine
from worker.lake.naming import LINE_NAME
from worker.lake.stripe_plain import SCHEMA
from worker.lake.stripe_report import NotPlain, read_report
from worker.services.ports import RejectedRow
from worker.services.ports.lake import KeptReport, LineBatch, PayoutNet, RowParser
from worker.services.spool import Spool

T = TypeVar("T")
R = TypeVar("R")


def keep_report(
    batches: Batches, limits: EngineLimits, shop: str, provider: str, path: Path, parser: RowParser
) -> KeptReport | None:
    """Keep the lines of a report as a batch; None where the whole file is for the parser of rows."""
    report = read_report(path, shop)
    if report is None:
        return None
    digest = hashlib.sha256()
    with engine(limits) as opened:
        about = report.about()
        buckets, tally = batches.buckets_of(about), tally_of(opened, about)
        rejects = Spool[RejectedRow]()
        with ThreadPoolExecutor(limits.threads, "report") as pool:
            cutter = Cutter(opened, "lines", schema_of(LedgerLine), LINE_NAME, buckets, pool, tally)
            try:
                for read in ahead(pool, report.read, report.blocks(digest)):
                    cutter.add(read.lines)
                    if read.odd:
                        lines, rejected = parser(report.header, read.odd)
                        rejects.extend(rejected)
                        for some in batches_of(LedgerLine, lines):
                            cutter.add(coded(some, SCHEMA))
            except NotPlain:
                return None
            written = cutter.close()
        pa.default_memory_pool().release_unused()  # the engine looks at the files next
        name = digest.hexdigest()
        batch = batches.find(shop, provider, name) or batches.keep(
            opened, written, tally, shop, provider, name, buckets
        )
    return KeptReport(
        batch=line_batch(batch),
        rows=batch.rows + len(rejects),
        rejects=rejects,
        repeated=batch.repeated,
        nets=tuple(
            PayoutNet(payout_id=payout, currency=currency, is_payout=is_payout, net_minor=net)
            for (payout, currency, is_payout), net in sorted(tally.nets.items())
            if payout
        ),
        sums=tally.sums,
        foreign=sum(count for name, count in tally.shops.items() if name not in {"", shop}),
    )


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
