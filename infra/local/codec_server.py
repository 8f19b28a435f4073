"""Opens payloads for the Temporal UI of the local stack, and seals what it sends: POST /{token}/decode and /encode.

Only on 127.0.0.1, only for pages of the stack's own UI (CORS, and the Host header against names that are pointed here),
only for its namespace, and only for who knows the token: in the address, as the UI can keep it, or as a bearer token
(`temporal --codec-endpoint ... --codec-auth ...`). That keeps web pages out; whoever may list this user's processes
can read the token off the server's command line.

A payload that cannot be opened is answered with the reason in its place, so that the rest of an event is still shown.
"""

import argparse
import asyncio
import hmac
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from infra.local.environment import CODEC_TOKEN
from worker.contract.sealing import SealError

_HOST = "127.0.0.1"
_LARGEST_BODY = 16 * 1024 * 1024
_HEADERS = "content-type, x-namespace, authorization"

Work = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def build(codec: PayloadCodec, *, namespace: str, token: str, ui_port: int) -> web.Application:
    """Make the application."""
    origins = {f"http://{host}:{ui_port}" for host in (_HOST, "localhost")}

    @web.middleware
    async def guarded(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if (request.url.host or "") not in {_HOST, "localhost"} or origin not in {None, *origins}:
            raise web.HTTPForbidden(text="not for this page")
        answer = await handler(request)
        if origin is not None:
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Vary"] = "Origin"
        return answer

    def known(request: web.Request) -> bool:
        given = request.match_info.get("token") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())

    def does(work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if not known(request):
                raise web.HTTPUnauthorized(text="the token is not the stack's")
            if request.headers.get("X-Namespace", namespace) != namespace:
                raise web.HTTPForbidden(text=f"only for the namespace {namespace}")
            try:
                asked = json_format.Parse(await request.text(), Payloads())
            except (json_format.ParseError, UnicodeDecodeError):
                raise web.HTTPBadRequest(text="expected payloads as JSON") from None
            answered = Payloads(payloads=await work(asked.payloads))
            return web.json_response(text=json_format.MessageToJson(answered))

        return handle

    async def opened(payloads: Sequence[Payload]) -> list[Payload]:
        return [await _opened(codec, payload) for payload in payloads]

    async def preflight(_request: web.Request) -> web.Response:
        return web.Response(
            status=204,
            headers={"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": _HEADERS},
        )

    async def health(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(middlewares=[guarded], client_max_size=_LARGEST_BODY)
    app.router.add_get("/health", health)
    for path in ("", "/{token}"):
        for verb, work in (("decode", opened), ("encode", codec.encode)):
            app.router.add_post(f"{path}/{verb}", does(work))
            app.router.add_options(f"{path}/{verb}", preflight)
    return app


async def _opened(codec: PayloadCodec, payload: Payload) -> Payload:
    try:
        (opened,) = await codec.decode([payload])
    except (SealError, ApplicationError) as error:
        return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(f"cannot be opened: {error}").encode())
    return opened


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, with the worker's settings."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.codec_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--ui-port", type=int, required=True, help="port of the Temporal UI, whose pages may ask")
    parsed = parser.parse_args(arguments)
    asyncio.run(_serve(parsed.port, parsed.ui_port))
    return 0


async def _serve(port: int, ui_port: int) -> None:
    from worker.config import load  # noqa: PLC0415 - the application above is of use without settings
    from worker.connections import engine_of, user_keys_of  # noqa: PLC0415
    from worker.repositories.database import MysqlDatabase  # noqa: PLC0415
    from worker.temporal.codec import SealingCodec  # noqa: PLC0415

    config = load()
    user_keys = user_keys_of(config.encryption, MysqlDatabase(engine_of(config.database)))
    app = build(
        SealingCodec(config.encryption, user_keys),
        namespace=config.temporal.namespace,
        token=os.environ[CODEC_TOKEN],
        ui_port=ui_port,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    try:
        await runner.setup()
        await web.TCPSite(runner, _HOST, port).start()
        await stopped.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
