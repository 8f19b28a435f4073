"""Terraform as the proof runs it: the program, the provider's plugin, working copies, bounded commands.

The plugin comes from a mirror on this machine when there is one, else from the registry when it answers; when there is
neither, `why_not()` says so in one sentence and the tests skip with it. Nothing is written into the checkout: every
configuration is copied, and its backend is replaced by a local one.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
AWS = PROJECT / "infra" / "aws"
PROVIDER = "registry.terraform.io/hashicorp/aws"
_IMPLIED = ("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")
_ADDED = Path("/opt")
"""Where software that is no part of the system's stands, each in a folder of its own."""
_REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
_MIRROR_PATH = re.compile(r'filesystem_mirror\s*\{[^}]*?path\s*=\s*"([^"]+)"', re.DOTALL)


@dataclass(frozen=True)
class Done:
    """What a command did."""

    status: int
    output: str

    def ok(self) -> str:
        """Return the output of a command that must have succeeded."""
        assert self.status == 0, f"terraform ended with {self.status}:\n{self.output[-6000:]}"
        return self.output


@functools.cache
def why_not() -> str | None:
    """Return why Terraform cannot be used here, None when it can."""
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    if mirror() is None and not _registry_answers():
        return "no local mirror of Terraform's aws provider (TF_PLUGIN_DIR names one), and the registry does not answer"
    return None


@functools.cache
def mirror() -> Path | None:
    """Return a folder that holds the aws provider as a mirror does, looking where Terraform's users put theirs."""
    home = Path.home()
    named = os.environ.get("TF_PLUGIN_DIR")
    places = [
        *([Path(named)] if named else []),
        *_configured(home),
        home / ".terraform.d" / "plugins",
        *(Path(place) for place in _IMPLIED),
        *(found.parent for found in sorted(_ADDED.glob("*/registry.terraform.io"))),
    ]
    return next((place for place in places if (place / PROVIDER).is_dir()), None)


def _configured(home: Path) -> list[Path]:
    """Return the mirrors that Terraform's own configuration file names."""
    file = Path(os.environ.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc")
    if not file.is_file():
        return []
    return [Path(path).expanduser() for path in _MIRROR_PATH.findall(file.read_text("utf-8"))]


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(_REGISTRY, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A working copy of one folder below infra/aws, with everything it refers to."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def init(self, *options: str) -> None:
        """Initialise; what keeps a state in the cloud must have been overridden, or `-backend=false` be an option."""
        plugins = mirror()
        self.run("init", "-input=false", *options, *([f"-plugin-dir={plugins}"] if plugins else []), seconds=120).ok()

    def run(self, *arguments: str, seconds: float, env: Mapping[str, str] | None = None) -> Done:
        """Run a command and return how it ended; one that takes too long has failed."""
        environ = {**clean_environ(), **self.env, **(env or {})}
        command = ["terraform", *arguments]
        if arguments[0] != "fmt":
            command.append("-no-color")
        with tempfile.TemporaryFile() as output:  # not a pipe: a plugin that outlives terraform would hold it open
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = -1
            finally:
                _end_all_of(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        return Done(status, text if status != -1 else f"{text}\nended after {seconds} s")

    def json(self, *arguments: str, seconds: float = 60) -> Any:
        """Run a command that prints JSON."""
        return json.loads(self.run(*arguments, seconds=seconds).ok())


def _end_all_of(process: "subprocess.Popen[bytes]") -> None:
    """End what a command left, its plugins too: each is half a gigabyte, and outlives a terraform that was killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def copied(below: str, to: Path, env: Mapping[str, str] | None = None) -> Configuration:
    """Copy infra/aws (and what it reads beside it) to `to` and return the configuration of one folder of it."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "__pycache__")
    if not (to / "infra").exists():
        shutil.copytree(AWS, to / "infra" / "aws", ignore=ignored)
        (to / "functions").mkdir()
        shutil.copy(PROJECT / "functions" / "routes.json", to / "functions")
    return Configuration(folder=to / "infra" / "aws" / below, env=env or {})


def clean_environ() -> dict[str, str]:
    """Return the outer environment without what would redirect Terraform or reach a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_", "ORDERS_"))}
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "AWS_EC2_METADATA_DISABLED": "true"}


def main() -> int:
    """Say whether Terraform can be used here; never a failure."""
    reason = why_not()
    if reason is not None:
        print(f"infra: the tests that need Terraform will be skipped: {reason}")
    else:
        print(
            f"infra: terraform and its aws provider are here ({mirror() or 'from the registry'}); see make infra-test"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
