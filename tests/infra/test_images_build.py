"""The Dockerfiles built for real, without a daemon: where buildah and mmdebstrap are installed and we are root.

    apt-get install --no-install-recommends buildah mmdebstrap; make infra-test

The base image cannot be fetched here, so one of Debian's own Python takes its name: what is proved is the building, the
files, the user and the programs, not that version of Python. The image for the other processor is built as anybody
would: nothing of it is run.
"""

import json
import os
import platform
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.container_files import PROJECT, context
from tests.infra.test_images import FUNCTIONS, WORKER

NATIVE, FOREIGN = ("arm64", "amd64") if platform.machine() == "aarch64" else ("amd64", "arm64")
MACHINES = {"arm64": b"\xb7\x00", "amd64": b"\x3e\x00"}
"""How an ELF file names its machine, in the bytes 18 and 19."""
BASE = PROJECT / ".local" / "cache" / "images" / "debian.tar"
_INCLUDED = "python3,python3-pip,python3-venv,python-is-python3,ca-certificates"

pytestmark = [pytest.mark.infra, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, kw_only=True)
class Buildah:
    """buildah with a store of its own, so that the machine's images are left alone."""

    folder: Path

    def __call__(
        self, *arguments: object, seconds: int = 300, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command. Raises AssertionError with what it said, unless it may fail."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(
            ["buildah", *store, *map(str, arguments)], capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0 or not check, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    def build(self, dockerfile: Path, image: str, processor: str) -> None:
        """Build an image for a processor."""
        mounts = [option for file, place in _trust(self.folder) for option in ("--volume", f"{file}:{place}:ro")]
        options = ["--isolation", "chroot", "--format", "docker", "--platform", f"linux/{processor}"]
        bundle = ["--build-arg", "RDS_CA_BUNDLE=infra/images/rds.pem"] if dockerfile == WORKER.path else []
        self("build", *options, *mounts, *bundle, "--file", dockerfile, "--tag", image, self.folder / "context")

    def said(self, container: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program in a container."""
        return self("run", "--isolation", "chroot", container, "--", *command, check=False)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    missing = [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]
    if missing or os.getuid():
        pytest.skip(f"LIMIT: no image is built: {' and '.join(missing) or 'root'} would be needed")
    tool = Buildah(folder=tmp_path_factory.mktemp("buildah"))
    try:
        for file in context():
            target = tool.folder / "context" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / file, target)
        shutil.copyfile(PROJECT / ".dockerignore", tool.folder / "context" / ".dockerignore")
        (tool.folder / "context" / "infra" / "images" / "rds.pem").write_text(_two_certificates(), encoding="utf-8")
        _base(tool)
        yield tool
    finally:
        tool("rm", "--all", check=False)
        tool("rmi", "--all", "--force", check=False)


def _base(buildah: Buildah) -> None:
    """Make the base image of both processors. Nothing of the foreign one is ever run, so its files may be ours."""
    if not BASE.is_file():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        unfinished = BASE.with_suffix(f".{os.getpid()}.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_INCLUDED}", "bookworm", str(unfinished)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if made.returncode != 0:
            pytest.skip(f"LIMIT: no image is built: mmdebstrap has no packages: {made.stderr[-500:]}")
        unfinished.replace(BASE)
    name = f"docker.io/library/{WORKER.stages[-1][0].value}"
    buildah("manifest", "create", name)
    for processor in (NATIVE, FOREIGN):
        container = buildah("from", "scratch").stdout.strip()
        buildah("add", container, BASE, "/")
        buildah("config", "--arch", processor, "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        buildah("commit", container, f"localhost/base-{processor}")
        buildah("rm", container)
        buildah("manifest", "add", name, f"localhost/base-{processor}")


def _two_certificates() -> str:
    text = Path(_authorities()).read_text("utf-8")
    ends = "-----END CERTIFICATE-----\n"
    return ends.join(text.split(ends)[:2]) + ends


def _authorities() -> str:
    found = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return found or "/etc/ssl/certs/ca-certificates.crt"


def _trust(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield what lets pip reach its index from here: this machine's authorities may include a proxy's."""
    authorities, configuration = folder / "authorities.pem", folder / "pip.conf"
    shutil.copyfile(_authorities(), authorities)
    index = [f"index-url = {os.environ['PIP_INDEX_URL']}"] if os.environ.get("PIP_INDEX_URL") else []
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt", *index]
    configuration.write_text("\n".join(lines), encoding="utf-8")
    yield authorities, "/etc/ssl/certs/ca-certificates.crt"
    yield configuration, "/etc/pip.conf"


def configuration(buildah: Buildah, image: str) -> dict[str, Any]:
    inspected: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image).stdout)
    return inspected


@pytest.fixture(scope="module")
def worker(buildah: Buildah) -> str:
    """A container of the worker's image."""
    buildah.build(WORKER.path, "orders-worker", NATIVE)
    return buildah("from", "localhost/orders-worker").stdout.strip()


def test_the_worker_of_the_image_runs_as_nobody(buildah: Buildah, worker: str) -> None:
    assert buildah.said(worker, "orders", "--version").stdout.startswith("orders, version ")
    assert buildah.said(worker, "python", "-c", "import os; print(os.getuid())").stdout.strip() == "10001"
    done = buildah.said(worker, "orders", "worker", "run")
    assert done.returncode == 3
    assert "ORDERS_DATABASE__URL" in done.stderr
    assert buildah.said(worker, "touch", "/app/new").returncode != 0
    assert buildah.said(worker, "touch", "/var/lib/orders/new").returncode == 0
    assert buildah.said(worker, "touch", "/tmp/new").returncode == 0  # noqa: S108 - a container's
    writable = buildah.said(worker, "find", "/app", "/etc/ssl/rds", "-perm", "/022", "-not", "-type", "l")
    assert writable.stdout == ""


def test_the_worker_of_the_image_has_its_bytecode_and_certificates(buildah: Buildah, worker: str) -> None:
    question = (
        "import importlib, ssl, worker.app as a; ssl.create_default_context(cafile='/etc/ssl/rds/global-bundle.pem');"
        "print(a.__file__, a.__cached__)"
    )
    file, cached = buildah.said(worker, "python", "-c", question).stdout.split()
    assert file == "/app/worker/app.py"
    assert buildah.said(worker, "test", "-f", cached).returncode == 0


def test_the_image_says_how_it_is_started_checked_and_ended(buildah: Buildah, worker: str) -> None:
    config = configuration(buildah, "localhost/orders-worker")["Docker"]["config"]
    assert config["Entrypoint"] == ["orders"]
    assert config["Cmd"] == ["worker", "run"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Volumes"] == {"/tmp": {}}  # noqa: S108 - a container's
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert config["Labels"]["org.opencontainers.image.title"] == "orders-worker"


def test_the_functions_image_can_be_loaded_and_knows_nothing_of_the_worker(buildah: Buildah) -> None:
    buildah.build(FUNCTIONS.path, "orders-functions", NATIVE)
    container = buildah("from", "localhost/orders-functions").stdout.strip()
    question = "import functions.app, gunicorn, importlib.util as u; print(u.find_spec('worker.domain'), u.find_spec('pymysql'))"
    assert buildah.said(container, "python", "-c", question).stdout.split() == ["None", "None"]
    done = buildah.said(container, *FUNCTIONS.last["ENTRYPOINT"].list)
    assert done.returncode == 3
    assert "ORDERS_WEBHOOKS__STRIPE__SECRETS" in done.stdout + done.stderr


def test_an_image_for_the_other_processor_is_built_without_it(buildah: Buildah) -> None:
    buildah.build(WORKER.path, "orders-foreign", FOREIGN)
    assert configuration(buildah, "localhost/orders-foreign")["Docker"]["architecture"] == FOREIGN
    container = buildah("from", "--platform", f"linux/{FOREIGN}", "localhost/orders-foreign").stdout.strip()
    root = Path(buildah("mount", container).stdout.strip())
    libraries = [path for path in (root / "app").rglob("*.so") if path.is_file()]
    assert len(libraries) > 5
    assert {path.read_bytes()[18:20] for path in libraries} == {MACHINES[FOREIGN]}
