"""How Stripe's library sends its requests: as it always does, with a span about each."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from worker.observability.tracing import call_span


class TracedRequests(stripe.RequestsClient):
    """The library's own client. `name` is how spans call the provider."""

    def __init__(self, name: str, *, timeout: int) -> None:
        super().__init__(timeout=timeout)
        self._provider = name

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **more: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        """Send one request; raises stripe.APIConnectionError when there is no answer."""
        with call_span(self._provider, method.upper(), urlsplit(url).path) as told:
            answer: tuple[Any, int, Mapping[str, str]] = super().request(method, url, headers, post_data, **more)
            told("http.response.status_code", str(answer[1]))
            return answer
