"""Notes about the rows of one file, in a table of their own: some megabytes of memory, whatever their number.

The database has no name and is nobody else's. What does not fit goes to the system's folder for temporary files, and is
gone with the notes.
"""

import sqlite3
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

from worker.domain.errors import NoRoom

HELD = 1_000
"""Notes that are written at a time."""
_CACHE_KB = 4_096


class Scratch:
    """A table `notes` of given columns: added to first, asked afterwards."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns
        self._held: list[Sequence[Any]] = []
        self._made: sqlite3.Connection | None = None

    def add(self, *values: Any) -> None:
        """Take one note: a value for each column. Raises NoRoom."""
        self._held.append(values)
        if len(self._held) >= HELD:
            self._write()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query over `notes` finds. Raises NoRoom."""
        self._write()
        return self._connection.execute(sql).fetchall()

    def _write(self) -> None:
        some, self._held = self._held, []
        marks = ", ".join("?" * len(self._columns))
        try:
            self._connection.executemany(f"insert into notes values ({marks})", some)  # noqa: S608 - question marks
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise NoRoom(f"notes about a file do not fit into {tempfile.gettempdir()}") from problem

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._made is None:
            # Whoever lets go of the notes may be another thread.
            made = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            weakref.finalize(self, made.close)
            made.execute("pragma journal_mode = off")
            made.execute(f"pragma cache_size = -{_CACHE_KB}")
            made.execute(f"create table notes ({', '.join(self._columns)})")
            made.execute("begin")
            self._made = made
        return self._made
