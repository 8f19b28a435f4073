"""The edge's speed: the real functions beside a bare client and a FastAPI twin, on a stub and on a real Temporal server.

All that is compared is measured in one run, in turns, and given as ratios; on a busy machine these hold longer than
rates. Exits with 1 when something is broken (an answer that is no 202, a start that is missing at the stub, a program
that does not come up), and with 0 however slow it was: which targets are missed is printed. Linux only.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.blocking import BlockingStack
from infra.local.stack import Stack
from tests.bench import http_load
from tests.bench.cpu import children, measured
from tests.bench.figures import Spread, last_line, table
from tests.bench.http_load import Load
from tests.bench.ingress import cold_start, deliveries, programs
from tests.bench.ingress.figures import DOCUMENTED, TARGETS
from tests.bench.ingress.programs import IN_FLIGHT, BenchError, Server

CONNECTIONS_AT_RATE = 64
MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: seconds, and rounds of each comparison."""

    rounds: int
    seconds: float
    half_seconds: float
    cold_starts: int


FULL = Effort(rounds=7, seconds=3.0, half_seconds=10.0, cold_starts=7)
QUICK = Effort(rounds=1, seconds=0.3, half_seconds=0.5, cold_starts=1)


class Bench:
    """Measures one part after another; `figures` fills."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        self.figures: dict[str, float] = {}
        self._effort = effort
        self._folder = folder
        self._requests = deliveries.requests()
        self._rounds: defaultdict[str, list[float]] = defaultdict(list)

    def against_the_stub(self) -> None:
        """Compare functions, bare client and twin; then send at half of the functions' rate."""
        with programs.stub() as stub:  # noqa: SIM117 - what it has seen is known when it has ended, after the servers
            with programs.functions(stub.address, self._folder) as functions, programs.twin(stub.address) as twin:
                accepted = sum(self._load(server, 0.5).answers for server in (functions, twin))
                for _ in self._in_turns("stub"):
                    accepted += self._bare("stub_bare", stub.address, stub.pid)
                    accepted += self._served("stub_functions", functions, stub.pid)
                    accepted += self._served("stub_twin", twin, stub.pid)
                accepted += self._half(functions, self._of("stub_functions_rps").median / 2)
        # What was still under way when a round ended was accepted as well, and is not counted as an answer.
        if stub.seen["starts"] < accepted:
            raise BenchError(f"{accepted} were accepted and {stub.seen['starts']} started")
        self._compare("stub")
        for name in ("functions", "twin"):
            self.figures[f"stub_{name}_cpu_ms_least"] = self._of(f"stub_{name}_cpu_ms").least
        self.figures["stub_twin_to_bare"] = self._of("stub_twin_rps").over(self._of("stub_bare_rps")).median
        self.figures["stub_functions_to_twin"] = self._of("stub_functions_rps").over(self._of("stub_twin_rps")).median
        self.figures["stub_cpu_ms"] = self._of("stub_functions_peer_ms").median
        self.figures["stub_headroom"] = MILLI / self._of("stub_bare_peer_ms").median / self._of("stub_bare_rps").most
        self.figures["load_cpu_ms"] = self._of("stub_functions_load_ms").median

    def against_the_server(self) -> None:
        """Compare functions and bare client where Temporal records every start."""
        before = set(children(os.getpid()))
        with BlockingStack(Stack(self._folder / "server", members=["temporal"])) as stack:
            address, (pid,) = stack.url("temporal"), set(children(os.getpid())) - before
            with programs.functions(address, self._folder) as functions:
                self._load(functions, 1.0)
                for _ in self._in_turns("server"):
                    self._bare("server_bare", address, pid)
                    self._served("server_functions", functions, pid)
        self._compare("server")
        self.figures["server_cpu_ms"] = self._of("server_functions_peer_ms").median

    def cold(self) -> None:
        """Compare cold starts, in pairs."""
        handlers = cold_start.prepare(self._folder)
        with programs.stub() as stub:
            if self._effort.cold_starts > 1:
                handlers.start_functions(stub.address)  # reads from the disk what the measured ones then find in memory
            for _ in range(self._effort.cold_starts):
                for name, start in (("minimal", handlers.start_minimal), ("functions", handlers.start_functions)):
                    found = start(stub.address)
                    self._rounds[f"cold_{name}_ms"].append(found.seconds * MILLI)
                    self._rounds[f"cold_{name}_cpu_ms"].append(found.cpu_seconds * MILLI)
        for name in ("cold_functions_ms", "cold_minimal_ms", "cold_functions_cpu_ms", "cold_minimal_cpu_ms"):
            self.figures[name] = self._of(name).median
        ratio = self._of("cold_functions_ms").over(self._of("cold_minimal_ms"))
        self.figures |= {"cold_ratio": ratio.median, "cold_ratio_least": ratio.least}

    def _in_turns(self, part: str) -> Iterator[int]:
        for number in range(self._effort.rounds):
            sys.stderr.write(f"bench: {part}, round {number + 1} of {self._effort.rounds}\n")
            yield number

    def _of(self, name: str) -> Spread:
        return Spread(self._rounds[name])

    def _compare(self, part: str) -> None:
        functions, bare = self._of(f"{part}_functions_rps"), self._of(f"{part}_bare_rps")
        ratio = functions.over(bare)
        self.figures |= {
            f"{part}_functions_to_bare": ratio.median,
            f"{part}_functions_to_bare_least": ratio.least,
            f"{part}_functions_to_bare_most": ratio.most,
            f"{part}_foreign_cores": self._of(f"{part}_functions_foreign").median,
        }
        for name in ("bare_rps", "functions_rps", "twin_rps", "bare_cpu_ms", "functions_cpu_ms", "twin_cpu_ms"):
            if f"{part}_{name}" in self._rounds:
                self.figures[f"{part}_{name}"] = self._of(f"{part}_{name}").median

    def _bare(self, name: str, address: str, peer: int) -> int:
        with measured([peer]) as usage:
            found = programs.bare(address, self._effort.seconds)
        self._rounds[f"{name}_rps"].append(found["starts"] / found["seconds"])
        self._rounds[f"{name}_cpu_ms"].append(found["cpu_seconds"] * MILLI / found["starts"])
        self._rounds[f"{name}_peer_ms"].append(usage.by_pid[peer] * MILLI / found["sent"])
        return int(found["sent"])

    def _served(self, name: str, server: Server, peer: int) -> int:
        with measured([*server.pids, peer]) as usage:
            load = self._load(server, self._effort.seconds)
        self._rounds[f"{name}_rps"].append(load.rate)
        self._rounds[f"{name}_cpu_ms"].append(_used(usage.by_pid, server.pids) * MILLI / load.answers)
        self._rounds[f"{name}_peer_ms"].append(usage.by_pid[peer] * MILLI / load.answers)
        self._rounds[f"{name}_load_ms"].append(usage.own * MILLI / load.answers)
        self._rounds[f"{name}_foreign"].append(usage.foreign_cores())
        return load.answers

    def _half(self, server: Server, rate: float) -> int:
        sys.stderr.write(f"bench: half of the rate, {rate:.0f} a second\n")
        with measured(server.pids) as usage:
            load = asyncio.run(
                http_load.at_rate(
                    server.port,
                    self._requests,
                    rate=rate,
                    connections=CONNECTIONS_AT_RATE,
                    seconds=self._effort.half_seconds,
                )
            )
        _check(server, load)
        self.figures |= {
            "half_rps": load.rate,
            "half_p50_ms": load.percentile(0.5) * MILLI,
            "half_p99_ms": load.percentile(0.99) * MILLI,
            "half_worst_ms": load.percentile(1.0) * MILLI,
            "half_cpu_ms": _used(usage.by_pid, server.pids) * MILLI / load.answers,
            "half_foreign_cores": usage.foreign_cores(),
        }
        return load.answers

    def _load(self, server: Server, seconds: float) -> Load:
        load = asyncio.run(http_load.saturate(server.port, self._requests, connections=IN_FLIGHT, seconds=seconds))
        _check(server, load)
        return load


def _used(by_pid: dict[int, float], pids: Sequence[int]) -> float:
    return sum(by_pid[pid] for pid in pids)


def _check(server: Server, load: Load) -> None:
    if set(load.statuses) != {202} or load.lost:
        raise BenchError(f"{server.name}: answers {dict(load.statuses)}, {load.lost} without an answer")


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "stub": Bench.against_the_stub,
    "server": Bench.against_the_server,
    "cold": Bench.cold,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the JSON line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=ingress", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a second of everything: shows that it works, not how fast"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="measure this part alone; may be given again")
    asked = parser.parse_args(arguments)
    quick: bool = asked.quick
    with tempfile.TemporaryDirectory(prefix="bench-ingress-") as folder:
        bench = Bench(QUICK if quick else FULL, Path(folder))
        try:
            for part in asked.part or PARTS:
                PARTS[part](bench)
        except (BenchError, AssertionError) as error:
            sys.stderr.write(f"bench: broken: {error}\n")
            return 1
    about = {"quick": quick, "cores": os.cpu_count(), "python": platform.python_version()}
    sys.stdout.write(f"{table(DOCUMENTED, TARGETS, bench.figures)}\n")
    sys.stdout.write(f"{last_line('ingress', DOCUMENTED, TARGETS, bench.figures, **about)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
