"""One run of an ECS task: started, watched until it has stopped, and what became of it.

A task that could not be started a moment after its roles were made is tried again: IAM tells its news with a delay. A
task that runs too long is left alone: it may be in the middle of a migration, and the next one waits for its lock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.advice import advice
from infra.deploy.aws import message_of, translated
from infra.deploy.errors import TaskNotStarted, TaskUnfinished

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient
    from types_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef, TaskOverrideTypeDef, TaskTypeDef

_STARTING_SECONDS = 120
"""How long a start is repeated that failed for a reason which passes."""
_POLL_SECONDS = 3
_TELL_EVERY_SECONDS = 30
_PASSES = ("assume the role", "assume the service linked role", "capacity is unavailable", "throttl")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """What to run and where. `command` takes the place of the image's when it is not empty."""

    cluster: str
    task_definition: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool = False
    command: tuple[str, ...] = ()
    timeout_seconds: int = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """How a task ended: the exit status of its program, and AWS's word about it when it had one."""

    arn: str
    exit_code: int
    reason: str


@dataclass(kw_only=True)
class TaskRun:
    """Starts and watches one task, telling of it through `say`."""

    client: "ECSClient"
    request: TaskRequest
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.now()

    def container(self) -> "ContainerDefinitionOutputTypeDef":
        """Return the definition of the container that counts. Raises Refused, NotConfigured, Unavailable."""
        name = self.request.task_definition
        with translated(f"reading the task definition {name}"):
            answer = self.client.describe_task_definition(taskDefinition=name)
        containers = answer["taskDefinition"].get("containerDefinitions", [])
        return next((each for each in containers if each.get("essential", True)), containers[0])

    def start(self, container: str) -> str:
        """Start the task and return its ARN. Raises TaskNotStarted, Refused, NotConfigured, Unavailable."""
        told = ""
        while True:
            arn, problem = self._try(container)
            if arn is not None:
                self.say(f"task {identity(arn)} started in {self.request.cluster.rpartition('/')[2]}")
                return arn
            passes = any(words in problem.lower() for words in _PASSES)
            if not passes or self.now() - self._began > _STARTING_SECONDS:
                raise TaskNotStarted(f"the task was not started: {problem}\n{advice(problem)}")
            if problem != told:
                self.say(f"cannot start yet, trying again: {problem}")
                told = problem
            self.pause(_POLL_SECONDS)

    def wait(self, arn: str) -> TaskEnd:
        """Wait until the task has stopped. Raises TaskNotStarted, TaskUnfinished and what AWS refuses."""
        status, told_at = "", self.now()
        while True:
            task = self._describe(arn)
            elapsed = self.now() - self._began
            if task is not None and task.get("lastStatus", "") != status:
                status, told_at = task.get("lastStatus", ""), self.now()
                self.say(f"task {identity(arn)} is {status}, {elapsed:.0f} s")
            elif self.now() - told_at >= _TELL_EVERY_SECONDS:
                told_at = self.now()
                self.say(f"task {identity(arn)} is still {status or 'unknown'}, {elapsed:.0f} s")
            if task is not None and status == "STOPPED":
                return _end(arn, task)
            if elapsed > self.request.timeout_seconds:
                raise TaskUnfinished(
                    f"the task is {status or 'unknown'} after {elapsed:.0f} s and was left running: cutting off a "
                    "migration would harm.\nTry again when it has ended (the next one waits for its lock), or stop it:"
                    f"\n  aws ecs stop-task --cluster {self.request.cluster} --task {arn}"
                )
            self.pause(_POLL_SECONDS)

    def _try(self, container: str) -> tuple[str | None, str]:
        """Ask once for a start; return the task's ARN, or None and why not."""
        request = self.request
        overrides: TaskOverrideTypeDef = {}
        if request.command:
            overrides = {"containerOverrides": [{"name": container, "command": list(request.command)}]}
        with translated(f"starting a task of {request.task_definition}"):
            try:
                answer = self.client.run_task(
                    cluster=request.cluster,
                    taskDefinition=request.task_definition,
                    count=1,
                    launchType="FARGATE",
                    startedBy="infra.deploy",
                    networkConfiguration={
                        "awsvpcConfiguration": {
                            "subnets": list(request.subnets),
                            "securityGroups": list(request.security_groups),
                            "assignPublicIp": "ENABLED" if request.assign_public_ip else "DISABLED",
                        }
                    },
                    overrides=overrides,
                )
            except ClientError as error:
                if any(words in message_of(error).lower() for words in _PASSES):
                    return None, message_of(error)
                raise
        for task in answer.get("tasks", []):
            return task["taskArn"], ""
        failures = [f"{each.get('reason', '?')} {each.get('detail', '')}".strip() for each in answer["failures"]]
        return None, "; ".join(failures) or "ECS answered with neither a task nor a reason"

    def _describe(self, arn: str) -> "TaskTypeDef | None":
        """Return the task, or None when ECS does not know it yet or did not answer."""
        with translated("asking for the task (which goes on by itself)"):
            try:
                answer = self.client.describe_tasks(cluster=self.request.cluster, tasks=[arn])
            except BotoCoreError as error:
                self.say(f"AWS does not answer, asking again: {error}")
                return None
        return answer["tasks"][0] if answer.get("tasks") else None


def identity(arn: str) -> str:
    """Return the short name of a task, as the console and the log stream show it."""
    return arn.rpartition("/")[2]


def _end(arn: str, task: "TaskTypeDef") -> TaskEnd:
    containers = task.get("containers", [])
    codes = [each["exitCode"] for each in containers if "exitCode" in each]
    reasons = [task.get("stoppedReason", ""), *(each.get("reason", "") for each in containers)]
    reason = "; ".join(dict.fromkeys(filter(None, reasons)))
    if not codes:
        raise TaskNotStarted(f"the task's program never ran: {reason or 'ECS gave no reason'}\n{advice(reason)}")
    return TaskEnd(arn=arn, exit_code=max(codes), reason=reason)
