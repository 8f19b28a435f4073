"""Tools of the proof that need environments of their own, made below .local from their lock files.

    python -m tests.infra.locked_environments            make what is missing (`make infra-test` does that first)

The fake AWS and the policy scanner want other versions of boto3 than we have, so they never share our environment.
"""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_INSTALLING = 900


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One locked environment."""

    name: str
    lock: Path

    @property
    def folder(self) -> Path:
        """Where the environment is; it moves with the lock file's content, so that an old one is never used."""
        digest = hashlib.sha256(self.lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
        return PROJECT / ".local" / "tools" / f"{self.name}-{digest}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def is_ready(self) -> bool:
        """Tell whether the installation was finished."""
        return (self.folder / "ready").is_file()

    def make(self) -> None:
        """Install it. Raises CalledProcessError or TimeoutExpired."""
        if self.is_ready:
            return
        packages = sum(1 for line in self.lock.read_text("utf-8").splitlines() if line[:1].isalnum())
        print(f"infra-test: installing {self.name}, {packages} packages (first run only, a minute or two)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True, timeout=120)
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
        subprocess.run([*pip, "--require-hashes", "--requirement", str(self.lock)], check=True, timeout=_INSTALLING)
        (self.folder / "ready").touch()


FAKE_AWS = Tool(name="fake-aws", lock=Path(__file__).with_name("fake_aws.lock"))
POLICY_SCAN = Tool(name="policy-scan", lock=Path(__file__).with_name("policy_scan.lock"))


def main() -> int:
    """Make all tools; tell and return 1 when one cannot be made."""
    for tool in (FAKE_AWS, POLICY_SCAN):
        try:
            tool.make()
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"infra-test: {tool.name} cannot be installed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
