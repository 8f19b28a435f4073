"""The images' files before tools that others wrote: hadolint for the Dockerfiles, podman-compose for the compose file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.container_files import DOCKERFILES, IMAGES
from tests.infra.locked_environments import Tool

IMAGE_LINT = Tool(name="image-lint", lock=Path(__file__).with_name("image_lint.lock"))

pytestmark = pytest.mark.infra


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the tools' programs; they are installed on demand, once."""
    try:
        IMAGE_LINT.make()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"LIMIT: hadolint and podman-compose cannot be installed: {error}")
    return IMAGE_LINT.folder / "bin"


def test_hadolint_finds_nothing(programs: Path) -> None:
    done = subprocess.run(
        [programs / "hadolint", *map(str, DOCKERFILES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hadolint_finds_something_where_there_is_something(programs: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.Dockerfile"
    bad.write_text("FROM python:latest\nCMD python x.py\n", encoding="utf-8")
    done = subprocess.run([programs / "hadolint", bad], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "DL3007" in done.stdout


@pytest.mark.parametrize("profiles", [[], ["--profile", "mariadb"]], ids=["mysql", "mariadb"])
def test_the_compose_file_is_one(programs: Path, profiles: list[str]) -> None:
    done = compose(programs, IMAGES / "compose.yaml", *profiles)
    assert done.returncode == 0, done.stderr


def test_a_compose_file_that_is_none_is_told(programs: Path, tmp_path: Path) -> None:
    bad = tmp_path / "compose.yaml"
    text = (IMAGES / "compose.yaml").read_text("utf-8")
    bad.write_text(text.replace("service_completed_successfully", "service_done"), encoding="utf-8")
    assert compose(programs, bad).returncode != 0


def compose(programs: Path, file: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `config`, which only reads the file, but first asks podman, which need not be here, for its version."""
    podman = programs / "podman"
    if shutil.which("podman") is None and not podman.exists():
        podman.write_text("#!/bin/sh\necho 'podman version 5.0.0'\n", encoding="utf-8")
        podman.chmod(0o755)
    return subprocess.run(
        [programs / "podman-compose", *options, "--file", file, "config", "-q"],
        cwd=file.parent,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
