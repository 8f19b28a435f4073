"""`make bundle`: the functions' zips for AWS Lambda, into dist/, with a manifest that a deployment reads.

Exit status: 0 built, 2 wrong arguments, 5 cannot be built (the message says why).
"""

import argparse
import json
import sys
import time
from pathlib import Path

from infra.bundle.build import HANDLER, Bundle, build
from infra.bundle.errors import BundleError
from infra.bundle.target import ARCHITECTURES, RUNTIMES, Target, running_python

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Build what `arguments` ask for and return the exit status."""
    asked = _read(arguments)
    bundles = []
    for architecture in asked.arch or ARCHITECTURES:
        began = time.monotonic()
        try:
            target = Target(architecture=architecture, python=asked.python)
            bundle = build(PROJECT, target, output=asked.output, cache=PROJECT / ".local" / "cache" / "bundle")
        except BundleError as error:
            sys.stderr.write(f"bundle: cannot go on: {error}\n")
            return 5
        bundles.append(bundle)
        _tell(bundle, time.monotonic() - began)
    manifest = asked.output / "functions.json"
    manifest.write_text(json.dumps({"handler": HANDLER, "bundles": [_entry(bundle) for bundle in bundles]}, indent=2))
    sys.stdout.write(f"bundle: {manifest} describes them\n")
    return 0


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
