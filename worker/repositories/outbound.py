"""Messages to subscriptions, in MySQL: an outbox, written with the change it tells of and sent afterwards."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.mysql import insert

from worker.domain.order import Order
from worker.domain.outbound import (
    Endpoint,
    Message,
    MessageState,
    Subscription,
    Sums,
    Tellable,
    body_of,
    message_id_of,
)
from worker.repositories.held_orders import HeldOrders
from worker.repositories.order_sums import OrderSums, sums_of_one
from worker.repositories.timeline_tables import OUTBOUND_ENDPOINTS, OUTBOUND_MESSAGES

_M = OUTBOUND_MESSAGES.c
_ONE = (_M.message_id == bindparam("of_message"), _M.subscription == bindparam("of_subscription"))
_INSERT = insert(OUTBOUND_MESSAGES)
# Told again it stays as it is: it may have been sent meanwhile.
_ONCE = _INSERT.on_duplicate_key_update(message_id=_M.message_id)
_GET = select(OUTBOUND_MESSAGES).where(*_ONE)
_BY_ID = select(OUTBOUND_MESSAGES).where(_M.message_id == bindparam("of_message")).order_by(_M.subscription)
_DUE = (
    select(OUTBOUND_MESSAGES)
    .where(
        _M.state == MessageState.PENDING.value,
        _M.subscription == bindparam("of_subscription"),
        _M.due_at <= bindparam("now"),
    )
    .order_by(_M.due_at)
    .limit(bindparam("at_most"))
)
_POSTPONE = (
    update(OUTBOUND_MESSAGES).where(*_ONE, _M.state == MessageState.PENDING.value).values(due_at=bindparam("due"))
)
_SAVE = (
    update(OUTBOUND_MESSAGES)
    .where(*_ONE, _M.state == MessageState.PENDING.value, _M.attempts == bindparam("before"))
    .values(
        state=bindparam("to_state"),
        attempts=bindparam("made"),
        due_at=bindparam("due"),
        attempted_at=bindparam("tried"),
        status=bindparam("answered"),
        detail=bindparam("said"),
        finished_at=bindparam("finished"),
    )
)
_AGAIN = (
    update(OUTBOUND_MESSAGES)
    .where(*_ONE)
    .values(state=MessageState.PENDING.value, attempts=0, due_at=bindparam("due"), finished_at=None)
)
_COUNTS = (
    select(_M.subscription, _M.state, func.count().label("messages"))
    .where(_M.state.in_([MessageState.PENDING.value, MessageState.DEAD.value]))
    .group_by(_M.subscription, _M.state)
)
_DIED = select(func.count()).where(_M.state == MessageState.DEAD.value, _M.finished_at >= bindparam("since"))
_DEAD = select(func.count()).where(_M.state == MessageState.DEAD.value, _M.shop == bindparam("of_shop"))
_FORGET = (
    delete(OUTBOUND_MESSAGES)
    .where(_M.state == bindparam("of_state"), _M.created_at < bindparam("before"))
    .with_dialect_options(mysql_limit=1000)
)
_ENDPOINTS = select(OUTBOUND_ENDPOINTS).order_by(OUTBOUND_ENDPOINTS.c.subscription)
_SET_ENDPOINT = insert(OUTBOUND_ENDPOINTS)
_SET_ENDPOINT = _SET_ENDPOINT.on_duplicate_key_update(
    {name: _SET_ENDPOINT.inserted[name] for name in ("disabled_at", "changed_by", "reason")}
)


class MysqlOutboundStore:
    """Implements `OutboundStore`. `subscriptions` are told of a change in its own transaction."""

    def __init__(self, connection: Connection, subscriptions: Sequence[Subscription], held: HeldOrders) -> None:
        self._connection = connection
        self._subscriptions = subscriptions
        self._held = held
        self._gathered: list[tuple[Tellable, Sums | None]] = []
        self.wrote = False

    def changed(self, change: Tellable) -> None:
        """Gather what has to be told, with the order's money as it is now where the order is locked."""
        if any(each.wants(change) for each in self._subscriptions):
            held = self._held.get((change.shop, change.order_id))
            self._gathered.append((change, None if held is None else _sums(held.order)))

    def write(self) -> None:
        """Write a message for each change and subscription that wants it."""
        if not self._gathered:
            return
        told = [(change, sums or self._read_sums(change)) for change, sums in self._gathered]
        rows = [
            {
                "message_id": message_id_of(change),
                "subscription": subscription.name,
                "shop": change.shop,
                "order_id": change.order_id,
                "kind": change.kind,
                "body": body_of(change, sums),
                "created_at": change.at,
                "state": MessageState.PENDING.value,
                "attempts": 0,
                "due_at": change.at,
                "detail": "",
            }
            for change, sums in told
            for subscription in self._subscriptions
            if subscription.wants(change)
        ]
        self._connection.execute(_ONCE, rows)
        self._gathered.clear()
        self.wrote = True

    def _read_sums(self, change: Tellable) -> Sums:
        return _sums(sums_of_one(self._connection, change.shop, change.order_id, change.currency))

    def due(self, subscription: str, now: datetime, at_most: int) -> list[Message]:
        """Return pending messages of a subscription whose delivery is to be started, the longest due first."""
        asked = {"of_subscription": subscription, "now": now, "at_most": at_most}
        return [_message(row) for row in self._connection.execute(_DUE, asked)]

    def get(self, message_id: str, subscription: str) -> Message | None:
        """Return one message or None."""
        row = self._connection.execute(_GET, _key(message_id, subscription)).one_or_none()
        return None if row is None else _message(row)

    def by_id(self, message_id: str) -> list[Message]:
        """Return the messages of one change, by subscription."""
        return [_message(row) for row in self._connection.execute(_BY_ID, {"of_message": message_id})]

    def postpone(self, messages: Iterable[Message], due_at: datetime) -> None:
        """Have pending messages started (again) at this time."""
        rows = [{**_key(one.message_id, one.subscription), "due": due_at} for one in messages]
        if rows:
            self._connection.execute(_POSTPONE, rows)

    def save(self, before: Message, after: Message) -> bool:
        """Note what became of a try; False, and nothing changed, when somebody else noted one meanwhile."""
        values = {
            **_key(before.message_id, before.subscription),
            "before": before.attempts,
            "to_state": after.state.value,
            "made": after.attempts,
            "due": after.due_at,
            "tried": after.attempted_at,
            "answered": after.status,
            "said": after.detail,
            "finished": after.finished_at,
        }
        return self._connection.execute(_SAVE, values).rowcount == 1

    def again(self, message: Message, at: datetime) -> None:
        """Have a message sent again from its ladder's first step, whatever became of it."""
        self._connection.execute(_AGAIN, {**_key(message.message_id, message.subscription), "due": at})

    def listed(self, state: MessageState, *, subscription: str | None, limit: int) -> list[Message]:
        """Return the newest messages in a state, newest first."""
        statement = select(OUTBOUND_MESSAGES).where(_M.state == state.value)
        if subscription is not None:
            statement = statement.where(_M.subscription == subscription)
        newest = statement.order_by(_M.created_at.desc(), _M.message_id.desc(), _M.subscription.desc()).limit(limit)
        return [_message(row) for row in self._connection.execute(newest)]

    def of_order(self, shop: str, order_id: str) -> list[Message]:
        """Return the messages about an order, oldest first."""
        rows = self._connection.execute(
            select(OUTBOUND_MESSAGES)
            .where(_M.shop == shop, _M.order_id == order_id)
            .order_by(_M.created_at, _M.message_id, _M.subscription)
        )
        return [_message(row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many messages are pending and dead, by subscription and state."""
        return {(row.subscription, row.state): row.messages for row in self._connection.execute(_COUNTS)}

    def died(self, since: datetime) -> int:
        """Return how many dead messages died since then."""
        return int(self._connection.execute(_DIED, {"since": since}).scalar_one())

    def dead(self, shop: str) -> int:
        """Return how many dead messages a shop has."""
        return int(self._connection.execute(_DEAD, {"of_shop": shop}).scalar_one())

    def forget(self, state: MessageState, before: datetime) -> int:
        """Remove some of the messages in a state that are from before then; return how many."""
        return self._connection.execute(_FORGET, {"of_state": state.value, "before": before}).rowcount

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints that were ever disabled, by subscription."""
        return {
            row.subscription: Endpoint(
                subscription=row.subscription,
                disabled_at=row.disabled_at,
                changed_by=row.changed_by,
                reason=row.reason,
            )
            for row in self._connection.execute(_ENDPOINTS)
        }

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Disable an endpoint, or enable it."""
        self._connection.execute(
            _SET_ENDPOINT,
            {
                "subscription": endpoint.subscription,
                "disabled_at": endpoint.disabled_at,
                "changed_by": endpoint.changed_by,
                "reason": endpoint.reason,
            },
        )


def _sums(found: Order | OrderSums) -> Sums:
    return Sums(captured_minor=found.captured_minor, refunded_minor=found.refunded_minor)


def _key(message_id: str, subscription: str) -> dict[str, str]:
    return {"of_message": message_id, "of_subscription": subscription}


def _message(row: Row[Any]) -> Message:
    return Message(
        message_id=row.message_id,
        subscription=row.subscription,
        shop=row.shop,
        order_id=row.order_id,
        kind=row.kind,
        body=row.body,
        created_at=row.created_at,
        state=MessageState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        attempted_at=row.attempted_at,
        status=row.status,
        detail=row.detail,
        finished_at=row.finished_at,
    )
