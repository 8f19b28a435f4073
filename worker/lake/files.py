"""The lake's files: written whole and never changed; a manifest, written last, says that what it names is complete.

Readers go by manifests alone, so what a killed writer left behind is nobody's. Where several write at once, each writes
files of names of its own, and the first manifest is the one.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.domain.errors import Conflict, NoRoom, ProviderUnavailable
from worker.lake.places import Bucket, Folder, Overlay, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a manifest."""

    path: str
    """Below the lake's root."""
    rows: int
    size: int
    sha256: str


class LakeFiles:
    """Files and documents of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @classmethod
    def in_folder(cls, folder: Path) -> "LakeFiles":
        """Return the files of a folder."""
        return cls(Folder(folder))

    @classmethod
    def in_bucket(cls, bucket: str, prefix: str = "") -> "LakeFiles":
        """Return the files of a bucket; region, credentials and endpoint are found as the AWS libraries find them."""
        return cls(Bucket(bucket, prefix))

    def under(self, folder: Path) -> "LakeFiles":
        """Return these files, where whatever is written goes to a folder and nothing here is changed."""
        return LakeFiles(Overlay(Folder(folder), self._place))

    def publish(self, made: Path, path: str, rows: int) -> StoredFile:
        """Move a finished local file to `path`. Raises Conflict when the name is taken: nothing is overwritten.

        What is there with the very content was put there by this call, of whose first try the answer was lost.
        """
        stored = StoredFile(path=path, rows=rows, size=made.stat().st_size, sha256=_sha256(made))
        if not self.offer(made, path) and not self._is_there(stored):
            raise Conflict(f"the object store holds {path} already, and nothing in it is overwritten")
        return stored

    def offer(self, made: Path, path: str) -> bool:
        """Move a finished local file to `path` unless one is there, which stays; tell whether it was moved."""
        with _reachable(path):
            return self._place.create(path, made)

    def fetch(self, path: str, into: Path) -> Path:
        """Return a local path with the file's content. Raises Conflict when it is gone."""
        with _reachable(path):
            return self._place.fetch(path, into)

    def _is_there(self, file: StoredFile) -> bool:
        with tempfile.TemporaryDirectory(prefix="orders-lake-") as folder:
            return _sha256(self.fetch(file.path, Path(folder))) == file.sha256

    def write_json(self, path: str, document: Mapping[str, Any]) -> None:
        """Write a document unless there is one of this path: the first that was written stays."""
        self.write(path, canonical(document))

    def write(self, path: str, content: bytes) -> None:
        """Write a file unless there is one of this path: the first that was written stays."""
        with _local(content) as made:
            self.offer(made, path)

    def rewrite(self, path: str, chunks: Iterable[bytes]) -> str:
        """Write a file in pieces, whatever was there; return the SHA-256 of its bytes."""
        with tempfile.TemporaryDirectory(prefix="orders-lake-") as folder:
            made = Path(folder) / "document.json"
            with made.open("wb") as file:
                file.writelines(chunks)
            sha256 = _sha256(made)
            with _reachable(path):
                self._place.replace(path, made)
        return sha256

    def read_json(self, path: str) -> dict[str, Any]:
        """Return a document. Raises Conflict when it is gone."""
        document: dict[str, Any] = json.loads(self.read(path))
        return document

    def read(self, path: str) -> bytes:
        """Return a file's content. Raises Conflict when it is gone."""
        with _reachable(path):
            return self._place.read(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this path."""
        with _reachable(path):
            return self._place.exists(path)


def require_unchanged(file: StoredFile, local: Path) -> None:
    """Raise Conflict unless the local copy of a file is what its manifest says."""
    if _sha256(local) != file.sha256:
        raise Conflict(f"{file.path} was changed since it was written: it proves nothing any more")


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@contextmanager
def _local(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="orders-lake-") as folder:
        made = Path(folder) / "document.json"
        made.write_bytes(content)
        yield made


@contextmanager
def _reachable(path: str) -> Iterator[None]:
    """Tell a file that is gone, which no second try brings back, from a store that is full or does not answer."""
    try:
        yield
    except FileNotFoundError:
        raise Conflict(_GONE.format(path=path)) from None
    except OSError as error:
        if full := NoRoom.told_by(error, f"the object store takes no {path}"):
            raise full from error
        raise ProviderUnavailable(f"the object store could not be used for {path}: {error}") from error


_GONE = "the object store holds no {path}: its lifecycle may have removed it; run the reconciliation again"


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes that depend on nothing but its content."""
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
