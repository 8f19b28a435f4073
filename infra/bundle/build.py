"""Builds the functions' bundle for one target, and says what came out.

The same checkout, target and Python give the same bytes: a deployment changes when the code does.
"""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from functions.config import WORKER_ONLY
from infra.bundle.archive import pack
from infra.bundle.contents import ENVIRONMENTS, own_files
from infra.bundle.errors import BundleError
from infra.bundle.libraries import compile_all, libraries
from infra.bundle.target import Target
from worker.contract.settings import FROZEN, freeze

HANDLER = "functions.lambda_handler.handler"
LOCK = "functions/requirements.lock"
MOST_ZIPPED, MOST_UNZIPPED = 50_000_000, 250_000_000
"""Lambda's limits, in bytes, of a bundle that is uploaded directly, and of what it unpacks to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A built bundle; `sha256` is in base64, as Lambda and Terraform's `source_code_hash` write it. Sizes are bytes."""

    path: Path
    target: Target
    sha256: str
    zipped: int
    unzipped: int
    files: int


def build(project: Path, target: Target, *, output: Path, cache: Path) -> Bundle:
    """Build the bundle of `project` for `target` into the folder `output`. Raises BundleError.

    Whoever else builds into `output` at this moment is not disturbed: the zip is made in a folder of this build alone,
    measured there, and takes its name when it is whole.
    """
    installed = libraries(project / LOCK, target, cache)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".making-") as scratch:
        own, made = Path(scratch) / "own", Path(scratch) / "functions.zip"
        _stage(project, own, target)
        files = dict(_named(installed))
        for name, file in _named(own):
            if name in files:
                raise BundleError(f"{name} stands both in this project and in a library")
            files[name] = file
        pack(files, made)
        bundle = Bundle(
            path=output / f"functions-{target.name}.zip",
            target=target,
            sha256=base64.b64encode(hashlib.sha256(made.read_bytes()).digest()).decode(),
            zipped=made.stat().st_size,
            unzipped=sum(file.stat().st_size for file in files.values()),
            files=len(files),
        )
        if bundle.zipped > MOST_ZIPPED or bundle.unzipped > MOST_UNZIPPED:
            told = f"{bundle.zipped} bytes, {bundle.unzipped} unpacked"
            raise BundleError(f"{bundle.path.name} has {told}: more than Lambda takes")
        made.replace(bundle.path)
    return bundle


def _stage(project: Path, folder: Path, target: Target) -> None:
    folder.mkdir()
    for name in own_files(project):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / name, folder / name)
    (folder / FROZEN).write_bytes(freeze(project, ENVIRONMENTS, WORKER_ONLY))
    compile_all(folder, target)


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file
