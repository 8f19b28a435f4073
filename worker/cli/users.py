"""`orders users`: who is registered, a token mailed again, accounts switched off and on, erasure on request."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from worker.cli.dialogue import ask, record, workflow_link
from worker.cli.options import Noun, actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.settings import load
from worker.connections import reading
from worker.contract.ids import address_workflow_id, is_valid_part, order_workflow_id, user_workflow_id
from worker.contract.users import ResendConfirmation
from worker.domain.errors import Conflict, InvalidInput
from worker.domain.user import User, UserState

if TYPE_CHECKING:
    from temporalio.client import Client

DELETED_AT_ONCE = 20
"""Histories whose deletion is waited for together."""


@click.group(cls=Noun)
def command() -> None:
    """Users."""


@command.command("list", epilog=examples("orders users list --state pending", "orders users list --json"))
@click.option("--state", type=click.Choice([str(state) for state in UserState]), help="Only users in this state.")
@click.option("--limit", default=50, show_default=True)
@as_json
def list_users(state: str | None, limit: int, *, as_json: bool) -> None:
    """List the newest users, without their addresses."""
    with reading(load()) as database:
        wanted = UserState(state) if state else None
        users = database.transact(lambda tx: tx.users.recent(state=wanted, limit=limit))
    if as_json:
        print_json([_shown(user) for user in users])
        return
    print_table(
        "users",
        ["user", "state", "registered (UTC)", "confirmed (UTC)"],
        [(user.user_id, user.state, when(user.registered_at), when(user.confirmed_at)) for user in users],
    )


@command.command(epilog=examples("orders users show 7d1f0c2a", "orders users show 7d1f0c2a --address"))
@click.argument("user_id")
@click.option("--address", is_flag=True, help="Also the address, which is personal data.")
@as_json
def show(user_id: str, *, address: bool, as_json: bool) -> None:
    """Show one user: state, times, process."""
    from worker.services.accounts import account_of

    config = load()
    with reading(config) as database:
        user = database.transact(lambda tx: account_of(tx, user_id))
    if as_json:
        print_json(_shown(user) | ({"email": user.email} if address else {}))
        return
    click.echo(f"user {user.user_id}: {user.state}")
    click.echo(f"registered {when(user.registered_at)} UTC, confirmed {when(user.confirmed_at)} UTC")
    workflow_id = user_workflow_id(user.user_id)
    click.echo(f"workflow {workflow_id}  {workflow_link(config, workflow_id)}".rstrip())
    if address:
        click.echo(f"address {user.email or '-'}")


@command.command(epilog=examples('orders users resend 7d1f0c2a --reason "the mail went astray"'))
@click.argument("user_id")
@reason_option()
@actor_option
@dry_run_option
def resend(user_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Mail a user's confirmation token once more: not more often than the settings allow."""
    from worker.services.accounts import account_of
    from worker.temporal.operations import resend_confirmation

    config = load()
    with reading(config) as database:
        user = database.transact(lambda tx: account_of(tx, user_id))
    if user.state is not UserState.PENDING:
        raise Conflict(f"user {user_id} is {user.state}: there is nothing to confirm")
    if dry_run:
        click.echo(f"user {user_id}: would be mailed the token again")
        return
    record(config, "resent", f"user/{user_id}", actor=actor, reason=reason)
    request = ResendConfirmation(request_id=f"cli-{uuid.uuid4().hex}", requested_by=actor)
    status = ask(config, lambda client: resend_confirmation(client, user_id, request))
    click.echo(f"user {user_id}: {status.mails_sent} mails sent")


@command.command(
    epilog=examples(
        'orders users deactivate 7d1f0c2a --reason "asked for a break" --dry-run',
        'orders users deactivate 7d1f0c2a --reason "asked for a break" --yes',
    )
)
@click.argument("user_id")
@reason_option(why="Why, without saying who it is: it stands in the audit trail for good.")
@actor_option
@dry_run_option
@yes_option
def deactivate(user_id: str, reason: str, actor: str, *, dry_run: bool, yes: bool) -> None:
    """Switch an active user off: no mail goes there, no change of address is taken; `reactivate` undoes it."""
    from worker.services import accounts

    config = load()
    consent(f"Deactivate user {user_id}?", yes=yes, dry_run=dry_run)
    with reading(config) as database:
        if dry_run:
            user = database.transact(lambda tx: accounts.account_of(tx, user_id))
            click.echo(f"user {user_id}: is {user.state}, would be deactivated")
            return
        first = accounts.deactivate(
            database, config.shop.name, user_id, actor=actor, reason=reason, at=datetime.now(UTC)
        )
    click.echo(f"user {user_id}: {'is' if first else 'was'} deactivated{'' if first else ' before'}")


@command.command(epilog=examples('orders users reactivate 7d1f0c2a --reason "is back"'))
@click.argument("user_id")
@reason_option(why="Why, without saying who it is: it stands in the audit trail for good.")
@actor_option
@dry_run_option
def reactivate(user_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Switch a user on again."""
    from worker.services import accounts

    config = load()
    with reading(config) as database:
        if dry_run:
            user = database.transact(lambda tx: accounts.account_of(tx, user_id))
            click.echo(f"user {user_id}: is {user.state}, would be active")
            return
        first = accounts.reactivate(
            database, config.shop.name, user_id, actor=actor, reason=reason, at=datetime.now(UTC)
        )
    click.echo(f"user {user_id}: {'is active again' if first else 'was active before'}")


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
    """Erase a user: address, key and process, and where the parcels of their orders went; cannot be undone.

    A customer who never registered is erased by the id that their orders name. Refused while an order of theirs is not
    over: its parcel needs the address. What stays: the id (never given to somebody else), orders and amounts, the audit trail. The start of the process is
    lost in backups of Temporal when the payload key of that time is given up; webhooks, when the retention ends.
    Repeat it when it was cut off: it goes on where it was.
    """
    from worker.services.erasure import erase as erase_user
    from worker.services.erasure import found

    if not is_valid_part(user_id):
        raise InvalidInput(f"{user_id!r} is no user's id")
    config = load()
    consent(f"Erase user {user_id}? This cannot be undone.", yes=yes, dry_run=dry_run)
    if dry_run:
        with reading(config) as database:
            user, orders = database.transact(lambda tx: found(tx, config.shop.name, user_id))
        state = user.state if user else "not registered"
        theirs = f", with the histories of {len(orders)} orders that had a shipping address" if orders else ""
        click.echo(f"user {user_id}: is {state}, would be erased, and the history of its process deleted{theirs}")
        return
    with reading(config) as database:
        done = erase_user(database, config.shop.name, user_id, actor=actor, reason=reason, at=datetime.now(UTC))
    key = ", the key is dropped" if done.had_key else ""
    was = done.before or "not registered"
    click.echo(f"user {user_id}: {f'was {was}, is erased{key}' if done.first else 'was erased before'}")
    if done.addresses:
        click.echo(f"{done.addresses} shipping {'address' if done.addresses == 1 else 'addresses'} of orders removed")

    import asyncio

    from worker.temporal.forgetting import forget

    async def forget_all(client: "Client") -> int:
        workflows = [
            user_workflow_id(user_id),
            *(address_workflow_id(user_id, each) for each in done.changes),
            *(order_workflow_id(config.shop.name, each) for each in done.orders),
        ]
        # Many at once: the server deletes in the background, and each takes it seconds.
        few = asyncio.Semaphore(DELETED_AT_ONCE)

        async def one(workflow_id: str) -> int:
            async with few:
                return await forget(client, workflow_id)

        return sum(await asyncio.gather(*(one(each) for each in workflows)))

    runs = ask(config, forget_all)
    click.echo(f"Temporal: {runs} {'history' if runs == 1 else 'histories'} deleted")


def _shown(user: User) -> dict[str, Any]:
    """Return what is shown of a user without being asked for more: all but the address."""
    return {
        "user_id": user.user_id,
        "state": user.state,
        "registered_at": user.registered_at,
        "confirmed_at": user.confirmed_at,
    }
