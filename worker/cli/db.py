"""`orders db`: bring the database to the code's schema, or say how far it is off."""

import click

from worker.cli.dialogue import record
from worker.cli.options import Noun, actor_or_program_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, remark
from worker.cli.settings import load
from worker.connections import engine_of
from worker.domain.errors import OrdersError


@click.group(cls=Noun)
def command() -> None:
    """The database."""


@command.command(epilog=examples("orders db migrate --dry-run", 'orders db migrate --reason "release 2026.12.0"'))
@reason_option(required=False, why="Why; it stands in the audit trail. Default: that the release needs it.")
@actor_or_program_option
@dry_run_option
def migrate(reason: str, actor: str, *, dry_run: bool) -> None:
    """Apply the migrations that are missing, under a lock; safe to run twice or at once.

    Who moved the schema of books that were there already, and why, stands in their audit trail.
    """
    from worker.repositories.migrate import upgrade
    from worker.repositories.schema_version import head, version

    config = load()
    engine = engine_of(config.database)
    try:
        if dry_run:
            found, needed = version(engine), head()
            click.echo(
                f"schema would move from {found or 'nothing'} to {needed}" if found != needed else _AT.format(found)
            )
            return
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    click.echo(told(before, after))
    if before is None or before == after:
        return
    try:
        why = reason or "the release needs it"
        record(config, "migrated", f"schema/{after}", actor=actor, reason=why, before=before)
    except OrdersError as problem:
        remark(f"it is done, but stands in no audit trail: {problem}")


@command.command(epilog=examples("orders db check", "orders db check --json"))
@as_json
def check(*, as_json: bool) -> None:
    """Exit 0 when the schema is the code's or newer, 5 when it is older."""
    from worker.repositories.schema_version import check as check_schema
    from worker.repositories.schema_version import head, version

    engine = engine_of(load().database)
    try:
        check_schema(engine)
        if as_json:
            print_json({"schema": version(engine), "needed": head()})
            return
    finally:
        engine.dispose()
    click.echo("schema fits the code")


_AT = "schema is at {}"


def told(before: str | None, after: str) -> str:
    """Say what a migration did."""
    if before != after:
        return f"schema moved from {before or 'nothing'} to {after}"
    from worker.repositories.schema_version import head

    needed = head()
    return _AT.format(after) if after == needed else f"schema is at {after}, newer than this code's {needed}: left"
