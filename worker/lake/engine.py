"""The columnar engine: DuckDB within the process, with a bound on its memory and a place to spill.

Nothing it holds outlives the block it was opened in, and it reaches no network: extensions are neither loaded nor
fetched by themselves, files are handed to it by path. The engine itself is kept from block to block, for to make one
costs 40 ms of CPU and a run opens twelve; a block has a connection of its own, and all that it makes is temporary.
"""

import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

ROW_GROUP = 50_000
"""Rows in a group of a Parquet file: what a reader holds at a time."""
_FRUGAL = "jemalloc"
"""What Arrow shall take its memory by: its usual allocator keeps several times as much of what other threads gave back."""
_KEPT_MS = 10_000
"""How long Arrow keeps memory that it is done with, within a block: every piece of a file takes and frees as much again,
and fetching it anew from the system costs a tenth of reading a report."""
HELD_BACK = 20_000
"""Rows that a thread keeps before they go to their buckets; the engine's half a million of wide rows would be spilled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What one engine may take of its process."""

    memory_mb: int = 160
    threads: int = 2
    spill: Path | None = None
    """Where it puts what does not fit; None: the system's folder for temporary files."""
    turns: threading.BoundedSemaphore = field(default_factory=threading.BoundedSemaphore, compare=False, repr=False)
    """One engine at a time for whoever shares these limits, so that they bound a process and not a thread."""
    kept: list[tuple[duckdb.DuckDBPyConnection, Path]] = field(default_factory=list, compare=False, repr=False)
    """The engine that waits for the next turn, and where it would spill; it goes with the limits."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An open engine and a folder of its own for files on their way."""

    connection: duckdb.DuckDBPyConnection
    folder: Path


@contextmanager
def workspace(limits: EngineLimits) -> Iterator[Path]:
    """Make a folder for files on their way; it is gone afterwards."""
    if limits.spill is not None:
        limits.spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="orders-lake-", dir=limits.spill) as folder:
        yield Path(folder)


@contextmanager
def engine(limits: EngineLimits) -> Iterator[Engine]:
    """Open an engine once it is its turn; its files are gone afterwards. Not to be asked for while one is held."""
    with limits.turns, workspace(limits) as folder:
        made, spill = limits.kept.pop() if limits.kept else _made(limits)
        connection = made.cursor()
        try:
            connection.execute(f"SET threads = {limits.threads}")  # a block may want fewer
            yield Engine(connection, folder)
        except BaseException:
            # Whatever state it was left in, nobody meets it again.
            connection.close()
            made.close()
            raise
        finally:
            pa.default_memory_pool().release_unused()  # what Arrow kept: the next block may be the engine's own
        connection.close()
        if spill.exists():
            # The folder would stay for as long as the engine does, or for ever, if the process is killed.
            made.close()
            shutil.rmtree(spill, ignore_errors=True)
        else:
            limits.kept.append((made, spill))


def _made(limits: EngineLimits) -> tuple[duckdb.DuckDBPyConnection, Path]:
    if _FRUGAL in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(_KEPT_MS)
    # Its own name: several processes may share the place, and two engines must not share files in it.
    spill = (limits.spill or Path(tempfile.gettempdir())) / f"orders-spill-{uuid.uuid4().hex}"
    made = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_mb}MB",
            "threads": limits.threads,
            "temp_directory": str(spill),
            # Order is made where it matters; keeping it otherwise would hold whole files in memory.
            "preserve_insertion_order": False,
            "partitioned_write_flush_threshold": HELD_BACK,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    return made, spill


def quoted(text: str | Path) -> str:
    """Return a text as an SQL literal, where a parameter cannot stand (file names of COPY and of table functions)."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet(paths: Sequence[Path]) -> str:
    """Return Parquet files as an SQL table. The names of their folders are no columns: `shop=S` would hide our own."""
    files = ", ".join(quoted(path) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false)"
