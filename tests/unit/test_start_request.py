"""Our way of writing a start is the SDK's: field by field the same message as its own client sends."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.converter import DataConverter, PayloadConverter

from functions.payload_codec import SealingCodec
from functions.start_request import payload, start_request
from worker.contract.encryption import EncryptionConfig, SealingKey
from worker.contract.events import ProviderEvent
from worker.contract.settings import Secret

ATTRIBUTES = TypedSearchAttributes(
    [
        SearchAttributePair(SearchAttributeKey.for_keyword("Shop"), "main"),
        SearchAttributePair(SearchAttributeKey.for_int("N"), 3),
    ]
)


class Sent(Exception):
    """Stops the SDK where it would speak to a server."""


KEY = SealingKey(id="k1", key=Secret("dmlzaWJsZS1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE="))
CODEC = SealingCodec(EncryptionConfig(enabled=True, accept_clear=False, keys=(KEY,)))


async def as_the_sdk_writes_it(
    argument: Any, attributes: TypedSearchAttributes, converter: DataConverter = DataConverter.default
) -> StartWorkflowExecutionRequest:
    client = await Client.connect(
        "127.0.0.1:1", lazy=True, identity="tester", namespace="here", data_converter=converter
    )
    sent: list[StartWorkflowExecutionRequest] = []

    async def take(request: StartWorkflowExecutionRequest, **_: object) -> None:
        sent.append(request)
        raise Sent

    client.workflow_service.start_workflow_execution = take  # type: ignore[assignment,method-assign]
    with pytest.raises(Sent):
        await client.start_workflow(
            "ProviderEventWorkflow",
            argument,
            id="event/stripe/1",
            task_queue="events",
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={"fingerprint": "f" * 64},
            search_attributes=attributes,
            static_summary="stripe \u00e9",
            priority=Priority(priority_key=2, fairness_key="main"),
        )
    return sent[0]


def ours(
    argument: Any, attributes: TypedSearchAttributes, codec: SealingCodec | None = None
) -> StartWorkflowExecutionRequest:
    return start_request(
        namespace="here",
        identity="tester",
        workflow="ProviderEventWorkflow",
        workflow_id="event/stripe/1",
        queue="events",
        argument=argument,
        reuse=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        memo={"fingerprint": "f" * 64},
        header={},
        summary="stripe \u00e9",
        priority=Priority(priority_key=2, fairness_key="main"),
        search_attributes=attributes,
        codec=codec,
    )


async def opened(request: StartWorkflowExecutionRequest) -> StartWorkflowExecutionRequest:
    """Open every payload that the codec seals; one in clear is an error."""
    found = StartWorkflowExecutionRequest()
    found.CopyFrom(request)
    await CODEC.decode_wrapper(found.input)
    for name, sealed in request.memo.fields.items():
        found.memo.fields[name].CopyFrom((await CODEC.decode([sealed]))[0])
    found.user_metadata.summary.CopyFrom((await CODEC.decode([request.user_metadata.summary]))[0])
    return found


def test_sealed_it_is_still_the_message_that_the_sdk_sends() -> None:
    sdk = DataConverter(payload_codec=CODEC)
    theirs = asyncio.run(as_the_sdk_writes_it("ada@shop.example", ATTRIBUTES, sdk))
    mine = ours("ada@shop.example", ATTRIBUTES, CODEC)
    assert b"ada@" not in mine.SerializeToString()
    theirs.request_id = mine.request_id
    assert asyncio.run(opened(mine)) == asyncio.run(opened(theirs))


@pytest.mark.parametrize("attributes", [TypedSearchAttributes.empty, ATTRIBUTES], ids=["none", "some"])
def test_it_is_the_message_that_the_sdk_sends(attributes: TypedSearchAttributes) -> None:
    event = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id="1",
        topic="t",
        body='{"a": "\u00fc"}',
        received_at="now",
    )
    theirs, mine = asyncio.run(as_the_sdk_writes_it(event, attributes)), ours(event, attributes)
    assert theirs.request_id != mine.request_id
    theirs.request_id = mine.request_id
    assert mine == theirs


def test_each_start_has_a_request_id_of_its_own_and_the_trace_it_is_given() -> None:
    one, two = ours("x", TypedSearchAttributes.empty), ours("x", TypedSearchAttributes.empty)
    assert one.request_id != two.request_id
    assert payload({"traceparent": "00"}) == PayloadConverter.default.to_payload({"traceparent": "00"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(value=JSON.filter(lambda value: value is not None))
def test_a_payload_is_what_the_default_converter_makes(value: object) -> None:
    assert payload(value) == PayloadConverter.default.to_payload(value)
    assert isinstance(payload(value), Payload)


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(TypeError, match="holds no bytes"):
        payload({"body": b"raw"})
