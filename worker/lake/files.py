"""Where the lake's files lie: a folder or a bucket, through one library.

Files are written whole and never changed; a manifest, written last, says that what it names is complete. Readers go
by manifests alone, so what a killed writer left behind is nobody's.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from worker.domain.errors import Conflict, ProviderUnavailable

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a manifest."""

    path: str
    """Below the lake's root."""
    rows: int
    size: int
    sha256: str


class LakeFiles:
    """Files below one root of a filesystem that PyArrow knows."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._local = isinstance(filesystem, fs.LocalFileSystem)

    @classmethod
    def in_folder(cls, folder: Path) -> "LakeFiles":
        """Return the files of a folder, which is made when it is first written to."""
        return cls(fs.LocalFileSystem(), str(folder.absolute()))

    @classmethod
    def in_bucket(cls, bucket: str, prefix: str = "", *, endpoint: str = "", region: str = "") -> "LakeFiles":
        """Return the files of a bucket; credentials are found as the AWS libraries find them."""
        options: dict[str, Any] = {"request_timeout": 30, "connect_timeout": 5}
        if region:
            options["region"] = region
        if endpoint:
            scheme, _, host = endpoint.partition("://")
            options |= {"endpoint_override": host, "scheme": scheme}
        return cls(fs.S3FileSystem(**options), "/".join(filter(None, (bucket, prefix.strip("/")))))

    def publish(self, made: Path, path: str, rows: int) -> StoredFile:
        """Move a finished local file to `path`; what stood there is replaced by what must be the same."""
        stored = StoredFile(path=path, rows=rows, size=made.stat().st_size, sha256=_sha256(made))
        with _reachable(path):
            if self._local:
                target = Path(self._at(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                # Beside the target first: a move within one folder is whole or not at all.
                beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
                shutil.move(made, beside)
                beside.replace(target)
                return stored
            with made.open("rb") as source, self._filesystem.open_output_stream(self._at(path)) as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
        made.unlink()
        return stored

    def fetch(self, path: str, into: Path) -> Path:
        """Return a local path with the file's content: itself in a folder, a copy below `into` of a bucket's."""
        if self._local:
            found = Path(self._at(path))
            if not found.is_file():
                raise Conflict(_GONE.format(path=path))
            return found
        copy = into / path.replace("/", "__")
        if not copy.exists():
            into.mkdir(parents=True, exist_ok=True)
            with (
                _reachable(path),
                self._filesystem.open_input_stream(self._at(path)) as source,
                copy.open("wb") as sink,
            ):
                shutil.copyfileobj(source, sink, _CHUNK)
        return copy

    def write_json(self, path: str, document: Mapping[str, Any]) -> str:
        """Write a document; the same content is the same bytes. Return the bytes' SHA-256."""
        content = canonical(document)
        with _reachable(path):
            if self._local:
                target = Path(self._at(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
                beside.write_bytes(content)
                beside.replace(target)
            else:
                with self._filesystem.open_output_stream(self._at(path)) as sink:
                    sink.write(content)
        return hashlib.sha256(content).hexdigest()

    def read_json(self, path: str) -> dict[str, Any]:
        """Return a document. Raises Conflict when it is gone."""
        with _reachable(path), self._filesystem.open_input_stream(self._at(path)) as source:
            document: dict[str, Any] = json.loads(source.read())
        return document

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this path."""
        with _reachable(path):
            return bool(self._filesystem.get_file_info(self._at(path)).type == fs.FileType.File)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


def require_unchanged(file: StoredFile, local: Path) -> None:
    """Raise Conflict unless the local copy of a file is what its manifest says."""
    if _sha256(local) != file.sha256:
        raise Conflict(f"{file.path} was changed since it was written: it proves nothing any more")


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@contextmanager
def _reachable(path: str) -> Iterator[None]:
    """Tell a file that is gone, which no second try brings back, from a store that does not answer."""
    try:
        yield
    except FileNotFoundError:
        raise Conflict(_GONE.format(path=path)) from None
    except OSError as error:
        raise ProviderUnavailable(f"the object store could not be used for {path}: {error}") from error


_GONE = "the object store holds no {path}: its lifecycle may have removed it; run the reconciliation again"


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes that depend on nothing but its content."""
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
