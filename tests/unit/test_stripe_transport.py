"""How requests to the provider leave this machine."""

import base64
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stripe

from infra.local.freeports import free_port
from worker.gateways.stripe_transport import TracedRequests

KEY = "Bearer the-key"


@dataclass
class Heard:
    address: str
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    proxy_passwords: list[str | None] = field(default_factory=list)


@pytest.fixture
def heard() -> Iterator[Heard]:
    class Provider(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.paths.append(self.path)
            found.keys.append(self.headers["Authorization"])
            found.proxy_passwords.append(self.headers["Proxy-Authorization"])
            self.send_response(302 if self.path == "/v1/elsewhere" else 200)
            self.send_header("Location", "/v1/payment_intents")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        found = Heard(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


def asked(base: str, path: str = "/v1/payment_intents") -> int:
    client = TracedRequests("stripe", base, timeout=30)
    try:
        return client.request("get", f"{base}{path}", {"Authorization": KEY})[1]
    finally:
        client.close()


def test_a_password_in_a_netrc_is_not_sent_instead_of_the_key(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert asked(heard.address) == 200
    assert heard.keys == [KEY]


def test_the_proxy_of_the_environment_is_used_unless_the_host_is_excepted(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, heard.address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert asked("http://provider.invalid") == 200
    assert heard.paths == ["http://provider.invalid/v1/payment_intents"]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert asked(heard.address) == 200
    assert heard.paths[1:] == ["/v1/payment_intents"]


def test_a_proxy_gets_the_password_that_its_address_names(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, heard.address.replace("http://", "http://me:p%40ss@"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert asked("http://provider.invalid") == 200
    assert heard.proxy_passwords == [f"Basic {base64.b64encode(b'me:p@ss').decode()}"]


def test_the_key_is_sent_to_nobody_whom_an_answer_names(heard: Heard) -> None:
    assert asked(heard.address, "/v1/elsewhere") == 302
    assert heard.paths == ["/v1/elsewhere"]


def test_no_answer_is_an_error_of_the_library(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(stripe.APIConnectionError, match="NewConnectionError"):
        asked(f"http://127.0.0.1:{free_port()}")
