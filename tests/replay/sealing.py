"""A recorded history as it would be with sealed payloads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter

IN_CLEAR = {"search_attributes", "header"}
"""Fields whose payloads no codec sees."""
RESULT = "result"
"""Of a marker, what a local activity answered; the rest is the SDK's own."""


async def seal_within(messages: Iterable[Message], converter: DataConverter) -> None:
    """Seal every payload in the messages, in place, that a client or worker with this converter would have sealed."""
    for message in messages:
        for field, value in message.ListFields():
            if field.name not in IN_CLEAR:
                await _seal(field.name, value, converter)


async def _seal(name: str, value: Any, converter: DataConverter) -> None:
    if isinstance(value, Payload):
        codec = converter.payload_codec
        assert codec is not None
        value.CopyFrom((await codec.encode([value]))[0])
    elif isinstance(value, Message):
        await seal_within([value], converter)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if name != "details" or key == RESULT:
                await _seal(key, item, converter)
    elif isinstance(value, Sequence):
        for item in value:
            if isinstance(item, Message):
                await _seal(name, item, converter)
