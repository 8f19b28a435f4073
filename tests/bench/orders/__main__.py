"""An order's speed: the whole happy path beside bare workflows of as many steps, on one Temporal server in one run.

Orders run as in the local stack: the worker's own process with the real activities, MariaDB, the simulated provider and
warehouse. The bare shapes do nothing in their steps: in normal activities; in the fastest way there is, started eagerly, in
local activities, without the sandbox; and in that way, but waiting for an update as an order does. All seal their payloads. Exits with 1 when something is broken (an order
that is not completed), and with 0 however slow it was: which targets are missed is printed. Linux only.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pymysql
from sqlalchemy import make_url
from temporalio.client import Client

from infra.local.stack import Stack
from tests.bench.cpu import Usage, measured
from tests.bench.figures import Spread, last_line, table
from tests.bench.orders.bare_workflows import LOCAL, NORMAL, WAITING
from tests.bench.orders.driving import drive
from tests.bench.orders.figures import DOCUMENTED, SHAPES, TARGETS
from tests.bench.orders.history import TASKS, Anatomy, anatomy
from tests.bench.orders.orders import order
from tests.bench.orders.shipping import departures, ship_after
from worker.config import load
from worker.contract.ids import order_workflow_id
from worker.contract.orders import OrderStatus
from worker.contract.settings import ROOT
from worker.domain.order import OrderState
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.dispatch import TemporalProcesses

MEMBERS = ("mariadb", "temporal", "simulator", "migrate", "worker")
MILLI = 1000
_PATIENCE = 60.0
BARE = {"normal": NORMAL, "eager": LOCAL, "waiting": WAITING}
"""The bare shapes, and the workflows that they are."""
_UNHURRIED = 0.5
"""Seconds until the parcel of the order whose history is shown leaves: after its workflow has come to rest."""


class BenchError(Exception):
    """Something is broken, so that no figure of this run means anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure: rounds, and workflows of each shape in each."""

    rounds: int
    count: int
    warm_up: int


FULL = Effort(rounds=7, count=100, warm_up=32)
QUICK = Effort(rounds=1, count=4, warm_up=0)


class Bench:
    """Measures one part after another; `figures` tells."""

    def __init__(self, effort: Effort, stack: Stack, client: Client, bare: "subprocess.Popen[str]") -> None:
        self._effort = effort
        self._stack = stack
        self._client = client
        self._processes = TemporalProcesses(client)
        self._bare = bare
        self._run = uuid.uuid4().hex[:8]
        self._rounds: defaultdict[str, list[float]] = defaultdict(list)
        self._single: dict[str, float] = {}
        self.anatomy = Anatomy()

    @property
    def figures(self) -> dict[str, float]:
        """The medians, and ratios by round."""
        figures = {name: Spread(values).median for name, values in self._rounds.items()} | self._single
        for shape in SHAPES:
            if f"{shape}_rps" in self._rounds:
                rate = Spread(self._rounds[f"{shape}_rps"])
                figures |= {f"{shape}_rps_least": rate.least, f"{shape}_rps_most": rate.most}
        for bare in BARE:
            if {"orders_rps", f"{bare}_rps"} <= self._rounds.keys():
                ratio = self._of("orders_rps").over(self._of(f"{bare}_rps"))
                figures |= {
                    f"orders_to_{bare}": ratio.median,
                    f"orders_to_{bare}_least": ratio.least,
                    f"orders_to_{bare}_most": ratio.most,
                    f"cpu_to_{bare}": self._of("orders_temporal").over(self._of(f"{bare}_temporal")).median,
                }
        return figures

    async def rates(self, shapes: Sequence[str]) -> None:
        """Measure the shapes in turns."""
        if self._effort.warm_up:
            for shape in shapes:
                await self._shape(shape, self._effort.warm_up)
        for number in range(self._effort.rounds):
            sys.stderr.write(f"bench: round {number + 1} of {self._effort.rounds}\n")
            for shape in shapes:
                await self._measured(shape)

    async def history(self) -> None:
        """Read the history of one order that nothing disturbs."""
        order_id = f"{self._run}-alone"
        await self._order(order_id)
        handle = self._client.get_workflow_handle(order_workflow_id("main", order_id))
        history = await handle.fetch_history()
        self.anatomy = found = anatomy(history)
        self._single |= {
            "history_events": found.events,
            "history_activities": found.of("ActivityTaskScheduled"),
            "history_local_activities": found.of("MarkerRecorded"),
            "history_workflow_tasks": found.steps[TASKS].count("WorkflowTaskCompleted"),
            "history_bytes": sum(event.ByteSize() for event in history.events),
        }

    async def _measured(self, shape: str) -> None:
        pids = {"server": self._pid("temporal")}
        if shape == "orders":
            pids |= {
                "worker": self._pid("worker"),
                "database": self._pid("mariadb"),
                "outside": self._pid("simulator"),
            }
        else:
            pids["worker"] = self._bare.pid
        before = self._statements() if shape == "orders" else (0, 0)
        with measured(pids.values()) as usage:
            seconds = await self._shape(shape, self._effort.count)
        self._keep(shape, seconds, pids, usage)
        if shape == "orders":
            for name, was, now in zip(("sql_statements", "commits"), before, self._statements(), strict=True):
                self._rounds[f"orders_{name}"].append((now - was) / self._effort.count)

    def _keep(self, shape: str, seconds: float, pids: Mapping[str, int], usage: Usage) -> None:
        count = self._effort.count
        self._rounds[f"{shape}_rps"].append(count / seconds)
        cost = {part: usage.by_pid[pid] * MILLI / count for part, pid in pids.items()}
        if shape == "orders":
            cost["client"] = usage.own * MILLI / count
        for part, milliseconds in cost.items():
            self._rounds[f"{shape}_{part}_cpu_ms"].append(milliseconds)
        self._rounds[f"{shape}_temporal"].append(cost["worker"] + cost["server"] + cost.get("client", 0.0))
        self._rounds[f"{shape}_foreign_cores"].append(usage.foreign_cores())

    async def _shape(self, shape: str, count: int) -> float:
        if shape == "orders":
            run = uuid.uuid4().hex[:8]
            return await drive(lambda number: self._order(f"{run}-{number}"), count)
        return await asyncio.to_thread(_asked, self._bare, f"{BARE[shape]} {count}")

    async def _order(self, order_id: str) -> None:
        if not await self._processes.start_order(order(order_id)):
            raise BenchError(f"order {order_id} was there before")
        handle = self._client.get_workflow_handle(order_workflow_id("main", order_id), result_type=OrderStatus)
        status = await asyncio.wait_for(handle.result(), _PATIENCE)
        if status.state != OrderState.COMPLETED or status.captured_minor != status.total_minor:
            raise BenchError(f"order {order_id} ended {status.state}, {status.captured_minor} captured {status.reason}")

    def _statements(self) -> tuple[int, int]:
        """Return how many statements and commits the database has seen."""
        url = make_url(self._stack.url("database"))
        connection = pymysql.connect(
            host=url.host, port=url.port or 0, user=url.username, password=str(url.password), ssl_disabled=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_commit')")
            found = {name: int(value) for name, value in cursor.fetchall()}
        return found["Questions"], found["Com_commit"]

    def _pid(self, member: str) -> int:
        pid = self._stack.member(member).pid
        if pid is None:
            raise BenchError(f"the {member} is gone")
        return pid

    def _of(self, name: str) -> Spread:
        return Spread(self._rounds[name])


def _asked(process: "subprocess.Popen[str]", line: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise BenchError("the bare shapes' process ended")
    return float(answer)


@contextmanager
def bare_shapes(env: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "tests.bench.orders.bare"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def _bench(effort: Effort, folder: Path, parts: Sequence[str]) -> Bench:
    # As the settings are shipped, and as the bare workflows are: traced nowhere, which the local stack is.
    async with Stack(folder, members=MEMBERS, extra_env={"ORDERS_TRACING__FILE": ""}) as stack:
        with patch.dict(os.environ, stack.env):
            config = load()
        client = await connect(config.temporal, converter_of(config.encryption))
        warehouse = departures(
            TemporalProcesses(client), stack.url("simulator"), config.warehouse.secret.reveal(), after=_UNHURRIED
        )
        with bare_shapes(stack.env) as bare:
            bench = Bench(effort, stack, client, bare)
            async with warehouse:
                if "history" in parts:
                    await bench.history()
                await ship_after(stack.url("simulator"), 0)
                if shapes := [shape for shape in SHAPES if shape in parts]:
                    await bench.rates(shapes)
        return bench


def report(bench: Bench, effort: Effort, *, quick: bool) -> str:
    """Return the table of the history, the table of the figures and the line of JSON."""
    about = {
        "quick": quick,
        "rounds": effort.rounds,
        "count": effort.count,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    history = f"{bench.anatomy.table}\n\n" if bench.anatomy.steps else ""
    figures = bench.figures
    shown = table(DOCUMENTED, TARGETS, figures)
    return f"{history}{shown}\n{last_line('orders', DOCUMENTED, TARGETS, figures, **about)}\n"


PARTS = (*SHAPES, "history")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and the JSON line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=orders", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four of each: shows that it works, not how fast")
    parser.add_argument("--part", choices=PARTS, action="append", help="measure this part alone; may be given again")
    parser.add_argument("--rounds", type=int, help=f"how often all is measured (default: {FULL.rounds})")
    parser.add_argument("--count", type=int, help=f"workflows of each shape in a round (default: {FULL.count})")
    asked = parser.parse_args(arguments)
    chosen = QUICK if asked.quick else FULL
    effort = Effort(rounds=asked.rounds or chosen.rounds, count=asked.count or chosen.count, warm_up=chosen.warm_up)
    with tempfile.TemporaryDirectory(prefix="bench-orders-") as folder:
        try:
            bench = asyncio.run(_bench(effort, Path(folder), asked.part or PARTS))
        except (BenchError, TimeoutError) as error:
            sys.stderr.write(f"bench: broken: {error or 'an order did not come to its end in time'}\n")
            return 1
    sys.stdout.write(report(bench, effort, quick=asked.quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
