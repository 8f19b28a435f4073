"""The fake AWS is honest where the proof leans on it: tasks run and fail, secrets are fetched, roles are held to their policies."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.infra.fake import FakeAws, running
from tests.infra.fake_aws.containers import REGION, acting_as
from tests.infra.waiting import until

pytestmark = pytest.mark.infra

SAYS = "import os, sys; print('said', os.environ['ORDERS_WORD'], os.environ.get('ORDERS_ELSEWHERE')); sys.exit(int(sys.argv[1]))"
GRANT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue"}}


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory, tools: None) -> Iterator[FakeAws]:
    with running(
        tmp_path_factory.mktemp("fake"),
        program=[sys.executable, "-c", SAYS],
        environment={"ORDERS_ELSEWHERE": "here"},
        master_password="pw",
    ) as fake:
        yield fake


@pytest.fixture(scope="module")
def secret(fake: FakeAws) -> str:
    made = fake.client("secretsmanager").create_secret(Name="shop/word", SecretString='{"ORDERS_WORD": "please"}')
    iam = fake.client("iam")
    for role in ("puller", "nobody"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    document = json.loads(json.dumps(GRANT))
    document["Statement"]["Resource"] = made["ARN"]
    iam.put_role_policy(RoleName="puller", PolicyName="pull", PolicyDocument=json.dumps(document))
    fake.client("ecs").create_cluster(clusterName="shop")
    fake.client("logs").create_log_group(logGroupName="deploy")
    return str(made["ARN"])


def ended(fake: FakeAws, source: str, status: str, role: str = "puller") -> dict[str, Any]:
    ecs, account = fake.client("ecs"), "arn:aws:iam::123456789012:role"
    options = {"awslogs-group": "deploy", "awslogs-stream-prefix": "one"}
    container = {
        "name": "main",
        "image": "any",
        "memory": 128,
        "command": [status],
        "secrets": [{"name": "ORDERS_WORD", "valueFrom": source}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    definition = ecs.register_task_definition(
        family="deploy",
        executionRoleArn=f"{account}/{role}",
        taskRoleArn=f"{account}/nobody",
        containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]
    (task,) = ecs.run_task(cluster="shop", taskDefinition=definition, launchType="FARGATE")["tasks"]

    def stopped() -> dict[str, Any] | None:
        (found,) = ecs.describe_tasks(cluster="shop", tasks=[task["taskArn"]])["tasks"]
        return found if found["lastStatus"] == "STOPPED" else None

    return until("the task to stop", stopped, 60)


@pytest.mark.parametrize("status", [0, 7])
def test_a_task_ends_as_its_process_ends_and_leaves_its_log(fake: FakeAws, secret: str, status: int) -> None:
    task = ended(fake, f"{secret}:ORDERS_WORD::", str(status))
    assert task["containers"][0]["exitCode"] == status
    stream = f"one/main/{task['taskArn'].rpartition('/')[2]}"
    events = fake.client("logs").get_log_events(logGroupName="deploy", logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["said please here"]


@pytest.mark.parametrize(("key", "role"), [("ORDERS_OTHER", "puller"), ("ORDERS_WORD", "nobody")])
def test_a_task_does_not_start_without_its_secret(fake: FakeAws, secret: str, key: str, role: str) -> None:
    task = ended(fake, f"{secret}:{key}::", "0", role)
    assert "exitCode" not in task["containers"][0]
    assert task["stoppedReason"].startswith("ResourceInitializationError")


def acting(fake: FakeAws, role: str) -> Any:
    keys = acting_as(role, fake.endpoint)
    return boto3.client(
        "secretsmanager",
        endpoint_url=fake.endpoint,
        region_name=REGION,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_role_may_do_what_it_is_granted_and_no_more(fake: FakeAws, secret: str) -> None:
    assert acting(fake, "puller").get_secret_value(SecretId="shop/word")["Name"] == "shop/word"
    with pytest.raises(ClientError, match="AccessDenied"):
        acting(fake, "nobody").get_secret_value(SecretId=secret)
    with pytest.raises(ClientError, match="AccessDenied"):
        acting(fake, "puller").put_secret_value(SecretId=secret, SecretString="x")
    with pytest.raises(ClientError, match="AccessDenied"):
        acting(fake, "puller").list_secrets()
    assert "nobody is not authorized to perform: secretsmanager:GetSecretValue" in "\n".join(fake.denied())


def test_a_secret_under_a_key_of_ours_needs_the_key(fake: FakeAws) -> None:
    key = fake.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = fake.client("secretsmanager").create_secret(Name="shop/own", SecretString="x", KmsKeyId=key)["ARN"]
    iam = fake.client("iam")
    iam.create_role(RoleName="own", AssumeRolePolicyDocument="{}")
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key, "Condition": via}

    def grant(*statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName="own", PolicyName="one", PolicyDocument=json.dumps(document))

    grant(read)
    with pytest.raises(ClientError, match="kms:Decrypt"):
        acting(fake, "own").get_secret_value(SecretId=arn)
    grant(read, decrypt)
    assert acting(fake, "own").get_secret_value(SecretId=arn)["SecretString"] == "x"


def test_it_listens_on_loopback_only(fake: FakeAws) -> None:
    assert fake.endpoint.startswith("http://127.0.0.1:")
    assert Path(fake.settings.file).stat().st_mode & 0o077 == 0
