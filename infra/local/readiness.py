"""Probes that ask a member for what it is there for, rather than look for an open port or a line in a log."""

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

import pymysql
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

PATIENCE = 2.0
"""Seconds that a single question may take."""

Probe = Callable[[], Awaitable[None]]
"""Returns when the member is ready, raises NotReadyError (or anything else) when it is not."""


class NotReadyError(Exception):
    """The member does not do its work yet; the text says what it answered."""


async def wait_until_ready(probe: Probe, *, seconds: float, still_hoping: Callable[[], bool]) -> None:
    """Ask until the probe succeeds. Raises NotReadyError after `seconds`, or once `still_hoping()` turns false."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        try:
            await asyncio.wait_for(probe(), PATIENCE * 2)
            return
        except TimeoutError:
            answer = "no answer"
        except Exception as error:
            answer = str(error) or type(error).__name__
        if not still_hoping():
            raise NotReadyError("ended before it was ready")
        if time.monotonic() >= deadline:
            raise NotReadyError(f"was not ready after {seconds:g} s: {answer}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, 0.2)


async def http_answers(url: str) -> None:
    """Succeed when `url` answers 200."""
    try:
        await asyncio.to_thread(_get, url)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(300).decode("utf-8", errors="replace")
        raise NotReadyError(f"{url} answered {error.code} {body}") from error
    except OSError as error:
        raise NotReadyError(f"{url}: {error}") from error


async def mysql_answers(url: str) -> None:
    """Succeed when the MySQL server of the SQLAlchemy-style `url` lets its user in and answers SELECT 1."""
    try:
        await asyncio.to_thread(_select_one, url)
    except pymysql.MySQLError as error:
        raise NotReadyError(f"MySQL: {error}") from error


async def temporal_answers(address: str, namespace: str = "default") -> None:
    """Succeed when the Temporal server at `address` serves `namespace`."""
    host, _, port = address.rpartition(":")
    try:
        # The SDK's own connecting takes its time when nobody listens; a refused connection is told at once.
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        client = await Client.connect(address, namespace=namespace)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (OSError, RPCError, RuntimeError) as error:
        raise NotReadyError(f"Temporal: {error}") from error


def _get(url: str) -> None:
    # No proxy of the environment may stand between two processes of one machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as answer:
        answer.read()


def _select_one(url: str) -> None:
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/") or None,
        connect_timeout=int(PATIENCE),
        read_timeout=int(PATIENCE),
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
