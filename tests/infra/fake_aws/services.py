"""Services: moto forgets half of what it is told (and then Terraform would replace them), and never starts a task."""

from typing import Any

from moto.ecs.responses import EC2ContainerServiceResponse as Responses

_KEPT = {
    "capacityProviderStrategy": "capacity_provider_strategy",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "deploymentConfiguration": "deployment_configuration",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
}


def apply() -> None:
    """Keep what a service was told, and let every deployment be steady at once."""
    created, updated = Responses.create_service, Responses.update_service
    Responses.create_service = lambda self: _completed(self, created(self))
    Responses.update_service = lambda self: _completed(self, updated(self))


def _completed(request: Any, answer: Any) -> Any:
    service = answer.result["service"]
    for parameter, attribute in _KEPT.items():
        value = request._get_param(parameter)
        if value is not None:
            setattr(service, attribute, value)
    if request._get_param("capacityProviderStrategy"):
        service.launch_type = None
    service.running_count, service.pending_count = service.desired_count, 0
    for deployment in service.deployments:
        deployment |= {
            "desiredCount": service.desired_count,
            "runningCount": service.desired_count,
            "pendingCount": 0,
            "rolloutState": "COMPLETED",
            "taskDefinition": service.task_definition,
        }
    return answer
