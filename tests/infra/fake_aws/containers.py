"""A container of a task definition as a process of this machine: its command, its variables, its secrets.

Shared by the fake ECS, which runs tasks with it, and by the tests, which run a service's container with it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT = "123456789012"
"""The account that moto gives everybody."""
REGION = "eu-west-1"
ACTING_AS = "acting-as."
"""An access key of this beginning acts as the role that follows: its calls need that role's permission."""


class SecretUnavailable(Exception):
    """A secret that a container needs cannot be had; ECS then does not start it."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """What to start."""

    command: list[str]
    environment: dict[str, str]


def process_of(
    definition: Mapping[str, Any], *, endpoint: str, program: list[str], instead: Mapping[str, str]
) -> Process:
    """Return the process of the only container of a task definition; `instead` wins over its variables.

    Secrets are asked for as the execution role, and the process acts as the task role. Raises SecretUnavailable.
    """
    (container,) = definition["containerDefinitions"]
    variables = {each["name"]: each["value"] for each in container.get("environment", [])}
    secrets = _Secrets(endpoint, definition["executionRoleArn"])
    for each in container.get("secrets", []):
        variables[each["name"]] = secrets.value(each["valueFrom"])
    return Process(
        command=[*program, *container["command"]],
        environment={**variables, **acting_as(definition["taskRoleArn"], endpoint), **instead},
    )


def acting_as(role_arn: str, endpoint: str) -> dict[str, str]:
    """Return the variables of a process that acts as a role."""
    return {
        "AWS_ACCESS_KEY_ID": ACTING_AS + role_arn.rpartition("/")[2],
        "AWS_SECRET_ACCESS_KEY": "fake",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class _Secrets:
    def __init__(self, endpoint: str, role_arn: str) -> None:
        self._endpoint, self._variables = endpoint, acting_as(role_arn, endpoint)

    def value(self, source: str) -> str:
        """Return what `valueFrom` names: a parameter, or `<arn of the secret>[:<key>:<stage>:<version>]`."""
        return self._parameter(source) if source.startswith("arn:aws:ssm:") else self._secret(source)

    def _parameter(self, arn: str) -> str:
        name = arn.partition(":parameter")[2]
        try:
            found = self._client("ssm").get_parameters(Names=[name], WithDecryption=True)
        except (BotoCoreError, ClientError) as error:
            raise SecretUnavailable(f"unable to retrieve secrets from ssm: {error}") from error
        if not found["Parameters"]:
            raise SecretUnavailable(f"unable to retrieve secrets from ssm: invalid parameters: {name}")
        text: str = found["Parameters"][0]["Value"]
        return text

    def _secret(self, source: str) -> str:
        parts = source.split(":")
        arn, (key, *_) = ":".join(parts[:7]), [*parts[7:], ""]
        try:
            text: str = self._client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        except (BotoCoreError, ClientError) as error:
            raise SecretUnavailable(f"unable to retrieve secret {arn} from asm: {error}") from error
        try:
            return text if not key else str(json.loads(text)[key])
        except (KeyError, ValueError) as error:
            raise SecretUnavailable(f"retrieved secret from Secrets Manager did not contain json key {key}") from error

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # the types know only the services that the project itself uses
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id=self._variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=15),
        )
