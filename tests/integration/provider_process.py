"""The simulator as its own process, driven by the official `stripe` library and by the control API."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import stripe

from infra.local.freeports import free_port
from infra.local.layout import PROJECT

PATIENCE = 60


class ProviderProcess:
    """`with ProviderProcess(folder) as provider:` a simulator on free ports; its state stays in the folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._http = stripe.RequestsClient(timeout=60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()  # type: ignore[no-untyped-call]
        if self._process is not None:
            assert self.stop(signal.SIGTERM) == 0

    def start(self) -> None:
        smtp = str(free_port(frozenset({self.port})))
        command = [sys.executable, "-m", "infra.local.simulator", "--port", str(self.port), "--smtp-port", smtp]
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--data", str(self._data)], cwd=PROJECT, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.sim("GET", "health")
            except OSError:
                assert self._process.poll() is None, (self._data / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self, number: signal.Signals) -> int:
        """End the process with a signal; returns its exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        return process.wait(PATIENCE)

    def client(
        self, key: str = "sk_test_local", *, retries: int = 0, version: str | None = None
    ) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            base_addresses={"api": f"http://127.0.0.1:{self.port}/stripe"},
            http_client=self._http,
            max_network_retries=retries,
            stripe_version=version,
        )

    def state_files(self) -> list[Path]:
        """Return the files the simulator keeps its state in."""
        return sorted(self._data.glob("*.sqlite3*"))

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control API; AssertionError for a refusal. CSV comes as text."""
        status, answer = self.ask(method, f"/_sim/{path}", body)
        assert status == 200, (status, answer)
        return answer

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=sent, method=method, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - same
                return answer.status, _read(answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error.headers, error.read())


def _read(headers: Any, body: bytes) -> Any:
    return json.loads(body) if "json" in headers.get("Content-Type", "") else body.decode()
