"""One call of an AWS service that speaks JSON, signed (Signature Version 4), without the AWS library.

Signing one kind of request takes less than a page, so no library is imported for it: the AWS library costs more of a
cold start than all the rest of a function, and is not in the bundle.
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

_TYPE = "application/x-amz-json-1.1"


class AwsUnavailable(Exception):
    """The service did not answer; another try may help. Names no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is asked for. `service` leads its host name and its signatures, `called` is its name in messages and variables."""

    service: str
    target: str
    called: str


def ask(
    operation: Operation, question: Mapping[str, Any], environ: Mapping[str, str], seconds: float
) -> tuple[int, dict[str, Any]]:
    """Return the status and the object that the service answers, an empty one for what is none. Raises AwsUnavailable.

    Credentials, region and endpoint are those of the AWS_* variables in `environ`, as Lambda sets them.
    """
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "us-east-1")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    endpoint = (
        environ.get(f"AWS_ENDPOINT_URL_{operation.called.upper().replace(' ', '_')}")
        or environ.get("AWS_ENDPOINT_URL")
        or f"https://{operation.service}.{region}.{suffix}"
    )
    parts = urlsplit(endpoint)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    body = json.dumps(question).encode()
    headers = signed(operation, body, parts.netloc, region, environ, datetime.now(UTC))
    connection = kind(parts.netloc, timeout=seconds)
    try:
        connection.request("POST", "/", body, headers)
        answered = connection.getresponse()
        content = answered.read()
    except (OSError, http.client.HTTPException) as error:
        raise AwsUnavailable(f"{operation.called} does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    return answered.status, answer if isinstance(answer, dict) else {}


def signed(
    operation: Operation, body: bytes, host: str, region: str, environ: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Return the headers of a request, signed as AWS prescribes."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"content-type": _TYPE, "host": host, "x-amz-date": moment, "x-amz-target": operation.target}
    if environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = environ["AWS_SESSION_TOKEN"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{operation.service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{environ.get('AWS_SECRET_ACCESS_KEY', '')}".encode()
    for part in (day, region, operation.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    identity = f"Credential={environ.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {identity}, SignedHeaders={names}, Signature={signature}"
    return headers
