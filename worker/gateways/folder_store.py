"""The object store as a folder: objects appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from worker.domain.errors import InvalidInput, NotFound


class FolderStore:
    """Implements `ObjectStore` below one folder; paths that would leave it are refused."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, path: str, content: bytes) -> str:
        """Write the object by rename; return its path as given."""
        return self._write(path, lambda file: file.write(content))

    def put_file(self, path: str, source: Path) -> str:
        """Write the object from a file, by rename; return its path as given."""
        with source.open("rb") as content:
            return self._write(path, lambda file: shutil.copyfileobj(content, file))

    def _write(self, path: str, write: Callable[[BinaryIO], object]) -> str:
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o640)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return path

    def get(self, path: str) -> bytes:
        """Read the object. Raises NotFound."""
        try:
            return self._inside(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"no object {path!r} in the store") from None

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
