"""Reconciliation's speed: the engine beside SQL, datacompy, reladiff and the mere reading of the same books.

From a Stripe report on disk and books in a MariaDB to breaks and statement stored, with realistic break rates; what the
engine and the SQL path find is checked against what was made. All that is compared is measured in one run and given as
ratios. Exits with 1 when something is broken, a wrong result included, and with 0 however slow it was: which
targets are missed is printed. Linux only; needs about 3 KB of disk an order.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench.cpu import measured
from tests.bench.figures import Spread, last_line, table
from tests.bench.reconciliation import books as made
from tests.bench.reconciliation.figures import COMPARED, DOCUMENTED, PEERS, STEPS, TARGETS
from tests.bench.reconciliation.peers import peers_python
from tests.bench.reconciliation.program import BenchError, Ran, run
from tests.bench.reconciliation.reading import OF_PEERS, WAYS
from tests.bench.reconciliation.server import Server, served

ORDERS, QUICK_ORDERS = 1_000_000, 80_000


class Bench:
    """Measures one part after another; `figures` tells."""

    def __init__(self, server: Server, folder: Path, orders: int, harm: int) -> None:
        self._server = server
        self._folder = folder
        self._harm = harm
        self._books = made.make(orders, folder / "books", server, harm)
        self._rounds: defaultdict[str, list[float]] = defaultdict(list)
        self._loaded: Ran | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The medians, and ratios by round."""
        figures = {name: Spread(values).median for name, values in self._rounds.items()}
        figures |= self._ratios("ours_to_floor", "floor_seconds")
        for peer in PEERS:
            figures |= self._ratios(f"ours_to_{peer}", f"{peer}_seconds")
            figures |= self._ratios(f"ours_to_{peer}_compare", f"{peer}_compare_seconds")
        return figures

    def floor(self) -> None:
        """Read both inputs."""
        self._told("floor", self._program("floor", self._server.url, self._pid, str(self._books.statement)))

    def ours(self) -> None:
        """Import, compare and report, from nothing; what was found must be right."""
        ran = self._ours("ours", self._books)
        self._rounds["ours_reported_seconds"].append(ran.seconds())
        self._rounds["ours_reported_cpu_s"].append(ran.cpu())
        for step in STEPS:
            self._rounds[f"ours_{step}_seconds"].append(ran.seconds(step))
            self._rounds[f"ours_{step}_cpu_s"].append(ran.cpu(step))
            self._rounds[f"ours_{step}_peak_mb"].append(ran.found["peaks"][step])

    def reading(self) -> None:
        """Read our books in every way there is; all must read the same."""
        cells: dict[str, object] = {}
        for way in WAYS:
            python = peers_python() if way in OF_PEERS else Path(sys.executable)
            ran = self._program("reading", self._server.url, self._pid, way, python=python)
            cells[way] = (ran.found["rows"], ran.found["cells"])
            for name, value in (
                ("cpu_s", ran.cpu()),
                ("server_cpu_s", ran.steps["read"]["server"]),
                ("grown_mb", ran.found["grown_mb"]),
            ):
                self._rounds[f"reading_{way}_{name}"].append(value)
        if len(set(cells.values())) != 1:
            raise BenchError(f"not every way reads the same: {cells}")

    def sql(self) -> None:
        """Load the file into the database and compare there; what was found must be right."""
        self._loaded = self._sql("load")
        classified = self._sql("classify")
        made.check_sql(self._books, self._server)
        self._rounds["sql_seconds"].append(self._loaded.seconds() + classified.seconds())
        self._rounds["sql_compare_seconds"].append(classified.seconds())
        self._rounds["sql_cpu_s"].append(self._loaded.cpu() + classified.cpu())

    def datacompy(self) -> None:
        """Compare in the memory of one process."""
        python = peers_python()
        ran = self._program(
            "datacompy_peer", self._server.plain_url, self._pid, str(self._books.statement), python=python
        )
        self._told("datacompy", ran)
        self._rounds["datacompy_compare_seconds"].append(ran.seconds("compare"))
        self._rounds["datacompy_peak_mb"].append(ran.peak_mb)

    def reladiff(self) -> None:
        """Compare two tables of the database, in both of its ways."""
        python = peers_python()
        loaded = self._loaded or self._sql("load")
        prepared = self._sql("by_order")
        for way in ("join", "hash"):
            ran = self._program("reladiff_peer", self._server.plain_url, self._pid, way, python=python)
            name = f"reladiff_{way}"
            self._rounds[f"{name}_seconds"].append(loaded.seconds() + prepared.seconds() + ran.seconds())
            self._rounds[f"{name}_compare_seconds"].append(ran.seconds())
            self._rounds[f"{name}_cpu_s"].append(loaded.cpu() + prepared.cpu() + ran.cpu())

    def growth(self, factor: int) -> None:
        """Do the same with more orders, in books that replace the smaller ones."""
        for part, figure in ((self.floor, "floor_seconds"), (self.ours, "ours_seconds")):
            if not self._rounds[figure]:
                part()
        shutil.rmtree(self._books.folder)
        with self._server.connect() as connection:
            for name in ("sql_lines", "sql_breaks", "peer_ours", "peer_theirs"):
                connection.cursor().execute(f"DROP TABLE IF EXISTS {name}")
        self._books = made.make(self._books.orders * factor, self._folder / "more", self._server, self._harm)
        ran = self._ours("growth", self._books)
        floor = self._program("floor", self._server.url, self._pid, str(self._books.statement))

        def times(value: float, small: str) -> list[float]:
            return [value / Spread(self._rounds[small]).median]

        self._rounds["growth_factor"] = [factor]
        self._rounds["growth_report_seconds"] = [ran.seconds("report")]
        self._rounds["growth_time"] = times(ran.seconds(*COMPARED) / factor, "ours_seconds")
        self._rounds["growth_cpu"] = times(ran.cpu(*COMPARED) / factor, "ours_cpu_s")
        self._rounds["growth_peak"] = times(ran.peak_mb, "ours_peak_mb")
        self._rounds["growth_floor"] = times(floor.seconds() / factor, "floor_seconds")
        for step in STEPS:
            self._rounds[f"growth_{step}"] = times(ran.seconds(step) / factor, f"ours_{step}_seconds")
            self._rounds[f"growth_{step}_cpu"] = times(ran.cpu(step) / factor, f"ours_{step}_cpu_s")

    def _ours(self, name: str, books: made.Books) -> Ran:
        made.empty(self._server)
        with tempfile.TemporaryDirectory(dir=self._folder) as store, measured([self._server.pid]) as usage:
            ran = self._program("ours", self._server.url, self._pid, str(books.statement), store)
        made.check_ours(books, self._server)
        self._told(name, ran, *COMPARED)
        self._rounds[f"{name}_peak_mb"].append(ran.peak_mb)
        own = sum(step["own"] for step in ran.steps.values())
        usage.by_pid[0] = own
        if name == "ours":
            self._rounds["ours_foreign_cores"].append(usage.foreign_cores())
        return ran

    def _sql(self, *steps: str) -> Ran:
        return self._program(
            "sql_path", str(self._server.port), self._server.password, self._pid, str(self._books.statement), *steps
        )

    def _told(self, name: str, ran: Ran, *steps: str) -> None:
        self._rounds[f"{name}_seconds"].append(ran.seconds(*steps))
        self._rounds[f"{name}_cpu_s"].append(ran.cpu(*steps))

    def _ratios(self, name: str, other: str) -> dict[str, float]:
        mine, theirs = self._rounds.get("ours_seconds"), self._rounds.get(other)
        if not mine or not theirs:
            return {}
        return {name: Spread(mine).over(Spread(theirs)).median}

    def _program(self, name: str, *arguments: str, python: Path = Path(sys.executable)) -> Ran:
        return run(name, *arguments, python=python)

    @property
    def _pid(self) -> str:
        return str(self._server.pid)


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "floor": Bench.floor,
    "ours": Bench.ours,
    "reading": Bench.reading,
    "sql": Bench.sql,
    "datacompy": Bench.datacompy,
    "reladiff": Bench.reladiff,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the JSON line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=reconciliation", description=__doc__)
    parser.add_argument("--orders", type=int, help=f"how many orders the books hold (default: {ORDERS:,})")
    parser.add_argument(
        "--harm", type=int, default=made.HARM, help="of a million orders so many are harmed (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each part is measured (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few orders: shows that it works, not how fast")
    parser.add_argument("--part", choices=PARTS, action="append", help="measure this part alone; may be given again")
    parser.add_argument(
        "--growth", type=int, metavar="TIMES", help="then the engine on so many times as many orders as well"
    )
    parser.add_argument("--into", type=Path, help="folder to work in (default: one for temporary files, removed)")
    asked = parser.parse_args(arguments)
    orders = asked.orders or (QUICK_ORDERS if asked.quick else ORDERS)
    with tempfile.TemporaryDirectory(prefix="bench-reconciliation-", dir=asked.into) as folder:
        try:
            with served(Path(folder)) as server:
                bench = Bench(server, Path(folder), orders, asked.harm)
                for _ in range(asked.rounds):
                    for part in asked.part or PARTS:
                        PARTS[part](bench)
                if asked.growth:
                    bench.growth(asked.growth)
                figures = bench.figures
        except BenchError as error:
            sys.stderr.write(f"bench: broken: {error}\n")
            return 1
    about = {
        "orders": orders,
        "harm": asked.harm,
        "quick": asked.quick,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    sys.stdout.write(f"{table(DOCUMENTED, TARGETS, figures)}\n")
    sys.stdout.write(f"{last_line('reconciliation', DOCUMENTED, TARGETS, figures, **about)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
