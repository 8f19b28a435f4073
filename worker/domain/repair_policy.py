"""What may be done about a break without a person, and when: a pure rule over policy, break and earlier attempts.

A repair is attempted at once, then again after each wait of the ladder while its break stays open. When the attempts
are used up, or a repaired break comes back, the break is a person's (`failed`) and is never touched silently again; a
person may begin a new round.

Attempts are numbered per break over all rounds. The number is part of the event's id, so an attempt that was cut off
between its record and its effect is finished under the same id, and whoever receives it twice takes it once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.finding import OPEN_STATUSES, Break, Repair, RepairState
from worker.domain.money import Money

LADDER = (
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)
"""Kill Bill's ladder for payments of unknown state; its last wait repeats."""


class RepairMode(StrEnum):
    """What the policy allows."""

    OFF = "off"
    DRY = "dry"
    """Record what would be done, and do nothing."""
    ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPolicy:
    """What the settings say about one kind of repair. Raises ValueError for a policy that means nothing."""

    mode: RepairMode = RepairMode.ON
    limits: Mapping[str, int] = field(default_factory=dict)
    """Largest amount repaired without a person, minor units by currency; empty: any. A currency without a limit
    beside others that have one is refused."""
    ladder: tuple[timedelta, ...] = LADDER
    """Wait after the first attempt, after the second, ...; the last one repeats."""
    most_attempts: int = 6

    def __post_init__(self) -> None:
        if not self.ladder or min(self.ladder) <= timedelta(0):
            raise ValueError("a ladder needs at least one wait, each longer than nothing")
        if self.most_attempts < 1:
            raise ValueError("a repair needs at least one attempt; use mode off instead")
        if any(limit < 0 for limit in self.limits.values()):
            raise ValueError("a limit is an amount of zero or more minor units")

    def wait_after(self, number: int) -> timedelta:
        """Return how long the attempt with this number (from 1, within its round) is given to take effect."""
        return self.ladder[min(number, len(self.ladder)) - 1]

    def excess(self, item: Break) -> str:
        """Return why the break's amount is too much for this policy; empty when it is not."""
        currency = item.finding.currency
        amount = max(item.finding.at_risk_minor, abs(item.finding.difference_minor))
        if not self.limits or not amount:
            return ""
        limit = self.limits.get(currency)
        if limit is None:
            return f"no limit is set for {currency}"
        if amount > limit:
            return f"{Money(amount, currency)} is over the limit of {Money(limit, currency)}"
        return ""


class AttemptOutcome(StrEnum):
    """What became of an attempt."""

    CLAIMED = "claimed"
    """Recorded before anything was done; one that stays so was cut off and is done again under its event id."""
    DELIVERED = "delivered"
    """The message was delivered, or the parcel asked for."""
    NOTHING = "nothing"
    """Its owner was asked, and there was nothing to deliver."""
    CONTRADICTED = "contradicted"
    """Its owner says the opposite of our books: only a person can tell who is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to repair a break, as recorded before it is made."""

    break_id: str
    number: int
    round: int
    repair: Repair
    run_id: str
    event_id: str
    claimed_at: datetime
    next_at: datetime
    """Not before this is the break judged by another attempt."""
    outcome: AttemptOutcome = AttemptOutcome.CLAIMED
    detail: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done about one break now."""

    state: RepairState
    reason: str = ""
    attempt: Attempt | None = None
    """Make this attempt; recorded already if its run or process was cut off."""
    next_at: datetime | None = None


def event_id(break_id: str, number: int) -> str:
    """Return the id under which an attempt's message is delivered: the same attempt, the same id."""
    return "repair-" + hashlib.sha256(f"{break_id}\n{number}".encode()).hexdigest()[:24]


def decide(policy: RepairPolicy, item: Break, attempts: Sequence[Attempt], *, run_id: str, now: datetime) -> Decision:
    """Return what to do about an open break; `attempts` are all that were ever recorded for it."""
    repair = item.finding.repair
    if item.repair_state is RepairState.FAILED:
        return Decision(state=RepairState.FAILED)
    if repair is Repair.NONE or item.status not in OPEN_STATUSES:
        return Decision(state=item.repair_state, next_at=item.repair_next_at)
    if policy.mode is RepairMode.OFF:
        return Decision(state=RepairState.NONE, reason=f"{repair} is off")
    if excess := policy.excess(item):
        return Decision(state=RepairState.REFUSED, reason=f"{repair} refused: {excess}")
    if policy.mode is RepairMode.DRY:
        return Decision(state=RepairState.WOULD, reason=f"would {repair.replace('_', ' ')} now; dry by policy")
    tried = [attempt for attempt in attempts if (attempt.round, attempt.repair) == (item.repair_round, repair)]
    if not tried:
        return _attempt(policy, item, attempts, tried, run_id, now)
    last = max(tried, key=lambda attempt: attempt.number)
    if last.outcome is AttemptOutcome.CLAIMED and (last.run_id == run_id or last.next_at <= now):
        return Decision(state=RepairState.REQUESTED, attempt=last, next_at=last.next_at)
    if now < last.next_at:
        return Decision(state=item.repair_state, next_at=last.next_at)
    if len(tried) >= policy.most_attempts:
        times = "one attempt" if len(tried) == 1 else f"{len(tried)} attempts"
        return Decision(state=RepairState.FAILED, reason=f"{repair} did not help in {times}")
    return _attempt(policy, item, attempts, tried, run_id, now)


def _attempt(
    policy: RepairPolicy, item: Break, attempts: Sequence[Attempt], tried: Sequence[Attempt], run_id: str, now: datetime
) -> Decision:
    number = 1 + max((attempt.number for attempt in attempts), default=0)
    next_at = now + policy.wait_after(len(tried) + 1)
    attempt = Attempt(
        break_id=item.break_id,
        number=number,
        round=item.repair_round,
        repair=item.finding.repair,
        run_id=run_id,
        event_id=event_id(item.break_id, number),
        claimed_at=now,
        next_at=next_at,
    )
    return Decision(state=RepairState.REQUESTED, attempt=attempt, next_at=next_at)
