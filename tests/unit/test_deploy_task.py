"""run-task: a task is started, followed to its end and answered for; what never ran is explained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.deploy.advice import advice
from infra.deploy.errors import NotConfigured, Refused, TaskNotStarted, TaskUnfinished
from infra.deploy.task import TaskRequest, TaskRun
from infra.deploy.task_log import TaskLog, log_of, tail

CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/orders-dev"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/orders-dev/0f1e2d3c"
DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/orders-dev-deploy:3"
REQUEST = TaskRequest(
    cluster=CLUSTER,
    task_definition=DEFINITION,
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    assign_public_ip=True,
    timeout_seconds=60,
)


@dataclass
class Clock:
    """Time that passes only when somebody waits."""

    at: float = 1000.0
    waited: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds
        self.waited.append(seconds)


@dataclass
class Scene:
    asked: ClassVar = {"cluster": CLUSTER, "tasks": [TASK]}
    run: TaskRun
    stub: Stubber
    clock: Clock
    said: list[str]

    def statuses(self, *statuses: str, **last: Any) -> None:
        for status in statuses[:-1]:
            self.stub.add_response("describe_tasks", {"tasks": [{"lastStatus": status}]}, self.asked)
        self.stub.add_response("describe_tasks", {"tasks": [{"lastStatus": statuses[-1], **last}]}, self.asked)


@pytest.fixture
def scene() -> Iterator[Scene]:
    client = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    clock, said = Clock(), list[str]()
    run = TaskRun(client=client, request=REQUEST, say=said.append, now=clock.now, pause=clock.pause)
    with Stubber(client) as stub:
        yield Scene(run, stub, clock, said)
        stub.assert_no_pending_responses()


STARTED = {"tasks": [{"taskArn": TASK}], "failures": []}


def test_a_task_gets_the_network_it_was_given(scene: Scene) -> None:
    network = {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }
    asked = {
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "count": 1,
        "launchType": "FARGATE",
        "startedBy": "infra.deploy",
        "networkConfiguration": {"awsvpcConfiguration": network},
        "overrides": {},
    }
    scene.stub.add_response("run_task", STARTED, asked)
    assert scene.run.start("deploy") == TASK


def test_another_command_can_be_given(scene: Scene) -> None:
    scene.run.request = TaskRequest(
        cluster=CLUSTER, task_definition=DEFINITION, subnets=("s",), security_groups=("g",), command=("breaks", "list")
    )
    override = {"containerOverrides": [{"name": "worker", "command": ["breaks", "list"]}]}
    everything = dict.fromkeys(
        ("cluster", "taskDefinition", "count", "launchType", "startedBy", "networkConfiguration"), ANY
    )
    scene.stub.add_response("run_task", STARTED, {**everything, "overrides": override})
    scene.run.start("worker")


@pytest.mark.parametrize("exit_code", [0, 1, 5, 137])
def test_the_exit_status_is_the_tasks(scene: Scene, exit_code: int) -> None:
    scene.statuses(
        *("PROVISIONING", "PENDING", "RUNNING", "RUNNING", "DEPROVISIONING", "STOPPED"),
        containers=[{"name": "deploy", "exitCode": exit_code}],
        stoppedReason="Essential container in task exited",
    )
    end = scene.run.wait(TASK)
    assert end.exit_code == exit_code
    told = [line.split(" is ")[1].split(",")[0] for line in scene.said]
    assert told == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"], "each status once"


def test_a_task_that_was_killed_for_its_memory_says_so(scene: Scene) -> None:
    scene.statuses("STOPPED", containers=[{"exitCode": 137, "reason": "OutOfMemoryError: killed"}])
    assert "OutOfMemoryError" in scene.run.wait(TASK).reason


def test_a_long_run_is_told_of_now_and_then(scene: Scene) -> None:
    scene.statuses(*["RUNNING"] * 15, "STOPPED", containers=[{"exitCode": 0}])
    scene.run.wait(TASK)
    assert [line for line in scene.said if "still RUNNING" in line] != []


def test_ecs_may_not_know_a_task_at_once(scene: Scene) -> None:
    scene.stub.add_response("describe_tasks", {"tasks": [], "failures": [{"reason": "MISSING"}]}, Scene.asked)
    scene.statuses("STOPPED", containers=[{"exitCode": 0}])
    assert scene.run.wait(TASK).exit_code == 0


def test_a_task_that_does_not_end_is_left_running_and_told_of(scene: Scene) -> None:
    scene.statuses(*["RUNNING"] * 22)
    with pytest.raises(TaskUnfinished, match=r"left running(.|\n)*aws ecs stop-task") as caught:
        scene.run.wait(TASK)
    assert caught.value.exit_code == 4
    assert sum(scene.clock.waited) < REQUEST.timeout_seconds + 10


@pytest.mark.parametrize(
    "message",
    [
        "ECS was unable to assume the role 'arn:aws:iam::1:role/orders-dev-deploy-task' that was provided.",
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
    ],
)
def test_a_role_that_was_made_a_moment_ago_is_waited_for(scene: Scene, message: str) -> None:
    scene.stub.add_client_error("run_task", "ClientException", message)
    scene.stub.add_client_error("run_task", "ClientException", message)
    scene.stub.add_response("run_task", STARTED)
    assert scene.run.start("deploy") == TASK
    assert len([line for line in scene.said if "trying again" in line]) == 1, "told once, not every three seconds"


def test_a_role_that_never_works_ends_the_waiting(scene: Scene) -> None:
    for _ in range(42):
        scene.stub.add_client_error("run_task", "ClientException", "ECS was unable to assume the role 'x'")
    with pytest.raises(TaskNotStarted, match="does not trust ecs-tasks"):
        scene.run.start("deploy")
    assert 120 < sum(scene.clock.waited) < 130


def test_no_room_in_the_zone_is_waited_for_and_another_failure_is_not(scene: Scene) -> None:
    full = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}
    scene.stub.add_response("run_task", full)
    scene.stub.add_response("run_task", {"tasks": [], "failures": [{"reason": "INACTIVE", "detail": "gone"}]})
    with pytest.raises(TaskNotStarted, match="INACTIVE gone"):
        scene.run.start("deploy")


def test_what_is_refused_is_told_and_not_repeated(scene: Scene) -> None:
    scene.stub.add_client_error("run_task", "AccessDeniedException", "not authorized to perform: ecs:RunTask")
    with pytest.raises(Refused, match="not authorized to perform: ecs:RunTask"):
        scene.run.start("deploy")


def test_credentials_that_ended_are_told_as_such(scene: Scene) -> None:
    scene.stub.add_client_error("describe_task_definition", "ExpiredTokenException", "The security token has expired")
    with pytest.raises(NotConfigured, match="expired") as caught:
        scene.run.container()
    assert caught.value.exit_code == 3


ASM = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/dev/worker-AbC123"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker"


FROM_ASM = f"{ASM}unable to retrieve secret from asm: service call has been retried 1 time(s): "
EXPLAINED = {
    f"{FROM_ASM}failed to fetch secret {SECRET} from secrets manager: ResourceNotFoundException: Secrets Manager "
    "can't find the specified secret value for staging label: AWSCURRENT": "orders/dev/worker has no value yet.*orders "
    "secrets put",
    f"{FROM_ASM}retrieved secret from Secrets Manager did not contain json key ORDERS_SHOP__ACCESS_TOKEN": "lacks the "
    "key ORDERS_SHOP__ACCESS_TOKEN",
    f"{FROM_ASM}failed to fetch secret {SECRET} from secrets manager: RequestCanceled: request context canceled caused "
    "by: context deadline exceeded": "no way to AWS",
    f"{ASM}unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: "
    "/orders/dev/worker": "no parameter /orders/dev/worker: .*secret_stores.*orders secrets put /orders/dev/worker KEY",
    f"{ASM}unable to retrieve secrets from ssm: AccessDeniedException: is not authorized to perform: "
    "ssm:GetParameters": "may not read that secret",
    f"{ASM}unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request "
    'failed caused by: Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp: i/o timeout': "no way to AWS",
    f"{FROM_ASM}failed to fetch secret {SECRET}: AccessDeniedException: not authorized": "may not read that secret",
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
    f"{REGISTRY}:r7: {REGISTRY}:r7: not found": f"{REGISTRY}:r7 .*make publish RELEASE=r7",
    "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64' "
    f"{REGISTRY}:r7": "another platform",
    "exec /app/bin/orders: exec format error": "another processor",
    "something nobody has seen": "describe-tasks",
}


@pytest.mark.parametrize(("reason", "said"), EXPLAINED.items(), ids=range(len(EXPLAINED)))
def test_what_never_ran_is_explained(scene: Scene, reason: str, said: str) -> None:
    scene.statuses("STOPPED", stopCode="TaskFailedToStart", stoppedReason=reason, containers=[{"name": "deploy"}])
    with pytest.raises(TaskNotStarted, match=rf"(?s)What to do: .*{said}") as caught:
        scene.run.wait(TASK)
    assert reason in str(caught.value), "AWS's own words are kept"
    assert caught.value.exit_code == 4


def test_an_advice_never_fails() -> None:
    assert advice("").startswith("What to do: ")


CONTAINER: Any = {
    "name": "deploy",
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "/orders-dev/deploy",
            "awslogs-stream-prefix": "run",
            "awslogs-region": "eu-west-1",
        },
    },
}
LOG = TaskLog(group="/orders-dev/deploy", prefix="run", container="deploy", region="eu-west-1")


def test_the_log_is_where_the_task_definition_says() -> None:
    assert log_of(CONTAINER) == LOG
    assert LOG.stream(TASK) == "run/deploy/0f1e2d3c"
    assert log_of({"name": "deploy"}) is None
    assert log_of({"logConfiguration": {"logDriver": "splunk"}}) is None


@pytest.fixture
def log() -> Iterator[tuple[Callable[[], list[str]], Stubber, Clock]]:
    client: Any = boto3.client("logs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    clock = Clock()
    with Stubber(client) as stub:
        yield lambda: tail(client, LOG, TASK, pause=clock.pause), stub, clock


def test_the_tail_waits_for_lines_that_are_on_their_way(log: tuple[Callable[[], list[str]], Stubber, Clock]) -> None:
    read, stub, _ = log
    asked = {"logGroupName": LOG.group, "logStreamName": "run/deploy/0f1e2d3c", "limit": 60, "startFromHead": False}
    stub.add_client_error("get_log_events", "ResourceNotFoundException", "The specified log stream does not exist.")
    stub.add_response("get_log_events", {"events": []}, asked)
    stub.add_response("get_log_events", {"events": [{"message": "schema moved\n"}, {"message": "done"}]}, asked)
    assert read() == ["schema moved", "done"]


def test_a_log_that_cannot_be_read_is_no_failure(log: tuple[Callable[[], list[str]], Stubber, Clock]) -> None:
    read, stub, clock = log
    stub.add_client_error("get_log_events", "AccessDeniedException", "no")
    (line,) = read()
    assert "aws logs tail /orders-dev/deploy" in line
    assert clock.waited == []


def test_a_task_that_wrote_nothing_does_not_keep_us(log: tuple[Callable[[], list[str]], Stubber, Clock]) -> None:
    read, stub, clock = log
    for _ in range(5):
        stub.add_response("get_log_events", {"events": []})
    assert read() == ["(nothing in /orders-dev/deploy, stream run/deploy/0f1e2d3c)"]
    assert sum(clock.waited) <= 15
