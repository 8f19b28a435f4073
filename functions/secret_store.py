"""Secrets of a deployed function: read from AWS Secrets Manager when it starts, looked at again from time to time.

SECRETS_MANAGER_ARNS names the secrets; each holds a JSON object of variables (ORDERS_...), which become this
process's own. Signing one kind of request takes less than a page, so no library is imported for it: the AWS library
costs more of a cold start than all the rest of this module, and is not in the bundle.
"""

import hashlib
import hmac
import http.client
import json
import os
import time
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from worker.contract.settings import ConfigurationError

ARNS = "SECRETS_MANAGER_ARNS"
_TARGET = "secretsmanager.GetSecretValue"
_TYPE = "application/x-amz-json-1.1"
_PAUSES = (0.0, 0.2, 0.8)
"""Seconds before each try at a start. Nothing works without the secrets, so a start may wait; a request may not."""


class SecretsUnavailable(Exception):
    """Secrets Manager did not answer, or not sensibly; another try may help. Names no value."""


class SecretStore:
    """The secrets that `environ` names, and the variables that came out of them."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._arns = [arn for arn in environ.get(ARNS, "").split(",") if arn]
        self._versions: dict[str, str] = {}
        self._set: set[str] = set()

    def load(self, *, seconds: float = 3.0) -> None:
        """Read every secret and set its variables; each try waits `seconds` for an answer.

        Raises ConfigurationError for a secret that has no value, is not there or may not be read, and
        SecretsUnavailable when there is no answer after some tries.
        """
        for number, pause in enumerate(_PAUSES, start=1):
            time.sleep(pause)
            try:
                self._take(self._read(seconds))
            except SecretsUnavailable:
                if number == len(_PAUSES):
                    raise
            else:
                return

    def changed(self, *, seconds: float = 1.0) -> bool:
        """Look once whether a secret has another version; if so, set the variables of all anew.

        Raises as `load` does; the variables are then as they were.
        """
        found = self._read(seconds)
        if {arn: version for arn, (version, _) in found.items()} == self._versions:
            return False
        self._take(found)
        return True

    def _take(self, found: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        values = {name: value for _, held in found.values() for name, value in held.items()}
        for name in self._set - values.keys():
            self._environ.pop(name, None)
        self._environ.update(values)
        self._set = set(values)
        self._versions = {arn: version for arn, (version, _) in found.items()}

    def _read(self, seconds: float) -> dict[str, tuple[str, Mapping[str, str]]]:
        return {arn: self._one(arn, seconds) for arn in self._arns}

    def _one(self, arn: str, seconds: float) -> tuple[str, Mapping[str, str]]:
        status, answer = _ask(self._environ, {"SecretId": arn}, seconds)
        name = arn.rpartition(":")[2]
        if status == 400:
            reason = str(answer.get("__type", "")).rpartition("#")[2]
            raise ConfigurationError([f"the secret {name}: {reason} (`orders secrets put` gives it a value)"])
        if status != 200:
            raise SecretsUnavailable(f"Secrets Manager answers {status}")
        try:
            values = json.loads(answer["SecretString"])
        except (KeyError, TypeError, ValueError):
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ConfigurationError([f"the secret {name}: does not hold a JSON object of texts"])
        return str(answer.get("VersionId", "")), values


def _ask(environ: Mapping[str, str], question: Mapping[str, str], seconds: float) -> tuple[int, dict[str, Any]]:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "us-east-1")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    endpoint = (
        environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER")
        or environ.get("AWS_ENDPOINT_URL")
        or f"https://secretsmanager.{region}.{suffix}"
    )
    parts = urlsplit(endpoint)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    body = json.dumps(question).encode()
    headers = signed(body, parts.netloc, region, environ, datetime.now(UTC))
    connection = kind(parts.netloc, timeout=seconds)
    try:
        connection.request("POST", "/", body, headers)
        answered = connection.getresponse()
        content = answered.read()
    except (OSError, http.client.HTTPException) as error:
        raise SecretsUnavailable(f"Secrets Manager does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    return answered.status, answer if isinstance(answer, dict) else {}


def signed(body: bytes, host: str, region: str, environ: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Return the headers of a request for one secret, signed as AWS prescribes (Signature Version 4)."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"content-type": _TYPE, "host": host, "x-amz-date": moment, "x-amz-target": _TARGET}
    if environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = environ["AWS_SESSION_TOKEN"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/secretsmanager/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{environ.get('AWS_SECRET_ACCESS_KEY', '')}".encode()
    for part in (day, region, "secretsmanager", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    identity = f"Credential={environ.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {identity}, SignedHeaders={names}, Signature={signature}"
    return headers
