"""The real servers of the stack: what they keep, where they listen, and what a fault proxy does to their clients."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from infra.local import environment, pids, statefile
from infra.local.errors import StackError
from infra.local.members import FUNCTIONS
from infra.local.stack import Stack
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES


@contextmanager
def connected(url: str, seconds: float = 60) -> Iterator[Any]:
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user=parts.username or "",
        password=parts.password or "",
        database=parts.path.lstrip("/"),
        ssl_disabled=True,
        connect_timeout=seconds,
        read_timeout=seconds,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


def value(url: str, question: str, seconds: float = 60) -> Any:
    with connected(url, seconds) as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def listening(pid: int) -> set[str]:
    """Return the hexadecimal addresses on which the process listens for TCP connections (Linux)."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(entry.readlink()))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].partition(":")[0])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_servers_listen_on_loopback_only(tmp_path: Path) -> None:
    loopback = bytes((1, 0, 0, 127)).hex().upper() if sys.byteorder == "little" else bytes((127, 0, 0, 1)).hex().upper()
    async with Stack(tmp_path, members=["mariadb", "temporal", "simulator"], proxies=["temporal"]) as stack:
        for member in stack.members:
            assert member.pid is not None
            assert listening(member.pid) == {loopback}, member.name


async def test_the_database_survives_its_server_and_only_wanted_runs(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=["mariadb"], persist=True) as stack:
        with connected(stack.url("database")) as cursor:
            cursor.execute("CREATE TABLE kept (id INT PRIMARY KEY)")
            cursor.execute("INSERT INTO kept VALUES (42)")
        await stack.kill("mariadb")
        await stack.start("mariadb")
        assert value(stack.url("database"), "SELECT id FROM kept") == 42, "a commit survives kill -9"
    async with Stack(tmp_path, members=["mariadb"], persist=True) as stack:
        assert value(stack.url("database"), "SELECT id FROM kept") == 42
    async with Stack(tmp_path, members=["mariadb"]) as stack:
        tables = value(
            stack.url("database"), "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'orders'"
        )
        assert tables == 0, "a fresh stack starts from nothing"


async def test_the_state_file_shows_where_the_database_is_but_keeps_its_password_in_the_settings(
    tmp_path: Path,
) -> None:
    async with Stack(tmp_path, members=["mariadb"]) as stack:
        record = statefile.read(tmp_path)
        assert record is not None
        assert record.urls["database"] == f"127.0.0.1:{stack.layout.ports['mariadb']}/orders"
        assert record.env["ORDERS_DATABASE__URL"] == stack.url("database")


async def test_the_database_is_as_strict_as_production(database_url: str) -> None:
    assert value(database_url, "SELECT @@innodb_flush_log_at_trx_commit") == 1
    assert "STRICT_TRANS_TABLES" in value(database_url, "SELECT @@sql_mode")
    assert value(database_url, "SELECT @@time_zone") == "+00:00"
    assert value(database_url, "SELECT @@character_set_database") == "utf8mb4"
    assert value(database_url, "SELECT CURRENT_USER()") == "orders@127.0.0.1"
    with pytest.raises(pymysql.MySQLError, match="denied"), connected(database_url) as cursor:
        cursor.execute("SELECT * FROM mysql.global_priv")


async def test_a_given_database_is_used_and_no_server_started(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_DATABASE__URL", database_url)
    async with Stack(tmp_path, members=["mariadb"]) as stack:
        claimed = stack.url("database")
        assert stack.members == ()
        assert claimed != database_url
        assert stack.env["ORDERS_DATABASE__URL"] == claimed
        assert value(claimed, "SELECT DATABASE()").startswith("orders_")
    with pytest.raises(pymysql.MySQLError, match="Unknown database"):
        value(claimed, "SELECT 1")
    async with Stack(tmp_path, members=["mariadb"], persist=True) as stack:
        assert stack.url("database") == database_url


async def test_a_given_database_that_is_gone_is_told_and_ones_own_is_not_taken_for_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Stack(tmp_path, members=["mariadb"], persist=True) as stack:
        exported = stack.env["ORDERS_DATABASE__URL"]
    monkeypatch.setenv("ORDERS_DATABASE__URL", exported)
    async with Stack(tmp_path, members=["mariadb"], persist=True) as stack:
        assert stack.member("mariadb").pid is not None
    with pytest.raises(StackError, match="ORDERS_DATABASE__URL is set, but that database does not answer") as caught:
        async with Stack(tmp_path / "other", members=["mariadb"]):
            pytest.fail("the stack must not come up")
    assert (urlsplit(exported).password or "nothing") not in str(caught.value)


async def test_a_proxy_stands_between_settings_and_server_but_not_before_probes(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=["mariadb"], proxies=["mariadb"]) as stack:
        url, proxy = stack.env["ORDERS_DATABASE__URL"], stack.proxy("mariadb")
        assert urlsplit(url).port == proxy.port != stack.layout.ports["mariadb"]
        assert await asyncio.to_thread(value, url, "SELECT 7") == 7
        proxy.refuse()
        with pytest.raises(pymysql.OperationalError):
            await asyncio.to_thread(value, url, "SELECT 7")
        await stack.restart("mariadb")
        proxy.heal()
        assert await asyncio.to_thread(value, url, "SELECT 7") == 7
        proxy.black_hole()
        with pytest.raises(pymysql.OperationalError):
            await asyncio.to_thread(value, url, "SELECT 7", 2)


async def test_temporal_knows_our_search_attributes_and_survives_kill_with_its_data(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=["temporal"]) as stack:
        client = await Client.connect(stack.url("temporal"))
        listed = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        kinds = {name: IndexedValueType.Name(kind) for name, kind in listed.custom_attributes.items()}
        assert kinds == {name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in SEARCH_ATTRIBUTE_TYPES.items()}
        handle = await client.start_workflow("Waiting", id="kept", task_queue="nobody")
        await stack.kill("temporal")
        await stack.start("temporal")
        again = await Client.connect(stack.url("temporal"))
        described = await again.get_workflow_handle("kept").describe()
        assert described.run_id == handle.first_execution_run_id


async def test_the_functions_are_not_given_what_moves_money(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=["mariadb"]) as stack:
        layout = stack.layout
        layout.ports.update(functions=1, functions_metrics=7, worker=2, simulator=3, smtp=4, temporal=5, temporal_ui=6)
        functions = FUNCTIONS.settings(layout)
        secrets = stack.layout.credentials
        withheld = {secrets.database_password, secrets.provider_key, secrets.shop_token, secrets.warehouse_secret}
        assert not [name for name, held in functions.items() for secret in withheld if secret in held]
        assert secrets.api_key not in environment.for_worker(layout).values()
        assert functions["GUNICORN_BIND"] == "127.0.0.1:1"
        outer = environment.of_process(layout, {})
        assert outer[pids.MARKER] == str(tmp_path)
