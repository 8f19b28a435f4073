"""`orders webhooks send` in bulk: names that the functions read, an order that can be had again, repeats as of a sender."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from functions import event_identity
from functions.signatures import SCHEMES, UNSIGNED, HmacRule, scheme_named
from tests.unit.signed_deliveries import TIMED, WHSEC, adyen_item, adyen_key
from worker.cli.webhooks_send import Event, SentSecret, SentSource, _event, _signed, send
from worker.contract.settings import Secret
from worker.domain.errors import InvalidInput
from worker.gateways.webhook_signing import Envelope, HmacDescription, signer_of

BODY = b'{"id": "evt_1", "type": "charge.refunded", "data": {"id": "d1"}, "note": "Z\xc3\xbcrich"}'
SECRETS = {"adyen": adyen_key(WHSEC), "adyen_platform": adyen_key(WHSEC)}


def source(scheme: str, rule: HmacRule | None = None, **names: str) -> SentSource:
    secret = SentSecret(value=Secret(SECRETS.get(scheme, WHSEC)))
    return SentSource(scheme=scheme, secrets=(secret,), hmac=HmacDescription(**asdict(rule)) if rule else None, **names)


def as_read(known: SentSource, rule: HmacRule | None, event: Event) -> tuple[str | None, str | None]:
    """Sign the event and return its id and type as the functions would read them."""
    secret = known.secrets[0].value.reveal()
    signed = _signed(signer_of(known.scheme, known.hmac), secret, event)
    own = ("body:id", "body:type")
    if known.scheme != UNSIGNED:
        scheme = scheme_named(known.scheme, rule)
        own = (scheme.event_id, scheme.topic)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    delivery = event_identity.Delivery(headers, json.loads(signed.body), signed.body)
    return (
        event_identity.rule(known.event_id_from or own[0]).read(delivery),
        event_identity.rule(known.topic_from or own[1]).read(delivery),
    )


SOURCES: dict[str, tuple[SentSource, HmacRule | None]] = {
    **{scheme: (source(scheme), None) for scheme in {*SCHEMES, UNSIGNED} - {"adyen_platform"}},
    "hmac with an id": (source("hmac", TIMED), TIMED),
    "hmac": (source("hmac", HmacRule(header="x-sig")), HmacRule(header="x-sig")),
    "a rule for a header": (source("shopify", event_id_from="header:x-trace|x-old", topic_from="header:x-kind"), None),
    "a rule for the body": (source("github", event_id_from="body:data.id", topic_from="body:type"), None),
    "a rule of parts": (source("stripe", event_id_from="fixed:shop + body:data.id"), None),
}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_chosen_name_is_what_the_functions_read(name: str) -> None:
    known, rule = SOURCES[name]
    body = adyen_item().body if known.scheme == "adyen" else BODY
    chosen, topic = as_read(known, rule, _event(known, body, "chosen-1", "orders.paid", fresh=False))
    assert topic == "orders.paid"
    assert "chosen-1" in str(chosen).split(":")
    ids = {as_read(known, rule, _event(known, body, "", "orders.paid", fresh=True))[0] for _ in range(3)}
    assert len(ids) == 3
    assert None not in ids


def test_what_the_body_says_is_kept_unless_something_else_is_chosen() -> None:
    for scheme in ("stripe", UNSIGNED):
        event = _event(source(scheme), BODY, "", "", fresh=False)
        assert event.body == BODY
        assert as_read(source(scheme), None, event) == ("evt_1", "charge.refunded")


def test_an_id_that_is_the_bodys_digest_cannot_be_chosen() -> None:
    with pytest.raises(InvalidInput, match="nothing that can be chosen"):
        _event(source("adyen_platform"), BODY, "", "", fresh=True)


class Receiver:
    """An endpoint that answers what it is told, the last thing for ever, and remembers what came."""

    def __init__(self, *answers: tuple[int, Mapping[str, str], bytes]) -> None:
        self.bodies: list[bytes] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = receiver.take(body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        with self._lock:
            self.bodies.append(body)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    opened: list[Receiver] = []
    yield opened
    for receiver in opened:
        receiver.close()


Told = tuple[int, Mapping[str, str], bytes]

ACCEPTED: Told = (202, {}, b'{"status": "accepted"}')
BUSY: Told = (503, {"Retry-After": "0"}, b'{"code": "overloaded"}')


class TestCommand:
    @pytest.fixture(autouse=True)
    def settings(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, receivers: list[Receiver]) -> None:
        monkeypatch.setenv("ORDERS_ENV", "test")
        secrets = [{"value": "long-gone", "not_after": "2026-01-01T00:00:00Z"}, "whsec_new"]
        monkeypatch.setenv("ORDERS_WEBHOOKS__STRIPE__SECRETS", json.dumps(secrets))
        monkeypatch.setenv("ORDERS_WEBHOOKS__WAREHOUSE__SECRETS", '["no base64!"]')
        self.file = tmp_path / "event.json"
        self.file.write_bytes(BODY)
        self.receivers = receivers

    def send(self, *arguments: str, answers: tuple[Any, ...] = (ACCEPTED,), to: str = "stripe") -> Result:
        self.receiver = Receiver(*answers)
        self.receivers.append(self.receiver)
        return CliRunner().invoke(send, [to, str(self.file), "--url", self.receiver.url, *arguments])

    def told(self, done: Result) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(done.output)
        return value

    def test_events_duplicates_and_their_order(self) -> None:
        sizes = ("--count", "5", "--duplicates", "2", "--concurrency", "1", "--json")
        assert self.told(self.send(*sizes))["answers"] == {"202 accepted": 15}
        ids = [json.loads(body)["id"] for body in self.receiver.bodies]
        assert sorted(Counter(ids).values()) == [3] * 5
        changes = [first for first, second in pairwise(ids) if first != second]
        assert changes == list(dict.fromkeys(ids))[:4], "in order, unless another is asked for"

        def order_of(seed: str) -> list[int]:
            self.send(*sizes, "--shuffle", "--seed", seed)
            ids = [json.loads(body)["id"] for body in self.receiver.bodies]
            return [list(dict.fromkeys(ids)).index(each) for each in ids]

        assert order_of("7") == order_of("7")
        assert order_of("7") != order_of("8")

    def test_who_is_asked_to_come_again_does_as_often_as_allowed(self) -> None:
        done = self.send("--retries", "2", "--json", answers=(BUSY, BUSY, ACCEPTED))
        assert (done.exit_code, self.told(done)["answers"]) == (0, {"202 accepted": 1})
        assert self.told(done)["repeated"] == 2
        done = self.send("--retries", "1", "--json", answers=(BUSY,))
        assert (done.exit_code, self.told(done)["answers"]) == (5, {"503 overloaded": 1})
        assert len(self.receiver.bodies) == 2

    def test_a_refusal_is_not_repeated_and_a_redirect_not_followed(self) -> None:
        for answer, said in (
            ((401, {}, b'{"code": "signature_invalid"}'), "401 signature_invalid"),
            ((302, {"Location": "/elsewhere"}, b""), "302"),
            ((404, {}, b"[]"), "404"),
            ((404, {}, b"\xff"), "404"),
            ((404, {}, b'{"code": 7}'), "404"),
        ):
            done = self.send("--retries", "5", "--json", answers=(answer,))
            assert (done.exit_code, self.told(done)["answers"]) == (5, {said: 1})
            assert len(self.receiver.bodies) == 1

    def test_the_rate_is_kept(self) -> None:
        began = time.monotonic()
        done = self.send("--count", "11", "--rate", "20", "--json")
        took = time.monotonic() - began
        assert self.told(done)["answers"] == {"202 accepted": 11}
        assert took >= 0.5  # of the sender, for whom no machine is too slow: the first may arrive late

    def test_the_secret_that_has_not_ended_signs(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("worker.cli.webhooks_send.time.time", lambda: 1_795_380_000.0)
            said = json.loads(self.send("--dry-run", "--json").output)
        signed = signer_of("stripe")(BODY, "whsec_new", Envelope(event_id="", topic="", at=1_795_380_000))
        assert said["headers"] == signed.headers
        assert self.receiver.bodies == []

    def test_what_cannot_be_signed_is_told_before_anything_is_sent(self) -> None:
        done = self.send(to="warehouse")
        assert isinstance(done.exception, InvalidInput)
        assert "base64" in str(done.exception)
        assert self.receiver.bodies == []

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--id", "e-1", "--new-ids"),
            ("--id", "e-1", "--count", "2"),
            ("--id", "two\nlines"),
            ("--type", "zürich"),
            ("--url", "shop.example"),
            ("--url", "ftp://shop.example"),
            ("--url", "http://"),
            ("--rate", "0"),
        ],
    )
    def test_what_makes_no_sense_is_a_usage_error(self, arguments: tuple[str, ...]) -> None:
        done = self.send(*arguments)
        assert done.exit_code == 2
        assert self.receiver.bodies == []
