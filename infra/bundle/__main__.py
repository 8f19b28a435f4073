"""`make bundle`: the functions' zips for AWS Lambda, into dist/, with a manifest that a deployment reads.

Two at once into one folder follow each other, so that a manifest describes the zips that stand beside it.

Exit status: 0 built, 2 wrong arguments, 5 cannot be built (the message says why).
"""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.bundle.build import HANDLER, Bundle, build
from infra.bundle.errors import BundleError
from infra.bundle.target import ARCHITECTURES, RUNTIMES, Target, running_python

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Build what `arguments` ask for and return the exit status."""
    asked = _read(arguments)
    try:
        targets = [Target(architecture=each, python=asked.python) for each in asked.arch or ARCHITECTURES]
        for target in targets:
            target.interpreter()  # told before a folder is made
        with _alone_in(asked.output):
            manifest = _build(targets, asked.output)
    except BundleError as error:
        sys.stderr.write(f"bundle: cannot go on: {error}\n")
        return 5
    sys.stdout.write(f"bundle: {manifest} describes them\n")
    return 0


def _build(targets: list[Target], output: Path) -> Path:
    """Build into `output` and return the manifest. Raises BundleError."""
    bundles = []
    for target in targets:
        began = time.monotonic()
        bundle = build(PROJECT, target, output=output, cache=PROJECT / ".local" / "cache" / "bundle")
        bundles.append(bundle)
        _tell(bundle, time.monotonic() - began)
    manifest, unfinished = output / "functions.json", output / ".functions.json"
    content = {"handler": HANDLER, "bundles": [_entry(bundle) for bundle in bundles]}
    unfinished.write_text(json.dumps(content, indent=2), encoding="utf-8")
    unfinished.replace(manifest)
    return manifest


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Make `folder` unless it is there, and wait until no other program of this kind writes to it."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)  # the folder itself is what is locked: no file is left behind
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write(f"bundle: another one writes to {folder}; waiting for it\n")
            sys.stdout.flush()
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.bundle", description="Build the functions' bundles.")
    parser.add_argument("--arch", action="append", choices=list(ARCHITECTURES), help="only this one (repeatable)")
    parser.add_argument("--python", default=running_python(), choices=RUNTIMES, help="the runtime's Python version")
    parser.add_argument("--output", type=Path, default=PROJECT / "dist", help="the folder to write to")
    return parser.parse_args(arguments)


def _tell(bundle: Bundle, seconds: float) -> None:
    sys.stdout.write(
        f"bundle: {bundle.path.name}: {bundle.zipped / 1e6:.1f} MB, {bundle.unzipped / 1e6:.1f} MB unpacked, "
        f"{bundle.files} files, in {seconds:.0f} s\n"
    )
    sys.stdout.flush()


def _entry(bundle: Bundle) -> dict[str, object]:
    return {
        "file": bundle.path.name,
        "architecture": bundle.target.architecture,
        "runtime": bundle.target.runtime,
        "sha256": bundle.sha256,
        "bytes": bundle.zipped,
        "unpacked_bytes": bundle.unzipped,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
