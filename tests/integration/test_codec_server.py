"""The Temporal UI's helper: opens for the stack's own UI and for nobody else's page."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload

from infra.local.codec_server import build
from infra.local.freeports import free_port
from infra.local.temporal import command
from tests.unit.test_sealing import NEW, OLD, config
from worker.contract.sealing import Key, sealed
from worker.temporal.codec import SealingCodec

UI = 9999
ORIGIN = f"http://127.0.0.1:{UI}"
PLAIN = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(b'"ada"').decode(),
}


class Asker:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def ask(self, path: str, *payloads: Any, **headers: str) -> tuple[int, dict[str, str], Any]:
        sent = {"Content-Type": "application/json", "Origin": ORIGIN, "X-Namespace": "default"}
        for name, value in headers.items():
            sent[name.replace("_", "-")] = value
        async with self.http.post(f"{self.url}{path}", json={"payloads": list(payloads)}, headers=sent) as answer:
            text = await answer.text()
            return answer.status, dict(answer.headers), json.loads(text)["payloads"] if answer.status == 200 else text


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    codec = SealingCodec(config(("k1", OLD)))
    runner = web.AppRunner(build(codec, namespace="default", token="secret-token", ui_port=UI))
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as http:
        yield Asker(http, f"http://127.0.0.1:{port}")
    await runner.cleanup()


async def test_the_ui_seals_and_opens(asker: Asker) -> None:
    status, headers, (sent,) = await asker.ask("/secret-token/encode", PLAIN)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert base64.b64decode(sent["metadata"]["encoding"]) == b"binary/encrypted"
    assert (await asker.ask("/secret-token/decode", sent, PLAIN))[2] == [PLAIN, PLAIN]
    assert (await asker.ask("/decode", sent, Authorization="Bearer secret-token"))[2] == [PLAIN]


async def test_a_browser_is_told_beforehand_that_it_may_ask(asker: Asker) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    async with asker.http.options(f"{asker.url}/secret-token/decode", headers=asked) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "x-namespace" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/decode", {}, 401),
        ("/other-token/decode", {}, 401),
        ("/decode", {"Authorization": "Bearer other"}, 401),
        ("/secret-token/decode", {"X_Namespace": "another"}, 403),
        ("/secret-token/decode", {"Origin": "https://evil.example"}, 403),
        ("/secret-token/decode", {"Origin": "null"}, 403),
        ("/secret-token/decode", {"Host": "evil.example"}, 403),
    ],
)
async def test_nobody_else_is_answered(asker: Asker, path: str, headers: dict[str, str], expected: int) -> None:
    status, answered, text = await asker.ask(path, PLAIN, **headers)
    assert status == expected
    assert "Access-Control-Allow-Origin" not in answered or answered["Access-Control-Allow-Origin"] == ORIGIN
    assert "ada" not in text


async def test_what_cannot_be_opened_says_why_beside_what_can(asker: Asker) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"ada"')
    foreign = sealed(Key("k9", NEW, AESGCM), plain.SerializeToString())
    metadata = {name: base64.b64encode(value).decode() for name, value in foreign.metadata.items()}
    unknown = {"metadata": metadata, "data": base64.b64encode(foreign.data).decode()}
    _, _, (shown, opened) = await asker.ask("/secret-token/decode", unknown, PLAIN)
    assert "cannot be opened: sealed with the key 'k9'" in base64.b64decode(shown["data"]).decode()
    assert opened == PLAIN


async def test_what_is_no_payload_is_refused(asker: Asker) -> None:
    async with asker.http.post(f"{asker.url}/secret-token/decode", data=b"{", headers={"Origin": ORIGIN}) as answer:
        assert answer.status == 400


def test_the_ui_is_told_where_it_is(tmp_path: Any) -> None:
    where = "http://127.0.0.1:1/token"
    with_codec = command(tmp_path / "db", 2, 3, where)
    assert with_codec[with_codec.index("--ui-codec-endpoint") + 1] == where
    assert "--ui-codec-endpoint" not in command(tmp_path / "db", 2, 3)
