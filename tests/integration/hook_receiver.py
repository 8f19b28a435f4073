"""A shop's own webhook endpoint, with the faults that such endpoints have."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

HANG, DROP, DRIP = "hang", "drop", "drip"
Fault = int | str | tuple[int, str]
"""A status, one with a Retry-After, or: never answer, cut the connection, answer a byte at a time."""


@dataclass
class HookReceiver:
    """`faults` are the next answers, 200 when there are none left."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Return the documents, each checked as a receiver does with the library of the standard."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.got]

    def wait_for(self, number: int, seconds: float = 60) -> None:
        """Wait until so many messages have come."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= number, seconds), f"{len(self.got)} of {number} came"


@contextmanager
def hook_receiver() -> Iterator[HookReceiver]:
    """Serve one on a port of its own."""
    kept = HookReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with kept.arrived:
                kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                fault = kept.faults.pop(0) if kept.faults else 200
                kept.arrived.notify_all()
            if fault == HANG:
                kept.released.wait(60)
            if fault == DRIP:
                for _ in range(300):
                    if kept.released.wait(0.05):
                        break
                    self.wfile.write(b"H")
            if isinstance(fault, str):
                self.close_connection = True
                return
            status, retry_after = fault if isinstance(fault, tuple) else (fault, "")
            self.send_response(status)
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.send_header("Location", kept.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Say nothing of callers that hung up."""

    server = Server(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield kept
    finally:
        kept.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
