"""The physical floor: both inputs read to their end, and nothing else done.

Program: DATABASE_URL SERVER_PID STATEMENT. The file's bytes go by, the books come as blocks of text, and are dropped.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from tests.bench.reconciliation.spent import Spent
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import make_engine

SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@contextmanager
def books_of(url: str) -> Iterator[MysqlDatabase]:
    """Open the database as the worker does."""
    engine = make_engine(
        make_url(url).render_as_string(hide_password=False),
        pool_size=1,
        connect_timeout=5,
        read_timeout=600,
        write_timeout=600,
        lock_wait=5,
        tls=False,
    )
    yield MysqlDatabase(engine)
    engine.dispose()


def main(url: str, server: str, statement: str) -> None:
    """Read."""
    spent, read = Spent(int(server)), {"file": 0, "books": 0}
    with spent.step("file"), Path(statement).open("rb") as file:
        while some := file.read(1 << 20):
            read["file"] += len(some)
    with books_of(url) as database, spent.step("books"):
        read["books"] = database.transact(
            lambda tx: sum(len(block.text) for block in tx.payments.entry_blocks("main", "stripe", SINCE, UNTIL))
        )
    spent.tell(bytes=read)


if __name__ == "__main__":
    main(*sys.argv[1:])
