"""`python -m infra.deploy` as it is typed: a whole run against a scripted ECS on loopback, and what it says when it cannot."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from infra.deploy.__main__ import main

PROJECT = Path(__file__).resolve().parents[2]
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/orders-dev/0f1e2d3c"
NETWORK = ("--subnets", "subnet-1,subnet-2", "--security-groups", "sg-1")


class ScriptedAws:
    """Answers ECS and CloudWatch Logs by the name of the operation; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.task: dict[str, Any] = {"taskArn": TASK, "lastStatus": "STOPPED", "containers": [{"exitCode": 0}]}
        network = {"subnets": ["subnet-7"], "securityGroups": ["sg-7"], "assignPublicIp": "DISABLED"}
        self.services = [
            {
                "status": "ACTIVE",
                "taskDefinition": "orders-dev-worker:9",
                "networkConfiguration": {"awsvpcConfiguration": network},
            }
        ]
        self.lines = ["schema moved from nothing to 0001"]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                outer.asked.append((operation, body))
                answer = json.dumps(outer.answer(operation)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, operation: str) -> dict[str, Any]:
        options = {"awslogs-group": "/orders-dev/deploy", "awslogs-stream-prefix": "run", "awslogs-region": "eu-west-1"}
        container = {"name": "deploy", "logConfiguration": {"logDriver": "awslogs", "options": options}}
        answers: dict[str, dict[str, Any]] = {
            "DescribeTaskDefinition": {"taskDefinition": {"containerDefinitions": [container]}},
            "RunTask": {"tasks": [{"taskArn": TASK, "lastStatus": "PROVISIONING"}], "failures": []},
            "DescribeTasks": {"tasks": [self.task]},
            "DescribeServices": {"services": self.services},
            "GetLogEvents": {"events": [{"timestamp": 1, "message": line} for line in self.lines]},
        }
        return answers[operation]


@pytest.fixture
def aws() -> Iterator[ScriptedAws]:
    scripted = ScriptedAws()
    thread = threading.Thread(target=scripted.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield scripted
    scripted.server.shutdown()
    thread.join()
    scripted.server.server_close()


def deploy(*arguments: str, started: bool = False, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the program, in this process unless it is to be `started`, which costs as much as twenty runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORDERS_"))}
    # No files and no metadata service: what this machine has in its home is none of the test's business.
    alone = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    command, environ = [sys.executable, "-m", "infra.deploy", *arguments], {**kept, **alone, **variables}
    if started:
        return subprocess.run(
            command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    out, err = io.StringIO(), io.StringIO()
    # A session of its own for each run, as each process has.
    own = (patch.dict(os.environ, environ, clear=True), patch("boto3.DEFAULT_SESSION", None))
    with own[0], own[1], redirect_stdout(out), redirect_stderr(err):
        status = main(list(arguments))
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def run_task(aws: ScriptedAws, *arguments: str, started: bool = False) -> "subprocess.CompletedProcess[str]":
    named = ("--cluster", "orders-dev", "--task-definition", "orders-dev-deploy:3")
    return asked_of(aws, "run-task", *named, *NETWORK, *arguments, started=started)


def asked_of(aws: ScriptedAws, *arguments: str, started: bool = False) -> "subprocess.CompletedProcess[str]":
    return deploy(
        *arguments,
        started=started,
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_REGION="eu-west-1",
        AWS_ENDPOINT_URL=aws.address,
    )


@pytest.mark.parametrize("started", [True, False])
def test_a_task_that_does_well(aws: ScriptedAws, started: bool) -> None:
    done = run_task(aws, "--assign-public-ip", "true", started=started)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "  | schema moved from nothing to 0001\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("deploy: the task's program ended with 0")
    asked = dict(aws.asked)
    assert asked["RunTask"]["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }
    assert asked["GetLogEvents"]["logStreamName"] == "run/deploy/0f1e2d3c"


def test_a_task_that_fails_fails_the_apply(aws: ScriptedAws) -> None:
    aws.task["containers"] = [{"exitCode": 5, "reason": ""}]
    aws.task["stoppedReason"] = "Essential container in task exited"
    done = run_task(aws)
    assert done.returncode == 5
    assert "schema moved" in done.stdout, "its log is shown"
    assert "ended with 5 (Essential container in task exited)" in done.stdout


def test_a_task_that_never_ran_says_what_to_do(aws: ScriptedAws) -> None:
    aws.task["containers"] = [{"name": "deploy"}]
    aws.task["stoppedReason"] = (
        "CannotPullContainerError: 1.dkr.ecr.eu-west-1.amazonaws.com/orders/worker:r7: not found"
    )
    done = run_task(aws)
    assert done.returncode == 4
    assert "make publish RELEASE=r7" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_of_ones_own_follows_two_dashes(aws: ScriptedAws) -> None:
    assert run_task(aws, "--", "breaks", "list", "--json").returncode == 0
    overrides = dict(aws.asked)["RunTask"]["overrides"]["containerOverrides"]
    assert overrides == [{"name": "deploy", "command": ["breaks", "list", "--json"]}]


LIKE = ("run-task", "--cluster", "orders-dev", "--service", "orders-dev-all")


def test_an_operators_command_runs_like_the_service(aws: ScriptedAws) -> None:
    assert asked_of(aws, *LIKE, "--", "breaks", "list").returncode == 0
    started = dict(aws.asked)["RunTask"]
    assert started["taskDefinition"] == "orders-dev-worker:9"
    assert started["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-7"]
    assert started["overrides"]["containerOverrides"][0]["command"] == ["breaks", "list"]


def test_a_service_that_is_not_there(aws: ScriptedAws) -> None:
    aws.services[0]["status"] = "INACTIVE"
    done = asked_of(aws, *LIKE, "--", "breaks", "list")
    assert done.returncode == 3
    assert "terraform output service_names" in done.stderr


def test_without_credentials_it_says_so() -> None:
    done = deploy("run-task", "--cluster", "c", "--task-definition", "t", *NETWORK, AWS_REGION="eu-west-1")
    assert done.returncode == 3
    assert "AWS_PROFILE" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_region_it_says_so() -> None:
    done = deploy("run-task", "--cluster", "c", "--task-definition", "t", *NETWORK)
    assert done.returncode == 3
    assert "AWS_REGION" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_aws_that_does_not_answer_is_a_dependency_that_does_not_answer() -> None:
    done = deploy(
        *("run-task", "--cluster", "c", "--task-definition", "t", *NETWORK),
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
    )
    assert done.returncode == 4
    assert "Could not connect" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("run-task",),
        ("publish",),
        LIKE,
        (*LIKE, *NETWORK, "--", "breaks", "list"),
        ("run-task", "--cluster", "c", "--task-definition", "t", "--subnets", ",", "--security-groups", "g"),
        ("run-task", "--cluster", "c", "--task-definition", "t", *NETWORK, "--assign-public-ip", "perhaps"),
        ("publish", "--release", "r1", "--platform", "windows"),
    ],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_wrong_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_publishing_before_the_bootstrap_says_what_comes_first(tmp_path: Path) -> None:
    terraform = tmp_path / "terraform"
    terraform.write_text("#!/bin/sh\necho '{}'\n", encoding="utf-8")
    terraform.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = deploy("publish", "--release", "r1", "--bootstrap", str(tmp_path), PATH=path)
    assert done.returncode == 3
    assert "apply it first" in done.stderr


def test_the_makefile_asks_for_a_release() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "publish"],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != "RELEASE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "RELEASE=" in done.stderr
