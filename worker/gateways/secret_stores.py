"""In which store a secret is: its name says so.

A parameter's name begins with a slash (/orders/dev/worker), that of a secret in Secrets Manager does not
(orders/prod/worker).
"""

from worker.domain.audit import Because
from worker.gateways.parameter_store import ParameterStore
from worker.gateways.secrets_manager import SecretsManager
from worker.gateways.vault import Vault


def vault_of(secret: str, because: Because | None = None) -> Vault:
    """Return the store of the secret with this name or ARN; requests tell `because` to CloudTrail."""
    in_parameters = ":parameter/" in secret if secret.startswith("arn:") else secret.startswith("/")
    return ParameterStore(because) if in_parameters else SecretsManager(because)
