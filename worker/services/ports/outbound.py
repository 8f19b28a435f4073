"""Webhooks we send: their outbox, and the way to an endpoint."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from worker.domain.outbound import Endpoint, Message, MessageState, Tellable


class OutboundStore(Protocol):
    """Messages to subscriptions. They are written with what they tell of, in its transaction."""

    def changed(self, change: Tellable) -> None:
        """Have every subscription that wants it told of this, once the transaction is committed; once in all."""
        ...

    def due(self, subscription: str, now: datetime, at_most: int) -> list[Message]:
        """Return pending messages of a subscription whose delivery is to be started, the longest due first."""
        ...

    def get(self, message_id: str, subscription: str) -> Message | None:
        """Return one message or None."""
        ...

    def by_id(self, message_id: str) -> list[Message]:
        """Return the messages of one change, by subscription."""
        ...

    def postpone(self, messages: Iterable[Message], due_at: datetime) -> None:
        """Have pending messages started (again) at this time."""
        ...

    def save(self, before: Message, after: Message) -> bool:
        """Note what became of a try; False, and nothing changed, when somebody else noted one meanwhile."""
        ...

    def again(self, message: Message, at: datetime) -> None:
        """Have a message sent again from its ladder's first step, whatever became of it."""
        ...

    def listed(self, state: MessageState, *, subscription: str | None, limit: int) -> list[Message]:
        """Return the newest messages in a state, newest first."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[Message]:
        """Return the messages about an order, oldest first."""
        ...

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many messages are pending and dead, by subscription and state."""
        ...

    def died(self, since: datetime) -> int:
        """Return how many dead messages died since then."""
        ...

    def dead(self, shop: str) -> int:
        """Return how many dead messages a shop has."""
        ...

    def forget(self, state: MessageState, before: datetime) -> int:
        """Remove some of the messages in a state that are from before then; return how many."""
        ...

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints that were ever disabled, by subscription."""
        ...

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Disable an endpoint, or enable it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an endpoint answered; without a status it did not, and `problem` says why in words of ours."""

    status: int | None = None
    retry_after: timedelta | None = None
    problem: str = ""

    @property
    def taken(self) -> bool:
        """Whether the endpoint took the message."""
        return self.status is not None and 200 <= self.status < 300


class OutboundGateway(Protocol):
    """The way to the endpoints of the settings."""

    async def post(self, subscription: str, message_id: str, body: str) -> Reply:
        """Send one message, signed; return what came of it. Raises ProviderUnavailable when too many are under way."""
        ...
