"""AWS Lambda: an API Gateway HTTP API (payload 2.0) event becomes a WSGI call of the same application.

The application is built at import, in the runtime's init phase, and holds no connection then, so that a snapshot
of it may be restored anywhere. The connection to Temporal is made with the first request and lives as long as the
execution environment, but for long sleeps: what stands between may have dropped it without telling a frozen process.

Secrets are read before that, where a variable names some (see `secret_store`), and looked at again every
REFRESH_SECONDS: one that was changed is in use everywhere within that time, without a deployment.
"""

import gc
import logging
import time
from typing import Any
from urllib.parse import quote

# Nothing of what importing makes is garbage: looking for some would cost a tenth of a cold start.
gc.disable()

from apig_wsgi import make_lambda_handler  # noqa: E402 - after the collector is off
from flask import Flask  # noqa: E402

from functions.app import create_app  # noqa: E402
from functions.secret_store import SecretStore, SecretsUnavailable  # noqa: E402
from worker.contract.settings import ConfigurationError  # noqa: E402

LONGEST_SLEEP = 240
"""Seconds after which a connection is not trusted any more. AWS's NAT gateways and load balancers forget one that
was silent for 350, and a request into it would wait for its deadline."""


REFRESH_SECONDS = 300
"""How old what is known of the secrets may be. A snapshot is older than that when it is restored, or fresh enough."""

_log = logging.getLogger(__name__)


class Handler:
    """Takes one event at a time, as Lambda hands them over."""

    def __init__(self, app: Flask, secrets: SecretStore | None = None) -> None:
        self._secrets = secrets or SecretStore({})
        self._looked_at = self._awake_at = time.time()
        self._use(app)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. Raises for an event that is no HTTP request: the invocation fails, and is seen to."""
        if time.time() - self._looked_at > REFRESH_SECONDS:
            self._refresh()
        if time.time() - self._awake_at > LONGEST_SLEEP:
            self._app.extensions["temporal"].close()
        try:
            answer: dict[str, Any] = self._serve(_as_sent(event), context)
        finally:
            self._awake_at = time.time()
        return answer

    def _use(self, app: Flask) -> None:
        self._app = app
        self._serve = make_lambda_handler(app)

    def _refresh(self) -> None:
        """Take over secrets that were changed. Whatever is wrong with them, the ones in use stay in use."""
        self._looked_at = time.time()
        try:
            if not self._secrets.changed():
                return
            fresh = create_app()
        except (ConfigurationError, SecretsUnavailable) as error:
            _log.warning("secrets could not be taken over", extra={"fields": {"reason": str(error)}})
            return
        self._app.extensions["temporal"].close()
        self._use(fresh)
        _log.info("secrets were taken over")


def _as_sent(event: dict[str, Any]) -> dict[str, Any]:
    """Undo what a gateway does to make text of a request: WSGI wants the bytes that were sent.

    A path with its escapes resolved, or a header that is no ASCII, would be a Python error below otherwise, and a
    5xx for anybody who asks for one.
    """
    changed: dict[str, Any] = {name: _escaped(event[name]) for name in ("rawPath", "rawQueryString") if name in event}
    headers = event.get("headers")
    if headers:
        changed["headers"] = {name: _as_bytes_in_text(value) for name, value in headers.items()}
    return {**event, **changed}


def _escaped(text: str) -> str:
    return text if text.isascii() else "".join(part if part.isascii() else quote(part) for part in text)


def _as_bytes_in_text(text: str) -> str:
    return text if text.isascii() else text.encode().decode("latin-1")


_secrets = SecretStore()
_secrets.load()
app = create_app()
handler = Handler(app, _secrets)

gc.enable()
gc.freeze()
