"""What the task definitions say of a container fits the image that they start."""

import json
import re

from tests.infra.configuration import AWS, PROJECT

DOCKERFILE = (PROJECT / "infra" / "images" / "worker.Dockerfile").read_text("utf-8")
TASKS = (AWS / "modules" / "worker" / "tasks.tf").read_text("utf-8")


def instruction(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_entry_point_is_the_program_whose_commands_the_tasks_name() -> None:
    assert json.loads(instruction("ENTRYPOINT")[-1]) == ["orders"]
    commands = [json.loads(found) for found in re.findall(r"^\s*command\s*=\s*(\[\"(?!CMD).*\])$", TASKS, re.MULTILINE)]
    assert sorted(commands) == [["deploy", "run"], ["worker", "run"]]


def test_it_runs_as_the_image_s_own_user() -> None:
    assert re.findall(r'\buser\s*=\s*"([\d:]+)"', TASKS) == [instruction("USER")[-1]]


def test_what_is_mounted_can_be_written_by_that_user() -> None:
    """Fargate gives a mounted folder to root, unless the image declares it a volume: then it is as it is in the image."""
    mounted = set(re.findall(r'containerPath\s*=\s*"([^"]+)"', TASKS))
    declared = {path for volumes in instruction("VOLUME") for path in json.loads(volumes)}
    assert mounted == declared
    assert mounted, "the root is not writable"
