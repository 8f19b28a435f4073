"""`orders users`: erasure on request."""

from datetime import UTC, datetime

import click

from worker.cli.dialogue import ask
from worker.cli.options import Noun, actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.config import load
from worker.connections import reading
from worker.contract.ids import is_valid_part, user_workflow_id
from worker.domain.errors import InvalidInput, NotFound


@click.group(cls=Noun)
def command() -> None:
    """Users."""


@command.command(
    epilog=examples(
        'orders users erase 7d1f0c2a --reason "asked on 2026-11-28" --dry-run',
        'orders users erase 7d1f0c2a --reason "asked on 2026-11-28" --yes',
    )
)
@click.argument("user_id")
@reason_option(why="Why, without saying who it is: it stands in the audit trail for good.")
@actor_option
@dry_run_option
@yes_option
def erase(user_id: str, reason: str, actor: str, *, dry_run: bool, yes: bool) -> None:
    """Erase a user: address, key and process; cannot be undone.

    What stays: the id (never given to somebody else), orders and amounts, the audit trail. The start of the process is
    lost in backups of Temporal when the payload key of that time is given up; webhooks, when the retention ends.
    Repeat it when it was cut off: it goes on where it was.
    """
    from worker.services.erasure import erase as erase_user

    if not is_valid_part(user_id):
        raise InvalidInput(f"{user_id!r} is no user's id")
    config = load()
    consent(f"Erase user {user_id}? This cannot be undone.", yes=yes, dry_run=dry_run)
    if dry_run:
        with reading(config) as database:
            user = database.transact(lambda tx: tx.users.get(user_id))
        if user is None:
            raise NotFound(f"user {user_id} is not in our books")
        click.echo(f"user {user_id}: is {user.state}, would be erased, and the history of its process deleted")
        return
    with reading(config) as database:
        done = erase_user(database, config.shop.name, user_id, actor=actor, reason=reason, at=datetime.now(UTC))
    key = ", the key is dropped" if done.had_key else ""
    click.echo(f"user {user_id}: {f'was {done.before}, is erased{key}' if done.first else 'was erased before'}")

    from worker.temporal.forgetting import forget

    runs = ask(config, lambda client: forget(client, user_workflow_id(user_id)))
    click.echo(f"Temporal: {runs} {'history' if runs == 1 else 'histories'} deleted")
