"""What the waker is told: which services, which queues each polls, after how long they sleep, where Temporal is.

WAKER holds it as JSON, for Terraform writes it and no person does; the connection to Temporal is the functions' own
table of settings, and its key comes from the secret that a variable names (see functions.secret_store).
"""

import json
import os
from dataclasses import dataclass

from functions.secret_store import SecretStore
from worker.contract.settings import ConfigurationError, build, raw_settings
from worker.contract.temporal_tls import TemporalConfig, problems_of

VARIABLE = "WAKER"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """A service by what it is for: the task queues it polls, and how many tasks it has when it is awake."""

    queues: tuple[str, ...]
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WakerConfig:
    """The settings. `services` are by their ECS names."""

    cluster: str
    after_minutes: int
    services: dict[str, ServiceConfig]
    temporal: TemporalConfig

    @property
    def queues(self) -> list[str]:
        """Every queue, once."""
        return sorted({queue for service in self.services.values() for queue in service.queues})


def load() -> WakerConfig:
    """Read the secrets, then the settings. Raises ConfigurationError with every problem, SecretsUnavailable."""
    SecretStore().load()
    try:
        told = json.loads(os.environ.get(VARIABLE, ""))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ConfigurationError([f"{VARIABLE}: must be a JSON object; infra/aws/modules/waker writes it"])
    config = build(WakerConfig, {**told, "temporal": raw_settings().get("temporal", {})})
    problems = problems_of(config.temporal)
    if config.after_minutes < 1:
        problems.append("after_minutes: must be 1 or more")
    problems.extend(
        f"services.{name}: has a queue at least, and a task when it is awake"
        for name, service in config.services.items()
        if not service.queues or service.tasks < 1
    )
    if problems:
        raise ConfigurationError(sorted(problems))
    return config
