"""`orders db`: bring the database to the code's schema, or say how far it is off."""

import click

from worker.config import load
from worker.connections import engine_of
from worker.repositories.migrate import upgrade
from worker.repositories.schema_version import check as check_schema
from worker.repositories.schema_version import head


@click.group()
def command() -> None:
    """The database."""


@command.command()
def migrate() -> None:
    """Apply the migrations that are missing, under a lock; safe to run twice or at once."""
    engine = engine_of(load().database)
    try:
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    click.echo(told(before, after))


@command.command()
def check() -> None:
    """Exit 0 when the schema is the code's or newer, 5 when it is older."""
    engine = engine_of(load().database)
    try:
        check_schema(engine)
    finally:
        engine.dispose()
    click.echo("schema fits the code")


def told(before: str | None, after: str) -> str:
    """Say what a migration did."""
    if before != after:
        return f"schema moved from {before or 'nothing'} to {after}"
    needed = head()
    return (
        f"schema is at {after}" if after == needed else f"schema is at {after}, newer than this code's {needed}: left"
    )
