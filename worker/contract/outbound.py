"""Messages about webhooks we send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Input of NotificationWorkflow: which message goes to which subscription. What it says stands in MySQL."""

    subscription: str
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationResult:
    """How a delivery ended: `delivered`, `dead`, `held` (its endpoint is disabled) or `unknown`."""

    state: str
    attempts: int
    detail: str = ""
