"""gunicorn's worker for the functions: its asyncio worker, with the WSGI application on its loop."""

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from functions.greenlets import ServingLoop
from functions.wsgi_on_loop import OnLoop


class _Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One connection. A sender that ends its own side is still told what became of its request."""

    def eof_received(self) -> bool:
        """Keep the connection open for an answer that is due. A body that is not whole will not become so."""
        receiver = self._body_receiver
        if receiver is None:
            return False
        if not receiver._complete:  # noqa: SLF001 - gunicorn has no other name for it
            receiver.signal_disconnect()
        return True


gasgi.ASGIProtocol = _Connection  # the worker names the class in the middle of a method and asks nobody


class LoopWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # same
    """One process, one thread, one loop: it serves the requests and holds the connection to Temporal."""

    def load_wsgi(self) -> None:
        """Load the application; its bridge to Temporal is on this worker's loop."""
        self.wsgi = self.app.wsgi()
        self.wsgi.extensions["temporal"].run_on(ServingLoop())
        self.asgi = OnLoop(self.wsgi)
