"""Workflow ids: the idempotency keys of the whole system.

An id names a fact of the outside world (an order, an event, a window), so starting it twice is one start.
Parts may not contain "/", which separates them; parts that come from outside are checked by `is_valid_part`.
"""

import hashlib
import re

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#@+-]{0,127}")
"""What may stand as one part of a workflow id."""


def is_valid_part(text: str) -> bool:
    """Tell whether `text` may stand as one part of a workflow id (1 to 128 characters, no slash, no space)."""
    return PART.fullmatch(text) is not None


def order_workflow_id(shop: str, order_id: str) -> str:
    """Return the id of the one workflow an order has: `order/{shop}/{order_id}`."""
    return _join("order", shop, order_id)


def refund_workflow_id(shop: str, order_id: str, request_id: str) -> str:
    """Return the id of a refund after the order's process has ended: `refund/{shop}/{order_id}/{request_id}`."""
    return _join("refund", shop, order_id, request_id)


def resolution_workflow_id(shop: str, order_id: str) -> str:
    """Return the id of a person's decision about an order: `resolve/{shop}/{order_id}`."""
    return _join("resolve", shop, order_id)


def notification_workflow_id(subscription: str, message_id: str) -> str:
    """Return the id of the delivery of one message to one subscription: `notify/{subscription}/{message_id}`."""
    return _join("notify", subscription, message_id)


def user_workflow_id(user_id: str) -> str:
    """Return the id of the one workflow a user has: `user/{user_id}`."""
    return _join("user", user_id)


def address_workflow_id(user_id: str, change_id: str) -> str:
    """Return the id of one change of a user's address: `address/{user_id}/{change_id}`."""
    return _join("address", user_id, change_id)


def user_of(workflow_id: str) -> str | None:
    """Return whose workflow this is, None for one that is no user's."""
    kind, _, rest = workflow_id.partition("/")
    return rest.partition("/")[0] if kind in {"user", "address"} else None


def event_workflow_id(source: str, event_id: str) -> str:
    """Return the id of the one workflow an outside event has: `event/{source}/{event_id}`."""
    return _join("event", source, event_id)


def replay_workflow_id(source: str, event_id: str) -> str:
    """Return the id of the replays of an outside event, one after another: `replay/{source}/{event_id}`."""
    return _join("replay", source, event_id)


def reconciliation_workflow_id(shop: str, provider: str, window: str) -> str:
    """Return the id of a reconciliation: `reconcile/{shop}/{provider}/{window}`.

    `window` is `{start}..{end}` in compact UTC for an asked-for window, or the statement's digest; the runs
    of a schedule get their nominal time appended by the Temporal server instead.
    """
    return _join("reconcile", shop, provider, window)


def fingerprint(payload: bytes) -> str:
    """Return the SHA-256 (hex) by which two requests under one id are compared."""
    return hashlib.sha256(payload).hexdigest()


def _join(*parts: str) -> str:
    for part in parts:
        if not is_valid_part(part):
            raise ValueError(f"not usable in a workflow id: {part[:140]!r}")
    return "/".join(parts)
