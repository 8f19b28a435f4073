"""AWS Systems Manager's Parameter Store, where the secrets of an environment cost nothing: SecureStrings."""

import json
from datetime import UTC
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from worker.domain.audit import Because
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.gateways.aws import session
from worker.gateways.vault import SecretContent, code_of, config_telling, object_of, opening, translated

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient

_STORE = "AWS Parameter Store"
LONGEST = 4096
"""Bytes that a standard parameter, which is free, takes: all values of a secret together."""


class ParameterStore:
    """The parameters of the account and region that the AWS libraries find (credentials, AWS_REGION, AWS_ENDPOINT_URL)."""

    def __init__(self, because: Because | None = None) -> None:
        """Make a client whose requests tell `because` as their user agent: CloudTrail keeps it with each of them."""
        with opening(_STORE):
            self._client: SSMClient = session().client("ssm", config=config_telling(because))

    def read(self, secret: str) -> SecretContent:
        """Return what the parameter holds; see Vault. An empty object, with which it is made, is no value."""
        try:
            found = self._client.get_parameter(Name=_name(secret), WithDecryption=True)["Parameter"]
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ParameterNotFound":
                return SecretContent(values={}, version="", changed_at=None)
            raise translated(error, _STORE, secret) from error
        values = object_of(found.get("Value", ""), secret)
        return SecretContent(
            values=values,
            version=str(found["Version"]),
            changed_at=found["LastModifiedDate"].astimezone(UTC) if values else None,
        )

    def write(self, secret: str, values: dict[str, str], *, over: str) -> None:
        """Replace what the parameter holds; see Vault. Raises InvalidInput when it would be longer than a parameter."""
        text = json.dumps(values, sort_keys=True)
        if len(text.encode()) > LONGEST:
            raise InvalidInput(
                f"{secret} would have {len(text.encode())} bytes, and a parameter takes {LONGEST}: an environment that "
                'needs more has its secrets in Secrets Manager (secret_store = "secrets_manager")'
            )
        found = self.read(secret)
        if not found.version:
            raise NotFound(
                f"there is no parameter {secret}: infra/aws/bootstrap makes them (where the secrets are in Secrets "
                f"Manager, this one is {secret.removeprefix('/')})"
            )
        if found.version != over:
            raise Conflict(f"the secret {secret} was changed by somebody else just now; try again")
        try:
            # Said again each time: a SecureString that is written without its key comes under AWS's own.
            self._client.put_parameter(
                Name=_name(secret),
                Value=text,
                Type="SecureString",
                Tier="Standard",
                KeyId=self._key_of(secret),
                Overwrite=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise translated(error, _STORE, secret) from error

    def _key_of(self, secret: str) -> str:
        """Return the key of the newest version, which comes last; a hundred are kept, fifty told at once."""
        pages = self._client.get_paginator("get_parameter_history").paginate(Name=_name(secret), WithDecryption=False)
        return [each.get("KeyId", "alias/aws/ssm") for page in pages for each in page["Parameters"]][-1]


def _name(secret: str) -> str:
    """Return the name of a parameter, of its ARN too: not every question takes one."""
    return "/" + secret.partition(":parameter/")[2] if secret.startswith("arn:") else secret
