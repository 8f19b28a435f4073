"""Programs run as an image would run them: its environment, its user, its files read-only, its libraries."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infra.container_files import Dockerfile

USER = 10001


@dataclass(frozen=True, kw_only=True)
class ImageProcess:
    """How to start programs of an unpacked image. `user` is None where this machine lets us be nobody else."""

    app: Path
    libraries: Path
    interpreter: str
    user: int | None
    variables: Mapping[str, str]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the image's variables, its paths replaced by ours; nothing of this machine's environment."""
        paths = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{self.app}:{self.libraries}"}
        return {**self.variables, **paths, **more}

    def command(self, entry: list[str]) -> list[str]:
        """Return an entry point with its program found where the image has it, run by this machine's Python."""
        own, theirs = self.app / "bin" / entry[0], self.libraries / "bin" / entry[0]
        script = next(path for path in (own, theirs, Path(sysconfig.get_path("scripts")) / entry[0]) if path.is_file())
        return [self.interpreter, str(script), *entry[1:]]

    def run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end."""
        return subprocess.run(
            list(command),
            cwd=self.app,
            env=self.environment(**variables),
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def started(self, *command: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a program until the block ends."""
        with subprocess.Popen(
            list(command),
            cwd=self.app,
            env=self.environment(**variables),
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def public_folder() -> Iterator[Path]:
    """Return a new folder that another user may reach; pytest's own ones are closed to others, time and again."""
    with tempfile.TemporaryDirectory(prefix="orders-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def unpacked(image: Dockerfile, app: Path, libraries: Path | None = None) -> ImageProcess:
    """Return how to run the programs of an image that was unpacked to `app`.

    With `libraries` installed from the image's lock; else with those of the tests, which hold the same versions.
    """
    places = libraries or Path(sysconfig.get_path("purelib"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ways = [(sys.executable, USER), (f"/usr/local/bin/{version}", USER), (f"/usr/bin/{version}", USER)]
    for interpreter, user in ways if os.getuid() == 0 else []:
        made = ImageProcess(app=app, libraries=places, interpreter=interpreter, user=user, variables=image.environment)
        try:
            if made.run(interpreter, "-c", "import temporalio.bridge.temporal_sdk_bridge, ssl").returncode == 0:
                return made
        except OSError:
            continue  # nobody else may reach this Python
    return ImageProcess(app=app, libraries=places, interpreter=sys.executable, user=None, variables=image.environment)
