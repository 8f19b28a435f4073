"""Alerts: their store, and how a notice reaches its endpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from worker.domain.alert import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one endpoint, kept until it is delivered. The same id is the same notice, however often sent."""

    notice_id: str
    endpoint: str
    alert_id: str
    document: Mapping[str, Any]
    """What is sent: `type`, `timestamp` and `data`, without personal data."""
    created_at: datetime
    outcome: str = "pending"
    """`pending`, `delivered` or `refused`."""
    detail: str = ""
    finished_at: datetime | None = None


class AlertStore(Protocol):
    """Alerts and their notices."""

    def newest(self, shop: str, provider: str, rule: str) -> Alert | None:
        """Return the rule's newest alert, or None before the first."""
        ...

    def save(self, alert: Alert, notices: Sequence[Notice]) -> None:
        """Insert or update an alert, and add what is to be told of it."""
        ...

    def pending(self, since: datetime) -> list[Notice]:
        """Return the notices that were made since then and are not delivered, oldest first."""
        ...

    def finish(self, notice: Notice) -> None:
        """Note what became of a notice."""
        ...

    def get(self, alert_id: str) -> Alert | None:
        """Return one alert or None."""
        ...

    def notices(self, alert_id: str) -> list[Notice]:
        """Return the notices of an alert, oldest first."""
        ...

    def listed(self, state: str | None, limit: int) -> list[Alert]:
        """Return the newest alerts, newest first."""
        ...


class Notifier(Protocol):
    """The way to the endpoints of the settings."""

    def send(self, notice: Notice) -> None:
        """Send one notice. Raises ProviderUnavailable (try again), ProviderRejected and InvalidInput (do not)."""
        ...
