"""`publish` as it is typed, at a fake AWS, with a tool that notes what it is told instead of building."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.fake import FakeAws, running
from tests.infra.locked_environments import PROJECT

BUCKET = "orders-artifacts-123456789012"

pytestmark = [pytest.mark.infra, pytest.mark.timeout(600)]  # bundles are built


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An engineer's desk: credentials of the fake AWS, a tool, what the tool was told."""

    fake: FakeAws
    folder: Path
    repository: str

    def publish(self, release: str, *more: str) -> "subprocess.CompletedProcess[str]":
        """Publish a release."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORDERS_"))}
        where = ("--artifact-bucket", BUCKET, "--worker-repository", self.repository)
        return subprocess.run(
            [sys.executable, "-m", "infra.deploy", "publish", "--release", release, *where, "--tool", "buildah", *more],
            cwd=PROJECT,
            env={**kept, **self.fake.administrator, "PATH": f"{self.folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def told(self) -> list[str]:
        """What the tool was told, one command a line."""
        return (self.folder / "told").read_text("utf-8").splitlines()

    def head(self, release: str) -> dict[str, Any]:
        """What stands in the bucket."""
        key = f"functions/{release}/functions.zip"
        found: dict[str, Any] = self.fake.client("s3").head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        return found


@pytest.fixture(scope="module")
def desk(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("publish")
    tool = folder / "buildah"
    tool.write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/told\ncase "$1" in login) echo "stdin $(cat)" >> {folder}/told;; esac\n',
        encoding="utf-8",
    )
    tool.chmod(0o755)
    with running(folder / "fake", program=["false"], environment={}, master_password="unused") as fake:
        region = fake.administrator["AWS_REGION"]
        fake.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        made = fake.client("ecr").create_repository(repositoryName="orders/worker", imageTagMutability="IMMUTABLE")
        yield Desk(fake=fake, folder=folder, repository=made["repository"]["repositoryUri"])


def test_a_release_is_published_once(desk: Desk) -> None:
    done = desk.publish("r1")
    assert done.returncode == 0, done.stderr
    head = desk.head("r1")
    assert head["Metadata"]["architecture"] == "arm64"
    assert head["Metadata"]["runtime"].startswith("python3.")
    assert head["Metadata"]["sha256"] == head.get("ChecksumSHA256", head["Metadata"]["sha256"])
    assert head["ContentLength"] > 1_000_000
    asked, built, login, stdin, pushed = desk.told
    assert asked == "info"
    assert f"--platform linux/arm64 --pull --file {PROJECT}/infra/images/worker.Dockerfile" in built
    assert "org.opencontainers.image.version=r1" in built
    assert login.endswith(f"--password-stdin {desk.repository.partition('/')[0]}")
    assert pushed.endswith(f"{desk.repository}:r1")
    password = stdin.removeprefix("stdin ")
    assert password
    assert password not in done.stdout + done.stderr + built + login + pushed

    (desk.folder / "told").unlink()
    _image_is_there(desk, "r1")
    again = desk.publish("r1")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("was there already") == 2
    assert not (desk.folder / "told").exists(), "nothing is built a second time"


def test_a_release_of_another_kind_is_refused(desk: Desk) -> None:
    assert desk.publish("r2", "--only", "functions").returncode == 0
    done = desk.publish("r2", "--only", "functions", "--platform", "linux/amd64")
    assert done.returncode == 5
    assert "choose another name" in done.stderr
    assert desk.head("r2")["Metadata"]["architecture"] == "arm64"


def test_a_repository_that_is_not_there_is_told_before_anything_is_done(desk: Desk) -> None:
    done = desk.publish("r3", "--worker-repository", desk.repository.replace("orders/worker", "orders/nothing"))
    assert done.returncode == 5
    assert "apply infra/aws/bootstrap first" in done.stderr
    assert "Contents" not in desk.fake.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="functions/r3/")


def _image_is_there(desk: Desk, tag: str) -> None:
    digest = f"sha256:{'0' * 64}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": digest},
        "layers": [],
    }
    desk.fake.client("ecr").put_image(repositoryName="orders/worker", imageTag=tag, imageManifest=json.dumps(manifest))
