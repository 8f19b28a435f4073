"""A database that is waking up: it takes a connection and is silent for a while, or takes it late. Each has its limit."""

import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from worker.repositories.engine import make_engine


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes every connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield int(listener.getsockname()[1])


def test_a_server_that_took_the_connection_may_be_silent_as_long_as_a_read_may_take(silent_port: int) -> None:
    """So infra/aws raises both limits for a database that pauses: the one for connecting alone would not do."""
    engine = make_engine(
        f"mysql+pymysql://u:p@127.0.0.1:{silent_port}/orders",
        pool_size=1,
        connect_timeout=1,
        read_timeout=2,
        write_timeout=1,
        lock_wait=1,
        tls=False,
    )
    began = time.monotonic()
    with pytest.raises(OperationalError):
        engine.connect()
    assert time.monotonic() - began >= 1.9
    engine.dispose()
