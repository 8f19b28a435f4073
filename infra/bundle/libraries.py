"""The locked libraries for a target, as a folder ready to be packed: wheels of its platform, pruned, compiled.

Made once for a lock file and a target, and kept: the folder's name is the digest of everything it depends on. Hashes
are required, nothing is built, nothing is resolved: what the lock names is what is packed, or the build fails.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from infra.bundle import contents
from infra.bundle.errors import BundleError
from infra.bundle.target import Target

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a bundle: what tracebacks shall name."""


def libraries(lock: Path, target: Target, cache: Path) -> Path:
    """Return the folder with the libraries of `lock` for `target`. Raises BundleError."""
    rules = Path(contents.__file__).read_bytes() + Path(__file__).read_bytes()
    digest = hashlib.sha256(lock.read_bytes() + rules + target.name.encode()).hexdigest()[:16]
    folder = cache / f"{target.name}-{digest}"
    if folder.is_dir():
        return folder
    target.interpreter()  # told before anything is fetched
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".making-") as scratch:
        made = Path(scratch) / "made"
        _install(lock, target, made)
        _prune(made)
        compile_all(made, target)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # not made by somebody else meanwhile, which would be as good
                raise
    return folder


def compile_all(folder: Path, target: Target) -> None:
    """Compile every source below `folder` with `target`'s Python. Raises BundleError.

    The bytecode is tied to nothing: no time stamps, which unpacking would not keep, and no check of the source,
    for the place it is unpacked to is read-only. One process in one order, and a fixed hash seed: the same
    source gives the same bytes.
    """
    options = ["-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK_ROOT]
    _run([str(target.interpreter()), "-S", "-s", "-m", "compileall", *options, str(folder)], "compiling")


def _install(lock: Path, target: Target, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install"]
    exactly = ["--require-hashes", "--no-deps", "--no-compile", "--requirement", str(lock), "--target", str(folder)]
    _run([*pip, *exactly, *target.pip_options()], "installing the libraries")


def _prune(folder: Path) -> None:
    for file in [path for path in folder.rglob("*") if not path.is_dir()]:
        if not contents.wanted_of_libraries(PurePosixPath(file.relative_to(folder).as_posix())):
            file.unlink()
    for directory in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()


def _run(command: list[str], what: str) -> None:
    if shutil.which(command[0]) is None:
        raise BundleError(f"{what}: there is no {command[0]}")
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise BundleError(f"{what} failed:\n{(done.stdout + done.stderr)[-4000:]}")
