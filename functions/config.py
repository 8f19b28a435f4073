"""Settings of the functions, as frozen dataclasses. They hold no database password and no provider key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from functions.auth import BEARER, GATEWAY, BearerKey
from functions.routes import Auth, table
from functions.source_settings import MAX_BODY_BYTES, SourceConfig, problems_of
from worker.contract import encryption, temporal_tls, tracing
from worker.contract.encryption import EncryptionConfig
from worker.contract.ids import is_valid_part
from worker.contract.settings import ROOT, ConfigurationError, build, environment, pick, raw_settings
from worker.contract.temporal_tls import TemporalConfig
from worker.contract.tracing import TracingConfig

WORKER_ONLY = frozenset(
    {
        "alerting",
        "alerts",
        "database",
        "deploy",
        "lake",
        "mail",
        "metrics",
        "orders",
        "outbound",
        "provider",
        "reconciliation",
        "schedules",
        "shop",
        "statements",
        "stock",
        "capture",
        "store",
        "users",
        "warehouse",
        "worker",
    }
)
"""Top-level tables of settings.toml that only the worker reads."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """Limits of the edge and who may call the API. `keys` holds each accepted bearer key by its holder's name.

    `functions` are those of the route table that this process serves. `operator_auth` says who opens the operators'
    routes: a `bearer` key, or the `gateway` in front, which is then the only way to them.
    """

    deadline_ms: int
    max_in_flight: int
    max_body_bytes: int
    keys: dict[str, BearerKey]
    shop: str
    functions: tuple[str, ...]
    operator_auth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """How logs are written."""

    level: str
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsConfig:
    """Everything the functions read from settings.toml."""

    temporal: TemporalConfig
    encryption: EncryptionConfig
    api: ApiConfig
    webhooks: dict[str, SourceConfig]
    logging: LoggingConfig
    tracing: TracingConfig = field(default_factory=TracingConfig)


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> FunctionsConfig:
    """Load the functions' settings.

    Raises ConfigurationError with every problem at once. A webhook source without a secret is one: an
    endpoint that cannot verify must not exist.
    """
    config = build(FunctionsConfig, pick(raw_settings(environ, root), FunctionsConfig, WORKER_ONLY))
    problems = check(config, environment=environment(environ))
    if problems:
        raise ConfigurationError(problems)
    return config


def check(config: FunctionsConfig, *, environment: str) -> list[str]:
    """Return what types alone cannot tell is wrong with `config`; empty when it is sound. Shows no secret."""
    problems = [
        f"api.{name}: must be at least {least}"
        for name, value, least in (
            ("deadline_ms", config.api.deadline_ms, 100),
            ("max_in_flight", config.api.max_in_flight, 1),
            ("max_body_bytes", config.api.max_body_bytes, 1024),
        )
        if value < least
    ]
    problems.extend(temporal_tls.problems_of(config.temporal))
    problems.extend(tracing.problems_of(config.tracing))
    problems.extend(encryption.problems_of(config.encryption, environment=environment))
    known = sorted({route.function for route in table()})
    problems.extend(
        f"api.functions[{index}]: unknown, use some of {', '.join(known)}"
        for index, name in enumerate(config.api.functions)
        if name not in known
    )
    if config.api.operator_auth not in {BEARER, GATEWAY}:
        problems.append(f"api.operator_auth: use {BEARER} or {GATEWAY}")
    for holder, key in config.api.keys.items():
        problems.extend(f"api.keys.{holder}{problem}" for problem in _key_problems(key))
    if config.api.max_body_bytes > MAX_BODY_BYTES:
        problems.append(f"api.max_body_bytes: must be at most {MAX_BODY_BYTES}")
    now = datetime.now(UTC)
    # Where deliveries are not received there are no secrets to check them with, and none are wanted.
    for name, source in config.webhooks.items() if "webhooks" in config.api.functions else ():
        told = problems_of(name, source, environment=environment, now=now)
        problems.extend(f"webhooks.{name}{problem}" for problem in told)
    return sorted(problems)


def _key_problems(key: BearerKey) -> list[str]:
    problems: list[str] = []
    if not _SHA256.fullmatch(key.sha256.reveal()):
        problems.append(": must be the SHA-256 of the key, 64 lower-case hex digits")
    problems.extend(
        f".shops[{index}]: not usable in ids" for index, shop in enumerate(key.shops) if not is_valid_part(shop)
    )
    known = sorted({route.function for route in table() if route.auth is Auth.BEARER})
    problems.extend(
        f".functions[{index}]: unknown, use one of {', '.join(known)}"
        for index, name in enumerate(key.functions)
        if name not in known
    )
    return problems
