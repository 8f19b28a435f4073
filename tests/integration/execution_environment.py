"""A Lambda execution environment: the real runtime client in a process, and the Runtime API that it talks to.

The process sees what it would see in Lambda and nothing of this checkout's environment: the unpacked bundle as its
current folder, the runtime's own packages, the standard library.
"""

import functools
import importlib.metadata
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
_NEXT = "/2018-06-01/runtime/invocation/next"


class FunctionError(Exception):
    """The function reported an error instead of an answer, as it does when an invocation fails."""


@dataclass
class ExecutionEnvironment:
    """One running (or frozen) function."""

    log: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)
    api: "_RuntimeApi" = field(repr=False)
    started: float

    def init_seconds(self) -> float:
        """How long the init phase took: from the start of the process to its first request for an event."""
        self._await(self.api.asked_first)
        return self.api.asked_at - self.started

    def invoke(self, event: Mapping[str, Any], seconds: float = 30) -> dict[str, Any]:
        """Hand over one event and return the answer. Raises FunctionError."""
        invocation = _Invocation(id=str(uuid4()), event=json.dumps(event).encode())
        self.api.waiting.put(invocation)
        self._await(invocation.done, seconds)
        answer: dict[str, Any] = json.loads(invocation.answer)
        if invocation.failed:
            raise FunctionError(answer.get("errorType"))
        return answer

    def freeze(self) -> None:
        """Stop the process between two invocations, as Lambda does."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def _await(self, happened: threading.Event, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not happened.wait(0.1):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the function does not answer:\n{self.log.read_text('utf-8')[-4000:]}")


@contextmanager
def executing(task_root: Path, handler: str, folder: Path, env: Mapping[str, str]) -> Iterator[ExecutionEnvironment]:
    """Run `handler` from the unpacked bundle `task_root` until the block ends; `folder` takes the log."""
    api = _RuntimeApi()
    log = folder / "function.log"
    environ = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}",
        "AWS_LAMBDA_FUNCTION_NAME": "functions",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "functions",
        "AWS_LAMBDA_LOG_STREAM_NAME": "one",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "LAMBDA_TASK_ROOT": str(task_root),
        **isolated_environ(folder),
        **env,
    }
    started = time.monotonic()
    with log.open("wb") as output:
        command = [*isolated_python(), "-m", "awslambdaric", handler]
        process = subprocess.Popen(command, cwd=task_root, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield ExecutionEnvironment(log, process, api, started)
    finally:
        process.kill()  # as Lambda ends an environment that has no extensions: without a word
        process.wait(60)
        api.close()


def isolated_python() -> list[str]:
    """Return a command for Python without this environment's packages."""
    return [sys.executable, "-S", "-s"]


def isolated_environ(folder: Path) -> dict[str, str]:
    """Return the variables of a process that finds the runtime's own packages (below `folder`) and no other."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": ":UTC", "PYTHONPATH": str(_runtime_packages(folder))}


@functools.cache
def _runtime_packages(folder: Path) -> Path:
    """Copy what AWS ships beside the interpreter out of the tests' environment."""
    copied = folder / "runtime"
    for package in RUNTIME_PACKAGES:
        for file in importlib.metadata.files(package) or ():
            if file.suffix in {".py", ".so"} and "tests" not in file.parts:
                (copied / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), copied / file)
    return copied


@dataclass
class _Invocation:
    id: str
    event: bytes
    answer: bytes = b""
    failed: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class _RuntimeApi:
    """The part of Lambda that hands out events and takes answers, on a free loopback port."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[_Invocation | None] = queue.Queue()
        self.asked_first = threading.Event()
        self.asked_at = 0.0
        self._under_way: dict[str, _Invocation] = {}
        self._server = _Server(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next(self) -> _Invocation | None:
        if not self.asked_first.is_set():
            self.asked_at = time.monotonic()
            self.asked_first.set()
        invocation = self.waiting.get()
        if invocation is not None:
            self._under_way[invocation.id] = invocation
        return invocation

    def answered(self, invocation_id: str, kind: str, body: bytes) -> None:
        invocation = self._under_way.pop(invocation_id, None)
        if invocation is not None:
            invocation.answer, invocation.failed = body, kind == "error"
            invocation.done.set()

    def close(self) -> None:
        self.waiting.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a function that was ended in the middle of something
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one packet; in two it would wait for the other side's acknowledgement

    def __init__(self, api: _RuntimeApi, *rest: Any) -> None:
        self._api = api
        super().__init__(*rest)

    def do_GET(self) -> None:
        invocation = self._api.next() if self.path == _NEXT else None
        if invocation is None:
            self._send(410, b"")
            return
        self._send(
            200,
            invocation.event,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 29) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:000000000000:function:functions",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        *_, invocation_id, kind = self.path.split("/")
        self._send(202, b"{}")
        self.wfile.flush()
        self._api.answered(invocation_id, kind, body)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
