"""The columnar engine: DuckDB within the process, with a bound on its memory and a place to spill.

A block has all of it, or one of its threads and that thread's share of the memory: work that can be cut into parts is done
by single threads side by side, each on a part, which takes a sixth less CPU than all of them on one part after the other.

Nothing it holds outlives the block it was opened in, and it reaches no network: extensions are neither loaded nor
fetched by themselves, files are handed to it by path. The engine itself is kept from block to block, for to make one
costs 40 ms of CPU and a run opens twelve and more; a block has a connection of its own, and all that it makes is temporary.
"""

import errno
import os
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

from worker.domain.errors import NoRoom

ROW_GROUP = 50_000
"""Rows in a group of a Parquet file: what a reader holds at a time."""
_FRUGAL = "jemalloc"
"""What Arrow shall take its memory by: its usual allocator keeps several times as much of what other threads gave back."""
_KEPT_MS = 10_000
"""How long Arrow keeps memory that it is done with, within a block: every piece of a file takes and frees as much again,
and fetching it anew from the system costs a tenth of reading a report."""
HELD_BACK = 20_000
"""Rows that a thread keeps before they go to their buckets; the engine's half a million of wide rows would be spilled."""


class Turns:
    """Who is at work, so that limits bound a process and not a block."""

    def __init__(self, threads: int) -> None:
        self._free = threading.BoundedSemaphore(threads)
        self._door = threading.Lock()

    @contextmanager
    def taken(self, threads: int) -> Iterator[None]:
        """Wait for so many threads and hold them. Whoever wants all is not passed by those who want one."""
        held = 0
        try:
            with self._door:
                while held < threads:
                    self._free.acquire()
                    held += 1
            yield
        finally:
            if held:
                self._free.release(held)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What one engine may take of its process."""

    memory_mb: int = 160
    threads: int = 2
    spill: Path | None = None
    """Where it puts what does not fit; None: the system's folder for temporary files."""
    turns: Turns = field(init=False, compare=False, repr=False)
    """Of whoever shares these limits."""
    kept: list[tuple[duckdb.DuckDBPyConnection, Path, int]] = field(default_factory=list, compare=False, repr=False)
    """Engines that wait for their next turn, where they would spill, and for how many threads they have memory; they go with the limits."""

    def __post_init__(self) -> None:
        """Begin with nobody at work."""
        object.__setattr__(self, "turns", Turns(self.threads))


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
def engine(limits: EngineLimits, *, part: bool = False) -> Iterator[Engine]:
    """Open an engine once it is its turn; its files are gone afterwards. Not to be asked for while one is held.

    `part`: with one thread and its share of the memory, beside as many others as there are threads.
    """
    threads = 1 if part else limits.threads
    with limits.turns.taken(threads), workspace(limits) as folder:
        made, spill, had = limits.kept.pop() if limits.kept else (*_made(limits), 0)
        connection = made.cursor()
        try:
            connection.execute(f"SET threads = {threads}")  # a block may want fewer
            # Only where it changes: with a limit the engine gives all that it has freed back to the system, and a part that
            # follows another would fetch the same again.
            if threads != had:
                connection.execute(f"SET memory_limit = '{limits.memory_mb * threads // limits.threads}MB'")
            yield Engine(connection, folder)
        except BaseException as problem:
            free = shutil.disk_usage(folder).free // 2**20  # with the engine goes what it spilled
            # Whatever state it was left in, nobody meets it again.
            connection.close()
            made.close()
            if _is_full(problem):
                raise NoRoom(f"{free} MB are left for what does not fit into memory, at {folder.parent}") from problem
            raise
        finally:
            pa.default_memory_pool().release_unused()  # what Arrow kept: the next block may be the engine's own
        connection.close()
        if spill.exists():
            # The folder would stay for as long as the engine does, or for ever, if the process is killed.
            made.close()
            shutil.rmtree(spill, ignore_errors=True)
        else:
            limits.kept.append((made, spill, threads))


def _made(limits: EngineLimits) -> tuple[duckdb.DuckDBPyConnection, Path]:
    if _FRUGAL in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(_KEPT_MS)
    # Its own name: several processes may share the place, and two engines must not share files in it.
    spill = (limits.spill or Path(tempfile.gettempdir())) / f"orders-spill-{uuid.uuid4().hex}"
    made = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": str(spill),
            # Order is made where it matters; keeping it otherwise would hold whole files in memory.
            "preserve_insertion_order": False,
            "partitioned_write_flush_threshold": HELD_BACK,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    # Our files are local, and read a column at a time through one small piece of memory. Fetched ahead, each group of each
    # column takes memory of its own, which costs as much as all that is read of it.
    made.execute("SET GLOBAL disable_parquet_prefetching = true")
    return made, spill


def _is_full(problem: BaseException) -> bool:
    """Tell whether the disk is what the engine lacks: it speaks of its memory, or of a file, and says it in words alone."""
    spilled = isinstance(problem, duckdb.OutOfMemoryException) and "max_temp_directory_size" in str(problem)
    return spilled or (isinstance(problem, duckdb.IOException) and os.strerror(errno.ENOSPC) in str(problem))


def quoted(text: str | Path) -> str:
    """Return a text as an SQL literal, where a parameter cannot stand (file names of COPY and of table functions)."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet(paths: Sequence[Path]) -> str:
    """Return Parquet files as an SQL table. The names of their folders are no columns: `shop=S` would hide our own."""
    files = ", ".join(quoted(path) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false)"
