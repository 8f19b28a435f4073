"""`make lock`: write the lock files of every deployable: exact versions and hashes, no index, one truth for all.

The local lock is resolved first and constrains the others, so what is deployed is what was tested.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.layout import PROJECT

UV = "uv>=0.13,<0.14"
LOCAL = "infra/local/requirements.lock"
TARGETS = {
    LOCAL: ["--extra", "functions", "--extra", "serve", "--extra", "worker", "--extra", "tracing", "--group", "dev"],
    "functions/requirements.lock": ["--extra", "functions", "--constraint", LOCAL],
    "worker/requirements.lock": ["--extra", "worker", "--extra", "tracing", "--constraint", LOCAL],
    # What the images need beyond: the functions' own server, and what makes a package of our code.
    "infra/images/functions.lock": ["--extra", "functions", "--extra", "serve", "--constraint", LOCAL],
    "infra/images/packaging.lock": ["--group", "packaging", "--constraint", LOCAL],
    # Not constrained: they run in environments of their own, because what they need contradicts what we need.
    "tests/infra/fake_aws.lock": ["--group", "fake-aws"],
    "tests/infra/policy_scan.lock": ["--group", "policy-scan"],
    "tests/infra/image_lint.lock": ["--group", "image-lint"],
}


def main(arguments: list[str] | None = None) -> int:
    """Write the lock files and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="with the newest versions that pyproject.toml allows")
    upgrade = ["--upgrade"] if parser.parse_args(arguments).upgrade else []
    uv = _uv()
    for output, selection in TARGETS.items():
        # Universal: one file for every supported Python on Linux and macOS.
        options = [
            "--universal",
            "--python-version",
            "3.11",
            "--generate-hashes",
            "--no-annotate",
            "--no-emit-index-url",
        ]
        command = [
            uv,
            "pip",
            "compile",
            "--quiet",
            *options,
            *upgrade,
            *selection,
            "--output-file",
            output,
            "pyproject.toml",
        ]
        done = subprocess.run(
            command, cwd=PROJECT, env=os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "make lock"}, check=False
        )
        if done.returncode != 0:
            return done.returncode
        print(f"lock: {output}: {_count(PROJECT / output)} packages")
    return 0


def _uv() -> str:
    """Return a `uv`: the one on PATH, else one in an environment of its own below .local."""
    found = shutil.which("uv")
    if found is not None:
        return found
    tools = PROJECT / ".local" / "tools"
    if not (tools / "bin" / "uv").exists():
        print(f"lock: installing {UV} below .local/tools")
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
        subprocess.run(
            [str(tools / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", UV], check=True
        )
    return str(tools / "bin" / "uv")


def _count(lock: Path) -> int:
    return sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())


if __name__ == "__main__":
    sys.exit(main())
