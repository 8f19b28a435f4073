"""What the stores of secrets have in common: each secret is one JSON object whose keys are names of variables, ORDERS_...

Values go in and out of a store and nowhere else; no error and no log names one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from worker.domain.audit import Because
from worker.domain.errors import Conflict, OrdersError, ProviderRejected, ProviderUnavailable

_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretContent:
    """What a secret holds. `changed_at` is None for one that never got a value, and `version` empty or what writes over it."""

    values: dict[str, str]
    version: str
    changed_at: datetime | None


class Vault(Protocol):
    """A store of secrets."""

    def read(self, secret: str) -> SecretContent:
        """Return what the secret (name or ARN) holds; nothing for one without a value, or that is not there.

        Raises Conflict when it is no JSON object of texts, ProviderUnavailable, ProviderRejected.
        """

    def write(self, secret: str, values: dict[str, str], *, over: str) -> None:
        """Replace what the secret holds, which was version `over` when it was read.

        Raises Conflict when somebody wrote meanwhile (no store has an atomic exchange: the last look is a moment
        before the write), NotFound when there is no such secret, ProviderUnavailable, ProviderRejected.
        """


def config_telling(because: Because | None) -> Config:
    """Return how a store is asked; requests tell `because` as their user agent, and CloudTrail keeps it with each."""
    if because is None:
        return _CONFIG
    actor, reason = quote(because.actor, safe=""), quote(because.reason, safe="") or "-"
    return _CONFIG.merge(Config(user_agent_extra=f"orders-actor/{actor} orders-reason/{reason}"))


@contextmanager
def opening(store: str) -> Iterator[None]:
    """Say what keeps a client of a store from being made, in our own errors. Raises ProviderRejected."""
    try:
        yield
    except NoRegionError as error:
        raise translated(error, store, "") from error
    except BotoCoreError as error:
        raise ProviderRejected(f"{store} cannot be asked: {error}") from error


def object_of(text: str, secret: str) -> dict[str, str]:
    """Return the variables of a secret's value. Raises Conflict when it is no JSON object of texts."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Conflict(f"the secret {secret} does not hold a JSON object of texts")
    return found


def code_of(error: Exception) -> str:
    """Return AWS's own name of an error, empty for one that is not AWS's."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def translated(error: ClientError | BotoCoreError, store: str, secret: str) -> OrdersError:
    """Return what went wrong at a store in our words."""
    if isinstance(error, NoRegionError):
        return ProviderRejected("AWS: no region is chosen; set AWS_REGION, or AWS_PROFILE to one that has it")
    if isinstance(error, NoCredentialsError):
        return ProviderRejected("AWS: nobody is signed in; set AWS_PROFILE, or sign in with `aws sso login`")
    if not isinstance(error, ClientError):
        return ProviderUnavailable(f"{store} does not answer: {type(error).__name__}")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or "Throttl" in code_of(error):
        return ProviderUnavailable(f"{store} answers {status} {code_of(error)}")
    return ProviderRejected(f"{store} refuses {secret}: {code_of(error)}")
