"""AWS Secrets Manager, where the secrets of an environment are unless it was told otherwise."""

import json
from datetime import UTC
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from worker.domain.audit import Because
from worker.domain.errors import Conflict, NotFound
from worker.gateways.aws import session
from worker.gateways.vault import SecretContent, code_of, config_telling, object_of, opening, translated

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_STORE = "AWS Secrets Manager"


class SecretsManager:
    """The secrets of the account and region that the AWS libraries find (credentials, AWS_REGION, AWS_ENDPOINT_URL)."""

    def __init__(self, because: Because | None = None) -> None:
        """Make a client whose requests tell `because` as their user agent: CloudTrail keeps it with each of them."""
        with opening(_STORE):
            self._client: SecretsManagerClient = session().client("secretsmanager", config=config_telling(because))

    def read(self, secret: str) -> SecretContent:
        """Return what the secret holds; see Vault."""
        try:
            found = self._client.get_secret_value(SecretId=secret)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ResourceNotFoundException":
                return SecretContent(values={}, version="", changed_at=None)
            raise translated(error, _STORE, secret) from error
        return SecretContent(
            values=object_of(found.get("SecretString", ""), secret),
            version=found["VersionId"],
            changed_at=found["CreatedDate"].astimezone(UTC),
        )

    def write(self, secret: str, values: dict[str, str], *, over: str) -> None:
        """Replace what the secret holds; see Vault."""
        if self.read(secret).version != over:
            raise Conflict(f"the secret {secret} was changed by somebody else just now; try again")
        try:
            self._client.put_secret_value(SecretId=secret, SecretString=json.dumps(values, sort_keys=True))
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ResourceNotFoundException":
                raise NotFound(
                    f"there is no secret {secret}: infra/aws/bootstrap makes them (where they are parameters, as in the "
                    f"dev example, this one is /{secret})"
                ) from error
            raise translated(error, _STORE, secret) from error
