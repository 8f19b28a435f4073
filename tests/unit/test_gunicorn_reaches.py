"""What functions.connection and functions.gunicorn_worker take from gunicorn's insides is there, as they take it."""

import inspect

import pytest
from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver
from gunicorn.workers import gasgi

from functions.connection import Connection
from functions.gunicorn_worker import FunctionsWorker

HOOKED = [name for name, value in vars(Connection).items() if inspect.isfunction(value) and hasattr(ASGIProtocol, name)]


def test_the_worker_serves_with_our_protocol() -> None:
    assert gasgi.ASGIProtocol is Connection
    assert "ASGIProtocol(self)" in inspect.getsource(gasgi.ASGIWorker._serve)


def test_what_is_replaced_is_what_gunicorn_calls() -> None:
    source = inspect.getsource(protocol)
    for name in ("_feed_callback_parser", "_arm_keepalive_timer", "_serve_http_request", "_is_websocket_upgrade"):
        assert name in HOOKED
        assert f"self.{name}(" in source
    assert "await self._shutdown()" in inspect.getsource(gasgi.ASGIWorker._serve)
    assert inspect.iscoroutinefunction(FunctionsWorker._shutdown)


def test_a_signal_to_end_finds_the_worker_waiting_for_its_next_sign_of_life() -> None:
    source = inspect.getsource(gasgi.ASGIWorker._serve)
    waiting = source.partition("Main loop with heartbeat")[2].partition("except asyncio.CancelledError:")[0]
    assert waiting.count("await ") == 1
    assert "await asyncio.sleep(1.0)" in waiting
    assert "self.handle_exit_signal" in inspect.getsource(gasgi.ASGIWorker.init_signals)


@pytest.mark.parametrize("name", HOOKED)
def test_it_is_called_as_gunicorn_calls_it(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (Connection, ASGIProtocol))
    assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.parametrize("name", ["_body_receiver", "_callback_parser", "_keepalive_handle", "_request_ready"])
def test_its_fields_are_there(name: str) -> None:
    assert f"self.{name} = " in inspect.getsource(ASGIProtocol.__init__)


def test_a_body_knows_when_it_is_whole() -> None:
    assert "_complete" in BodyReceiver.__slots__
    assert inspect.iscoroutinefunction(BodyReceiver.receive)
    assert callable(BodyReceiver.signal_disconnect)
