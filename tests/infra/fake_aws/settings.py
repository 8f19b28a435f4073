"""What the tests tell the fake AWS when they start it: how a container of a task becomes a process of this machine."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The file is read anew at every task, so that a test can change what the next task meets."""

    file: str
    program: list[str]
    """What stands for the image's entry point; the task definition's command follows."""
    folder: str
    """In which tasks run."""
    logs: str
    """Takes one file of output per task."""
    environment: dict[str, str]
    """Variables over those of the task definition: addresses that differ on this machine, and nothing else."""
    master_password: str
    """What the database service gives its master user, because the database is a real one that was here first."""

    @classmethod
    def read(cls, file: str) -> Self:
        """Read the settings."""
        return cls(**json.loads(Path(file).read_text(encoding="utf-8")))

    def write(self) -> None:
        """Write the settings, readable by nobody else: they hold a password."""
        path = Path(self.file)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
