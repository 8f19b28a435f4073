"""The MariaDB of the benchmark: a private server as everywhere in this project, with the memory that a real one has.

The server of tests gets by with a buffer pool of 64 MB. Peers that let the database do the work would be measured by
that, so this one has room for the books of a million orders.
"""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

from infra.local import mariadb
from infra.local.freeports import free_port
from infra.local.layout import CACHE
from tests.bench.reconciliation.program import BenchError

_OPTIONS = (
    "--innodb-buffer-pool-size=1536M",
    "--innodb-log-file-size=1G",
    # Indexes are built from sorted runs of this size: the fewer of them, the fewer times keys are merged.
    "--innodb-sort-buffer-size=64M",
    "--tmp-table-size=512M",
    "--max-heap-table-size=512M",
    "--sort-buffer-size=64M",
    "--local-infile=ON",
)
_SET = (
    "SET GLOBAL innodb_io_capacity_max = {most}, GLOBAL innodb_io_capacity = {usual},"
    " GLOBAL innodb_max_dirty_pages_pct_lwm = {dirty}"
)
_WRITING = _SET.format(most=40_000, usual=20_000, dirty=1)
"""As fast as a disk of today takes it."""
_KEEPING = _SET.format(most=2_000, usual=200, dirty=0)
"""As the server is without being told."""
_PATIENCE = 60.0
_SETTLED = 120.0
"""What the database may take to come to rest, seconds."""
_LEFT = 1000
"""Pages, or transactions, that are no work worth mentioning: a hundredth of the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    pid: int
    port: int
    password: str

    @property
    def url(self) -> str:
        """Where the worker finds its database."""
        return mariadb.url(self.port, self.password)

    @property
    def plain_url(self) -> str:
        """The same for programs that name no driver."""
        return f"mysql://{mariadb.USER}:{self.password}@127.0.0.1:{self.port}/{mariadb.DATABASE}"

    def connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """Connect as the worker's user."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=mariadb.USER,
            password=self.password,
            database=mariadb.DATABASE,
            charset="utf8mb4",
            local_infile=True,
            autocommit=True,
        )

    def settle(self) -> None:
        """Wait until what was written is on disk and what was removed is gone. Raises BenchError when that takes too long.

        Left alone, the server keeps written pages in memory until they are nine tenths of it, and readers then wait. It is told
        to write only here: while something is measured that would be dearest for whoever writes most, which is SQL.
        """
        deadline = time.monotonic() + _SETTLED
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(_WRITING)
            while True:
                cursor.execute(
                    "SHOW GLOBAL STATUS WHERE Variable_name IN"
                    " ('Innodb_buffer_pool_pages_dirty', 'Innodb_history_list_length')"
                )
                left = {name: int(value) for name, value in cursor.fetchall()}
                if max(left.values()) < _LEFT:
                    cursor.execute(_KEEPING)
                    return
                if time.monotonic() > deadline:
                    raise BenchError(f"the database does not come to rest: {left}")
                time.sleep(0.5)


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve an empty database from `folder`. Raises BenchError when it does not come up."""
    data, init_file, password, port = folder / "mariadb", folder / "init.sql", secrets.token_hex(16), free_port()
    mariadb.prepare(data, init_file, CACHE, password)
    with init_file.open("a", encoding="utf-8") as file:
        file.write(f"GRANT SUPER ON *.* TO {mariadb.USER}@'127.0.0.1';\n")  # to say when it writes
    with (folder / "mariadb.log").open("wb") as log_file:
        process = subprocess.Popen(
            [*mariadb.command(data, port, init_file), *_OPTIONS], stdout=log_file, stderr=log_file
        )
        try:
            server = Server(pid=process.pid, port=port, password=password)
            _await(server, process, folder / "mariadb.log")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            server.connect().close()
        except pymysql.MySQLError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(
                    f"the database did not come up:\n{log.read_text('utf-8', 'replace')[-2000:]}"
                ) from None
            time.sleep(0.1)
        else:
            return
