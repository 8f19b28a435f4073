"""Bytes on a socket, most of them no HTTP at all: one refusal in our words each, and nobody's words in the log."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from functions.connection import RECEIVE_SECONDS
from infra.local.freeports import free_port
from tests.integration.served_functions import Edge, served
from tests.pressure import Stopwatch

PLACES = 4
MARK = "jane.doe"
"""Stands in what is sent, and must stand nowhere else."""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Functions without a Temporal server: nothing here may get as far."""
    folder = tmp_path_factory.mktemp("raw")
    more = {"ORDERS_API__MAX_IN_FLIGHT": str(PLACES), "ORDERS_LOGGING__LEVEL": "INFO"}
    with served(f"127.0.0.1:{free_port()}", folder, **more) as running:
        yield running


def processes(edge: Edge) -> str:
    return Path(f"/proc/{edge.process.pid}/task/{edge.process.pid}/children").read_text("ascii")


def exchange(edge: Edge, sent: bytes) -> bytes:
    """Send the bytes and nothing more; return everything that comes back."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        received = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass
        return received


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: edge", *headers, "", ""]).encode("latin-1")


def hook(*headers: str, body: bytes = b"{}") -> bytes:
    return head(f"POST /webhooks/stripe?who={MARK} HTTP/1.1", "Content-Type: application/json", *headers) + body


CHUNKED = "Transfer-Encoding: chunked"
REFUSED: dict[str, tuple[bytes, int]] = {
    "no text": (b"\x00\x01\x02" + MARK.encode() + b"\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(100)), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/0.9": (f"GET /{MARK}\r\n\r\n".encode(), 400),
    "HTTP/9.9": (head(f"GET /{MARK} HTTP/9.9"), 400),
    "PROXY": (b"PROXY TCP4 203.0.113.9 203.0.113.8 1 2\r\n" + head("GET /health/live HTTP/1.1"), 400),
    "line feeds only": (f"GET /{MARK} HTTP/1.1\nHost: edge\n\n".encode(), 400),
    "bytes in the path": (f"POST /webhooks/{MARK}".encode() + b"\xff\xfe HTTP/1.1\r\n\r\n", 400),
    "a path without a slash": (head(f"POST {MARK} HTTP/1.1"), 400),
    "a long path": (head(f"GET /{MARK}{'a' * 9000} HTTP/1.1"), 414),
    "a large header": (hook(f"X-Note: {MARK}{'a' * 20_000}"), 431),
    "many headers": (hook(*(f"X-{number}: {MARK}" for number in range(300))), 431),
    "a header without a colon": (hook(MARK), 400),
    "a folded header": (hook("X-Note: a", f" {MARK}"), 400),
    "a header's name with a blank": (hook(f"X {MARK}: a"), 400),
    "a header with a zero byte": (hook(f"Stripe-Signature: {MARK}\x00"), 400),
    "a header that is no text": (hook("Content-Length: 2", "Stripe-Signature: t=\xff,v1=\x80"), 401),
    "two signatures": (hook("Content-Length: 2", "Stripe-Signature: t=1,v1=a", "Stripe-Signature: t=1,v1=a"), 401),
    "two hosts": (hook("Host: other", "Content-Length: 2"), 400),
    "a host that is none": (head("POST /nowhere HTTP/1.1", "Content-Length: 0").replace(b"edge", b"\xff @:99999"), 404),
    "two lengths": (hook("Content-Length: 2", "Content-Length: 3"), 400),
    "both framings": (hook("Content-Length: 2", CHUNKED), 400),
    "a negative length": (hook("Content-Length: -2"), 400),
    "a length with a sign": (hook("Content-Length: +2"), 400),
    "a huge length": (hook(f"Content-Length: {'9' * 15}"), 413),
    "an endless length": (hook(f"Content-Length: {'9' * 30}"), 413),
    "a length that is not kept": (hook("Content-Length: 2000"), 400),
    "an unknown framing": (hook("Transfer-Encoding: cow"), 400),
    "an encoded framing": (hook("Transfer-Encoding: gzip"), 400),
    "chunks in HTTP/1.0": (hook(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "a chunk of no size": (hook(CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk of endless size": (hook(CHUNKED, body=b"FFFFFFFFFFFFFFFFFFFF\r\nabc"), 400),
    "a chunk without an end": (hook(CHUNKED, body=b"3\r\nabcXX0\r\n\r\n"), 400),
    "chunks that break off": (hook(CHUNKED, body=b"3\r\nabc\r\n"), 400),
    "a trailer that is none": (hook(CHUNKED, body=f"0\r\nX {MARK}: b\r\n\r\n".encode()), 401),  # nobody reads any
    "chunks that nobody reads": (head("POST /nowhere HTTP/1.1", CHUNKED) + b"zz\r\n", 404),
    "an expectation": (hook("Expect: cow", "Content-Length: 2"), 401),  # may be ignored (RFC 9110, section 10.1.1)
    "a path by header": (hook("SCRIPT_NAME: /webhooks", "PATH_INFO: /health/live", "Content-Length: 2"), 401),
    "a scheme by header": (hook("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off", "Content-Length: 2"), 401),
    "an upgrade": (hook("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 2"), 401),
    "a websocket": (
        head(
            "GET /nowhere HTTP/1.1",
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        404,
    ),
    "a whole address": (head("GET http://edge/nowhere HTTP/1.1"), 404),
    "a tunnel": (head("CONNECT shop.example:443 HTTP/1.1"), 404),
    "a star": (head("OPTIONS * HTTP/1.1"), 404),
    "a trace": (head(f"TRACE /orders?{MARK} HTTP/1.1"), 405),
    "a method of its own": (head("M-SEARCH /orders HTTP/1.1"), 405),
    "escapes that are none": (head("POST /webhooks/%zz%ff%00 HTTP/1.1", "Content-Length: 0"), 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_whatever_is_sent_gets_one_problem_document(edge: Edge, name: str) -> None:
    before, logged = processes(edge), edge.log.stat().st_size
    sent, status = REFUSED[name]
    answer = exchange(edge, sent)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [str(status).encode()]
    lines, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in lines.lower()
    document = json.loads(body)
    assert document["status"] == status
    assert f"X-Request-Id: {document['request_id']}".encode() in lines
    assert MARK.encode() not in answer
    assert processes(edge) == before
    said = edge.log.read_bytes()[logged:].decode()
    (line,) = [json.loads(text) for text in said.splitlines()]
    assert (line["event"], line["status"], line["problem"]) == ("request", status, document["code"])
    assert line["request_id"] == document["request_id"]
    assert MARK not in said
    assert "127.0.0.1" not in said


PIECES = st.sampled_from(
    [
        *(b"POST ", b"GET ", b"/webhooks/stripe", b"/orders", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b" ", b":"),
        *(b"Host: x", b"Content-Length: ", b"2", b"-1", b"Transfer-Encoding: chunked", b"Stripe-Signature: t=1,v1=0"),
        *(b"Content-Type: application/json", b"Content-Encoding: gzip", b"{}", b"[" * 500, b"0\r\n\r\n", b"5\r\nab"),
        *(b"\xff", b"\x00", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Authorization: Bearer \xe9\r\n"),
    ]
)
START = st.sampled_from([b"", b"POST /webhooks/stripe HTTP/1.1\r\n", b"POST /orders HTTP/1.1\r\nHost: x\r\n"])


@settings(
    max_examples=800,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(start=START, rest=st.lists(PIECES | st.binary(max_size=8), max_size=14).map(b"".join))
def test_no_bytes_without_a_signature_get_more_than_a_refusal(edge: Edge, start: bytes, rest: bytes) -> None:
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", exchange(edge, start + rest), re.MULTILINE)
    # 100 asks for the body; a connection that is closed without a word said nothing that could be answered.
    assert all(status == b"100" or (400 <= int(status) < 500 and status != b"410") for status in statuses)


def test_after_all_that_no_defect_was_hit_and_it_still_serves(edge: Edge) -> None:
    assert edge.request("GET", "/health/live").status == 200
    assert "a defect was hit" not in edge.log.read_text("utf-8")
    assert "Traceback" not in edge.log.read_text("utf-8")


def open_connections(edge: Edge, stack: ExitStack, count: int, said: bytes) -> list[socket.socket]:
    opened = [stack.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=60)) for _ in range(count)]
    for connection in opened:
        connection.sendall(said)
    return opened


LIVE = head("GET /health/live HTTP/1.1")
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


SLOW: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "a head": (b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nX-", b"a"),
    "a body": (hook("Content-Length: 900")[:-1], b"a"),
    "chunks": (hook(CHUNKED, body=b""), b"1\r\na\r\n"),
    "a second request": (LIVE + LIVE[:-2], b"X: y\r\n"),
}
"""What is sent at once, and what then follows again and again."""


def has_ended(connection: socket.socket, letters: bytes) -> bool:
    connection.settimeout(0.001)
    try:
        connection.sendall(letters)
        return not connection.recv(65536)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_whoever_is_slow_is_cut_off_and_keeps_nobody_waiting(edge: Edge) -> None:
    ends: dict[str, list[float]] = {name: [] for name in SLOW}
    waited: list[float] = []
    with ExitStack() as stack:
        began, watch = time.monotonic(), Stopwatch()
        slow = [
            (name, connection)
            for name, (said, _) in SLOW.items()
            for connection in open_connections(edge, stack, 2 * PLACES, said)
        ]
        while slow and watch.seconds < 3 * RECEIVE_SECONDS:
            ended = [(name, connection) for name, connection in slow if has_ended(connection, SLOW[name][1])]
            for name, _ in ended:
                assert time.monotonic() - began > RECEIVE_SECONDS - 0.5, name
                ends[name].append(watch.seconds)
            slow = [each for each in slow if each not in ended]
            waited.append(edge.request("GET", "/health/live").seconds)
    assert not slow
    assert all(end < RECEIVE_SECONDS + 2 for each in ends.values() for end in each), ends
    assert max(waited) < 0.5


def received_until(connection: socket.socket, enough: int) -> list[bytes]:
    """Return the statuses that came, once there are enough or there is an end."""
    received = b""
    while len(found := STATUS.findall(received)) < enough and (part := connection.recv(65536)):
        received += part
    return found


def test_requests_that_come_together_are_answered_one_after_the_other(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(LIVE + hook("Content-Length: 2") + LIVE + LIVE[:20])
        assert received_until(connection, 3) == [b"200", b"401", b"200"]
        connection.sendall(LIVE[20:])
        assert received_until(connection, 1) == [b"200"]


def test_who_ends_its_side_after_its_requests_gets_all_answers(edge: Edge) -> None:
    watch = Stopwatch()
    assert STATUS.findall(exchange(edge, LIVE + LIVE)) == [b"200", b"200"]
    assert watch.seconds < 1, "and no next one is waited for"


def test_an_answer_that_comes_before_the_body_is_not_lost_over_it(edge: Edge) -> None:
    """Who closes over what was not read resets the connection, and the caller's system forgets what it received."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(head("POST /nowhere HTTP/1.1", "Content-Length: 900000"))
        for _ in range(9):
            connection.sendall(b"a" * 100_000)
        assert received_until(connection, 1) == [b"404"]
        connection.sendall(LIVE)
        assert received_until(connection, 1) == [b"200"]


def test_a_refusal_arrives_also_with_much_left_to_say(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(head("GET / HTTP/1.1", "X-Note: " + "a" * 400_000))
        assert received_until(connection, 2) == [b"431"]


@pytest.mark.parametrize("path", ["/nowhere", "/webhooks/stripe"])
def test_what_follows_a_broken_body_is_no_request(edge: Edge, path: str) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(head(f"POST {path} HTTP/1.1", CHUNKED) + b"zz\r\n" + LIVE + LIVE)
        (status,) = received_until(connection, 2)
        assert status in {b"400", b"404"}


@pytest.mark.parametrize("target", ["http://edge/health/live", "HTTPS://[::1]:1/health/live", "/health/%6cive"])
def test_a_path_may_be_written_in_other_ways(edge: Edge, target: str) -> None:
    assert STATUS.findall(exchange(edge, head(f"GET {target} HTTP/1.1"))) == [b"200"]


def test_more_connections_than_may_be_are_hung_up_on(tmp_path: Path) -> None:
    few = {"GUNICORN_CMD_ARGS": "--worker-connections 5"}
    with served(f"127.0.0.1:{free_port()}", tmp_path, **few) as running, ExitStack() as stack:
        opened = open_connections(running, stack, 5, b"")
        with pytest.raises(ConnectionError):
            running.request("GET", "/health/live")
        opened.pop().close()
        assert running.request("GET", "/health/live").status == 200


def test_an_idle_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with served(f"127.0.0.1:{free_port()}", tmp_path) as running:
        connection = socket.create_connection(("127.0.0.1", running.port), timeout=60)
        connection.sendall(LIVE)
        assert received_until(connection, 1) == [b"200"]
        watch = Stopwatch()
        running.process.terminate()
        running.process.wait(60)
        assert watch.seconds < 2.5
        connection.close()
        assert "Forcing" not in running.log.read_text("utf-8")
