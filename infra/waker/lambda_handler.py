"""AWS Lambda, once a minute: looks whether there is work, wakes the worker's services, and lets them sleep.

Whatever goes wrong (Temporal or ECS does not answer, a setting is missing) leaves every service as it is and fails the
invocation, which an alarm watches. So does work that waits although its service was woken: somebody must look.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.waker import services, work
from infra.waker.decision import Decision, Service, Waiting, Work, decide
from infra.waker.settings import WakerConfig, load

OVERDUE = timedelta(minutes=15)
"""A task older than this is not waiting for a service that wakes up: that takes two minutes."""

_log = logging.getLogger(__name__)
_config: WakerConfig | None = None


class WorkIsOverdue(Exception):
    """Work waits although its service is, or should be, awake."""


def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Look once, and return for each service what was decided and why. Raises what stopped it."""
    global _config  # noqa: PLW0603 - read once for the life of the execution environment, as Lambda is meant to be used
    try:
        _config = _config or load()
        told = asyncio.run(look(_config, datetime.now(UTC)))
    except Exception:
        # Perhaps the secret was changed: the next look reads it again.
        _config = None
        raise
    return told


async def look(config: WakerConfig, now: datetime) -> dict[str, Any]:
    """Decide about every service and change those that need it. Raises WorkIsOverdue after having done so."""
    client = await work.connected(config.temporal)
    after = timedelta(minutes=config.after_minutes)
    found = services.described(config.cluster, list(config.services))
    waiting = {name: await work.waiting(client, each.queues) for name, each in config.services.items()}
    recent = {name: await work.recent(client, each.queues, now - after) for name, each in config.services.items()}

    def decided(under_way: int | None) -> dict[str, Decision]:
        return {
            name: decide(
                found[name],
                waiting[name],
                Work(recent=recent[name], under_way=under_way),
                awake=each.tasks,
                after=after,
                now=now,
            )
            for name, each in config.services.items()
        }

    decisions = decided(under_way=0)
    # Only who is about to sleep is asked what it is doing: that is a question for each open workflow.
    if any(each.desired == 0 for each in decisions.values()):
        decisions = decided(await work.under_way(client, config.queues))
    for name, decision in decisions.items():
        if decision.desired is not None:
            services.resize(config.cluster, name, decision.desired)
            _log.info("%s", json.dumps({"service": name, "tasks": decision.desired, "because": decision.because}))
    _complain(found, waiting)
    return {name: {"tasks": each.desired, "because": each.because} for name, each in decisions.items()}


def _complain(found: Mapping[str, Service], waiting: Mapping[str, Waiting]) -> None:
    overdue = [
        f"{name} ({found[name].running} of {found[name].desired} tasks run) has had work for "
        f"{int(each.oldest.total_seconds() // 60)} minutes"
        for name, each in waiting.items()
        if each.oldest > OVERDUE
    ]
    if overdue:
        raise WorkIsOverdue(f"{'; '.join(overdue)}: its log and the events of the service say why nobody does it")
