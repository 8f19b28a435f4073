"""Permissions of roles, enforced: a process that acts as a role may do what the role's policies grant, and no more.

Terraform and the tests are administrators. The evaluation is small on purpose: Allow statements with literal or
wildcard actions and resources. A Deny, a NotAction or a condition that it does not know denies, and says so.
"""

import fnmatch
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.infra.fake_aws.containers import ACCOUNT, ACTING_AS, REGION

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_OBJECT_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
_BUCKET_ACTIONS = {"GET": "ListBucket", "HEAD": "ListBucket"}


class Enforced:
    """The fake AWS behind a door at which roles show what they are allowed."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on, or refuse it as AWS would."""
        signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed is None or not signed["key"].startswith(ACTING_AS):
            return self._application(environ, start_response)
        role = signed["key"].removeprefix(ACTING_AS)
        action, resource = _asked(signed["service"], environ)
        if granted(role, action, resource):
            return self._application(environ, start_response)
        message = f"{role} is not authorized to perform: {action} on resource: {resource}"
        print(f"DENIED {message}", flush=True)
        answer = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
        start_response("403 Forbidden", [("Content-Type", "application/x-amz-json-1.1")])
        return [answer]


def granted(role: str, action: str, resource: str) -> bool:
    """Tell whether a policy of `role` allows `action` on `resource`."""
    return any(
        statement.get("Effect") == "Allow"
        and not statement.get("Condition")
        and any(fnmatch.fnmatchcase(action.lower(), each.lower()) for each in _listed(statement, "Action"))
        and any(fnmatch.fnmatchcase(resource, each) for each in _listed(statement, "Resource"))
        for statement in _statements(role)
    )


def _statements(role_name: str) -> Iterator[dict[str, Any]]:
    role = iam_backends[ACCOUNT]["aws"].get_role(role_name)
    documents = [
        *role.policies.values(),
        *(policy.default_version.document for policy in role.managed_policies.values()),
    ]
    for document in documents:
        content = document if isinstance(document, dict) else json.loads(unquote(document))
        statements = content["Statement"]
        yield from statements if isinstance(statements, list) else [statements]


def _listed(statement: dict[str, Any], name: str) -> list[str]:
    value = statement.get(name, [])
    return value if isinstance(value, list) else [value]


def _asked(service: str, environ: dict[str, Any]) -> tuple[str, str]:
    """Return the action and the resource of a request."""
    if service == "s3":
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        name = (_OBJECT_ACTIONS if key else _BUCKET_ACTIONS).get(environ["REQUEST_METHOD"], "Unknown")
        return f"s3:{name}", f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or "Unknown"
    if service == "secretsmanager":
        return f"secretsmanager:{operation}", _secret(json.loads(_body(environ)).get("SecretId", "*"))
    return f"{service}:{operation}", "*"


def _secret(name_or_arn: str) -> str:
    for secret in secretsmanager_backends[ACCOUNT][REGION].secrets.values():
        if name_or_arn in {secret.name, secret.arn}:
            return str(secret.arn)
    return name_or_arn


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body and put it back for the application."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
