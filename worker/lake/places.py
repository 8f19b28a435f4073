"""Where files lie, by path below a root: a folder, or a bucket of S3. Neither ever replaces a file unless it is told to.

A file appears whole or not at all. `create` says whether it was the first of its path, however many try at once; so a
manifest that is created once is the truth from then on.
"""

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from worker.domain.errors import ProviderRejected, ProviderUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN = frozenset({"412", "PreconditionFailed"})
_WAIT = frozenset({"409", "ConditionalRequestConflict", "SlowDown", "RequestTimeout"})


class Place(Protocol):
    """A root with files. Missing ones raise FileNotFoundError, a place that does not answer ProviderUnavailable."""

    def create(self, path: str, source: Path) -> bool:
        """Take a local file over unless there is one of this path; tell whether it was taken. It is gone then."""
        ...

    def replace(self, path: str, source: Path) -> None:
        """Take a local file over, whatever was there."""
        ...

    def fetch(self, path: str, into: Path) -> Path:
        """Return a local path with the file's content: itself in a folder, a copy below `into` of a bucket's."""
        ...

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this path."""
        ...


class Folder:
    """A folder, which is made when it is first written to."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def create(self, path: str, source: Path) -> bool:
        """Link it into its place: of many that try at once one does."""
        target, beside = self._beside(path, source)
        try:
            target.hardlink_to(beside)
        except FileExistsError:
            return False
        except OSError:
            # A filesystem without links: what comes between the look and the move is replaced by its like.
            if target.exists():
                return False
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        return True

    def replace(self, path: str, source: Path) -> None:
        """Rename it into its place."""
        target, beside = self._beside(path, source)
        try:
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def fetch(self, path: str, into: Path) -> Path:  # noqa: ARG002 - a bucket's copies go there
        """Return the file itself."""
        found = self._root / path
        if not found.is_file():
            raise FileNotFoundError(path)
        return found

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return (self._root / path).read_bytes()

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of this path."""
        return (self._root / path).is_file()

    def _beside(self, path: str, source: Path) -> tuple[Path, Path]:
        """Move a file beside its place: what follows within one folder is done at once or not at all."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            shutil.move(source, beside)
        except BaseException:
            beside.unlink(missing_ok=True)  # a part of it would make a full disk fuller with each try
            raise
        return target, beside


class Overlay:
    """A place of which nothing is changed, below a folder that takes whatever is written."""

    def __init__(self, above: Folder, below: Place) -> None:
        self._above = above
        self._below = below

    def create(self, path: str, source: Path) -> bool:
        """Take it over unless either has one."""
        if self._below.exists(path):
            source.unlink()
            return False
        return self._above.create(path, source)

    def replace(self, path: str, source: Path) -> None:
        """Take it over; what is below is hidden by it."""
        self._above.replace(path, source)

    def fetch(self, path: str, into: Path) -> Path:
        """Return the file above, or that below."""
        return self._holding(path).fetch(path, into)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return self._holding(path).read(path)

    def exists(self, path: str) -> bool:
        """Tell whether either has it."""
        return self._above.exists(path) or self._below.exists(path)

    def _holding(self, path: str) -> Place:
        return self._above if self._above.exists(path) else self._below


class Bucket:
    """What lies below a prefix of a bucket. Region, credentials and endpoint are found as every AWS library finds them."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._made: S3Client | None = None
        self._lock = threading.Lock()

    def create(self, path: str, source: Path) -> bool:
        """Put it on the condition that nothing is there: S3 decides between those that try at once."""
        with _answers(self._bucket, path), source.open("rb") as content:
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._key(path), Body=content, IfNoneMatch="*")
            except self._client.exceptions.ClientError as error:
                if _code(error.response) not in _TAKEN:
                    raise
                taken = False
            else:
                taken = True
        source.unlink()
        return taken

    def replace(self, path: str, source: Path) -> None:
        """Put it; the bucket keeps what was there as an older version."""
        with _answers(self._bucket, path), source.open("rb") as content:
            self._client.put_object(Bucket=self._bucket, Key=self._key(path), Body=content)
        source.unlink()

    def fetch(self, path: str, into: Path) -> Path:
        """Return a copy below `into`, made once."""
        copy = into / path.replace("/", "__")
        if not copy.exists():
            into.mkdir(parents=True, exist_ok=True)
            with _answers(self._bucket, path):
                self._client.download_file(self._bucket, self._key(path), str(copy))
        return copy

    def read(self, path: str) -> bytes:
        """Return an object's content."""
        with _answers(self._bucket, path):
            return self._client.get_object(Bucket=self._bucket, Key=self._key(path))["Body"].read()

    def exists(self, path: str) -> bool:
        """Tell whether there is an object of this path."""
        try:
            with _answers(self._bucket, path):
                self._client.head_object(Bucket=self._bucket, Key=self._key(path))
        except FileNotFoundError:
            return False
        return True

    def _key(self, path: str) -> str:
        return f"{self._prefix}{path}"

    @property
    def _client(self) -> "S3Client":
        # Made with the first use: the library takes a moment, and a worker with a folder never needs it.
        with self._lock:
            if self._made is None:
                import boto3  # noqa: PLC0415
                from botocore.config import Config  # noqa: PLC0415

                patient = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
                session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
                self._made = session.client("s3", config=patient)
            return self._made


@contextmanager
def _answers(bucket: str, path: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error  # noqa: PLC0415 - loaded with the client
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code = _code(error.response)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _MISSING:
            raise FileNotFoundError(path) from None
        if code in _WAIT or status == 429 or status >= 500:
            raise ProviderUnavailable(f"the bucket {bucket} answers {status} {code} for {path}") from error
        raise ProviderRejected(f"the bucket {bucket} refuses {path}: {status} {code}") from error
    except (Boto3Error, BotoCoreError) as error:
        raise ProviderUnavailable(f"the bucket {bucket} does not answer: {type(error).__name__}") from error


def _code(response: object) -> str:
    error = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(error.get("Code", ""))
