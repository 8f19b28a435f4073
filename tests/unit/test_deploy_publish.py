"""publish: a release is made once, from one state of the sources; images by whichever tool works; no password is shown."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.bundle.build import Bundle
from infra.bundle.target import Target
from infra.deploy import builder, publish, registry, release, source
from infra.deploy.builder import Builder
from infra.deploy.errors import DeployError, ImageFailed, MissingProgram, Refused, ReleaseExists
from infra.deploy.publish import Publication
from infra.deploy.release import Functions

BUCKET, RELEASE = "orders-artifacts-123456789012", "2026.7.1"
URL = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker"
KEYS: Any = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


@pytest.fixture
def s3() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("s3", **KEYS)
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


@pytest.fixture
def ecr() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("ecr", **KEYS)
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


@pytest.fixture
def functions(tmp_path: Path) -> Functions:
    path = tmp_path / "functions.zip"
    path.write_bytes(b"a zip")
    sha256 = base64.b64encode(hashlib.sha256(b"a zip").digest()).decode()
    return Functions(path=path, sha256=sha256, runtime="python3.13", architecture="arm64", source="s1")


HEAD = {"Bucket": BUCKET, "Key": "functions/2026.7.1/functions.zip", "ChecksumMode": "ENABLED"}


def test_a_release_that_is_not_there_is_uploaded_with_its_checksum(
    s3: tuple[Any, Stubber], functions: Functions
) -> None:
    client, stub = s3
    stub.add_client_error("head_object", "404", "Not Found", 404, expected_params=HEAD)
    put = {
        "Bucket": BUCKET,
        "Key": HEAD["Key"],
        "Body": ANY,
        "ContentType": "application/zip",
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": functions.sha256,
        "Metadata": {"sha256": functions.sha256, "runtime": "python3.13", "architecture": "arm64", "source": "s1"},
        "IfNoneMatch": "*",
    }
    stub.add_response("put_object", {}, put)
    assert release.upload(client, BUCKET, RELEASE, functions) is True


def head(**metadata: str) -> dict[str, Any]:
    return {"Metadata": metadata, "ContentLength": 5, "ChecksumSHA256": "abc="}


def test_a_release_from_the_same_sources_is_left_as_it_is(s3: tuple[Any, Stubber], functions: Functions) -> None:
    client, stub = s3
    stub.add_response("head_object", head(source="s1"), HEAD)
    assert release.upload(client, BUCKET, RELEASE, functions) is False


@pytest.mark.parametrize("metadata", [{"source": "s2"}, {}], ids=["other sources", "other means"])
def test_a_release_is_never_changed(s3: tuple[Any, Stubber], functions: Functions, metadata: dict[str, str]) -> None:
    client, stub = s3
    stub.add_response("head_object", head(**metadata), HEAD)
    with pytest.raises(ReleaseExists, match="choose another name") as caught:
        release.upload(client, BUCKET, RELEASE, functions)
    assert caught.value.exit_code == 5


def test_two_publications_at_once_do_not_overwrite_each_other(s3: tuple[Any, Stubber], functions: Functions) -> None:
    client, stub = s3
    stub.add_client_error("head_object", "404", "Not Found", 404)
    stub.add_client_error("put_object", "PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
    with pytest.raises(ReleaseExists, match="at the same time"):
        release.upload(client, BUCKET, RELEASE, functions)


def test_a_bucket_that_is_closed_to_us_is_told(s3: tuple[Any, Stubber], functions: Functions) -> None:
    client, stub = s3
    stub.add_client_error("head_object", "403", "Forbidden", 403)
    with pytest.raises(Refused, match=f"bucket {BUCKET}"):
        release.upload(client, BUCKET, RELEASE, functions)


@pytest.mark.parametrize("name", ["", "latest", "a/b", "../x", "-x", "x" * 101, "r 1", "ä"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(DeployError, match="cannot name a release"):
        release.checked(name)


@pytest.mark.parametrize("name", ["r1", "2026.7.1", "3f9c2ab", "v1_2-rc.1"])
def test_a_name_that_is_one(name: str) -> None:
    assert release.checked(name) == name


def test_a_repository_is_read_from_its_url() -> None:
    place = registry.repository(URL)
    assert (place.account, place.region, place.name) == ("123456789012", "eu-west-1", "orders/worker")
    assert place.host == "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("url", ["orders/worker", f"{URL}:tag", "ghcr.io/x/y", f"https://{URL}", ""])
def test_what_is_no_repository_of_ecr(url: str) -> None:
    with pytest.raises(DeployError, match="is no ECR repository"):
        registry.repository(url)


def test_whether_a_tag_is_taken(ecr: tuple[Any, Stubber]) -> None:
    client, stub = ecr
    asked = {"registryId": "123456789012", "repositoryName": "orders/worker", "imageIds": [{"imageTag": RELEASE}]}
    stub.add_response("describe_images", {"imageDetails": [{"imageTags": [RELEASE]}]}, asked)
    stub.add_client_error("describe_images", "ImageNotFoundException", "no such image")
    stub.add_client_error("describe_images", "RepositoryNotFoundException", "no such repository")
    place = registry.repository(URL)
    assert registry.has_tag(client, place, RELEASE) is True
    assert registry.has_tag(client, place, RELEASE) is False
    with pytest.raises(Refused, match="apply infra/aws/bootstrap first"):
        registry.has_tag(client, place, RELEASE)


def test_the_password_of_the_registry(ecr: tuple[Any, Stubber]) -> None:
    client, stub = ecr
    token = base64.b64encode(b"AWS:eyJ:with:colons").decode()
    stub.add_response("get_authorization_token", {"authorizationData": [{"authorizationToken": token}]})
    assert registry.login(client, registry.repository(URL)) == ("AWS", "eyJ:with:colons")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, empty but for what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, does: str = "exit 0") -> Path:
    """Make a program that writes its arguments and its input to a file beside it, and then `does`."""
    file = folder / name
    log = folder / f"{name}.log"
    file.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\n'
        f'case "$1" in login) read -r secret; printf "stdin %s\\n" "$secret" >> {log};; esac\n{does}\n',
        encoding="utf-8",
    )
    file.chmod(0o755)
    return log


def test_the_first_tool_that_works_is_taken(path: Path) -> None:
    program(path, "docker", 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    program(path, "buildah")
    assert builder.find().tool == "buildah"


def test_docker_without_buildx_does_not_work(path: Path) -> None:
    program(path, "docker", 'test "$1" != buildx')
    with pytest.raises(MissingProgram, match="docker does not work"):
        builder.find("docker")


def test_without_any_tool_it_is_told_what_each_of_them_lacks(path: Path) -> None:
    program(path, "docker", 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    with pytest.raises(MissingProgram) as caught:
        builder.find()
    assert caught.value.exit_code == 3
    assert "docker does not work (`docker buildx version`: Cannot connect" in str(caught.value)
    assert "podman is not installed" in str(caught.value)
    assert "buildah is not installed" in str(caught.value)


@pytest.mark.parametrize("tool", builder.TOOLS)
def test_an_image_is_built_for_the_platform_and_pushed(path: Path, tmp_path: Path, tool: str) -> None:
    log = program(path, tool)
    found = builder.find(tool)
    log.unlink()
    found.build(tmp_path / "worker.Dockerfile", tmp_path, image=f"{URL}:r1", platform="linux/arm64", labels={"a": "b"})
    found.push(f"{URL}:r1", host="host", user="AWS", password="s3cret")
    built, login, stdin, pushed, *rest = log.read_text("utf-8").splitlines()
    assert "build" in built
    assert (
        f"--platform linux/arm64 --pull --file {tmp_path}/worker.Dockerfile --tag {URL}:r1 --label a=b {tmp_path}"
        in built
    )
    assert login.startswith("login ")
    assert login.endswith("--username AWS --password-stdin host")
    assert stdin == "stdin s3cret"
    assert pushed.startswith("push ")
    assert pushed.endswith(f"{URL}:r1")
    assert "s3cret" not in built + login + pushed
    if tool == "docker":
        assert rest == ["logout host"]
    else:
        assert rest == []
        kept = login.split("--authfile ")[1].split()[0]
        assert kept in pushed
        assert not Path(kept).parent.exists()


def test_docker_is_logged_out_of_a_registry_that_took_nothing(path: Path) -> None:
    log = program(path, "docker", 'case "$1" in push) echo "tag is immutable"; exit 1;; esac')
    with pytest.raises(ImageFailed, match="choose another release"):
        Builder(tool="docker", program=str(path / "docker"), run=builder.run).push(
            "i", host="h", user="u", password="p"
        )
    assert log.read_text("utf-8").splitlines()[-1] == "logout h"


def test_what_a_tool_says_is_shown_as_it_says_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(path, "buildah", "echo STEP 1; echo exec format error >&2; exit 3")
    with pytest.raises(ImageFailed, match=r"building x failed: buildah ended with 3(.|\n)*other platform"):
        builder.run([str(path / "buildah"), "build"], "building x", None)
    assert "STEP 1" in capsys.readouterr().out


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("worker/app.py", "functions/app.py", "infra/images/worker.Dockerfile", "settings.toml", "tests/x.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_the_sources_of_a_release_are_what_is_deployed(project: Path) -> None:
    before = source.digest(project, "arm64")
    (project / "tests" / "x.py").write_text("another test", encoding="utf-8")
    (project / "worker" / "__pycache__").mkdir()
    (project / "worker" / "__pycache__" / "app.pyc").write_bytes(b"1")
    assert source.digest(project, "arm64") == before
    assert source.digest(project, "x86_64") != before
    (project / "worker" / "app.py").write_text("changed", encoding="utf-8")
    assert source.digest(project, "arm64") != before


def test_a_file_that_was_renamed_is_another_source(project: Path) -> None:
    before = source.digest(project)
    (project / "worker" / "app.py").rename(project / "worker" / "main.py")
    assert source.digest(project) != before


def test_the_revision_tells_of_changes_that_are_not_committed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert source.revision(project) == "unknown"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=project, check=True, capture_output=True)
    clean = source.revision(project)
    assert len(clean) == 40
    (project / "tests" / "x.py").write_text("no part of it", encoding="utf-8")
    assert source.revision(project) == clean
    (project / "settings.toml").write_text("changed", encoding="utf-8")
    assert source.revision(project) == f"{clean}-changed"


class Published:
    """Everything around `publish`: the stores answer as told, the bundle is a file, the tool notes what it is asked."""

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3, self.ecr = boto3.client("s3", **KEYS), boto3.client("ecr", **KEYS)
        self.s3_stub, self.ecr_stub = Stubber(self.s3), Stubber(self.ecr)
        self.s3_stub.activate()
        self.ecr_stub.activate()
        self.did: list[str] = []
        self.said: list[str] = []
        self.wanted = Publication(
            project=project,
            release=RELEASE,
            bucket=BUCKET,
            images={"worker": URL},
            platform="linux/arm64",
            python="3.13",
        )
        self.source = source.digest(project, "python3.13-arm64", "linux/arm64")
        monkeypatch.setattr("infra.deploy.aws.s3", lambda _: self.s3)
        monkeypatch.setattr("infra.deploy.aws.ecr", lambda _: self.ecr)
        tool = Builder(tool="buildah", program="buildah", run=lambda _command, what, _stdin: self.did.append(what))
        monkeypatch.setattr("infra.deploy.publish.find", lambda _: tool)
        monkeypatch.setattr("infra.deploy.publish.build", a_zip)

    def run(self) -> None:
        publish.publish(self.wanted, self.said.append)

    def done(self) -> None:
        self.s3_stub.assert_no_pending_responses()
        self.ecr_stub.assert_no_pending_responses()


def a_zip(_: Path, target: Target, *, output: Path, cache: Path) -> Bundle:
    """Build in a moment what would take seconds."""
    path = output / f"functions-{target.name}.zip"
    path.write_bytes(b"a zip")
    sha256 = base64.b64encode(hashlib.sha256(b"a zip").digest()).decode()
    return Bundle(path=path, target=target, sha256=sha256, zipped=5, unzipped=5, files=1)


@pytest.fixture
def published(project: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(project, monkeypatch)


TOKEN = {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:s3cret").decode()}]}


def test_a_release_is_the_zip_and_then_the_image(published: Published) -> None:
    published.s3_stub.add_client_error("head_object", "404", "Not Found", 404)
    published.ecr_stub.add_client_error("describe_images", "ImageNotFoundException", "none")
    published.s3_stub.add_client_error("head_object", "404", "Not Found", 404)
    published.s3_stub.add_response("put_object", {})
    published.ecr_stub.add_response("get_authorization_token", TOKEN)
    before = sorted(published.wanted.project.rglob("*"))
    published.run()
    published.done()
    assert sorted(published.wanted.project.rglob("*")) == before, "what else is built here is not its business"
    assert [what.split()[0] for what in published.did] == ["building", "logging", "pushing"]
    assert f'release = "{RELEASE}"' in published.said[-1]
    assert "s3cret" not in "\n".join(published.said + published.did)


def test_what_was_interrupted_is_completed(published: Published) -> None:
    """The zip is there from the same sources, the image is not."""
    for _ in range(2):
        published.s3_stub.add_response("head_object", head(source=published.source))
    published.ecr_stub.add_client_error("describe_images", "ImageNotFoundException", "none")
    published.ecr_stub.add_response("get_authorization_token", TOKEN)
    published.run()
    published.done()
    assert len(published.did) == 3


def test_publishing_again_changes_nothing(published: Published) -> None:
    for _ in range(2):
        published.s3_stub.add_response("head_object", head(source=published.source))
    published.ecr_stub.add_response("describe_images", {"imageDetails": [{"imageTags": [RELEASE]}]})
    published.run()
    published.done()
    assert published.did == []


def test_a_release_of_other_sources_is_refused_before_anything_is_built(published: Published) -> None:
    published.s3_stub.add_response("head_object", head(source="other"))
    with pytest.raises(ReleaseExists):
        published.run()
    published.done()
    assert published.did == []
