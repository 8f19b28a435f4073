"""Whether a service of the worker sleeps or is awake: what is seen in, what it shall be out. No clock, no network.

Nothing is remembered from one look to the next. A service is woken by anything that may be work, and put to sleep only
when everything that could be work is known to be none: a wake-up in vain costs a minute of a small machine, a sleep
at the wrong time costs somebody's order its time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the task queues of one service hold: tasks, the age of the oldest, and whether any came or went just now."""

    tasks: int = 0
    oldest: timedelta = timedelta(0)
    moving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What happened: workflows of the service's queues that began or ended lately, and steps that run at this moment.

    Steps are those of all queues, for the code of one group has its steps done by others; None when that could not be
    told for certain.
    """

    recent: int
    under_way: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An ECS service as it is. `rolling`: a deployment is not through yet. `deployed_at`: when its newest began."""

    desired: int
    running: int
    rolling: bool
    deployed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many tasks the service shall have, None to leave it as it is, and why."""

    desired: int | None
    because: str


def decide(service: Service, waiting: Waiting, work: Work, *, awake: int, after: timedelta, now: datetime) -> Decision:
    """Decide about one service, which has `awake` tasks when it is awake and may sleep `after` so much quiet."""
    reason = _reason(service, waiting, work, after=after, now=now)
    if service.desired == 0:
        return Decision(desired=None, because="asleep") if reason is None else Decision(desired=awake, because=reason)
    if reason is not None:
        return Decision(desired=None, because=reason)
    if service.desired > awake:
        # Autoscaling takes away what it added; this takes away what is left then, so that neither undoes the other.
        return Decision(desired=None, because="autoscaling has more tasks than the fewest")
    if service.rolling or service.running != service.desired:
        return Decision(desired=None, because="its tasks are being changed")
    if work.under_way is None:
        return Decision(desired=None, because="what is under way is not known")
    if work.under_way:
        return Decision(desired=None, because="steps are under way")
    return Decision(desired=0, because=f"nothing to do for {int(after.total_seconds() // 60)} minutes")


def _reason(service: Service, waiting: Waiting, work: Work, *, after: timedelta, now: datetime) -> str | None:
    """Return why the service shall be awake, whether it is or not; None for no reason."""
    if waiting.tasks:
        return f"{waiting.tasks} tasks wait"
    if waiting.moving:
        return "tasks come and go"
    if work.recent:
        return f"{work.recent} workflows began or ended lately"
    # A release that nobody started is one of which nobody knows whether it starts.
    if now - service.deployed_at < after:
        return "a release is new"
    return None
