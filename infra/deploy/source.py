"""What a release is made from, as one digest: the files that go into the zip and the images, and what for.

A test holds this list against what the images' COPY lines admit.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = ("functions", "worker", "infra/images", "infra/waker")
_FILES = ("LICENSE", "README.md", "pyproject.toml", "settings.toml", ".dockerignore")
_NEVER = {"__pycache__"}


def files(project: Path) -> Iterator[Path]:
    """Yield the files of a release in a fixed order, relative to `project`."""
    found = [project / name for name in _FILES]
    for folder in _FOLDERS:
        found += [path for path in (project / folder).rglob("*") if path.is_file()]
    for path in sorted(found):
        if path.is_file() and not _NEVER & set(path.parts):
            yield path.relative_to(project)


def digest(project: Path, *for_what: str) -> str:
    """Return the digest of the sources of `project`, and of what they are built for."""
    whole = hashlib.sha256("\n".join(for_what).encode())
    for name in files(project):
        content = hashlib.sha256((project / name).read_bytes()).hexdigest()
        whole.update(f"{name.as_posix()} {content}\n".encode())
    return whole.hexdigest()


def revision(project: Path) -> str:
    """Return the commit that is checked out, `-changed` appended when files differ from it, or `unknown`."""
    try:
        commit = _git(project, "rev-parse", "HEAD")
        changed = _git(project, "status", "--porcelain", "--", *_FOLDERS, *_FILES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-changed" if changed else commit


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()
