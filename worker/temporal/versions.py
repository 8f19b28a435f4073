"""Versions of the worker, as Temporal's Worker Deployments know them: listed, made current, ramped.

A worker whose settings name its release announces it, and the server hands it workflow tasks only once its version is
the current one. Workflows are AUTO_UPGRADE: they go on with the current version at their next task, and patches with
recorded histories keep that safe. So a release that rolls out must become current, and not before it polls: tasks
would wait for nobody. The deployment's gate runs before there is such a worker; therefore the workers see to it
themselves (`promote`), all of them, as often as they like. They leave alone what an operator decided: a version that
was current before comes back only by `set_current`, or when nobody polls for the current one any more (a release that
was taken back).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.domain.errors import Conflict, NotFound
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT, default_identity

DEPLOYMENT = "orders"
"""The deployment that every version of this worker belongs to."""
UNVERSIONED = "unversioned"
"""Stands for workers whose settings name no release."""
SILENT_AFTER = timedelta(seconds=90)
"""A poll lasts a minute at most: who has not polled for so long is gone."""

_log = logging.getLogger(__name__)
_STATUS = {
    number: name.removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_").lower()
    for name, number in WorkerDeploymentVersionStatus.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version. `status` is current, ramping, draining (workflows may still be on it), drained or inactive (new)."""

    build_id: str
    status: str
    first_seen_at: datetime | None
    current_since: datetime | None
    ever_current: bool
    ramp_percent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """All versions, the newest first. `current` is `unversioned` while workers without a release do the work."""

    current: str
    ramping: str
    ramp_percent: float
    changed_by: str
    versions: tuple[Version, ...]
    conflict_token: bytes = b""

    def get(self, build_id: str) -> Version | None:
        """Return one version or None."""
        return next((version for version in self.versions if version.build_id == build_id), None)


async def listed(client: Client) -> Versions:
    """Return the versions the server knows; none while no worker announced one. Raises ProviderUnavailable."""
    try:
        answer = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Versions(current=UNVERSIONED, ramping="", ramp_percent=0.0, changed_by="", versions=())
        raise_for(error, f"worker deployment {DEPLOYMENT}")
    return _versions(answer)


async def set_current(client: Client, build_id: str, *, actor: str, known: Versions | None = None) -> None:
    """Make a version the current one (`unversioned`: the workers without a release), whatever ramps.

    Raises NotFound for a version of which no worker was seen, Conflict when it does not poll every queue that the
    current one does, or when somebody else changed the routing since `known` was read.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id="" if build_id == UNVERSIONED else build_id,
        conflict_token=known.conflict_token if known is not None else b"",
        identity=actor,
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        _refused(error, build_id)


async def set_ramping(client: Client, build_id: str, percent: float, *, actor: str) -> None:
    """Give a version so many percent of the workflows (0: it gets none again). Raises as `set_current` does."""
    request = SetWorkerDeploymentRampingVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build_id if percent else "",
        percentage=percent,
        identity=actor,
    )
    try:
        await client.workflow_service.set_worker_deployment_ramping_version(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        _refused(error, build_id)


async def promote(client: Client, release: str, queues: Sequence[str]) -> bool:
    """Make the version of this worker current where nobody decided otherwise; return whether it was this that did.

    It may be done by every replica, at any time; one that is refused (another one was quicker, or not all queues
    are polled yet) is done by the next round. Raises ProviderUnavailable.
    """
    known = await listed(client)
    own = known.get(release)
    if own is None or release in {known.current, known.ramping}:
        return False
    if own.ever_current and await _polls(client, known.current, queues):
        return False
    try:
        await set_current(client, release, actor=default_identity(), known=known)
    except (Conflict, NotFound) as refusal:
        _log.info("not the current version yet", extra={"release": release, "cause": str(refusal)})
        return False
    _log.info("the current version", extra={"release": release, "before": known.current})
    return True


async def _polls(client: Client, build_id: str, queues: Sequence[str]) -> bool:
    """Tell whether any worker of a version polled one of these queues lately."""
    since = datetime.now(UTC) - SILENT_AFTER
    for queue in queues:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            found = await client.workflow_service.describe_task_queue(request, retry=True, timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise_for(error, f"task queue {queue}")
        for poller in found.pollers:
            at = _moment(poller.last_access_time)
            if at is not None and at >= since and (poller.deployment_options.build_id or UNVERSIONED) == build_id:
                return True
    return False


def _versions(answer: DescribeWorkerDeploymentResponse) -> Versions:
    info = answer.worker_deployment_info
    routing = info.routing_config
    ramping = routing.ramping_deployment_version.build_id
    found = [
        Version(
            build_id=each.deployment_version.build_id,
            status=_STATUS.get(each.status, "unspecified"),
            first_seen_at=_moment(each.create_time),
            current_since=_moment(each.current_since_time),
            ever_current=_moment(each.last_current_time) is not None or _moment(each.current_since_time) is not None,
            ramp_percent=routing.ramping_version_percentage if each.deployment_version.build_id == ramping else 0.0,
        )
        for each in info.version_summaries
    ]
    never = datetime.min.replace(tzinfo=UTC)
    return Versions(
        current=routing.current_deployment_version.build_id or UNVERSIONED,
        ramping=ramping,
        ramp_percent=routing.ramping_version_percentage,
        changed_by=info.last_modifier_identity,
        versions=tuple(sorted(found, key=lambda version: version.first_seen_at or never, reverse=True)),
        conflict_token=answer.conflict_token,
    )


def _moment(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.seconds > 0 else None


def _refused(error: RPCError, build_id: str) -> None:
    if error.status is RPCStatusCode.NOT_FOUND:
        raise NotFound(
            f"no worker of version {build_id} was seen; `orders worker versions` lists those that were"
        ) from error
    if error.status is RPCStatusCode.FAILED_PRECONDITION:
        raise Conflict(f"version {build_id} cannot take over: {error.message}") from error
    raise_for(error, f"worker version {build_id}")
