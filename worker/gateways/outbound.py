"""The way of a message to a subscription's endpoint: signed as Standard Webhooks say, to a judged address, within a time.

What comes back is an answer, not an error: an endpoint that refuses or is silent is tried again by the ladder. No
address, URL or secret stands in it.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

import httpx2

from worker.domain.errors import InvalidInput, ProviderUnavailable
from worker.gateways.egress import Target, target_of
from worker.gateways.webhook_signing import Envelope, signed_by_all
from worker.services.ports import Reply

TIMEOUT_SECONDS = 15
AT_ONCE = 10
"""Messages under way to one endpoint from this process: a slow one must not take every place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A subscription's endpoint; `secrets` with the newest first: all of them sign while one is replaced."""

    url: str
    secrets: tuple[str, ...]
    inside: bool = False
    """Whether it may have an inner address and speak http."""


class HttpOutbound:
    """Implements `OutboundGateway`. `local` lets every endpoint be inside."""

    def __init__(
        self, destinations: Mapping[str, Destination], *, local: bool = False, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._destinations = destinations
        self._local = local
        self._timeout_seconds = timeout_seconds
        self._under_way: Counter[str] = Counter()

    async def post(self, subscription: str, message_id: str, body: str) -> Reply:
        """Send one message, signed; return what came of it.

        Raises ProviderUnavailable when too many are under way to the endpoint, InvalidInput for an unknown one.
        """
        destination = self._destinations.get(subscription)
        if destination is None:
            raise InvalidInput(f"subscription {subscription} is not in the settings")
        if self._under_way[subscription] >= AT_ONCE:
            raise ProviderUnavailable(f"{AT_ONCE} messages are under way to {subscription}")
        self._under_way[subscription] += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(subscription, destination, message_id, body.encode())
        except TimeoutError:
            return Reply(problem=f"no answer within {self._timeout_seconds:g} s")
        except httpx2.HTTPError as problem:
            return Reply(problem=f"no answer: {type(problem).__name__}")
        except (InvalidInput, ProviderUnavailable) as problem:
            return Reply(problem=str(problem))
        finally:
            self._under_way[subscription] -= 1

    async def _post(self, subscription: str, destination: Destination, message_id: str, body: bytes) -> Reply:
        # Resolving a name blocks.
        target = await asyncio.to_thread(self._judged, subscription, destination)
        signed = signed_by_all(body, destination.secrets, Envelope(event_id=message_id, topic="", at=int(time.time())))
        headers = {
            **signed,
            "Host": target.host,
            "Content-Type": "application/json",
            "User-Agent": "orders-webhooks",
        }
        # A client of its own for each: a connection that was made for one name must not serve another at its address.
        # No proxy of the environment: the address was judged, and is where it goes.
        async with (
            httpx2.AsyncClient(
                verify=_tls(), timeout=self._timeout_seconds, follow_redirects=False, trust_env=False
            ) as client,
            client.stream(
                "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.server_name}
            ) as answer,
        ):
            return Reply(status=answer.status_code, retry_after=_asked_wait(answer.headers.get("Retry-After", "")))

    def _judged(self, subscription: str, destination: Destination) -> Target:
        return target_of(
            destination.url,
            local=self._local or destination.inside,
            permission=f"set outbound.{subscription}.inside",
        )


@cache
def _tls() -> ssl.SSLContext:
    """Return the process's context: loading the authorities for each message would cost more than sending it."""
    return ssl.create_default_context()


def _asked_wait(text: str) -> timedelta | None:
    """Read a Retry-After: seconds, or a date. What is neither asks for nothing."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at - datetime.now(UTC) if at.tzinfo is not None else None
