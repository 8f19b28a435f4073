"""The members of the local stack: how each is started, when it is ready, what must be ready before it.

The same programs as in the cloud; only Temporal, MySQL and the outside world are stand-ins for managed services.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local import environment, mariadb, outside, readiness, temporal
from infra.local.layout import HOST, Layout


def _no_settings(_layout: Layout) -> Mapping[str, str]:
    return {}


def _nothing_to_prepare(_layout: Layout) -> None:
    return


async def _at_once(_layout: Layout) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process of the stack. Times are seconds."""

    name: str
    command: Callable[[Layout], Sequence[str]]
    ports: tuple[str, ...] = ()
    """Names of the ports to draw for it; the first is its main one."""
    after: tuple[str, ...] = ()
    """Members that must be ready first; those that the stack does not have are ignored."""
    settings: Callable[[Layout], Mapping[str, str]] = _no_settings
    prepare: Callable[[Layout], None] = _nothing_to_prepare
    """Blocking work before each start, such as making a data directory."""
    ready: Callable[[Layout], Awaitable[None]] = _at_once
    """The probe: returns when the member works, raises when it does not (yet)."""
    introduce: Callable[[Layout], Awaitable[None]] = _at_once
    """What it must be told once it works and the ports of all others are known."""
    start_within: float = 60.0
    drain: float = 5.0
    once: bool = False
    """Run to the end, which must be a success, instead of staying up."""


def _prepare_mariadb(layout: Layout) -> None:
    layout.data("mariadb").parent.mkdir(parents=True, exist_ok=True)
    mariadb.prepare(layout.data("mariadb"), _init_file(layout), layout.cache, layout.credentials.database_password)


def _init_file(layout: Layout) -> Path:
    return layout.directory / "mariadb-init.sql"


def _make_data(member: str) -> Callable[[Layout], None]:
    return lambda layout: layout.data(member).mkdir(parents=True, exist_ok=True)


def _make_store(layout: Layout) -> None:
    layout.store.mkdir(parents=True, exist_ok=True)


MARIADB = Member(
    name="mariadb",
    ports=("mariadb",),
    command=lambda at: mariadb.command(at.data("mariadb"), at.ports["mariadb"], _init_file(at)),
    prepare=_prepare_mariadb,
    ready=lambda at: readiness.mysql_answers(at.direct().database_url),
    drain=15.0,
)

TEMPORAL = Member(
    name="temporal",
    ports=("temporal", "temporal_ui"),
    command=lambda at: temporal.command(
        at.data("temporal") / "temporal.sqlite3", at.ports["temporal"], at.ports["temporal_ui"], at.codec_endpoint
    ),
    settings=lambda _at: temporal.SETTINGS,
    prepare=_make_data("temporal"),
    ready=lambda at: readiness.temporal_answers(at.direct().temporal_address),
)

CODEC = Member(
    name="codec",
    ports=("codec",),
    command=lambda at: [
        *(sys.executable, "-m", "infra.local.codec_server", "--port", str(at.ports["codec"])),
        *("--ui-port", str(at.ports["temporal_ui"])),
    ],
    settings=environment.for_codec,
    ready=lambda at: readiness.http_answers(f"http://{HOST}:{at.ports['codec']}/health"),
    after=("temporal",),
)

SIMULATOR = Member(
    name="simulator",
    ports=("simulator", "smtp"),
    command=lambda at: [
        *(sys.executable, "-m", "infra.local.simulator", "--port", str(at.ports["simulator"])),
        *("--smtp-port", str(at.ports["smtp"]), "--data", str(at.data("simulator"))),
    ],
    prepare=_make_data("simulator"),
    ready=lambda at: readiness.http_answers(f"http://{HOST}:{at.ports['simulator']}/_sim/health"),
    introduce=outside.introduce,
)

MIGRATE = Member(
    name="migrate",
    command=lambda _: [sys.executable, "-m", "worker", "db", "migrate"],
    settings=environment.for_worker,
    after=("mariadb",),
    once=True,
)

WORKER = Member(
    name="worker",
    ports=("worker",),
    command=lambda _: [sys.executable, "-m", "worker", "worker", "run"],
    settings=environment.for_worker,
    prepare=_make_store,
    ready=lambda at: readiness.http_answers(f"http://{HOST}:{at.ports['worker']}/health/ready"),
    after=("migrate", "temporal", "simulator"),
    # Longer than the grace that settings.toml gives to running activities.
    drain=15.0,
)

FUNCTIONS = Member(
    name="functions",
    ports=("functions", "functions_metrics"),
    command=lambda _: [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "functions/gunicorn.conf.py",
        "functions.app:create_app()",
    ],
    settings=environment.for_functions,
    ready=lambda at: readiness.http_answers(f"http://{HOST}:{at.ports['functions']}/health/ready"),
    after=("temporal",),
)

ALL = (MARIADB, TEMPORAL, SIMULATOR, MIGRATE, WORKER, FUNCTIONS)
FOR_PEOPLE = (*ALL, CODEC)
"""With what only people need, who look at the Temporal UI."""
