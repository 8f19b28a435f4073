"""Starting and asking the fake AWS: one process on a free loopback port, ended by its own id."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.infra.fake_aws.containers import REGION
from tests.infra.fake_aws.settings import Settings
from tests.infra.locked_environments import FAKE_AWS, PROJECT

_KEY = "administrator"


@dataclass(kw_only=True)
class FakeAws:
    """A running fake AWS and an administrator's hands on it."""

    endpoint: str
    settings: Settings
    log: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def administrator(self) -> dict[str, str]:
        """Variables of a program that may do everything."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client; making one takes longer than most questions."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]  # the types know only the services that the project itself uses
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=_KEY,
                aws_secret_access_key=_KEY,
                config=Config(retries={"max_attempts": 1}, read_timeout=30),
            )
        return self._clients[service]

    def instead(self, **environment: str) -> None:
        """Give the next tasks other variables over those of their definition."""
        self.settings = replace(self.settings, environment=environment)
        self.settings.write()

    def denied(self) -> list[str]:
        """Return what roles tried and had no permission for."""
        return [line for line in self.log.read_text("utf-8").splitlines() if line.startswith("DENIED ")]

    def task_outputs(self) -> str:
        """Return what all tasks wrote."""
        files = sorted(Path(self.settings.logs).glob("task-*.log"))
        return "\n".join(file.read_text("utf-8", errors="replace") for file in files)


@contextmanager
def running(
    folder: Path, *, program: list[str], environment: Mapping[str, str], master_password: str
) -> Iterator[FakeAws]:
    """Run a fake AWS until the block ends; `folder` takes its files."""
    logs = folder / "tasks"
    logs.mkdir(parents=True)
    settings = Settings(
        file=str(folder / "settings.json"),
        program=program,
        folder=str(PROJECT),
        logs=str(logs),
        environment=dict(environment),
        master_password=master_password,
    )
    settings.write()
    log = folder / "fake_aws.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORDERS_", "TF_"))}
    env = {**kept, "PYTHONUNBUFFERED": "1", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(FAKE_AWS.python), "-m", "tests.infra.fake_aws", settings.file],
            cwd=PROJECT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield FakeAws(endpoint=_address(process, log), settings=settings, log=log)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        first = log.read_text("utf-8").partition("\n")
        if first[0].startswith("http://") and first[1]:
            return first[0]
        time.sleep(0.1)
    raise AssertionError(f"the fake AWS did not start:\n{log.read_text('utf-8')[-4000:]}")
