"""The message that starts a workflow, written without the SDK's detours: the same bytes for a fraction of the work.

The SDK asks five converters for each of an input's payloads, of which there are four here; for the one kind that the
functions send (JSON of a contract's dataclass, or of a text) the answer is known. A test holds each field against what
the SDK's own client writes, so the worker and every tool read these starts like any other.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from temporalio.api.common.v1 import Header, Memo, Payload, Payloads, SearchAttributes
from temporalio.api.common.v1 import WorkflowType as WorkflowTypeName
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.common import Priority, TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.converter import encode_search_attributes

from functions.payload_codec import SealingCodec

_METADATA: Mapping[str, bytes] = {"encoding": b"json/plain"}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"a message holds no {type(value).__name__}")


_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_plain)


def payload(value: Any) -> Payload:
    """Return `value` (of JSON's types and dataclasses) as the SDK's default converter would."""
    return Payload(metadata=_METADATA, data=_ENCODER.encode(value).encode())


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

    def sealed(value: Any) -> Payload:
        return codec.sealed(payload(value)) if codec is not None else payload(value)

    request = StartWorkflowExecutionRequest(
        namespace=namespace,
        workflow_id=workflow_id,
        workflow_type=WorkflowTypeName(name=workflow),
        task_queue=TaskQueue(name=queue),
        input=Payloads(payloads=(sealed(argument),)),
        identity=identity,
        request_id=str(uuid.uuid4()),
        workflow_id_reuse_policy=int(reuse),  # type: ignore[arg-type]
        workflow_id_conflict_policy=int(WorkflowIDConflictPolicy.FAIL),  # type: ignore[arg-type]
        memo=Memo(fields={name: sealed(value) for name, value in memo.items()}),
        header=Header(fields=header) if header else None,
        user_metadata=UserMetadata(summary=sealed(summary)),
        priority=priority._to_proto(),  # noqa: SLF001 - the SDK has no other way to its wire form
    )
    if len(search_attributes):
        attributes = SearchAttributes()
        encode_search_attributes(search_attributes, attributes)
        request.search_attributes.CopyFrom(attributes)
    return request
