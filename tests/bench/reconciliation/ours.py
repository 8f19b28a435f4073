"""The engine, as the worker runs it: the real import and the real reconciliation, on the settings as they are.

Program: DATABASE_URL SERVER_PID STATEMENT STORE. Prints what it took by step, and what it found.
"""

import gc
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.reconciliation.spent import Spent, peak_mb
from worker.app import reconciliation_of
from worker.config import load
from worker.connections import engine_of, lake_of, store_of
from worker.contract.reconciliation import Reconcile
from worker.reports.writer import ReportFiles
from worker.repositories.database import MysqlDatabase
from worker.services.reporting import ReportingService
from worker.statements.importing import StatementImport

RUN = "bench-1"
_OUTSIDE = {
    "ORDERS_ENV": "local",
    **dict.fromkeys(
        (
            "ORDERS_PROVIDER__API_KEY",
            "ORDERS_SHOP__ACCESS_TOKEN",
            "ORDERS_WAREHOUSE__SECRET",
            "ORDERS_WAREHOUSE__TOKEN",
            "ORDERS_USERS__TOKEN_KEY",
        ),
        "nobody-is-asked-anything-in-this-benchmark",
    ),
}


def main(url: str, server: str, statement: str, store: str) -> None:
    """Import, compare, report."""
    os.environ.update({**_OUTSIDE, "ORDERS_DATABASE__URL": url, "ORDERS_STORE__PATH": store})
    config = load()
    engine = engine_of(config.database)
    database = MysqlDatabase(engine)
    taking = StatementImport(database, store_of(config), lambda: lake_of(config), config.shop.name)
    service = reconciliation_of(config, database)
    reporting = ReportingService(database, ReportFiles(store_of(config)))
    # As the worker's process does once it is up (`worker.process`), which is not loaded here.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    spent, peaks = Spent(int(server)), {"start": peak_mb()}
    with spent.step("import"):
        file = Path(statement)
        taken = taking.take_report(file.name, file, datetime.now(UTC))
        if taken is None:
            # Below the size from which reports are read in bulk.
            taken = taking.take(file.name, file, datetime.now(UTC))
    peaks["import"] = peak_mb()
    request = Reconcile(shop=config.shop.name, provider=config.provider.name, statement_sha256=taken.file.sha256)
    with spent.step("gather"):
        span = service.window(request, datetime.now(UTC))
        parts = service.gather(request, span, run_id=RUN, workflow_id="", give_up=False, progress=lambda _: None)
    peaks["gather"] = peak_mb()
    with spent.step("sift"):
        service.comparison.sift_all(parts.reference, parts.buckets, lambda _: None)
    peaks["sift"] = peak_mb()
    with spent.step("collect"):
        pieces = service.comparison.collect(parts.reference)
    peaks["collect"] = peak_mb()
    with spent.step("judge"):
        for piece in range(pieces):
            service.comparison.judge(parts.reference, piece)
    peaks["judge"] = peak_mb()
    with spent.step("conclude"):
        run = service.conclusion.conclude(parts.reference, pieces)
    peaks["conclude"] = peak_mb()
    with spent.step("report"):
        reporting.write(RUN)
    peaks["report"] = peak_mb()
    engine.dispose()
    spent.tell(verdict=run.verdict, counts=dict(run.counts or {}), rows=parts.rows, peaks=peaks)


if __name__ == "__main__":
    main(*sys.argv[1:])
