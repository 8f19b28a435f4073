"""Sending what subscriptions are to be told: what is due, what came of a try, what people ask for.

A message's row is the truth. Whoever starts a delivery pushes the time of the next start ahead, so a delivery that was
lost (a start that never came, a workflow that was terminated) is started again by itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from worker.domain.errors import InvalidInput, NotFound
from worker.domain.outbound import GONE, Endpoint, Message, MessageState, Subscription, next_wait
from worker.services.ports import Clock, Database, Reply, Transaction

AT_ONCE = 200
"""Messages of a subscription whose delivery is started in one round."""
OVERDUE = timedelta(seconds=5)
"""How long a message waits for its own start, right after the commit, before others make up for it."""
GRACE = timedelta(hours=1)
"""How long after the time of its next try a delivery that did nothing is taken for lost."""
KEEP = {MessageState.DELIVERED: timedelta(days=30), MessageState.DEAD: timedelta(days=90)}
"""How long messages that are over are kept; the order's timeline tells of the change for good."""
ACTOR = "outbound"
_WAITING = (MessageState.PENDING, MessageState.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a try: the message's state (`held` while its endpoint is disabled), and when to try again."""

    state: str
    attempts: int
    wait_seconds: int | None = None
    detail: str = ""


HELD = "held"


class OutboundService:
    """Messages over their outbox. `subscriptions` are those of the settings that are enabled, by name."""

    def __init__(self, database: Database, clock: Clock, subscriptions: Mapping[str, Subscription]) -> None:
        self._database = database
        self._clock = clock
        self._subscriptions = subscriptions

    def due(self, overdue: timedelta = timedelta(0)) -> list[Message]:
        """Return messages whose delivery is to be started now, some of each subscription; due for `overdue` at least.

        Those of a disabled endpoint are held back until it is enabled; those of a subscription that the settings have
        no more, or have switched off, until they have it again.
        """

        def work(tx: Transaction) -> list[Message]:
            before, closed = self._clock.now() - overdue, self._closed(tx)
            return [
                message
                for name in sorted(self._subscriptions)
                if name not in closed
                for message in tx.outbound.due(name, before, AT_ONCE)
            ]

        return self._database.transact(work) if self._subscriptions else []

    def started(self, messages: Sequence[Message]) -> None:
        """Note that deliveries run; one that does nothing for so long is started again."""
        at = self._clock.now() + GRACE
        self._database.transact(lambda tx: tx.outbound.postpone(messages, at))

    def to_send(self, message_id: str, subscription: str) -> Message | Told:
        """Return the message to send, or what there is to say of one that is not to be sent."""

        def work(tx: Transaction) -> Message | Told:
            message = tx.outbound.get(message_id, subscription)
            if message is None:
                return Told(state="unknown", attempts=0, detail="no such message: it may be too old")
            if message.state is not MessageState.PENDING:
                return Told(state=message.state, attempts=message.attempts, detail=message.detail)
            if subscription not in self._subscriptions or subscription in self._closed(tx):
                tx.outbound.postpone([message], self._clock.now())
                return Told(state=HELD, attempts=message.attempts, detail="its endpoint is disabled")
            # A try that was noted while its worker died is not made again before the next one's time.
            rest = message.due_at - GRACE - self._clock.now() if message.attempts and message.due_at else timedelta(0)
            if rest > timedelta(0):
                wait = math.ceil(rest.total_seconds())
                return Told(state=message.state, attempts=message.attempts, wait_seconds=wait, detail=message.detail)
            return message

        return self._database.transact(work)

    def settle(self, message: Message, reply: Reply) -> Told:
        """Note what came of a try; return what is to be done next. 410 disables the endpoint."""

        def work(tx: Transaction) -> Told:
            now = self._clock.now()
            tried = replace(
                message,
                attempts=message.attempts + 1,
                attempted_at=now,
                status=reply.status,
                detail=(reply.problem or f"answered {reply.status}")[:500],
            )
            if reply.taken:
                after = replace(tried, state=MessageState.DELIVERED, due_at=None, finished_at=now, detail="")
                return self._noted(tx, message, after)
            if reply.status == GONE:
                reason = f"the endpoint answered {GONE} to {message.message_id}"
                tx.outbound.set_endpoint(
                    Endpoint(subscription=message.subscription, disabled_at=now, changed_by=ACTOR, reason=reason)
                )
                self._noted(tx, message, replace(tried, due_at=now))
                return Told(state=HELD, attempts=tried.attempts, detail=reason)
            ladder = self._subscriptions[message.subscription].ladder
            wait = next_wait(ladder, tried.attempts, reply.retry_after)
            if wait is None:
                return self._noted(tx, message, replace(tried, state=MessageState.DEAD, due_at=None, finished_at=now))
            told = self._noted(tx, message, replace(tried, due_at=now + wait + GRACE))
            if told.state == MessageState.PENDING and told.wait_seconds is None:
                return replace(told, wait_seconds=math.ceil(wait.total_seconds()))
            return told

        return self._database.transact(work)

    def redeliver(self, message_id: str, subscription: str | None) -> list[Message]:
        """Have a message sent again, to one subscription or all it went to; return what will be sent.

        Raises NotFound.
        """

        def work(tx: Transaction) -> list[Message]:
            found = [one for one in tx.outbound.by_id(message_id) if subscription in {None, one.subscription}]
            if not found:
                raise NotFound(f"no message {message_id}; `orders outbound list` shows them")
            for one in found:
                tx.outbound.again(one, self._clock.now() - OVERDUE)
            return found

        return self._database.transact(work)

    def redeliver_dead(self, subscription: str | None, limit: int) -> list[Message]:
        """Have the newest dead letters sent again; return them."""

        def work(tx: Transaction) -> list[Message]:
            found = tx.outbound.listed(MessageState.DEAD, subscription=subscription, limit=limit)
            for one in found:
                tx.outbound.again(one, self._clock.now() - OVERDUE)
            return found

        return self._database.transact(work)

    def enable(self, subscription: str, *, actor: str, reason: str) -> int:
        """Enable an endpoint that was disabled; what was held back is sent. Return how much is pending.

        Raises InvalidInput for a subscription that the settings do not have, or have switched off.
        """
        if subscription not in self._subscriptions:
            known = ", ".join(sorted(self._subscriptions)) or "none"
            raise InvalidInput(f"the settings have no enabled [outbound.{subscription}]; there are {known}")

        def work(tx: Transaction) -> int:
            endpoint = Endpoint(subscription=subscription, disabled_at=None, changed_by=actor, reason=reason)
            tx.outbound.set_endpoint(endpoint)
            return tx.outbound.counts().get((subscription, MessageState.PENDING), 0)

        return self._database.transact(work)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many messages are pending and dead, by subscription and state, those without any included."""
        found = self._database.transact(lambda tx: tx.outbound.counts())
        none = {(name, str(state)): 0 for name in self._subscriptions for state in _WAITING}
        return none | found

    def forget(self) -> int:
        """Remove some messages that are over for long; return how many."""
        now = self._clock.now()
        return self._database.transact(
            lambda tx: sum(tx.outbound.forget(state, now - kept) for state, kept in KEEP.items())
        )

    def _closed(self, tx: Transaction) -> frozenset[str]:
        return frozenset(name for name, one in tx.outbound.endpoints().items() if one.disabled_at is not None)

    def _noted(self, tx: Transaction, before: Message, after: Message) -> Told:
        """Note a try; where the message was changed meanwhile, that counts."""
        if not tx.outbound.save(before, after):
            current = tx.outbound.get(before.message_id, before.subscription)
            if current is None:
                return Told(state="unknown", attempts=before.attempts, detail="it was removed meanwhile")
            # A person had it sent again: so it is, by this very delivery.
            wait = 1 if current.state is MessageState.PENDING else None
            return Told(state=current.state, attempts=current.attempts, wait_seconds=wait, detail=current.detail)
        return Told(state=after.state, attempts=after.attempts, detail=after.detail)
