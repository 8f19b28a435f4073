"""ECS at the HTTP boundary, as far as the waker asks it: services, what they have and what they are told to have."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "ASIATEST", "AWS_SECRET_ACCESS_KEY": "never-shown", "AWS_REGION": "eu-west-1"}


@dataclass
class EcsService:
    """What ECS knows of one cluster. `refuses` makes it answer 400 to changes; `changes` are those that were made."""

    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, int]] = field(default_factory=list)
    refuses: bool = False
    url: str = ""

    def has(self, name: str, *, desired: int, running: int, deployed_at: datetime, state: str = "COMPLETED") -> None:
        deployment = {"status": "PRIMARY", "rolloutState": state, "createdAt": deployed_at.timestamp()}
        self.services[name] = {
            "serviceName": name,
            "status": "ACTIVE",
            "desiredCount": desired,
            "runningCount": running,
            "deployments": [deployment],
        }

    def answer(self, target: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if target.endswith(".DescribeServices"):
            if len(question["services"]) > 10:
                return 400, {"__type": "InvalidParameterException"}
            return 200, {"services": [self.services[name] for name in question["services"] if name in self.services]}
        if self.refuses:
            return 400, {"__type": "com.amazonaws.ecs#AccessDeniedException"}
        self.changes.append((question["service"], question["desiredCount"]))
        self.services[question["service"]]["desiredCount"] = question["desiredCount"]
        return 200, {"service": self.services[question["service"]]}


@contextmanager
def ecs_service() -> Iterator[EcsService]:
    """Serve on a loopback port until the block ends."""
    service = EcsService()

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = service.answer(self.headers["X-Amz-Target"], question)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
