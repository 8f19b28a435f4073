"""How requests to the provider leave this machine."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from worker.gateways.stripe_transport import TracedRequests

KEY = "Bearer the-key"


@dataclass
class Heard:
    address: str
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def heard() -> Iterator[Heard]:
    class Provider(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.paths.append(self.path)
            found.keys.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        found = Heard(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


def asked(base: str) -> int:
    client = TracedRequests("stripe", base, timeout=30)
    try:
        return client.request("get", f"{base}/v1/payment_intents", {"Authorization": KEY})[1]
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
