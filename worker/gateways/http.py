"""JSON over HTTP with one outside system: time-outs, and answers turned into errors of this project.

Nothing is retried here (Temporal retries), and no error carries a body: bodies hold personal data.
"""

import functools
import ssl
from typing import Any

import httpx2

from worker.domain.errors import Conflict, NotFound, ProviderRejected, ProviderUnavailable
from worker.observability.tracing import call_span

_TRY_AGAIN = frozenset({401, 403, 408, 425, 429})


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Whom clients trust: to read this costs 50 ms of CPU, once for all of them."""
    return httpx2.create_ssl_context()


def _origin(url: str) -> tuple[str, str, int | None]:
    address = httpx2.URL(url)
    return address.scheme, address.host, address.port


class JsonClient:
    """A pooled, thread-safe client of one base address. `name` is how errors call the system."""

    def __init__(self, name: str, base: str, *, headers: dict[str, str], timeout_seconds: int) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._client = httpx2.Client(headers=headers, timeout=timeout_seconds, verify=_authorities())

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """Return a 2xx answer. `path` is below the base address, or the whole address of a page that an answer named.

        Raises ProviderUnavailable (no answer, 429, 5xx, and credentials that are refused: ours to mend, not the
        order's fault), NotFound (404), Conflict (409), ProviderRejected (other, and a page that lies with somebody else:
        the credentials would go there).
        """
        url = path if path.startswith(("http://", "https://")) else f"{self._base}{path}"
        if _origin(url) != _origin(self._base):
            raise ProviderRejected(f"{self._name} names a page at {httpx2.URL(url).host}, which is not {self._base}")
        try:
            with call_span(self._name, method, path) as told:
                answer = self._client.request(method, url, params=params, content=content, headers=headers)
                told("http.response.status_code", str(answer.status_code))
        except httpx2.HTTPError as problem:
            raise ProviderUnavailable(f"{self._name} did not answer: {type(problem).__name__}") from None
        code = answer.status_code
        if code < 300:
            return answer
        what = f"{self._name} answered {code} to {method} {path.partition('?')[0]}"
        if code in _TRY_AGAIN or code >= 500:
            raise ProviderUnavailable(what)
        if code == 404:
            raise NotFound(what)
        raise Conflict(what) if code == 409 else ProviderRejected(what)

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._client.close()

    def document(self, answer: httpx2.Response) -> Any:
        """Read the answer's JSON. Raises ProviderUnavailable when it is none (a proxy's page, a cut-off body)."""
        try:
            return answer.json()
        except ValueError:
            raise ProviderUnavailable(f"{self._name} answered something that is not JSON") from None
