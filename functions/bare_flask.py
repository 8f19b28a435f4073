"""Flask as far as it is used here: routes, views, error handlers.

Sessions, signals and functions around each request are what no view of ours has, and each request paid for them: with
the address of the server, which Flask finds out to build links, they were a tenth of what a webhook costs.
"""

from typing import TYPE_CHECKING, Any, Never

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NOWHERE = {"server_name": "", "script_name": "/", "subdomain": "", "url_scheme": "http"}


class _NoSession(SessionInterface):
    """One session for all: nothing can be put into it, and it is never sent."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - the interface's
        """Return it."""
        return self._empty


class BareFlask(Flask):
    """The application's class. What would silently never be called cannot be registered."""

    session_interface = _NoSession()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the route of a request; it builds no links."""
        if request is None:
            return super().create_url_adapter(None)
        return MapAdapter(self.url_map, **_NOWHERE, path_info=request.path, default_method=request.method)

    def full_dispatch_request(self) -> Response:
        """Answer the current request: by its view, or by the handler of what that raised."""
        self._got_first_request = True  # from now on Flask refuses changes
        try:
            answer = self.dispatch_request()
        except Exception as error:
            answer = self.handle_user_exception(error)
        return self.make_response(answer)

    def do_teardown_request(self, *_: Any, **__: Any) -> None:
        """Do nothing: nobody waits for it."""

    def do_teardown_appcontext(self, *_: Any, **__: Any) -> None:
        """Do nothing: nobody waits for it."""

    def _never_called(self, *_: Any, **__: Any) -> Never:
        raise NotImplementedError("functions around requests are not called here; see functions.bare_flask")

    before_request = after_request = teardown_request = teardown_appcontext = _never_called


class Reply(Response):
    """An answer that is whole: its length is known and nothing in it is a link."""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":  # noqa: ARG002
        """Send it."""
        start_response(self.status, self.headers.to_wsgi_list())
        return self.response  # type: ignore[return-value]  # a list of one, as it was made
