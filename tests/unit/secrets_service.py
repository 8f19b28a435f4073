"""Secrets Manager and Parameter Store at the HTTP boundary: secrets with versions, and what they answer about them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SecretsService:
    """What the service knows. `put` makes a new version, callers may in `containers`; `down` makes it answer 500."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, str]] = {}
        self.containers: set[str] = set()
        self.parameters: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[dict[str, str]] = []
        self.down = 0
        self.url = ""

    def put(self, arn: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.held[arn] = (f"version-{len(self.asked)}-{len(self.held)}-{hash(text)}", text)

    def answer(self, target: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.down:
            self.down -= 1
            return 500, {"__type": "InternalServiceError"}
        if target.startswith("AmazonSSM."):
            return self._parameters(target.partition(".")[2], question)
        if target == "secretsmanager.PutSecretValue" and question["SecretId"] in self.containers:
            self.put(question["SecretId"], question["SecretString"])
            return 200, {"VersionId": self.held[question["SecretId"]][0]}
        if question["SecretId"] not in self.held:
            return 400, {"__type": "com.amazonaws#ResourceNotFoundException", "Message": "no value"}
        version, text = self.held[question["SecretId"]]
        return 200, {
            "ARN": question["SecretId"],
            "VersionId": version,
            "SecretString": text,
            "CreatedDate": 1_795_000_000,
        }

    def make_parameter(self, name: str, text: str = "{}", key: str = "key/ours") -> None:
        """Make a parameter, as the bootstrap does."""
        self.parameters[name] = [
            {"Name": name, "Value": text, "Version": 1, "KeyId": key, "LastModifiedDate": 1_795_000_000}
        ]

    def _parameters(self, operation: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if operation == "GetParameters":
            known = [self.parameters[name][-1] for name in question["Names"] if name in self.parameters]
            return 200, {"Parameters": known, "InvalidParameters": []}
        versions = self.parameters.get(question["Name"])
        if versions is None:
            return 400, {"__type": "ParameterNotFound"}
        if operation == "GetParameter":
            return 200, {"Parameter": versions[-1]}
        if operation == "GetParameterHistory":
            first = int(question.get("NextToken") or 0)
            more = {"NextToken": str(first + 50)} if len(versions) > first + 50 else {}
            return 200, {"Parameters": versions[first : first + 50], **more}
        made = {"Version": versions[-1]["Version"] + 1, "LastModifiedDate": 1_795_000_000 + len(self.asked)}
        versions.append(
            {"KeyId": "alias/aws/ssm", **{k: question[k] for k in ("Name", "Value", "KeyId") if k in question}, **made}
        )
        return 200, {"Version": made["Version"]}


@contextmanager
def secrets_service() -> Iterator[SecretsService]:
    """Serve on a loopback port until the block ends."""
    service = SecretsService()

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.asked.append(dict(self.headers.items()))
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
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
