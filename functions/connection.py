"""One connection to a caller, as gunicorn's asyncio worker serves it, with what gunicorn leaves open closed.

- What cannot be read is refused in our words (functions.refusals), and the refusal arrives.
- A request has RECEIVE_SECONDS from its first byte to its last; a connection as long to begin its first one. Whoever
  says nothing, or says it letter by letter, costs a few kilobytes until then. It is no replacement for the gateway in
  front, which takes slow senders by the thousand.
- An answer that is given before the body is there is not lost over it, and nothing of the body is read as a request.
- Websockets do not exist here.

gunicorn's protocol has no hooks; each of its methods and fields that is used or replaced is explained beside it.
"""

# ruff: noqa: SLF001 - what gunicorn's own classes know of each other
import asyncio
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from functions.refusals import unreadable

RECEIVE_SECONDS = 4.0
"""No longer than a stop may take (graceful_timeout), and longer than any honest sender needs behind a gateway."""


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """A protocol of asyncio. gunicorn's `_body_receiver` is there from the end of a request's head to its answer."""

    _callback_parser: Any

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False  # the caller sends no more

    def connection_made(self, transport: Any) -> None:
        """Begin, or hang up when there are too many connections: gunicorn counts them and leaves it at that."""
        super().connection_made(transport)
        self.worker.connections.add(self)
        self._expect_more()
        if self.worker.nr_conns > self.worker.worker_connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.worker.connections.discard(self)
        self._expect_nothing()
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Stay open while an answer is due, also to a sender that has ended its own side."""
        self._ended = True
        if self._body_receiver is None:
            return False
        if not self._body_receiver._complete:
            self._body_receiver.signal_disconnect()  # the application learns that the rest does not come
        return True

    def close_if_idle(self) -> None:
        """Close if it was kept open for a next request, of which nothing is there."""
        if self._keepalive_handle is not None:
            self._keepalive_timeout()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Read what came, and return whether to go on: gunicorn's method, but for what follows from each outcome.

        `_keepalive_handle` ends an idle connection; gunicorn would let it run into a request that is being sent.
        `is_complete` holds from the end of a request until gunicorn has answered it and turns to the next.
        """
        self._cancel_keepalive_timer()
        try:
            self._callback_parser.feed(data)
        except Exception as error:
            self._stop_reading(error)
            return False
        if self._callback_parser.is_complete:
            self._expect_nothing()
        elif self._deadline is None:
            self._expect_more()
        return True

    def _stop_reading(self, error: Exception) -> None:
        """Nothing that follows is a request. Without a parser gunicorn drops what else comes."""
        self._callback_parser = None
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()  # the application has the request, and answers
            return
        self._safe_write(unreadable(error, self.worker.wsgi.extensions["observers"]).message)
        if self._ended:
            self._hang_up()
        else:
            # Closing over bytes that were not read would take the answer back: the caller closes, or the deadline does.
            self.transport.write_eof()

    def _expect_more(self) -> None:
        self._deadline = self.worker.loop.call_later(RECEIVE_SECONDS, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._body_receiver is None:
            self._hang_up()
        else:
            self._callback_parser = None
            self._body_receiver.signal_disconnect()

    def _hang_up(self) -> None:
        # Closes, and wakes up the task that waits for a request, whatever the reason.
        self._keepalive_timeout()

    def _arm_keepalive_timer(self) -> None:
        """Wait for a next request, which gunicorn announces by this call; from a sender that has ended there is none."""
        if self._ended:
            self._hang_up()
        elif self._deadline is None:
            super()._arm_keepalive_timer()

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Serve one request, then take in what is left of its body.

        gunicorn closes over the rest, and the caller, who still sends, may never see its answer. `receive` is what the
        application reads its body with: it ends with the body, with the connection, and with the deadline. gunicorn
        would also give each request a task of its own, for applications that go on working after their answer.
        """
        receiver = self._body_receiver
        kept: bool = await self._handle_http_request(request, sockname, peername)
        more = not receiver._complete
        while more:
            more = (await receiver.receive()).get("more_body", False)
        return kept

    def _is_websocket_upgrade(self, request: Any) -> bool:  # noqa: ARG002
        """Tell that it is none: gunicorn would take the connection out of the application's hands."""
        return False
