"""`orders users`: erasure on request."""

import asyncio
from datetime import UTC, datetime

import click

from worker.cli.options import actor_option, consent, yes_option
from worker.config import load
from worker.connections import reading
from worker.contract.ids import is_valid_part, user_workflow_id
from worker.domain.errors import InvalidInput
from worker.services.erasure import erase as erase_user
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.forgetting import forget


@click.group()
def command() -> None:
    """Users."""


@command.command()
@click.argument("user_id")
@click.option("--reason", required=True, help="Why, without saying who it is: it stands in the audit trail for good.")
@actor_option
@yes_option
def erase(user_id: str, reason: str, actor: str, *, yes: bool) -> None:
    """Erase a user: address, key and process; cannot be undone.

    What stays: the id (never given to somebody else), orders and amounts, the audit trail. The start of the process is
    lost in backups of Temporal when the payload key of that time is given up; webhooks, when the retention ends.
    Repeat it when it was cut off: it goes on where it was.
    """
    if not is_valid_part(user_id):
        raise InvalidInput(f"{user_id!r} is no user's id")
    config = load()
    consent(f"Erase user {user_id}? This cannot be undone.", yes=yes, dry_run=False)
    with reading(config) as database:
        done = erase_user(database, config.shop.name, user_id, actor=actor, reason=reason, at=datetime.now(UTC))
    key = ", the key is dropped" if done.had_key else ""
    click.echo(f"user {user_id}: {f'was {done.before}, is erased{key}' if done.first else 'was erased before'}")

    async def go() -> int:
        client = await connect(config.temporal, converter_of(config.encryption))
        return await forget(client, user_workflow_id(user_id))

    runs = asyncio.run(go())
    click.echo(f"Temporal: {runs} {'history' if runs == 1 else 'histories'} deleted")
