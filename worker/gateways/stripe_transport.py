"""How Stripe's library sends its requests: with a span about each, in one session for all threads.

What the environment says of proxies is read once. The session would read all of it anew for each request, and a .netrc that
names the provider's host, whose password it would send instead of our key.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from worker.observability.tracing import call_span

KEPT = 64
"""Connections that stay open: as many as there may be threads that ask at once."""


class TracedRequests(stripe.RequestsClient):
    """The library's own client. `name` is how spans call the provider, at `api_base`."""

    def __init__(self, name: str, api_base: str, *, timeout: int) -> None:
        super().__init__(timeout=timeout)
        self._provider = name
        session = self.requests.Session()
        session.trust_env = False
        session.proxies = self.requests.utils.get_environ_proxies(api_base)
        for scheme in ("https://", "http://"):
            session.mount(scheme, self.requests.adapters.HTTPAdapter(pool_maxsize=KEPT))
        self._session = session

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **more: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        """Send one request; raises stripe.APIConnectionError when there is no answer."""
        with call_span(self._provider, method.upper(), urlsplit(url).path) as told:
            answer: tuple[Any, int, Mapping[str, str]] = super().request(method, url, headers, post_data, **more)
            told("http.response.status_code", str(answer[1]))
            return answer

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        if self._session is not None:
            self._session.close()
