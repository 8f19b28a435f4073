"""A one-off task like those of a running service: its task definition, its network, and a command of one's own.

How an operator runs `orders` in the cloud: the database is reachable from there alone, and nobody logs in to a task.
"""

from typing import TYPE_CHECKING

from infra.deploy.aws import translated
from infra.deploy.errors import NotConfigured
from infra.deploy.task import TaskRequest

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient


def like(
    client: "ECSClient", *, cluster: str, service: str, command: tuple[str, ...], timeout_seconds: int
) -> TaskRequest:
    """Return the request of a task like a service's. Raises NotConfigured when there is none, and what AWS refuses."""
    with translated(f"reading the service {service}"):
        answer = client.describe_services(cluster=cluster, services=[service])
    running = next((each for each in answer["services"] if each.get("status") == "ACTIVE"), None)
    network = running.get("networkConfiguration", {}).get("awsvpcConfiguration") if running else None
    if running is None or network is None:
        raise NotConfigured(
            f"there is no service {service} in the cluster {cluster}: `terraform output service_names` shows them"
        )
    return TaskRequest(
        cluster=cluster,
        task_definition=running["taskDefinition"],
        subnets=tuple(network["subnets"]),
        security_groups=tuple(network.get("securityGroups", [])),
        assign_public_ip=network.get("assignPublicIp") == "ENABLED",
        command=command,
        timeout_seconds=timeout_seconds,
    )
