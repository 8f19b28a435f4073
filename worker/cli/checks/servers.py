"""The servers we stand on: MySQL, Temporal, the object store, and who else must be reached."""

import asyncio
import dataclasses
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.cli.checks.line import Line, clock, fail, ok, warn
from worker.config import WorkerConfig
from worker.domain.errors import OrdersError, SchemaMismatch

if TYPE_CHECKING:
    from worker.repositories.engine import Engine
    from worker.temporal.schedules import Change

CONNECT_SECONDS = 3
_STORED = "doctor/written"
_START = "start it (`make dev` has one), or correct the address in the settings"


def database(config: WorkerConfig) -> list[Line]:
    """Look at the server, its schema and its clock."""
    from worker.connections import engine_of
    from worker.repositories.schema_version import check, head, version
    from worker.repositories.vitals import vitals

    brief = dataclasses.replace(
        config.database,
        connect_timeout_seconds=CONNECT_SECONDS,
        read_timeout_seconds=CONNECT_SECONDS,
        write_timeout_seconds=CONNECT_SECONDS,
    )
    engine = engine_of(brief)
    try:
        before = datetime.now(UTC)
        found = vitals(engine)
        after = datetime.now(UTC)
        skew = found.now - after if found.now > after else min(found.now - before, timedelta(0))
        lines = [ok("database", f"MySQL {found.version} answers"), clock("database clock", skew, "the database's")]
        try:
            check(engine)
        except SchemaMismatch as problem:
            return [*lines, fail("migrations", str(problem), "orders db migrate")]
        at, needed = version(engine), head()
        if at != needed:
            remedy = "nothing, when this is a rollback; else install the release that fits"
            return [*lines, warn("migrations", f"schema {at} is newer than this code's {needed}", remedy)]
        return [*lines, ok("migrations", f"schema {at}, as this code needs it"), *_months(config, engine)]
    except OrdersError as problem:
        remedy = f"{_START}: database.url (ORDERS_DATABASE__URL)"
        return [fail("database", str(problem), remedy), _unseen("migrations", "the database does not answer")]
    finally:
        engine.dispose()


def _months(config: WorkerConfig, engine: "Engine") -> list[Line]:
    """Look for months that were due to be closed and are not."""
    from worker.cli.reconcile_months import open_months_of
    from worker.repositories.database import MysqlDatabase

    left = open_months_of(config, MysqlDatabase(engine))
    remedy = "orders reconcile list says what its runs answered; the runs of the schedules try it again"
    return [warn("months", f"{provider}: {month.text}", remedy) for provider, month in left] or [
        ok("months", "every month that was due is closed")
    ]


def temporal(config: WorkerConfig) -> list[Line]:
    """Look at the server, the namespace, its search attributes, schedules and clock."""
    return asyncio.run(_temporal(config))


async def _temporal(config: WorkerConfig) -> list[Line]:
    from worker.temporal.client import connect
    from worker.temporal.codec import converter_of
    from worker.temporal.vitals import vitals

    try:
        client = await connect(config.temporal, converter_of(config.encryption), patience_seconds=CONNECT_SECONDS)
        found = await vitals(client)
    except OrdersError as problem:
        remedy = f"{_START}: temporal.address, temporal.namespace (ORDERS_TEMPORAL__ADDRESS)"
        unseen = ("search attributes", "schedules", "Temporal clock")
        return [fail("Temporal", str(problem), remedy), *(_unseen(name, "Temporal does not answer") for name in unseen)]
    days = found.retention.days
    said = f"server {found.version}, namespace {client.namespace}, {days} days kept"
    lines = [ok("Temporal", said)]
    from worker.temporal import schedules, search_attributes
    from worker.temporal.vitals import clock_skew

    try:
        lacking = await search_attributes.lacking(client)
        remedy = "a worker adds them at its start; on Temporal Cloud: tcld namespace search-attributes add"
        lines.append(
            fail("search attributes", "; ".join(lacking), remedy) if lacking else ok("search attributes", "all there")
        )
    except OrdersError as problem:
        lines.append(warn("search attributes", str(problem), "look at them in the Temporal UI"))
    try:
        changes = await schedules.plan(client, config.schedules.values(), config.reconciliation)
        lines += _drift(changes)
    except OrdersError as problem:
        lines.append(fail("schedules", str(problem), "orders schedules plan"))
    try:
        skew = await clock_skew(client)
    except OrdersError as problem:
        return [*lines, warn("Temporal clock", str(problem), "nothing: it may not be asked")]
    told = warn("Temporal clock", "the server does not tell", "compare `date -u` there") if skew is None else None
    return [*lines, told or clock("Temporal clock", skew or timedelta(0), "Temporal's")]


def _drift(changes: "list[Change]") -> list[Line]:
    from worker.temporal.schedules import ChangeAction

    apart = [f"{one.id} ({one.action})" for one in changes if one.action is not ChangeAction.UNCHANGED]
    paused = [one.id for one in changes if one.paused]
    lines = [
        warn("schedules", f"not as declared: {', '.join(apart)}", "orders schedules plan, then apply")
        if apart
        else ok("schedules", f"{len(changes)}, as declared")
    ]
    if paused:
        lines.append(warn("schedules", f"paused: {', '.join(paused)}", "orders schedules list says why; resume"))
    return lines


def object_store(config: WorkerConfig) -> list[Line]:
    """Write an object and read it back."""
    from worker.connections import store_of, stored_at

    where = stored_at(config, "")
    content = f"written by `orders doctor`, {datetime.now(UTC):%Y-%m-%d}".encode()
    try:
        store = store_of(config)
        store.put(_STORED, content)
        same = store.get(_STORED) == content
    except (OrdersError, OSError) as problem:
        remedy = "make the folder writable, or give the process's role s3:PutObject and s3:GetObject"
        return [fail("object store", f"{where}: {problem}", remedy)]
    if not same:
        return [fail("object store", f"{where} gives back something else", "look at who else writes there")]
    return [ok("object store", f"{where} takes and gives")]


def outside(config: WorkerConfig) -> list[Line]:
    """Look whether those whom the worker calls can be reached; it waits for them, so they are worth a look only."""
    lines = []
    for name, address in {
        "provider": config.provider.api_base,
        "shop": config.shop.api_base,
        "warehouse": config.warehouse.api_base,
        "mail": f"smtp://{config.mail.host}:{config.mail.port}",
    }.items():
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        problem = unreachable(parts.hostname or "", port)
        said = f"{name} at {parts.hostname}:{port}"
        remedy = f"correct {name}'s address in the settings, or wait: orders wait, too"
        lines.append(warn("outside", f"{said}: {problem}", remedy) if problem else ok("outside", f"{said} answers"))
    return lines


def unreachable(host: str, port: int) -> str:
    """Return why nobody can be reached there; empty when somebody can."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as problem:
        return problem.strerror or str(problem) or "no answer"
    return ""


def _unseen(check: str, why: str) -> Line:
    return warn(check, f"not looked at: {why}", "mend that first")
