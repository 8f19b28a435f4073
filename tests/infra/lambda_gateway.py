"""The deployed edge, made to run: the routes, authorizers and functions that the fake AWS holds, behind real HTTP.

A request takes the route that API Gateway would choose, becomes an event of payload format 2.0, and is given to the
function behind the route's integration: its zip as the fake AWS gives it back, its handler, its environment, acting as
its role.
"""

import functools
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.infra.fake import FakeAws
from tests.infra.fake_aws.containers import acting_as
from tests.integration.api_gateway import Headers, answer_of, event_of
from tests.integration.execution_environment import ExecutionEnvironment, executing
from tests.integration.served_functions import Answer

_FUNCTION = re.compile(r"functions/(?P<arn>arn:[^/]+)/invocations$")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One deployed route."""

    method: str
    path: str
    authorization: str
    function: str
    """Name of the function behind it, and the alias that is invoked."""
    qualifier: str

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the path of a request must look like: a parameter is one segment."""
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)) + "$")


@dataclass(kw_only=True)
class Function:
    """One deployed function, running."""

    configuration: Mapping[str, Any]
    environment: ExecutionEnvironment
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Hand over one event; an environment handles one at a time."""
        with self.lock:
            return self.environment.invoke(event, seconds=float(self.configuration["Timeout"]))


@dataclass(kw_only=True)
class Gateway:
    """What stands at the deployed address."""

    routes: list[Route]
    functions: Mapping[str, Function]

    def ask(self, method: str, target: str, body: bytes | None = None, headers: Headers = ()) -> Answer:
        """Answer a request as the deployed API would."""
        began = time.monotonic()
        found = self._matching(method, target.partition("?")[0])
        if found is None:
            return _refusal(404, "Not Found")
        route, parameters = found
        event = event_of(method, target, body, headers)
        event |= {"routeKey": f"{route.method} {route.path}", "pathParameters": parameters}
        if route.authorization != "NONE":
            signed = event["headers"].get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
            if route.authorization != "AWS_IAM" or not signed:
                return _refusal(403 if route.authorization == "AWS_IAM" else 401, "Forbidden")
            caller = {"accountId": "123456789012", "userArn": "arn:aws:sts::123456789012:assumed-role/operator/me"}
            event["requestContext"]["authorizer"] = {"iam": {"accessKey": "ASIAOPERATOR", **caller}}
        return answer_of(self.functions[route.function].invoke(event), time.monotonic() - began)

    def _matching(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            matched = route.pattern.match(path) if route.method == method else None
            if matched:
                return route, matched.groupdict()
        return None


@contextmanager
def deployed(fake: FakeAws, api_name: str, folder: Path) -> Iterator[Gateway]:
    """Run what is deployed as the API `api_name` until the block ends."""
    routes = deployed_routes(fake, api_name)
    with ExitStack() as ending:
        invoked = {
            (route.function, route.qualifier): None for route in routes
        }  # each function once, in the order of the routes
        functions = {
            name: ending.enter_context(running(fake, name, qualifier, folder / name)) for name, qualifier in invoked
        }
        yield Gateway(routes=routes, functions=functions)


def deployed_routes(fake: FakeAws, api_name: str) -> list[Route]:
    """Return the routes of an API."""
    client = fake.client("apigatewayv2")
    (api,) = (each for each in client.get_apis()["Items"] if each["Name"] == api_name)
    uris = {
        each["IntegrationId"]: each["IntegrationUri"] for each in client.get_integrations(ApiId=api["ApiId"])["Items"]
    }
    routes = []
    for each in client.get_routes(ApiId=api["ApiId"])["Items"]:
        method, _, path = each["RouteKey"].partition(" ")
        invoked = _FUNCTION.search(uris[each["Target"].removeprefix("integrations/")])
        assert invoked is not None, each
        name, qualifier = invoked["arn"].split(":")[6:8]
        authorization = each.get("AuthorizationType", "NONE")
        routes.append(Route(method=method, path=path, authorization=authorization, function=name, qualifier=qualifier))
    return routes


@contextmanager
def serving(gateway: Gateway, port: int) -> Iterator[None]:
    """Serve the gateway on a loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), functools.partial(_Handler, gateway))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


@contextmanager
def running(
    fake: FakeAws, name: str, qualifier: str, folder: Path, instead: Mapping[str, str] | None = None
) -> Iterator[Function]:
    """Run a deployed function until the block ends; `instead` wins over its variables."""
    told = fake.client("lambda").get_function(FunctionName=name, Qualifier=qualifier)
    configuration = told["Configuration"]
    code = folder / "code"
    code.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(_zip_of(fake, configuration))) as archive:
        archive.extractall(code)
    environment = {
        **configuration["Environment"]["Variables"],
        **acting_as(configuration["Role"], fake.endpoint),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        **(instead or {}),
    }
    with executing(code, configuration["Handler"], folder, environment) as process:
        yield Function(configuration=configuration, environment=process)


def _zip_of(fake: FakeAws, configuration: Mapping[str, Any]) -> bytes:
    """Return the code that a function was made of: the object of that checksum in the artifacts."""
    s3 = fake.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for each in s3.list_objects_v2(Bucket=bucket["Name"], Prefix="functions/").get("Contents", []):
            content: bytes = s3.get_object(Bucket=bucket["Name"], Key=each["Key"])["Body"].read()
            if b64encode(hashlib.sha256(content).digest()).decode() == configuration["CodeSha256"]:
                return content
    raise AssertionError(f"no artifact is what {configuration['FunctionName']} says that it runs")


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode(), 0.0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def __init__(self, gateway: Gateway, *positional: Any) -> None:
        self._gateway = gateway
        super().__init__(*positional)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self._gateway.ask(self.command, self.path, body or None, list(self.headers.items()))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"content-length", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""
