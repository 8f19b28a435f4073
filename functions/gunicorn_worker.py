"""gunicorn's worker for the functions: its asyncio worker, with the WSGI application on its loop.

One process, one thread, one loop: it serves the requests (functions.connection, functions.wsgi_on_loop) and holds the
connection to Temporal. So nothing that a request does may wait but through functions.greenlets.

Each reach into gunicorn is explained where it is made. They hold for the versions that pyproject.toml allows, and
tests/unit/test_gunicorn_reaches.py notices another.
"""

import asyncio
import logging
from typing import Any

from gunicorn.workers import gasgi

from functions import logs
from functions.connection import Connection
from functions.greenlets import ServingLoop
from functions.wsgi_on_loop import OnLoop

LINGER_SECONDS = 1.0
"""How long connections that are kept open may still bring a request when the process ends."""
_LOOK_EVERY = 0.05

_log = logging.getLogger("functions.worker")

gasgi.ASGIProtocol = Connection  # the worker names the class in the middle of a method and asks nobody


class FunctionsWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """An asyncio worker of gunicorn."""

    connections: set[Connection]
    """Those that are open."""
    alive: bool
    _serving: asyncio.Task[None] | None = None

    def load_wsgi(self) -> None:
        """Load the application; its bridge to Temporal is on this worker's loop."""
        self.connections = set()
        self.loop.set_exception_handler(_defect_on_loop)
        self.wsgi = self.app.wsgi()
        self.wsgi.extensions["temporal"].run_on(ServingLoop())
        self.asgi = OnLoop(self.wsgi, self.wsgi.extensions["observers"])

    async def _serve(self) -> None:
        """Serve until the end."""
        self._serving = asyncio.current_task()
        await super()._serve()

    def handle_exit_signal(self) -> None:
        """Begin to end at once: gunicorn would look for it once a second, between two signs of life."""
        first, self.alive = self.alive, False
        if first and self._serving is not None and len(self.servers) == len(self.sockets):
            self._serving.cancel()  # it waits for nothing but the next second, and takes this for the end of it

    async def _shutdown(self) -> None:
        """End in good order: gunicorn waits for open connections, so those that nobody uses are closed first.

        A next request may be on its way on any of them: for a moment it is still answered, and told to be the last.
        """
        for server in self.servers:
            server.close()
        deadline = self.loop.time() + LINGER_SECONDS
        while not self._quick_shutdown and self.loop.time() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
            if not self.connections:
                break
        for connection in list(self.connections):
            connection.close_if_idle()
        await super()._shutdown()


def _defect_on_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what went wrong outside of any request, without its words, which may be a caller's."""
    error = context.get("exception")
    fields = {"error": type(error).__name__, "places": logs.places(error.__traceback__ if error else None)}
    _log.error("a defect was hit", extra={"fields": fields})
