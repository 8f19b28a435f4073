"""W3C Trace Context at the edge: valid headers go on as they came, anything else begins a new trace."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.event_loop import LoopThread
from functions.tracing import _CURRENT, Trace, enter, trace_of

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{ID}-{SPAN}-01"


def test_a_trace_goes_on_as_it_came() -> None:
    trace = trace_of(PARENT, "vendor=1,other=2")
    assert (trace.trace_id, trace.carrier) == (ID, {"traceparent": PARENT, "tracestate": "vendor=1,other=2"})
    assert trace_of(PARENT).carrier == {"traceparent": PARENT}


def test_of_a_later_version_the_known_part_goes_on() -> None:
    assert trace_of(f"01-{ID}-{SPAN}-01-what-comes-later").parent == PARENT


@pytest.mark.parametrize(
    "parent",
    [
        "",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN}",
        f"{PARENT},{PARENT}",
    ],
)
def test_what_is_no_trace_begins_one(parent: str) -> None:
    trace = trace_of(parent, "vendor=1")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.parent)
    assert trace.trace_id != ID
    assert trace.state == ""


@pytest.mark.parametrize("state", ["x" * 513, "line\nbreak", "zürich"])
def test_a_state_that_cannot_be_passed_on_is_left_out(state: str) -> None:
    assert trace_of(PARENT, state) == Trace(PARENT)


@given(parent=st.text(max_size=80), state=st.text(max_size=20))
def test_any_header_is_a_trace(parent: str, state: str) -> None:
    trace = trace_of(parent, state)
    assert trace_of(trace.parent).parent == trace.parent


def test_the_trace_of_the_calling_thread_reaches_the_loop() -> None:
    async def current() -> Trace | None:
        await asyncio.sleep(0)
        return _CURRENT.get()

    loop: LoopThread[None] = LoopThread()
    try:
        entered = enter(PARENT, "")
        assert loop.run(current(), 5) == entered
    finally:
        loop.stop()
