"""The message that starts a workflow, written without the SDK's detours: the same bytes for a fraction of the work.

The SDK asks five converters for each of an input's payloads, of which there are four here; for the one kind that the
functions send (JSON of a contract's dataclass, or of a text) the answer is known. What all starts of one kind have in
common is written once and copied. A test holds each field against what the SDK's own client writes, so the worker and
every tool read these starts like any other.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from typing import Any

from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.common import Priority, TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.converter import encode_search_attributes

from functions.payload_codec import SealingCodec

_ENCODING = b"json/plain"


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _names(type(value))}
    raise TypeError(f"a message holds no {type(value).__name__}")


_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_plain)


def payload(value: Any) -> Payload:
    """Return `value` (of JSON's types and dataclasses) as the SDK's default converter would."""
    made = Payload()
    _write(made, value)
    return made


def start_request(
    *,
    namespace: str,
    identity: str,
    workflow: str,
    workflow_id: str,
    queue: str,
    argument: Any,
    reuse: WorkflowIDReusePolicy,
    memo: Mapping[str, Any],
    header: Mapping[str, Payload],
    summary: str,
    priority: Priority,
    search_attributes: TypedSearchAttributes,
    codec: SealingCodec | None = None,
) -> StartWorkflowExecutionRequest:
    """Return the message, sealed by `codec` where the SDK would: input, memo and summary, and not headers.

    The server refuses it where a workflow of this id runs, and knows it again by its own id.
    """
    request = StartWorkflowExecutionRequest()
    request.CopyFrom(_in_common(namespace, identity, workflow, queue, reuse, priority))
    request.workflow_id = workflow_id
    request.request_id = os.urandom(16).hex()
    _put(request.input.payloads[0], argument, codec)
    _put(request.user_metadata.summary, summary, codec)
    for name, value in memo.items():
        _put(request.memo.fields[name], value, codec)
    for name, carried in header.items():
        request.header.fields[name].CopyFrom(carried)
    if len(search_attributes):
        attributes = SearchAttributes()
        encode_search_attributes(search_attributes, attributes)
        request.search_attributes.CopyFrom(attributes)
    return request


def _put(place: Payload, value: Any, codec: SealingCodec | None) -> None:
    _write(place, value)
    if codec is not None:
        codec.seal(place)


def _write(place: Payload, value: Any) -> None:
    # Given to the constructor, a map would be filled by Python's own code instead of the library's.
    place.metadata["encoding"] = _ENCODING
    place.data = _ENCODER.encode(value).encode()


@lru_cache(maxsize=256)
def _in_common(
    namespace: str, identity: str, workflow: str, queue: str, reuse: WorkflowIDReusePolicy, priority: Priority
) -> StartWorkflowExecutionRequest:
    """Return what the starts of one kind for one shop have in common; nobody may change it."""
    request = StartWorkflowExecutionRequest(
        namespace=namespace,
        identity=identity,
        workflow_id_reuse_policy=int(reuse),  # type: ignore[arg-type]
        workflow_id_conflict_policy=int(WorkflowIDConflictPolicy.FAIL),  # type: ignore[arg-type]
        priority=priority._to_proto(),  # noqa: SLF001 - the SDK has no other way to its wire form
    )
    request.workflow_type.name = workflow
    request.task_queue.name = queue
    request.input.payloads.add()
    return request
