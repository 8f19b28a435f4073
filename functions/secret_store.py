"""Secrets of a deployed function: read from AWS when it starts, looked at again from time to time.

SECRETS_MANAGER_ARNS names secrets of Secrets Manager, PARAMETER_STORE_ARNS parameters of Systems Manager; each holds a
JSON object of variables (ORDERS_...), which become this process's own.
"""

import json
import os
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from functions.aws_call import AwsUnavailable, Operation, ask
from worker.contract.settings import ConfigurationError

ARNS = "SECRETS_MANAGER_ARNS"
PARAMETERS = "PARAMETER_STORE_ARNS"
READ = Operation(service="secretsmanager", target="secretsmanager.GetSecretValue", called="Secrets Manager")
READ_PARAMETERS = Operation(service="ssm", target="AmazonSSM.GetParameters", called="SSM")
"""One question may be about ten, of which a function has four at most."""
_PAUSES = (0.0, 0.2, 0.8)
"""Seconds before each try at a start. Nothing works without the secrets, so a start may wait; a request may not."""


class SecretsUnavailable(Exception):
    """The store of secrets did not answer, or not sensibly; another try may help. Names no value."""


class SecretStore:
    """The secrets that `environ` names, and the variables that came out of them."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._arns = [arn for arn in environ.get(ARNS, "").split(",") if arn]
        self._parameters = [_name_of(arn) for arn in environ.get(PARAMETERS, "").split(",") if arn]
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
        found = {arn: self._one(arn, seconds) for arn in self._arns}
        return found | (self._together(self._parameters, seconds) if self._parameters else {})

    def _one(self, arn: str, seconds: float) -> tuple[str, Mapping[str, str]]:
        name = arn.rpartition(":")[2]
        answer = self._asked(READ, {"SecretId": arn}, f"the secret {name}", seconds)
        return str(answer.get("VersionId", "")), _object(answer.get("SecretString"), f"the secret {name}")

    def _together(self, names: list[str], seconds: float) -> dict[str, tuple[str, Mapping[str, str]]]:
        question = {"Names": names, "WithDecryption": True}
        answer = self._asked(READ_PARAMETERS, question, f"the parameters {', '.join(names)}", seconds)
        told = {each["Name"]: each for each in answer.get("Parameters", [])}
        found: dict[str, tuple[str, Mapping[str, str]]] = {
            name: (str(told[name]["Version"]), _object(told[name].get("Value"), f"the parameter {name}"))
            for name in names
            if name in told
        }
        # A parameter is made with an empty object, as it cannot be without a value.
        empty = [name for name in names if name not in found or not found[name][1]]
        if empty:
            raise ConfigurationError(
                [f"the parameter {name}: has no value (`orders secrets put` gives it one)" for name in empty]
            )
        return found

    def _asked(self, operation: Operation, question: dict[str, Any], what: str, seconds: float) -> dict[str, Any]:
        try:
            status, answer = ask(operation, question, self._environ, seconds)
        except AwsUnavailable as error:
            raise SecretsUnavailable(str(error)) from error
        reason = str(answer.get("__type", "")).rpartition("#")[2]
        if status == 400 and "Throttl" not in reason:
            raise ConfigurationError([f"{what}: {reason} (`orders secrets put` gives it a value)"])
        if status != 200:
            raise SecretsUnavailable(f"{operation.called} answers {status} {reason}")
        return dict(answer)


def _object(text: Any, what: str) -> dict[str, str]:
    try:
        values = json.loads(text)
    except (TypeError, ValueError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigurationError([f"{what}: does not hold a JSON object of texts"])
    return values


def _name_of(arn: str) -> str:
    return "/" + arn.partition(":parameter/")[2]
