"""What an order takes along when its history has become long and it goes on as a new run of the same workflow.

The state of the order is in the book, and every step may be repeated; what remains is what only the run knows: which
messages it has answered, until when it waits, and its story. Each is bounded, so no run begins with a burden.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from worker.contract.orders import (
        CancelLines,
        LinesAnswer,
        OrderStatus,
        PaymentAnswer,
        PlaceOrder,
        RefundAnswer,
        RefundOrder,
        RetryPayment,
    )
    from worker.workflows.readdressing import Readdressed

SEEN_KEPT = 1000
"""Event ids. A sender repeats an event within days at most, and the inbox knows every event for good."""
STORY_KEPT = 40
"""Lines, of which the UI shows as much as fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Given to the next run. `wait` names what was waited for, until `deadline` (UTC)."""

    status: OrderStatus
    wait: str
    deadline: datetime
    seen: list[str] = field(default_factory=list)
    refunds: list[tuple[RefundOrder, RefundAnswer]] = field(default_factory=list)
    retries: list[tuple[RetryPayment, PaymentAnswer]] = field(default_factory=list)
    addresses: list[Readdressed] = field(default_factory=list)
    lines: list[tuple[CancelLines, LinesAnswer]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    parcel_left: bool = False
    lapsed: bool = False
    part_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInput(PlaceOrder):
    """Input of OrderWorkflow: an order as it is placed, and what an earlier run has left.

    One argument and not two: the SDK reads arguments by their types only if there are as many as the workflow takes,
    and runs that were started with one must go on.
    """

    carried: Carried | None = None

    @property
    def place(self) -> PlaceOrder:
        """The order alone."""
        return PlaceOrder(**{each.name: getattr(self, each.name) for each in fields(PlaceOrder)})

    @classmethod
    def next_run(cls, place: PlaceOrder, carried: Carried) -> "OrderInput":
        """Return the input of a run that goes on. The address stays behind: it is in the book, where it can be erased."""
        place = replace(place, ship_to=None)
        return cls(**{each.name: getattr(place, each.name) for each in fields(PlaceOrder)}, carried=carried)


class Seen:
    """The latest event ids, `most` of them, in the order in which they came."""

    def __init__(self, ids: Iterable[str] = (), most: int = SEEN_KEPT) -> None:
        self._ids = dict.fromkeys(ids)
        self._most = most

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def add(self, event_id: str) -> None:
        """Remember an id, and forget the oldest when there are too many."""
        self._ids[event_id] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]

    def discard(self, event_id: str) -> None:
        """Forget an id whose event was not taken in after all."""
        self._ids.pop(event_id, None)
