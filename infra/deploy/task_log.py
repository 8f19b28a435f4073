"""The end of a task's log, from CloudWatch. A log that cannot be read is told of and is no failure of the task."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.aws import code_of
from infra.deploy.task import identity

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef

TAIL_LINES = 60
_ARRIVES_WITHIN_SECONDS = 15
"""Lines reach CloudWatch some seconds after they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLog:
    """Where a container writes to."""

    group: str
    prefix: str
    container: str
    region: str | None

    def stream(self, arn: str) -> str:
        """Return the name of a task's stream, as the awslogs driver makes it."""
        return f"{self.prefix}/{self.container}/{identity(arn)}"


def log_of(container: "ContainerDefinitionOutputTypeDef") -> TaskLog | None:
    """Return where the container writes to, None when not to CloudWatch."""
    configuration = container.get("logConfiguration")
    if configuration is None or configuration["logDriver"] != "awslogs":
        return None
    options = configuration.get("options", {})
    return TaskLog(
        group=options.get("awslogs-group", ""),
        prefix=options.get("awslogs-stream-prefix", ""),
        container=container.get("name", ""),
        region=options.get("awslogs-region"),
    )


def tail(client: Any, log: TaskLog, arn: str, *, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Return the last lines that the task wrote, oldest first; instead of them, a line that says why there are none."""
    stream = log.stream(arn)
    for _ in range(_ARRIVES_WITHIN_SECONDS // 3):
        try:
            answer = client.get_log_events(
                logGroupName=log.group, logStreamName=stream, limit=TAIL_LINES, startFromHead=False
            )
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                return [_unread(log, stream, error)]
        except BotoCoreError as error:
            return [_unread(log, stream, error)]
        else:
            if answer["events"]:
                return [line for event in answer["events"] for line in str(event["message"]).splitlines()]
        pause(3)
    return [f"(nothing in {log.group}, stream {stream})"]


def _unread(log: TaskLog, stream: str, error: Exception) -> str:
    return f"(the log cannot be read: {error}; try `aws logs tail {log.group} --log-stream-names {stream}`)"
