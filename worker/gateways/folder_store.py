"""The object store as a folder: objects appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from worker.domain.errors import InvalidInput, NoRoom, NotFound, ProviderUnavailable


class FolderStore:
    """Implements `ObjectStore` below one folder; paths that would leave it are refused."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, path: str, content: bytes) -> str:
        """Write the object by rename; return its path as given. Raises NoRoom, ProviderUnavailable."""
        target = self._inside(path)
        with _beside(target) as temporary, _taken(path):
            temporary.write_bytes(content)
            _lasting(temporary)
            temporary.replace(target)
        return path

    def put_file(self, path: str, source: Path) -> str:
        """Write the object from a file, by rename; return its path as given. Raises as `put` does."""
        target = self._inside(path)
        with _beside(target) as temporary, _taken(path):
            _copy(source, temporary)
            temporary.replace(target)
        return path

    @contextmanager
    def holding(self, source: Path) -> Iterator[Callable[[str], str]]:
        """Copy a file while something else is done; to name it is a rename, and raises as `put` does."""
        with _beside(self._root / "held") as temporary, ThreadPoolExecutor(1, "storing") as pool:
            copying = pool.submit(_copy, source, temporary)

            def put(path: str) -> str:
                target = self._inside(path)
                with _taken(path):
                    copying.result()
                    target.parent.mkdir(parents=True, exist_ok=True)
                    temporary.replace(target)
                return path

            yield put

    def get(self, path: str) -> bytes:
        """Read the object. Raises NotFound."""
        try:
            return self._inside(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"no object {path!r} in the store") from None

    def fetch(self, path: str, into: Path) -> Path:  # noqa: ARG002 - where a bucket's copies go
        """Return the file itself. Raises NotFound."""
        found = self._inside(path)
        if not found.is_file():
            raise NotFound(f"no object {path!r} in the store")
        return found

    def names(self, prefix: str) -> list[str]:
        """Return the paths below `prefix`, sorted; what is still being written, hidden, or a link that leads out is left out."""
        folder = self._inside(prefix)
        inside = (file for file in folder.rglob("*") if file.is_file() and file.resolve().is_relative_to(self._root))
        found = (file.relative_to(self._root) for file in inside)
        return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))

    def _inside(self, path: str) -> Path:
        target = (self._root / path).resolve()
        if not target.is_relative_to(self._root) or target == self._root:
            raise InvalidInput(f"object path leaves the store: {path[:120]!r}")
        return target


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a file that no list of names shows, in the folder of another; it is gone afterwards unless it was moved."""
    with _taken(target.name):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _taken(path: str) -> Iterator[None]:
    """Say of a folder that does not take an object that it is full, or what else is wrong with it."""
    try:
        yield
    except OSError as error:
        if full := NoRoom.told_by(error, f"the object store takes no {path}"):
            raise full from error
        raise ProviderUnavailable(f"the object store could not be used for {path}: {error}") from error


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)  # within the kernel
    _lasting(target)


def _lasting(path: Path) -> None:
    """Put a finished file on disk, for the group to read."""
    path.chmod(0o640)
    with path.open("rb") as file:
        os.fsync(file.fileno())
