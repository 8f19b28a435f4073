"""A Temporal frontend that records nothing: what a request costs when the server costs next to nothing.

`python -m tests.bench.grpc_stub PORT` answers GetSystemInfo and StartWorkflowExecution over cleartext HTTP/2 until
SIGTERM, then prints how many starts it saw, as one JSON object. Only what the SDK's client needs of HTTP/2 is here
(RFC 9113), and no HPACK decoder: the two calls are told apart by their messages, the first of which is empty.
A message that is no start is refused as UNIMPLEMENTED, so that nothing is measured that was not meant.
"""

import asyncio
import gzip
import json
import signal
import struct
import sys
import uuid
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from temporalio.api.workflowservice.v1 import (
    GetSystemInfoResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM = ACK = 1
END_HEADERS, PADDED = 4, 8
INITIAL_WINDOW = 4
"""The setting's number: how much of a body may be sent before the receiver asks for more."""
WINDOW = 2**30
REPLENISH = 2**20
UNIMPLEMENTED = 12

_HEAD = struct.Struct(">xHBBI")
"""Length (of its three bytes the first is 0 here), type, flags and stream of a frame."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return one frame of less than 64 KiB."""
    return _HEAD.pack(len(payload), kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header field without compression (RFC 7541, section 6.2.2); both sides below 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


STATUS_200 = b"\x88"
"""`:status: 200` is number 8 of HPACK's static table."""
_HEADERS = STATUS_200 + literal(b"content-type", b"application/grpc")
_OK = literal(b"grpc-status", b"0")
_REFUSED = _HEADERS + literal(b"grpc-status", str(UNIMPLEMENTED).encode())
_INFO = GetSystemInfoResponse(
    server_version="1.32.0",
    capabilities=GetSystemInfoResponse.Capabilities(
        signal_and_query_header=True, internal_error_differentiation=True, eager_workflow_start=True
    ),
).SerializeToString()


@dataclass
class Count:
    """What the stub saw over all connections."""

    starts: int = 0
    refused: int = 0
    ids: set[str] = field(default_factory=set)


class Frontend(asyncio.Protocol):
    """One connection."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._received = bytearray()
        self._greeted = False
        self._bodies: dict[int, bytearray] = {}
        self._unacknowledged = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, WINDOW))
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW))
        )

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._greeted:
            if len(self._received) < len(PREFACE):
                return
            if not self._received.startswith(PREFACE):
                self._transport.abort()
                return
            del self._received[: len(PREFACE)]
            self._greeted = True
        answers: list[bytes] = []
        at = 0
        while len(self._received) - at >= 9:
            length = int.from_bytes(self._received[at : at + 3])
            if len(self._received) - at < 9 + length:
                break
            kind, flags = self._received[at + 3], self._received[at + 4]
            stream = int.from_bytes(self._received[at + 5 : at + 9]) & 0x7FFFFFFF
            payload = bytes(self._received[at + 9 : at + 9 + length])
            at += 9 + length
            self._take(kind, flags, stream, payload, answers)
        del self._received[:at]
        if answers:
            self._transport.write(b"".join(answers))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, answers: list[bytes]) -> None:
        match kind:
            case 0:  # DATA
                self._unacknowledged += len(payload)
                if self._unacknowledged > REPLENISH:
                    answers.append(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._unacknowledged)))
                    self._unacknowledged = 0
                if flags & PADDED:
                    payload = payload[1 : len(payload) - payload[0]]
                body = self._bodies.setdefault(stream, bytearray())
                body += payload
                if flags & END_STREAM:
                    answers.append(self._answer(stream, bytes(self._bodies.pop(stream))))
            case 3:  # RST_STREAM
                self._bodies.pop(stream, None)
            case 4 if not flags & ACK:  # SETTINGS
                answers.append(frame(SETTINGS, ACK, 0, b""))
            case 6 if not flags & ACK:  # PING
                answers.append(frame(PING, ACK, 0, payload))
            case _:  # headers are not read, and the answers are too small for flow control to matter
                pass

    def _answer(self, stream: int, body: bytes) -> bytes:
        compressed, message = body[:1] == b"\1", body[5:]
        if compressed:
            message = gzip.decompress(message)
        answer = self._recorded(message) if message else _INFO
        if answer is None:
            self._count.refused += 1
            return frame(HEADERS, END_HEADERS | END_STREAM, stream, _REFUSED)
        return (
            frame(HEADERS, END_HEADERS, stream, _HEADERS)
            + frame(DATA, 0, stream, b"\0" + struct.pack(">I", len(answer)) + answer)
            + frame(HEADERS, END_HEADERS | END_STREAM, stream, _OK)
        )

    def _recorded(self, message: bytes) -> bytes | None:
        try:
            start = StartWorkflowExecutionRequest.FromString(message)
        except DecodeError:
            return None
        if not (start.workflow_id and start.request_id and start.workflow_type.name and start.task_queue.name):
            return None
        self._count.starts += 1
        self._count.ids.add(start.workflow_id)
        return StartWorkflowExecutionResponse(run_id=str(uuid.uuid4()), started=True).SerializeToString()


async def serve(port: int) -> Count:
    """Serve on loopback until SIGTERM; return what was seen."""
    count = Count()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Frontend(count), "127.0.0.1", port)
    await ended.wait()
    server.close()
    return count


if __name__ == "__main__":
    seen = asyncio.run(serve(int(sys.argv[1])))
    sys.stdout.write(json.dumps({"starts": seen.starts, "distinct": len(seen.ids), "refused": seen.refused}) + "\n")
