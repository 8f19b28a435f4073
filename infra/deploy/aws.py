"""Clients of AWS with bounded patience, and its errors as ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from infra.deploy.errors import DeployError, NotConfigured, Refused, Unavailable

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient
    from types_boto3_ecs import ECSClient
    from types_boto3_s3 import S3Client

_PATIENCE = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
_UNCONFIGURED = (
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)


def ecr(region: str | None) -> "ECRClient":
    """Return a client of the image registry. Raises NotConfigured."""
    with translated("reaching the image registry"):
        return boto3.client("ecr", region_name=region or _region(), config=_PATIENCE)


def ecs(region: str | None) -> "ECSClient":
    """Return a client of the container service. Raises NotConfigured."""
    with translated("reaching ECS"):
        return boto3.client("ecs", region_name=region or _region(), config=_PATIENCE)


def s3(region: str | None) -> "S3Client":
    """Return a client of the object store. Raises NotConfigured."""
    with translated("reaching S3"):
        return boto3.client("s3", region_name=region or _region(), config=_PATIENCE)


def logs(region: str | None) -> Any:
    """Return a client of CloudWatch Logs. Raises NotConfigured."""
    with translated("reaching CloudWatch Logs"):
        return boto3.client("logs", region_name=region or _region(), config=_PATIENCE)


def _region() -> str | None:
    """Return the region of the variable that Terraform reads and the library does not."""
    return os.environ.get("AWS_REGION") or None


def code_of(error: ClientError) -> str:
    """Return AWS's own name of an error, or its HTTP status where the answer had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Return AWS's own words about an error."""
    return str(error.response.get("Error", {}).get("Message", error))


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what goes wrong at AWS as NotConfigured, Unavailable or Refused; `doing` says what was being done."""
    try:
        yield
    except _UNCONFIGURED as error:
        raise NotConfigured(
            f"{doing}: {error} (set AWS_PROFILE and AWS_REGION, or log in with `aws sso login`)"
        ) from error
    except ClientError as error:
        raise _refusal(doing, error) from error
    except BotoCoreError as error:
        raise Unavailable(f"{doing}: {error}") from error


def _refusal(doing: str, error: ClientError) -> DeployError:
    code = code_of(error)
    if code in _EXPIRED:
        return NotConfigured(f"{doing}: the credentials are not valid (any more): {message_of(error)}")
    return Refused(f"{doing}: {code}: {message_of(error)}", code)
