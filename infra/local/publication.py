"""Publishes what a stack looks like now, for those who look from outside: `orders dev status`, the next stack."""

import os
from collections.abc import Iterable

from infra.local import environment, pids, statefile
from infra.local.layout import Layout
from infra.local.supervised import State, Supervised


def publish(layout: Layout, members: Iterable[Supervised]) -> None:
    """Write the state file of the stack that this process supervises."""
    records = tuple(
        statefile.MemberRecord(
            name=each.name,
            state=each.state,
            pid=each.pid,
            started=pids.start_time(each.pid) if each.pid is not None else None,
            restarts=each.restarts,
            log=str(each.log),
        )
        for each in members
        # A one-off that is done is no process any more.
        if each.state is not State.DONE
    )
    statefile.write(
        statefile.StackRecord(
            directory=str(layout.directory),
            supervisor=os.getpid(),
            supervisor_started=pids.start_time(os.getpid()),
            members=records,
            ports=layout.ports,
            urls=layout.urls_to_show(),
            env=environment.settings_of(layout),
        ),
    )
