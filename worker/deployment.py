"""What a release needs before its workers start: database, user, schema, search attributes, schedules.

One process runs this, once a release, and its exit status decides whether the release goes on. Every step may be
repeated, and finds what an interrupted one left.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.config import DatabaseConfig, LoggingConfig, ReconciliationConfig, ScheduleConfig
from worker.connections import engine_of
from worker.contract import encryption
from worker.contract.encryption import EncryptionConfig
from worker.contract.settings import ROOT, ConfigurationError, Secret, build, environment, raw_settings
from worker.contract.temporal_tls import TemporalConfig, problems_of
from worker.gateways.vault import Vault
from worker.repositories import migrate, provision
from worker.repositories.engine import Engine, password_of, url_of
from worker.temporal import schedules, search_attributes
from worker.temporal.client import connect
from worker.temporal.codec import converter_of

URL_KEY = "ORDERS_DATABASE__URL"
_TABLES = ("deploy", "temporal", "encryption", "database", "reconciliation", "schedules", "logging")
_ANY_DATABASE = "information_schema"
"""Everybody may sign in to it, on any server, before there is a database of ours."""

Say = Callable[[str], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """With whom and where the database is prepared; see settings.toml."""

    database_host: str
    database_port: int
    database_name: str
    database_secret: str
    database_master_user: Secret
    database_master_password: Secret

    def url(self, user: str, password: str, database: str | None = None) -> str:
        """Return the URL of a sign-in to the server."""
        return url_of(user, password, self.database_host, self.database_port, database or self.database_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployConfig:
    """Everything that a deployment reads from settings.toml. The database's URL is the master user's."""

    deploy: Preparation
    temporal: TemporalConfig
    encryption: EncryptionConfig
    database: DatabaseConfig
    reconciliation: ReconciliationConfig
    schedules: dict[str, ScheduleConfig]
    logging: LoggingConfig


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> DeployConfig:
    """Load the settings. Raises ConfigurationError with every problem at once."""
    raw = raw_settings(environ, root)
    values: dict[str, Any] = {name: raw[name] for name in _TABLES if name in raw}
    # What the application signs in with is made here, and not read.
    values["database"] = {**values.get("database", {}), "url": ""}
    config = build(DeployConfig, values)
    preparation = config.deploy
    problems = [
        *problems_of(config.temporal),
        *encryption.problems_of(config.encryption, environment=environment(environ)),
        *(
            f"deploy.{name}: missing (set it as ORDERS_DEPLOY__{name.upper()})"
            for name in ("database_host", "database_secret")
            if not getattr(preparation, name)
        ),
    ]
    if problems:
        raise ConfigurationError(problems)
    return config


def deploy(config: DeployConfig, vault: Vault, say: Say) -> None:
    """Do all steps in their order; `say` hears one line of each.

    Raises what stops it: DatabaseUnavailable, ProviderUnavailable, ProviderRejected, NotFound, Conflict.
    """
    prepare_database(config, vault, say)
    asyncio.run(_converge(config, say))


def prepare_database(config: DeployConfig, vault: Vault, say: Say) -> None:
    """Make the database, its user and its schema what this release needs."""
    wanted = config.deploy
    user, password = wanted.database_master_user.reveal(), wanted.database_master_password.reveal()
    anywhere = engine_of(_signed_in(config, wanted.url(user, password, _ANY_DATABASE)))
    inside = engine_of(_signed_in(config, wanted.url(user, password)))
    try:
        with provision.alone(anywhere):
            provision.ensure_database(anywhere, wanted.database_name)
            say(f"database {wanted.database_name} on {wanted.database_host}: there")
            say(_ensure_sign_in(config, vault, anywhere))
            before, after = migrate.upgrade(inside)
            say(f"schema: {after}" if before == after else f"schema: from {before or 'nothing'} to {after}")
    finally:
        anywhere.dispose()
        inside.dispose()


def _ensure_sign_in(config: DeployConfig, vault: Vault, master: Engine) -> str:
    """Keep the application's password while it works: a worker that runs now has it, too."""
    wanted = config.deploy
    kept = vault.read(wanted.database_secret)
    password = password_of(kept.values.get(URL_KEY, ""))
    url = wanted.url(provision.USER, password) if password else ""
    if url and _works(config, url):
        if kept.values.get(URL_KEY) == url:
            return f"user {provision.USER}: signs in"
        vault.write(wanted.database_secret, {**kept.values, URL_KEY: url}, over=kept.version)
        return f"user {provision.USER}: signs in; its address in the secret is new"
    password = secrets.token_urlsafe(32)
    provision.ensure_user(master, wanted.database_name, password, tls=config.database.tls)
    url = wanted.url(provision.USER, password)
    vault.write(wanted.database_secret, {**kept.values, URL_KEY: url}, over=kept.version)
    return f"user {provision.USER}: made, or given a new password; the secret has it"


def _works(config: DeployConfig, url: str) -> bool:
    engine = engine_of(_signed_in(config, url))
    try:
        return provision.answers(engine)
    finally:
        engine.dispose()


def _signed_in(config: DeployConfig, url: str) -> DatabaseConfig:
    known = config.database
    return DatabaseConfig(
        url=Secret(url),
        pool_size=2,
        connect_timeout_seconds=known.connect_timeout_seconds,
        # A change of a large table takes as long as it takes.
        read_timeout_seconds=3600,
        write_timeout_seconds=known.write_timeout_seconds,
        lock_wait_seconds=known.lock_wait_seconds,
        tls=known.tls,
        ca_file=known.ca_file,
    )


async def _converge(config: DeployConfig, say: Say) -> None:
    client = await connect(config.temporal, converter_of(config.encryption))
    attributes = await search_attributes.converge(client)
    say(f"search attributes: {len(attributes.added)} added")
    if attributes.wrong:
        _log.warning("search attributes of another type", extra={"wrong": attributes.wrong})
    planned = await schedules.plan(client, config.schedules.values(), config.reconciliation)
    done = await schedules.apply(client, planned)
    say(f"schedules: {done.created} created, {done.updated} updated, {done.unchanged} unchanged")
