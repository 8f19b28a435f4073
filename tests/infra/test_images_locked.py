"""What the images' own locks install is enough: every module of the programs is imported with nothing else there."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.container_files import IMAGES, PROJECT, Dockerfile, carry_out
from tests.infra.image_process import ImageProcess, public_folder, unpacked
from tests.infra.test_images import FUNCTIONS, WORKER
from tests.infra.test_images_run import SECRETS

LOCKS = {WORKER.path: PROJECT / "worker" / "requirements.lock", FUNCTIONS.path: IMAGES / "functions.lock"}
EVERY_MODULE = """
import importlib, pathlib, sys
root = pathlib.Path.cwd()
for file in sorted(root.rglob("*.py")):
    parts = file.relative_to(root).with_suffix("").parts
    if "migrations" in parts or parts[-1] in ("__main__", "gunicorn.conf") or parts[0] not in ("worker", "functions"):
        continue
    importlib.import_module(".".join(part for part in parts if part != "__init__"))
print(len(sys.modules))
"""

pytestmark = pytest.mark.infra


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
@pytest.mark.parametrize("image", [WORKER, FUNCTIONS], ids=lambda image: image.path.stem)
def test_every_library_has_a_wheel_for_either_processor_and_the_image_s_python(
    image: Dockerfile, machine: str, tmp_path: Path
) -> None:
    """What the build asks of pip, asked without the build, and for the Python of the base image whatever runs here."""
    build = " ".join(each.value for each in image.stages[0])
    platforms = re.findall(r'--platform "(\w+)_\$machine"', build)
    assert len(platforms) > 1
    python = re.search(r"python:(\d+\.\d+)", image.stages[0][0].value)
    assert python is not None
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "install", "--dry-run"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", python[1]),
        *(option for platform in platforms for option in ("--platform", f"{platform}_{machine}")),
        *("--target", str(tmp_path), "--requirement", str(LOCKS[image.path])),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=[WORKER, FUNCTIONS], ids=lambda image: image.path.stem)
def installed(request: pytest.FixtureRequest) -> Iterator[tuple[Dockerfile, ImageProcess]]:
    """An image's program with the libraries of its lock alone, and without this environment's."""
    image: Dockerfile = request.param
    lock = LOCKS[image.path]
    assert lock.relative_to(PROJECT).as_posix() in [source for source, _ in image.of_context()]
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    libraries = PROJECT / ".local" / "cache" / "images" / f"{image.path.stem}-{digest}"
    if not libraries.is_dir():
        unfinished = libraries.with_suffix(f".{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "install"]
        options = [
            "--no-compile",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--target",
            str(unfinished),
        ]
        subprocess.run([*pip, *options, "--requirement", str(lock)], check=True, timeout=300)
        unfinished.rename(libraries)
    with public_folder() as folder:
        yield image, unpacked(image, carry_out(image, folder), libraries)


def test_every_module_finds_what_it_imports(installed: tuple[Dockerfile, ImageProcess]) -> None:
    _, process = installed
    # -S: without the environment that the tests run in.
    done = process.run(process.interpreter, "-S", "-c", EVERY_MODULE, **SECRETS)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def test_the_entry_point_is_among_them(installed: tuple[Dockerfile, ImageProcess]) -> None:
    image, process = installed
    entry = image.last["ENTRYPOINT"].list[0]
    assert [path for path in (process.app / "bin" / entry, process.libraries / "bin" / entry) if Path(path).is_file()]
    script = process.command([entry])[1]
    done = process.run(process.interpreter, "-S", script, "--version")
    assert done.returncode == 0, done.stderr
