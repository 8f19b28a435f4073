"""The books of a benchmark: made by `infra.local.books`, in a file and in the database; and what must be found in them."""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from infra.local.books.__main__ import FILES
from infra.local.books.database import TABLES
from tests.bench.reconciliation.ours import RUN
from tests.bench.reconciliation.program import BenchError
from tests.bench.reconciliation.server import Server
from worker.contract.settings import ROOT
from worker.domain.finding import Leg, Outcome
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import Engine, make_engine
from worker.repositories.migrate import upgrade
from worker.repositories.schema import METADATA

READ = ("payments", "book_entries")
"""The tables that a comparison of money reads, whoever makes it; the others would only take time to fill."""
HARM = 3000
"""Of a million orders so many are harmed, each in one of ten ways."""
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Made books."""

    folder: Path
    orders: int

    @property
    def statement(self) -> Path:
        """The provider's side: Stripe's itemised payout reconciliation."""
        return self.folder / FILES["statement"]

    def expected(self, columns: str) -> set[tuple[object, ...]]:
        """Return what must be found, and nothing else."""
        path = self.folder / FILES["expected"]
        return set(duckdb.connect().execute(f"SELECT {columns} FROM '{path}'").fetchall())  # noqa: S608 - our own file


def make(orders: int, folder: Path, server: Server, harm: int = HARM) -> Books:
    """Make books in a migrated, emptied database; of a million orders `harm` are harmed. Raises BenchError."""
    engine = engine_of(server)
    upgrade(engine)
    engine.dispose()
    empty(server, METADATA.tables)
    folder.mkdir(parents=True)
    sys.stderr.write(f"bench: making the books of {orders:,} orders\n")
    command = [sys.executable, "-m", "infra.local.books", "--orders", str(orders), "--harm", str(harm)]
    command += ["--into", str(folder), "--database", server.url, "--files", "statement", "expected", "--tables", *READ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the books could not be made:\n{done.stderr[-4000:]}")
    with server.connect() as connection:
        connection.cursor().execute(f"ANALYZE TABLE {', '.join(READ)}")
    server.settle()
    told = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"bench: {told['stripe.csv']:,} lines, {told['book_entries']:,} entries\n")
    return Books(folder=folder, orders=orders)


def empty(server: Server, tables: Iterable[str] = METADATA.tables.keys() - TABLES.keys()) -> None:
    """Remove every row of some tables; of all that a run writes, when none is named."""
    with server.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for table in tables:
            cursor.execute(f"TRUNCATE TABLE {table}")


def check_ours(books: Books, server: Server) -> None:
    """Raise BenchError unless the run that is stored found exactly what must be found, and explains every cent."""
    engine = engine_of(server)
    try:
        findings, statements = MysqlDatabase(engine).transact(
            lambda tx: (list(tx.runs.findings(RUN)), list(tx.runs.statements(RUN)))
        )
    finally:
        engine.dispose()
    found: set[tuple[object, ...]] = {
        (one.key, one.currency, str(one.kind), str(one.outcome), one.ours_minor, one.theirs_minor, one.at_risk_minor)
        for one in findings
        # The file ends with its last line: what we booked a little later is pending, as it should be.
        if one.leg is Leg.PAYMENTS and one.outcome in {Outcome.BREAK, Outcome.WARNING}
    }
    require_same(
        "the engine",
        found,
        books.expected("key, currency, kind, outcome, ours_minor, theirs_minor, at_risk_minor"),
    )
    unexplained = [f"{one.currency} {one.residual_minor}" for one in statements if one.residual_minor]
    if unexplained or not statements:
        raise BenchError(f"the engine's statement does not explain {unexplained or 'anything'}")


def check_sql(books: Books, server: Server) -> None:
    """Raise BenchError unless the single statement found exactly what must be found."""
    with server.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT `key`, currency, kind, ours_minor, theirs_minor FROM sql_breaks")
        found = set(cursor.fetchall())
    require_same("the SQL path", found, books.expected("key, currency, kind, ours_minor, theirs_minor"))


def engine_of(server: Server) -> Engine:
    """Return an engine of the worker's kind."""
    return make_engine(
        server.url, pool_size=2, connect_timeout=5, read_timeout=900, write_timeout=900, lock_wait=50, tls=False
    )


def require_same(who: str, found: set[tuple[object, ...]], expected: set[tuple[object, ...]]) -> None:
    """Raise BenchError unless both are the same, and something at all."""
    if not expected:
        raise BenchError("nothing is wrong in these books: take more orders")
    if found != expected:
        missing, wrong = sorted(expected - found, key=str), sorted(found - expected, key=str)
        raise BenchError(
            f"{who} is wrong: {len(missing)} of {len(expected)} not found, such as {missing[:_SHOWN]}; "
            f"{len(wrong)} found that are not there, such as {wrong[:_SHOWN]}"
        )
