"""The services at ECS: how they are, and how many tasks they shall have. Two calls, and no right to any other."""

import os
from datetime import UTC, datetime
from typing import Any

from functions.aws_call import Operation, ask
from infra.waker.decision import Service

_TARGET = "AmazonEC2ContainerServiceV20141113"
_DESCRIBE = Operation(service="ecs", target=f"{_TARGET}.DescribeServices", called="ECS")
_UPDATE = Operation(service="ecs", target=f"{_TARGET}.UpdateService", called="ECS")
_SECONDS = 5.0
MOST = 10
"""Services that one question may name; ECS takes no more."""


class EcsRefused(Exception):
    """ECS answered with an error, or does not know a service. The message says which."""


def described(cluster: str, names: list[str]) -> dict[str, Service]:
    """Return the services by name. Raises EcsRefused (also when one is not there) and AwsUnavailable."""
    found: dict[str, Service] = {}
    for first in range(0, len(names), MOST):
        answer = _asked(_DESCRIBE, {"cluster": cluster, "services": names[first : first + MOST]})
        found |= {str(each["serviceName"]): _service(each) for each in answer["services"] if _is_there(each)}
    missing = sorted(set(names) - found.keys())
    if missing:
        raise EcsRefused(f"the cluster {cluster} has no service {', '.join(missing)}: apply the environment again")
    return found


def resize(cluster: str, name: str, tasks: int) -> None:
    """Give a service that many tasks; ECS starts them, or tells them to end. Raises EcsRefused, AwsUnavailable."""
    _asked(_UPDATE, {"cluster": cluster, "service": name, "desiredCount": tasks})


def _asked(operation: Operation, question: dict[str, Any]) -> dict[str, Any]:
    status, answer = ask(operation, question, os.environ, _SECONDS)
    if status != 200:
        kind = str(answer.get("__type", "")).rpartition("#")[2]
        raise EcsRefused(f"{operation.target.rpartition('.')[2]}: ECS answers {status} {kind}")
    return answer


def _is_there(told: dict[str, Any]) -> bool:
    return bool(told.get("status", "ACTIVE") == "ACTIVE" and told.get("deployments"))


def _service(told: dict[str, Any]) -> Service:
    newest = next((each for each in told["deployments"] if each.get("status") == "PRIMARY"), told["deployments"][0])
    return Service(
        desired=int(told["desiredCount"]),
        running=int(told["runningCount"]),
        # Without a circuit breaker ECS tells no state of a rollout; ours have one.
        rolling=len(told["deployments"]) > 1 or newest.get("rolloutState", "COMPLETED") != "COMPLETED",
        deployed_at=datetime.fromtimestamp(float(newest["createdAt"]), UTC),
    )
