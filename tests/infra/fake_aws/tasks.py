"""Tasks really run: RunTask starts the container's command as a process, whose end is the task's end.

Its output goes to the log stream that the real log driver would write, and to a file. moto's own tasks run
nothing and always end well, which would prove nothing about migrations.
"""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ecs.models import EC2ContainerServiceBackend, Task
from moto.logs.models import logs_backends

from tests.infra.fake_aws.containers import ACCOUNT, REGION, Process, SecretUnavailable, process_of
from tests.infra.fake_aws.settings import Settings

LONGEST = 240.0
_running: list["subprocess.Popen[bytes]"] = []


def apply(settings: Settings) -> None:
    """Replace moto's clockwork of states by the life of a process."""
    run_task = EC2ContainerServiceBackend.run_task

    def run(self: Any, *positional: Any, **named: Any) -> list[Any]:
        tasks: list[Any] = run_task(self, *positional, **named)
        for task in tasks:
            task.told = "PENDING"
            definition = self.describe_task_definition(task.task_definition_arn)
            threading.Thread(target=_run, args=(task, definition, Settings.read(settings.file)), daemon=True).start()
        return tasks

    EC2ContainerServiceBackend.run_task = run
    Task.advance = lambda _: None
    Task.last_status = property(lambda self: self.told, lambda self, value: setattr(self, "told", value))


def end_all() -> None:
    """End what still runs."""
    for process in _running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _run(task: Any, definition: Any, settings: Settings) -> None:
    container, output = task.containers[0], Path(settings.logs) / f"task-{task.id}.log"
    document = {
        "containerDefinitions": definition.container_definitions,
        "executionRoleArn": definition.execution_role_arn,
        "taskRoleArn": definition.task_role_arn,
    }
    container.exitCode = None
    try:
        process = process_of(
            document,
            endpoint=f"http://127.0.0.1:{os.environ['MOTO_PORT']}",
            program=settings.program,
            instead=settings.environment,
        )
    except SecretUnavailable as error:
        _stopped(task, None, f"ResourceInitializationError: unable to pull secrets or registry auth: {error}")
        return
    task.told = container.last_status = "RUNNING"
    status = _ended(process, output, settings.folder)
    _log(definition.container_definitions[0], task.id, output)
    _stopped(task, status, "Essential container in task exited")


def _ended(process: Process, output: Path, folder: str) -> int:
    """Run a process to its end and return its exit status."""
    with output.open("wb") as file:
        started = subprocess.Popen(
            process.command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **process.environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _running.append(started)
    try:
        return started.wait(LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        return 137 if started.wait() else 0


def _log(container: Any, task_id: str, output: Path) -> None:
    options = container["logConfiguration"]["options"]
    group, stream = options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}"
    backend = logs_backends[ACCOUNT][REGION]
    backend.create_log_stream(group, stream)
    now = int(time.time() * 1000)
    lines = output.read_text("utf-8", errors="replace").splitlines()
    if lines:
        backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])


def _stopped(task: Any, status: int | None, reason: str) -> None:
    container = task.containers[0]
    # moto keeps a task's network interface for ever, which would keep its subnet and security group too.
    for attachment in task.attachments:
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                ec2_backends[ACCOUNT][REGION].delete_network_interface(detail["value"])
    container.exitCode, container.last_status = status, "STOPPED"
    if status is None:
        container.reason = reason
    task.stopped_reason = reason
    task.stop_code = "TaskFailedToStart" if status is None else "EssentialContainerExited"
    task.desired_status = task.told = "STOPPED"
