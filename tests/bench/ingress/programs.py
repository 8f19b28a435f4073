"""The programs of the comparison, each a process of its own: stub frontend, functions, twin, bare client."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.freeports import free_port
from tests.bench.cpu import children, cpu_seconds
from tests.integration.served_functions import SEALING, served
from worker.contract.settings import ROOT

IN_FLIGHT = 16
"""How many starts are under way at once, at whoever is measured."""


class BenchError(Exception):
    """Something is broken, so that no figure of this run means anything."""


@dataclass
class Server:
    """A running server; `pids` are the processes whose CPU time is its own."""

    name: str
    port: int
    pids: list[int]


@dataclass
class Stub:
    """A running stub frontend; `seen` is filled when it has ended."""

    address: str
    pid: int
    seen: dict[str, int]


@contextmanager
def stub() -> Iterator[Stub]:
    """Run the frontend that records nothing. Raises BenchError when it saw anything but starts of new ids."""
    port = free_port()
    with _process("tests.bench.grpc_stub", str(port)) as process:
        running = Stub(f"127.0.0.1:{port}", process.pid, {})
        _await_listening(port)
        yield running
        process.terminate()
        running.seen.update(json.loads(process.communicate(timeout=20)[0]))
    if running.seen["refused"] or running.seen["distinct"] != running.seen["starts"]:
        raise BenchError(f"the stub saw what nobody should have sent: {running.seen}")


@contextmanager
def functions(temporal: str, folder: Path) -> Iterator[Server]:
    """Serve the functions as they are served in a container: gunicorn, metrics, a log line in JSON a request."""
    more = {
        "ORDERS_LOGGING__LEVEL": "INFO",
        "ORDERS_LOGGING__JSON": "true",
        "GUNICORN_METRICS_BIND": f"127.0.0.1:{free_port()}",
        **SEALING,
    }
    with served(temporal, folder, **more) as edge:
        yield Server("functions", edge.port, children(edge.process.pid))


@contextmanager
def twin(temporal: str) -> Iterator[Server]:
    """Serve the FastAPI twin."""
    port = free_port()
    with _process("tests.bench.ingress.fastapi_twin", str(port), temporal) as process:
        _await_live(port, process)
        yield Server("twin", port, [process.pid])


def bare(temporal: str, seconds: float) -> dict[str, float]:
    """Run the bare client for `seconds`. Raises BenchError."""
    command = [sys.executable, "-m", "tests.bench.ingress.bare_client", temporal, str(IN_FLIGHT), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the bare client failed with {done.returncode}:\n{done.stderr[-4000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def used(pids: Sequence[int]) -> float:
    """Return the CPU seconds of all of `pids`."""
    return sum(cpu_seconds(pid) for pid in pids)


@contextmanager
def _process(module: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(15)


def _await_listening(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise BenchError("the stub frontend did not come up")


def _await_live(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/live")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise BenchError("the twin did not come up")
