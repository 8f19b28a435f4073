"""The mailbox: an SMTP sink on 127.0.0.1 that keeps every message in the store, readable at `/_sim/mail`.

A message is on disk before its sender hears "250". Each recipient gets a document of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local.simulator import keys
from infra.local.simulator.clock import Clock
from infra.local.simulator.control import bad_request, read_object
from infra.local.simulator.store import Document, Store

MAILS = "mails"
_HOST = "127.0.0.1"
_REFUSALS = "mail_refusals_left"
_BIGGEST = 4 * 1024 * 1024


def setup(app: web.Application, smtp_port: int) -> None:
    """Register the routes, and the SMTP listener that lives as long as the application serves."""
    app[keys.STORE].declare(MAILS, "to")
    app.router.add_get("/_sim/mail", _list)
    app.router.add_put("/_sim/mail", _configure)

    async def listener(app: web.Application) -> AsyncIterator[None]:
        sink = _Sink(app[keys.STORE], app[keys.CLOCK])
        connections: set[_Connection] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(sink, connections), _HOST, smtp_port)
        yield
        server.close()
        for connection in list(connections):
            connection.drop()

    app.cleanup_ctx.append(listener)


class _Connection(SMTP):
    """One SMTP client; remembered so that an idle one does not outlive the process."""

    def __init__(self, sink: "_Sink", connections: set["_Connection"]) -> None:
        super().__init__(sink, hostname="simulator", ident="simulator", enable_SMTPUTF8=True, data_size_limit=_BIGGEST)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """Close the client's connection at once."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class _Sink:
    """What the SMTP server does with a message."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Keep the message, or refuse it for now while refusals are left."""
        left = int(self._store.fact(_REFUSALS) or 0)
        if left > 0:
            self._store.set_fact(_REFUSALS, str(left - 1))
            return "451 4.3.0 Try again later"
        content = envelope.content
        message = message_from_bytes(
            content if isinstance(content, bytes) else str(content).encode(), policy=policy.default
        )
        with self._store.transaction():
            for recipient in envelope.rcpt_tos:
                self._keep(str(recipient), str(envelope.mail_from), message)
        return "250 2.0.0 Kept"

    def _keep(self, to: str, sender: str, message: EmailMessage) -> None:
        mail_id = self._store.next_id("mail")
        body = message.get_body(preferencelist=("plain", "html"))
        document: Document = {
            "id": mail_id,
            "to": to,
            "from": sender,
            "subject": str(message["Subject"] or ""),
            "text": "" if body is None else str(body.get_content()),
            "message_id": str(message["Message-ID"] or ""),
            "at": self._clock.now().isoformat(),
        }
        self._store.put(MAILS, mail_id, document)


async def _list(request: web.Request) -> web.Response:
    """Answer `{"data": [...]}`, oldest first; `?to=` keeps one recipient's."""
    store, to = request.app[keys.STORE], request.query.get("to")
    return web.json_response({"data": store.all(MAILS) if to is None else store.index(MAILS, "to", to)})


async def _configure(request: web.Request) -> web.Response:
    """`{"refuse": n}`: answer the next n messages with a temporary refusal."""
    body = await read_object(request)
    count: Any = body.get("refuse")
    if set(body) != {"refuse"} or not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise bad_request("needs refuse, a whole number, and nothing else")
    request.app[keys.STORE].set_fact(_REFUSALS, str(count))
    return web.json_response({"refuse": count})
