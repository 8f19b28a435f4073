"""AWS Secrets Manager: each secret is one JSON object whose keys are names of variables, ORDERS_...

Values go in and out here and nowhere else; no error and no log names one.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from worker.domain.audit import Because
from worker.domain.errors import Conflict, NotFound, ProviderRejected, ProviderUnavailable
from worker.gateways.aws import session

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretContent:
    """What a secret holds. `version` is empty, and `changed_at` None, for one that never got a value."""

    values: dict[str, str]
    version: str
    changed_at: datetime | None


class SecretsManager:
    """The secrets of the account and region that the AWS libraries find (credentials, AWS_REGION, AWS_ENDPOINT_URL)."""

    def __init__(self, because: Because | None = None) -> None:
        """Make a client whose requests tell `because` as their user agent: CloudTrail keeps it with each of them."""
        told = _CONFIG.merge(Config(user_agent_extra=_agent(because))) if because is not None else _CONFIG
        try:
            self._client: SecretsManagerClient = session().client("secretsmanager", config=told)
        except NoRegionError as error:
            raise ProviderRejected(
                "AWS: no region is chosen; set AWS_REGION, or AWS_PROFILE to one that has it"
            ) from error
        except BotoCoreError as error:
            raise ProviderRejected(f"AWS Secrets Manager cannot be asked: {error}") from error

    def read(self, secret: str) -> SecretContent:
        """Return what the secret (name or ARN) holds; nothing for one without a value, or that is not there.

        Raises Conflict when it is no JSON object of texts, ProviderUnavailable, ProviderRejected.
        """
        try:
            found = self._client.get_secret_value(SecretId=secret)
        except ClientError as error:
            if _code(error) == "ResourceNotFoundException":
                return SecretContent(values={}, version="", changed_at=None)
            raise _translated(error, secret) from error
        except BotoCoreError as error:
            raise _translated(error, secret) from error
        return SecretContent(
            values=_object(found.get("SecretString", ""), secret),
            version=found["VersionId"],
            changed_at=found["CreatedDate"].astimezone(UTC),
        )

    def write(self, secret: str, values: dict[str, str], *, over: str) -> None:
        """Replace what the secret holds, which was version `over` when it was read.

        Raises Conflict when somebody wrote meanwhile (the service has no atomic exchange: the last look is a moment
        before the write), NotFound when there is no such secret, ProviderUnavailable, ProviderRejected.
        """
        if self.read(secret).version != over:
            raise Conflict(f"the secret {secret} was changed by somebody else just now; try again")
        try:
            self._client.put_secret_value(SecretId=secret, SecretString=json.dumps(values, sort_keys=True))
        except ClientError as error:
            if _code(error) == "ResourceNotFoundException":
                raise NotFound(f"there is no secret {secret}: infra/aws/bootstrap makes them") from error
            raise _translated(error, secret) from error
        except BotoCoreError as error:
            raise _translated(error, secret) from error


def _object(text: str, secret: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Conflict(f"the secret {secret} does not hold a JSON object of texts")
    return found


def _agent(because: Because) -> str:
    return f"orders-actor/{quote(because.actor, safe='')} orders-reason/{quote(because.reason, safe='') or '-'}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _translated(error: ClientError | BotoCoreError, secret: str) -> Exception:
    if isinstance(error, NoCredentialsError):
        return ProviderRejected("AWS: nobody is signed in; set AWS_PROFILE, or sign in with `aws sso login`")
    if not isinstance(error, ClientError):
        return ProviderUnavailable(f"AWS Secrets Manager does not answer: {type(error).__name__}")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or "Throttl" in _code(error):
        return ProviderUnavailable(f"AWS Secrets Manager answers {status} {_code(error)}")
    return ProviderRejected(f"AWS Secrets Manager refuses {secret}: {_code(error)}")
