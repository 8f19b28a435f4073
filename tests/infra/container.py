"""The container of a deployed service as a process: what ECS would start, on this machine."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.infra.configuration import PROJECT
from tests.infra.fake import FakeAws
from tests.infra.fake_aws.containers import Process, process_of
from tests.infra.waiting import until
from worker.config import WorkerConfig, load
from worker.contract.given_whole import unpack


@dataclass(kw_only=True)
class Container:
    """A running container."""

    definition: Mapping[str, Any]
    what: Process
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def settings(self) -> dict[str, str]:
        """Its ORDERS_ variables, those that came packed in a parameter among them."""
        variables = dict(self.what.environment)
        assert unpack(variables) == []
        return {name: value for name, value in variables.items() if name.startswith("ORDERS_")}

    @property
    def config(self) -> WorkerConfig:
        """Its settings as its program reads them."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [each for each in os.environ if each.startswith("ORDERS_")]:
                patch.delenv(name)
            for name, value in self.settings.items():
                patch.setenv(name, value)
            return load()

    def stop(self) -> int:
        """Ask it to end, as ECS does; return its exit status. Raises TimeoutExpired after its stop time-out."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(float(self.definition["containerDefinitions"][0]["stopTimeout"]))


def ended(fake: FakeAws, definition: str, folder: Path, instead: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """Run the container of a task definition that must end by itself; return its exit status and what it wrote.

    Raises TimeoutExpired when it did not.
    """
    _, what, log = _described(fake, definition, folder, instead)
    with log.open("wb") as output:
        process = _process(what, output)
    try:
        return process.wait(seconds), log.read_text("utf-8")
    finally:
        process.kill()
        process.wait(60)


@contextmanager
def started(fake: FakeAws, definition: str, folder: Path, instead: Mapping[str, str]) -> Iterator[Container]:
    """Start the container of a task definition and wait until it takes work; end it when the block ends."""
    described, what, log = _described(fake, definition, folder, instead)
    with log.open("wb") as output:
        process = _process(what, output)
    url = f"http://127.0.0.1:{instead['ORDERS_WORKER__HEALTH_PORT']}/health/ready"

    def is_ready() -> bool | None:
        assert process.poll() is None, f"it ended:\n{log.read_text('utf-8')[-4000:]}"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return None

    try:
        until(f"{described['family']} to be ready", is_ready, 60)
        yield Container(definition=described, what=what, process=process, log=log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def _described(
    fake: FakeAws, definition: str, folder: Path, instead: Mapping[str, str]
) -> tuple[Mapping[str, Any], Process, Path]:
    """Return a task definition, the process of its container, and where that one's output goes."""
    described = fake.client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    what = process_of(described, endpoint=fake.endpoint, program=[sys.executable, "-m", "worker"], instead=instead)
    return described, what, folder / f"{described['family']}.log"


def _process(what: Process, output: BinaryIO) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        what.command,
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **what.environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
