"""What settings lead to, for programs that only read: the database's engine, the object store.

Apart from the composition root, so that a command that lists orders need not load the whole application.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from worker.contract.reconciliation import Mode
from worker.contract.settings import ROOT, ConfigurationError

if TYPE_CHECKING:
    from worker.config import DatabaseConfig, WorkerConfig
    from worker.contract.encryption import EncryptionConfig
    from worker.gateways.shopify import ShopifyShop
    from worker.repositories.engine import Engine
    from worker.services.closing import CloseRules
    from worker.services.ports import Database, ObjectStore
    from worker.services.ports.lake import RunLake
    from worker.services.user_keys import UserKeys

LAKE = "lake"
"""Where the lake lies in the object store."""


def engine_of(config: DatabaseConfig) -> Engine:
    """Make the engine of the settings."""
    from worker.repositories.engine import make_engine  # noqa: PLC0415 - SQL's library: help texts do without it

    return make_engine(
        config.url.reveal(),
        pool_size=config.pool_size,
        connect_timeout=config.connect_timeout_seconds,
        read_timeout=config.read_timeout_seconds,
        write_timeout=config.write_timeout_seconds,
        lock_wait=config.lock_wait_seconds,
        tls=config.tls,
        ca_file=config.ca_file,
    )


@contextmanager
def reading(config: WorkerConfig) -> Iterator[Database]:
    """Give the command line a database for a moment."""
    from worker.repositories.database import MysqlDatabase  # noqa: PLC0415 - as above

    engine = engine_of(config.database)
    try:
        yield MysqlDatabase(engine)
    finally:
        engine.dispose()


def close_rules_of(config: WorkerConfig) -> CloseRules:
    """Return when months are closed, as the declared schedules say. Raises ConfigurationError."""
    from worker.domain.closing import CloseRule  # noqa: PLC0415 - help texts do without it

    settings = config.reconciliation
    if settings.close_months < 1 or any(seconds < 1 for seconds in settings.close_again_seconds):
        raise ConfigurationError(["reconciliation: close_months and each of close_again_seconds must be at least 1"])
    return {
        (one.shop, one.provider): CloseRule(
            day_of_month=one.day_of_month,
            offset=timedelta(seconds=one.offset_seconds),
            again=tuple(timedelta(seconds=seconds) for seconds in settings.close_again_seconds),
            most_months=settings.close_months,
        )
        for one in config.schedules.values()
        if one.mode == Mode.CLOSE
    }


def store_of(config: WorkerConfig) -> ObjectStore:
    """Make the object store of the settings: a bucket where one is named, else a folder."""
    if config.store.bucket:
        from worker.gateways.s3_store import S3Store  # noqa: PLC0415 - the AWS library, only where it is needed

        return S3Store(config.store.bucket)
    from worker.gateways.folder_store import FolderStore  # noqa: PLC0415 - only where it is needed

    return FolderStore(_folder(config))


def shop_of(config: WorkerConfig) -> ShopifyShop:
    """Make the shop's client of the settings. The caller closes it."""
    from worker.gateways.shopify import ShopifyShop  # noqa: PLC0415 - only where it is needed

    return ShopifyShop(
        api_base=config.shop.api_base,
        access_token=config.shop.access_token.reveal(),
        timeout_seconds=config.shop.timeout_seconds,
    )


def lake_of(config: WorkerConfig) -> RunLake:
    """Make the lake of the settings, beside everything else in the object store."""
    from worker.lake.engine import EngineLimits  # noqa: PLC0415 - the engine, only where books are compared
    from worker.lake.files import LakeFiles  # noqa: PLC0415
    from worker.lake.gathering import Lake  # noqa: PLC0415

    limits = EngineLimits(
        memory_mb=config.lake.memory_mb,
        threads=config.lake.threads,
        spill=Path(config.lake.spill) if config.lake.spill else None,
    )
    files = (
        LakeFiles.in_bucket(config.store.bucket, LAKE)
        if config.store.bucket
        else LakeFiles.in_folder(_folder(config) / LAKE)
    )
    return Lake(files, limits, rows_per_bucket=config.lake.rows_per_part, keys_per_piece=config.lake.keys_per_piece)


def user_keys_of(config: EncryptionConfig, database: Database) -> UserKeys | None:
    """Make the keys of users, kept in the database under the settings' keys; None where there is none to keep them."""
    from worker.services.user_keys import UserKeys  # noqa: PLC0415 - only where users have keys
    from worker.temporal.codec import CIPHER, keeping_ring  # noqa: PLC0415 - the cipher's library, only where it is needed

    ring = keeping_ring(config)
    return UserKeys(database, ring, CIPHER) if ring is not None else None


def lake_folder(config: WorkerConfig) -> Path | None:
    """Return the folder of the lake; None where it is in a bucket."""
    return None if config.store.bucket else _folder(config) / LAKE


def stored_at(config: WorkerConfig, path: str) -> str:
    """Return where an object is, as a person would open it: a file's path, or s3://bucket/path."""
    return f"s3://{config.store.bucket}/{path}" if config.store.bucket else str(_folder(config) / path)


def _folder(config: WorkerConfig) -> Path:
    return config.store.path if config.store.path.is_absolute() else ROOT / config.store.path
