"""Workflows whose code fails: the server asks a worker again and again, and nothing else happens.

The server says so itself, in a search attribute of its own, when a workflow task has failed several times in a row.
What helps is another release: a bug in workflow code, or code that contradicts the history.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT

_PROBLEMS = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
_QUERY = f"{_PROBLEMS.name} IS NOT NULL AND ExecutionStatus = 'Running'"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingTask:
    """A workflow that cannot go on. `problems` are the server's words, without any of the workflow's."""

    workflow_id: str
    run_id: str
    workflow: str
    started_at: datetime
    problems: tuple[str, ...]


async def failing_tasks(client: Client, limit: int) -> list[FailingTask] | None:
    """Return the workflows that cannot go on; None when the server is too old to know. Raises ProviderUnavailable."""
    found: list[FailingTask] = []
    try:
        async for each in client.list_workflows(_QUERY, limit=limit, rpc_timeout=RPC_TIMEOUT):
            problems = each.typed_search_attributes.get(_PROBLEMS, ())
            found.append(
                FailingTask(
                    workflow_id=each.id,
                    run_id=each.run_id,
                    workflow=each.workflow_type,
                    started_at=each.start_time,
                    problems=tuple(problems),
                )
            )
    except RPCError as error:
        _raise_unless_unknown(error)
        return None
    return found


async def count_failing_tasks(client: Client) -> int:
    """Return how many workflows cannot go on; 0 from a server that is too old to know. Raises ProviderUnavailable."""
    try:
        return (await client.count_workflows(_QUERY, rpc_timeout=RPC_TIMEOUT)).count
    except RPCError as error:
        _raise_unless_unknown(error)
        return 0


def _raise_unless_unknown(error: RPCError) -> None:
    """Let pass what a server answers that has no such attribute; raise everything else."""
    if error.status is not RPCStatusCode.INVALID_ARGUMENT:
        raise_for(error, "the workflows that cannot go on")
