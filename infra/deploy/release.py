"""A release: one name for the functions' zip in the artifact bucket and for the worker's image. Never changed.

Terraform reads the zip's checksum from the object's own SHA-256 or from its metadata, never from a local file: what
is deployed is what was published, from whichever machine.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.deploy.aws import code_of, translated
from infra.deploy.errors import DeployError, ReleaseExists

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_OVERTAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The functions' zip of a release. `sha256` is in base64, as Lambda writes it; `source` tells what it is made from."""

    path: Path
    sha256: str
    runtime: str
    architecture: str
    source: str

    @property
    def metadata(self) -> dict[str, str]:
        """What stands beside the object, for Terraform and for the next publication."""
        return {
            "sha256": self.sha256,
            "runtime": self.runtime,
            "architecture": self.architecture,
            "source": self.source,
        }


def checked(release: str) -> str:
    """Return `release` when it can be the name of one. Raises DeployError."""
    if not _NAME.fullmatch(release) or release == "latest":
        raise DeployError(
            f"{release!r} cannot name a release: letters, digits, dot, dash and underscore, at most 100, and not "
            "`latest`, which would mean another thing tomorrow. A version or a commit will do: 2026.7.1, 3f9c2ab"
        )
    return release


def key(release: str) -> str:
    """Return where the zip of a release stands in the artifact bucket."""
    return f"functions/{release}/functions.zip"


def published(client: "S3Client", bucket: str, release: str) -> dict[str, str] | None:
    """Return the metadata of a release's zip, None when there is none. Raises what AWS refuses."""
    with translated(f"looking for {key(release)} in the bucket {bucket}"):
        try:
            head = client.head_object(Bucket=bucket, Key=key(release), ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return None
            raise
    return {**head["Metadata"], "sha256": head.get("ChecksumSHA256", head["Metadata"].get("sha256", ""))}


def upload(client: "S3Client", bucket: str, release: str, functions: Functions) -> bool:
    """Put the zip where Terraform looks for it; tell whether it was not there before.

    Raises ReleaseExists when the release was published from other sources, and what AWS refuses.
    """
    if confirmed(published(client, bucket, release), release, functions.source):
        return False
    with translated(f"uploading {key(release)} to the bucket {bucket}"), functions.path.open("rb") as body:
        try:
            client.put_object(
                Bucket=bucket,
                Key=key(release),
                Body=body,
                ContentType="application/zip",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=functions.sha256,
                Metadata=functions.metadata,
                IfNoneMatch="*",
            )
        except ClientError as error:
            if code_of(error) not in _OVERTAKEN:
                raise
            raise ReleaseExists(f"somebody else publishes {release} at the same time; try again") from error
    return True


def confirmed(there: dict[str, str] | None, release: str, source: str) -> bool:
    """Tell whether the release is there already, from the same sources. Raises ReleaseExists when from others."""
    if there is None:
        return False
    if there.get("source") != source:
        raise ReleaseExists(
            f"the release {release} exists and was made from other sources (or by other means). A release is never "
            "changed, or a rollback would not go back: choose another name."
        )
    return True


def hexadecimal(sha256: str) -> str:
    """Return a base64 digest as people compare it."""
    return base64.b64decode(sha256).hex()
