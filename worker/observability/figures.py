"""What the books say at one moment, as it is shown: plain numbers, sampled from MySQL and read by the exporters.

Labels are bounded: shops and providers of the settings, states, kinds and ages of this program, ISO currencies; never
an id, never a person. Amounts are minor units, times are UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Where money moved: of one shop, through one provider, in one currency."""

    shop: str
    provider: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was captured and what was refunded since the books began, minor units, both positive."""

    captured_minor: int = 0
    refunded_minor: int = 0

    def plus(self, other: "Moved") -> "Moved":
        """Return both together."""
        return Moved(
            captured_minor=self.captured_minor + other.captured_minor,
            refunded_minor=self.refunded_minor + other.refunded_minor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBreaks:
    """Open breaks that have all of this in common. `at_risk_minor` is what may be lost, minor units."""

    shop: str
    provider: str
    kind: str
    currency: str
    age: str
    count: int
    at_risk_minor: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The newest finished reconciliation of a shop and provider."""

    shop: str
    provider: str
    verdict: str
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A sample. Empty parts mean that there is nothing, not that it is unknown."""

    at: datetime
    orders: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By shop and state."""
    money: Mapping[Account, Moved] = field(default_factory=dict)
    breaks: tuple[OpenBreaks, ...] = ()
    oldest_event_at: datetime | None = None
    """When the oldest event came in that nothing has become of yet."""
    waiting_events: int = 0
    dead_events: Mapping[str, int] = field(default_factory=dict)
    """Events of the last day that nothing could process, by what became of them."""
    runs: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Reconciliations that began within the last day, by shop, provider and verdict (empty: running)."""
    last_runs: tuple[LastRun, ...] = ()
