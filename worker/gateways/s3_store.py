"""The object store as a bucket of S3, or of what speaks its protocol. Encryption and lifetime are the bucket's own rules.

Bucket, region, credentials and another endpoint (AWS_ENDPOINT_URL) are found as every AWS library finds them; in a
container they are its role's.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from worker.domain.errors import InvalidInput, NotFound, ProviderRejected, ProviderUnavailable
from worker.gateways.aws import session

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MISSING = {"404", "NoSuchKey", "NotFound"}
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    # The activity is tried again for as long as it takes: here only what a second try puts right at once.
    retries={"mode": "standard", "total_max_attempts": 3},
)


class S3Store:
    """Implements `ObjectStore` in one bucket. An object of S3 appears whole or not at all by itself."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._made: S3Client | None = None
        self._lock = threading.Lock()

    def put(self, path: str, content: bytes) -> str:
        """Write the object; return its path as given. Raises ProviderUnavailable, ProviderRejected, InvalidInput."""
        key = _key(path)
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=_type(key))
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, self._bucket, path) from error
        return path

    def put_file(self, path: str, source: Path) -> str:
        """Write the object from a file, in parts where it is large. Raises as `put` does."""
        key = _key(path)
        try:
            self._client.upload_file(str(source), self._bucket, key, ExtraArgs={"ContentType": _type(key)})
        except S3UploadFailedError as error:
            raise ProviderUnavailable(f"the bucket {self._bucket} did not take {path!r} whole") from error
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, self._bucket, path) from error
        return path

    @contextmanager
    def holding(self, source: Path) -> Iterator[Callable[[str], str]]:
        """Upload it once it has a path: an object cannot be named later. Raises as `put` does."""
        yield lambda path: self.put_file(path, source)

    def get(self, path: str) -> bytes:
        """Read the object. Raises NotFound, ProviderUnavailable, ProviderRejected, InvalidInput."""
        key = _key(path)
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, self._bucket, path) from error

    def fetch(self, path: str, into: Path) -> Path:
        """Return a copy, read in parts. Raises as `get` does."""
        key = _key(path)
        copy = into / sha256(key.encode()).hexdigest()
        try:
            self._client.download_file(self._bucket, key, str(copy))
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, self._bucket, path) from error
        return copy

    def names(self, prefix: str) -> list[str]:
        """Return the paths below `prefix`, sorted. Raises ProviderUnavailable, ProviderRejected, InvalidInput."""
        below = f"{_key(prefix)}/"
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below)
            found = [item["Key"] for page in pages for item in page.get("Contents", ())]
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, self._bucket, prefix) from error
        hidden = (any(part.startswith(".") for part in PurePosixPath(key).parts) for key in found)
        return sorted(key for key, is_hidden in zip(found, hidden, strict=True) if not is_hidden and key[-1] != "/")

    @property
    def _client(self) -> "S3Client":
        # Made with the first use, which costs a moment; the client may be used by several threads.
        with self._lock:
            if self._made is None:
                self._made = session().client("s3", config=_CONFIG)
            return self._made


def _key(path: str) -> str:
    """Return the key of a path: the same paths are refused as in a folder, so that either store can replace the other."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise InvalidInput(f"object path leaves the store: {path[:120]!r}")
    return "/".join(parts)


_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _type(key: str) -> str:
    """Return the media type of an object, by which a browser shows a report instead of saving it."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")


def _translated(error: ClientError | BotoCoreError, bucket: str, path: str) -> Exception:
    if not isinstance(error, ClientError):
        # No credentials, no answer, no region: all of them are the surroundings', and may be there the next time.
        return ProviderUnavailable(f"the bucket {bucket} does not answer: {type(error).__name__}")
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return NotFound(f"no object {path!r} in the bucket {bucket}")
    if status in {429, 503} or status >= 500 or code in {"RequestTimeout", "SlowDown"}:
        return ProviderUnavailable(f"the bucket {bucket} answers {status} {code}")
    return ProviderRejected(f"the bucket {bucket} refuses {path!r}: {status} {code}")
