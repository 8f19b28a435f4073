"""Permissions of roles, enforced: a process that acts as a role may do what the role's policies grant, and no more.

Terraform and the tests are administrators. What a request implies counts too: a secret or an object under a key of
our own needs the key. The evaluation is small on purpose: Allow statements, StringEquals and StringLike conditions on
what is known of a request. A statement with anything else grants nothing.
"""

import fnmatch
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from tests.infra.fake_aws.containers import ACCOUNT, ACTING_AS, REGION

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_OBJECT_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
_BUCKET_ACTIONS = {"GET": "ListBucket", "HEAD": "ListBucket"}
_KEY_ACTIONS = {
    "GetObject": ("Decrypt",),
    "PutObject": ("GenerateDataKey",),
    "GetSecretValue": ("Decrypt",),
    "PutSecretValue": ("Decrypt", "GenerateDataKey"),
    # Standard parameters are encrypted by the key itself, without a data key.
    "GetParameter": ("Decrypt",),
    "GetParameters": ("Decrypt",),
    "PutParameter": ("Encrypt",),
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission that a request needs."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


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
        for need in _needs(signed["service"], environ):
            if not _granted(role, need):
                message = f"{role} is not authorized to perform: {need.action} on resource: {need.resource}"
                print(f"DENIED {message}", flush=True)
                answer = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
                start_response("403 Forbidden", [("Content-Type", "application/x-amz-json-1.1")])
                return [answer]
        return self._application(environ, start_response)


def _granted(role: str, need: Need) -> bool:
    """Tell whether a policy of `role` allows what is needed."""
    return any(
        statement.get("Effect") == "Allow"
        and any(fnmatch.fnmatchcase(need.action.lower(), each.lower()) for each in _listed(statement.get("Action")))
        and any(fnmatch.fnmatchcase(need.resource, each) for each in _listed(statement.get("Resource")))
        and _holds(statement.get("Condition", {}), need.context)
        for statement in _statements(role)
    )


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        operator in {"StringEquals", "StringLike"}
        and key in context
        and any(fnmatch.fnmatchcase(context[key], each) for each in _listed(wanted))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
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


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _needs(service: str, environ: dict[str, Any]) -> Iterator[Need]:
    """Yield what a request needs, its own action first."""
    if service == "s3":
        yield from _of_objects(environ)
        return
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or "Unknown"
    if service == "ecs":
        yield from (Need(action=f"ecs:{operation}", resource=arn) for arn in _services(json.loads(_body(environ))))
        return
    if service == "ssm":
        yield from _of_parameters(operation, json.loads(_body(environ)))
        return
    if service != "secretsmanager":
        yield Need(action=f"{service}:{operation}", resource="*")
        return
    name = json.loads(_body(environ)).get("SecretId", "*")
    secret = _secret(name)
    yield Need(action=f"secretsmanager:{operation}", resource=name if secret is None else secret.arn)
    if secret is not None:
        yield from _of_key(secret.kms_key_id, operation, "secretsmanager")


def _of_parameters(operation: str, question: Mapping[str, Any]) -> Iterator[Need]:
    for name in question.get("Names") or [question.get("Name", "*")]:
        arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name.lstrip('/')}"
        yield Need(action=f"ssm:{operation}", resource=arn)
        versions = ssm_backends[ACCOUNT][REGION]._parameters.get(name)
        if versions:
            # A write that names no key comes under AWS's own, and nobody could read what it wrote with the right to ours.
            key = question.get("KeyId", "alias/aws/ssm") if operation == "PutParameter" else versions[-1].keyid
            yield from _of_key(key, operation, "ssm", {"kms:EncryptionContext:PARAMETER_ARN": arn})


def _of_objects(environ: Mapping[str, Any]) -> Iterator[Need]:
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    operation = (_OBJECT_ACTIONS if key else _BUCKET_ACTIONS).get(environ["REQUEST_METHOD"], "Unknown")
    prefix = parse_qs(environ.get("QUERY_STRING", "")).get("prefix", [""])[0]
    context = {} if key else {"s3:prefix": prefix}
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    yield Need(action=f"s3:{operation}", resource=resource, context=context)
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    rule = ((found.encryption if found else None) or {}).get("Rule", {})
    default = (rule[0] if isinstance(rule, list) else rule).get("ApplyServerSideEncryptionByDefault", {})
    yield from _of_key(default.get("KMSMasterKeyID"), operation, "s3")


def _of_key(
    key: str | None, operation: str, service: str, encrypted_for: Mapping[str, str] | None = None
) -> Iterator[Need]:
    """Yield what an operation needs of the key of our own that what it touches is under; AWS's keys need nothing."""
    if not key or "alias/aws/" in key:
        return
    arn = key if key.startswith("arn:") else f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"
    for action in _KEY_ACTIONS.get(operation, ()):
        context = {
            "kms:ViaService": f"{service}.{REGION}.amazonaws.com",
            "kms:CallerAccount": ACCOUNT,
            **(encrypted_for or {}),
        }
        yield Need(action=f"kms:{action}", resource=arn, context=context)


def _services(question: Mapping[str, Any]) -> list[str]:
    """Return the services that a question to ECS is about."""
    names = question.get("services") or [question["service"]] if "service" in question or "services" in question else []
    cluster = str(question.get("cluster", "default")).rpartition("/")[2]
    prefix = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}"
    return [name if name.startswith("arn:") else f"{prefix}/{name}" for name in names] or ["*"]


def _secret(name_or_arn: str) -> Any:
    for secret in secretsmanager_backends[ACCOUNT][REGION].secrets.values():
        if name_or_arn in {secret.name, secret.arn}:
            return secret
    return None


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body and put it back for the application."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
