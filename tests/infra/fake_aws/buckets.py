"""Buckets: settings that moto takes and does not tell of, so that the provider waits for them, or every plan sets them.

And policies: moto does not read their conditions, so that what is refused without TLS is refused always.
"""

import json
from types import SimpleNamespace
from typing import Any

from flask import request
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response as Responses

_ANSWER = (
    '<?xml version="1.0"?><NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<EventBridgeConfiguration/></NotificationConfiguration>"
)


_OF_TRANSPORT = ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": "1.2"}})


def apply() -> None:
    """Complete what a bucket tells, and what its policy means."""
    _tell_of_the_bridge()
    _tell_of_kept_versions()
    _read_conditions()


def _tell_of_the_bridge() -> None:
    told = Responses.get_bucket_notification

    def notification(self: Any) -> Any:
        stored = self.backend.get_bucket_notification_configuration(self.bucket_name)
        only_bridge = stored is not None and stored.event_bridge is not None
        if only_bridge and not (stored.topic or stored.queue or stored.cloud_function):
            self.data["Action"] = "GetBucketNotificationConfiguration"
            return 200, {}, _ANSWER
        return told(self)

    Responses.get_bucket_notification = notification


def _tell_of_kept_versions() -> None:
    taken, written = FakeBucket.set_lifecycle, Responses.serialized

    def take(self: Any, rules: list[dict[str, Any]]) -> None:
        taken(self, rules)
        self.kept_versions = {
            rule.get("ID"): (rule.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions")
            for rule in rules
        }

    def write(self: Any, answer: Any, *positional: Any, **named: Any) -> Any:
        if self.data.get("Action") == "GetBucketLifecycleConfiguration":
            kept = getattr(self.backend.get_bucket(self.bucket_name), "kept_versions", {})
            rules = answer.result.get("Rules", []) if isinstance(getattr(answer, "result", None), dict) else []
            for rule in rules:  # none in an error
                if kept.get(rule["ID"]) is not None:
                    rule["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = int(kept[rule["ID"]])
        return written(self, answer, *positional, **named)

    FakeBucket.set_lifecycle = take
    Responses.serialized = write


def _read_conditions() -> None:
    """Leave out the refusals of a policy whose condition does not hold for the request at hand."""
    judged = FakeBucket.get_permission

    def judge(self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return judged(self, action, resource)
        policy = json.loads(self.policy)
        policy["Statement"] = [each for each in policy["Statement"] if _holds(each.get("Condition"))]
        return judged(SimpleNamespace(policy=json.dumps(policy).encode()), action, resource)

    FakeBucket.get_permission = judge


def _holds(condition: dict[str, Any] | None) -> bool:
    if condition in _OF_TRANSPORT:
        return False  # requests count as encrypted under way, which they are in the cloud and are not on loopback
    if condition == {"Null": {"s3:if-none-match": "true"}}:
        return "If-None-Match" not in request.headers
    return True
