"""The images' files: what they are made from is complete and no more, and their rules hold. No container tool needed."""

import re
import subprocess
from pathlib import Path

import pytest

from infra.bundle.target import RUNTIMES
from infra.deploy import source
from tests.infra.container_files import DOCKERFILES, PROJECT, Dockerfile, carry_out, context, copied

WORKER, FUNCTIONS = (
    Dockerfile(PROJECT / "infra" / "images" / f"{name}.Dockerfile") for name in ("worker", "functions")
)
every_image = pytest.mark.parametrize("image", [WORKER, FUNCTIONS], ids=lambda image: image.path.stem)


@pytest.fixture(scope="module")
def seen() -> set[str]:
    return context()


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """The files of the project that are under version control, or would be: what a clone has."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return {file for file in done.stdout.splitlines() if (PROJECT / file).is_file()}


def test_both_images_are_looked_at() -> None:
    assert {path.name for path in DOCKERFILES} == {WORKER.path.name, FUNCTIONS.path.name}


@every_image
def test_everything_that_is_copied_reaches_the_build(image: Dockerfile, seen: set[str]) -> None:
    sources = [source for source, _ in image.of_context()]
    assert len(sources) > 4
    assert [source for source in sources if not copied(source, seen)] == []


def test_nothing_reaches_a_build_that_no_image_copies(seen: set[str]) -> None:
    taken = {file for image in (WORKER, FUNCTIONS) for name, _ in image.of_context() for file in copied(name, seen)}
    optional = {file for file in seen if file.endswith(".pem")}
    assert seen - taken - optional == set()


def test_no_secret_and_nothing_local_reaches_a_build(seen: set[str]) -> None:
    folders = {Path(file).parts[0] for file in seen if "/" in file}
    assert folders == {"functions", "worker", "infra"}
    suspicious = {
        file for file in seen if any(part.startswith(".") or part == "__pycache__" for part in Path(file).parts)
    }
    assert suspicious == set()


def test_a_release_is_known_by_everything_that_goes_into_its_images(seen: set[str]) -> None:
    assert seen - {name.as_posix() for name in source.files(PROJECT)} == set()


def packaged(tree: Path, package: str) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in (tree / package).rglob("*") if path.is_file()}


def test_the_worker_is_packaged_whole(tmp_path: Path, tracked: set[str]) -> None:
    app = carry_out(WORKER, tmp_path)
    ours = {file for file in tracked if file.startswith("worker/") and not file.endswith(".lock")}
    assert {file for file in ours if file.endswith(".j2")}, "the reports' templates are among them"
    assert packaged(app, "worker") == ours
    assert {path.name for path in app.iterdir()} == {"bin", "orders-0.1.0.dist-info", "settings.toml", "worker"}


def test_the_functions_are_packaged_with_the_contract_and_no_more_of_the_worker(
    tmp_path: Path, tracked: set[str]
) -> None:
    app = carry_out(FUNCTIONS, tmp_path)
    assert packaged(app, "functions") == {
        file for file in tracked if file.startswith("functions/") and not file.endswith(".lock")
    }
    assert packaged(app, "worker") == {"worker/__init__.py"} | {
        file for file in tracked if file.startswith("worker/contract/")
    }
    assert {path.name for path in app.iterdir()} == {"functions", "orders-0.1.0.dist-info", "settings.toml", "worker"}


@every_image
def test_an_image_for_another_processor_needs_no_emulation(image: Dockerfile) -> None:
    build, last = image.stages
    assert build[0].flags == {"platform": "$BUILDPLATFORM"}
    assert last[0].flags == {}
    assert [each.name for each in last if each.name in {"RUN", "ADD"}] == []


@every_image
def test_the_base_is_one_exact_version_that_the_project_runs_on(image: Dockerfile) -> None:
    bases = {each.value.split()[0] for stage in image.stages for each in stage if each.name == "FROM"}
    (base,) = bases
    name, _, tag = base.partition(":")
    version, _, flavour = tag.partition("-")
    assert (name, flavour) == ("python", "slim-trixie")
    assert version.count(".") == 2
    assert version.rpartition(".")[0] in RUNTIMES
    assert base in image.last["LABEL"].value
    assert {stage[0].value.split()[0] for each in (WORKER, FUNCTIONS) for stage in each.stages} == bases


@every_image
def test_libraries_come_from_the_lock_by_hash_and_are_not_built(image: Dockerfile) -> None:
    installs = [each.value for each in image.stages[0] if "pip install" in each.value]
    assert installs
    for install in " ".join(installs).split("python -m pip install")[1:]:
        assert "--no-deps" in install
        assert ("--require-hashes" in install and "--only-binary :all:" in install) or "--no-index" in install


@every_image
def test_libraries_are_a_layer_of_their_own_which_a_change_of_the_program_leaves_alone(image: Dockerfile) -> None:
    build, last = image.stages
    installed = next(at for at, each in enumerate(build) if "--target /libraries/app/lib" in each.value)
    assert "compileall" in build[installed].value, "what is made from them is made with them"
    before = [each.value for each in build[:installed] if each.name == "COPY"]
    assert [source for value in before for source in value.split()[:-1] if not source.endswith(".lock")] == []
    assert [each.value for each in build[installed + 1 :] if "/libraries" in each.value] == []
    copies = [each.value for each in last if each.name == "COPY"]
    assert copies.index("/libraries/app/lib/ /app/lib/") < copies.index("/image/app/ /app/")


@every_image
def test_the_program_is_nobodys_and_changes_nothing(image: Dockerfile) -> None:
    last = image.last
    assert last["USER"].value == "10001:10001"
    assert last["STOPSIGNAL"].value == "SIGTERM"
    assert last["ENTRYPOINT"].list
    assert last["HEALTHCHECK"].value.startswith("CMD [")
    assert image.environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert image.environment["ORDERS_ENV"] == "production"
    assert "compileall" in image.stages[0][-1].value
    owned = [each.value for each in image.stages[-1] if "chown" in each.flags]
    assert owned == (["/image/var/lib/orders/ /var/lib/orders/"] if image is WORKER else [])


def test_the_entry_points_are_those_of_the_task_definitions() -> None:
    assert WORKER.last["ENTRYPOINT"].list == ["orders"]
    assert WORKER.last["CMD"].list == ["worker", "run"]
    assert FUNCTIONS.last["ENTRYPOINT"].list[0] == "gunicorn"


def test_what_tasks_mount_is_a_volume_of_the_image() -> None:
    """ECS takes owner and mode of a mounted folder from the image, and only from a VOLUME; else it is root's alone."""
    tasks = (PROJECT / "infra" / "aws" / "modules" / "worker" / "tasks.tf").read_text("utf-8")
    mounted = set(re.findall(r'containerPath\s*=\s*"([^"]+)"', tasks))
    assert mounted == set(WORKER.last["VOLUME"].list)


def test_the_certificates_of_the_database_are_where_tasks_look_for_them() -> None:
    copies = [each.value for each in WORKER.stages[-1] if each.name == "COPY"]
    assert "/image/etc/ssl/rds/ /etc/ssl/rds/" in copies
    added = next(each for each in WORKER.stages[0] if each.name == "ADD")
    assert added.value.endswith("/image/etc/ssl/rds/global-bundle.pem")
