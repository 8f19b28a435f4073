"""What a bundle is built for: a Lambda architecture and a Python version, whatever machine this is.

The bytecode in a bundle must come from the Python version that will run it, so an interpreter of that version is
needed here; the architecture does not matter for it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.bundle.errors import BundleError

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of the architectures, and those of wheels."""

RUNTIMES = ("3.11", "3.12", "3.13")
"""The Python versions of this project that Lambda runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of Lambda function. `python` is `3.13`; `architecture` a key of ARCHITECTURES."""

    architecture: str
    python: str

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise BundleError(f"there is no architecture {self.architecture}: use {' or '.join(ARCHITECTURES)}")
        if self.python not in RUNTIMES:
            raise BundleError(f"Python {self.python} is not one of {', '.join(RUNTIMES)}")

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime, `python3.13`."""
        return f"python{self.python}"

    @property
    def name(self) -> str:
        """The target in file names."""
        return f"{self.runtime}-{self.architecture}"

    @property
    def is_ours(self) -> bool:
        """Tell whether what is built for this target runs on this machine under this Python."""
        return (
            sys.platform == "linux"
            and os.uname().machine == ARCHITECTURES[self.architecture]
            and self.python == running_python()
        )

    def pip_options(self) -> list[str]:
        """What makes pip choose this target's wheels. glibc 2.17 is older than that of every Lambda runtime."""
        machine = ARCHITECTURES[self.architecture]
        return [
            *(option for tag in ("manylinux2014", "manylinux_2_17") for option in ("--platform", f"{tag}_{machine}")),
            *("--implementation", "cp", "--python-version", self.python, "--only-binary", ":all:"),
        ]

    def interpreter(self) -> Path:
        """Return a Python of this target's version on this machine. Raises BundleError when there is none."""
        for candidate in self._candidates():
            question = "import sys; print('%d.%d' % sys.version_info[:2])"
            asked = subprocess.run([candidate, "-I", "-c", question], capture_output=True, text=True, check=False)
            if asked.returncode == 0 and asked.stdout.strip() == self.python:
                return candidate
        raise BundleError(f"bytecode for {self.runtime} needs a {self.runtime} on this machine, and there is none")

    def _candidates(self) -> Iterator[Path]:
        if self.python == running_python():
            yield Path(sys.executable)
        on_path = shutil.which(self.runtime)
        if on_path is not None:
            yield Path(on_path)
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        yield from sorted(pyenv.glob(f"versions/{self.python}.*/bin/{self.runtime}"), reverse=True)


def running_python() -> str:
    """Return the version of the Python that runs this, `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
