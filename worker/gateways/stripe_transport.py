"""How Stripe's library sends its requests: with a span about each, over one pool of connections for all threads.

By urllib3 itself: the library's own client goes through `requests`, whose sessions cost as much again as the rest of a call.
What the environment says of proxies is read once. Nothing else of it is: no .netrc that names the provider's host, whose
password would be sent instead of our key. No redirect is followed: our key is for nobody else.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import stripe
import urllib3
from requests.utils import get_environ_proxies, select_proxy

from worker.observability.tracing import call_span

KEPT = 64
"""Connections that stay open: as many as there may be threads that ask at once."""
_WELCOME = {"Accept-Encoding": "gzip, deflate"}


class TracedRequests(stripe.HTTPClient):
    """The library's client. `name` is how spans call the provider, at `api_base`; `timeout` is of seconds of silence."""

    name = "urllib3"

    def __init__(self, name: str, api_base: str, *, timeout: int) -> None:
        super().__init__()
        self._provider = name
        self._connections = _connections(api_base, timeout)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_more: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        """Send one request; raises stripe.APIConnectionError when there is no answer."""
        verb = method.upper()
        with call_span(self._provider, verb, urlsplit(url).path) as told:
            try:
                sent = {**_WELCOME, **(headers or {})}
                answer = self._connections.urlopen(verb, url, body=post_data, headers=sent, redirect=False)
            except urllib3.exceptions.HTTPError as problem:
                why = f"no answer: {type(problem).__name__}"
                raise stripe.APIConnectionError(why) from problem  # type: ignore[no-untyped-call]
            told("http.response.status_code", str(answer.status))
            return answer.data, answer.status, answer.headers

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        self._connections.clear()


def _connections(api_base: str, timeout: int) -> urllib3.PoolManager:
    kept: dict[str, Any] = {
        "maxsize": KEPT,
        "retries": False,
        "timeout": urllib3.Timeout(connect=timeout, read=timeout),
        "ca_certs": stripe.ca_bundle_path,
    }
    proxy = select_proxy(api_base, get_environ_proxies(api_base))
    if not proxy:
        return urllib3.PoolManager(**kept)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    named = urlsplit(proxy)
    user = f"{unquote(named.username or '')}:{unquote(named.password or '')}" if named.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **kept)
