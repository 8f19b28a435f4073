"""`orders outbound`: webhooks we send to shops' own programs; what waits, what was given up, and having it sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import record
from worker.cli.options import Noun, actor_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.errors import NotFound
from worker.domain.outbound import Endpoint, Message, MessageState

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.outbound import OutboundService
    from worker.services.ports import Database


@click.group(cls=Noun)
def command() -> None:
    """Webhooks we send."""


subscription_option = click.option("--subscription", help="Only to this one: [outbound.NAME] of the settings.")


@command.command(
    "list", epilog=examples("orders outbound list --state dead", "orders outbound list --order 1001 --json")
)
@click.option("--state", type=click.Choice([str(state) for state in MessageState]), help="Only in this state.")
@subscription_option
@click.option("--order", "order_id", help="Only about this order of the settings' shop.")
@click.option("--limit", default=50, show_default=True, help="Of each state.")
@as_json
def list_messages(
    state: str | None, subscription: str | None, order_id: str | None, limit: int, *, as_json: bool
) -> None:
    """List the newest messages, dead letters first, and endpoints that are disabled."""
    config = load()
    wanted = [MessageState(state)] if state else [MessageState.DEAD, MessageState.PENDING, MessageState.DELIVERED]

    def messages(database: Database) -> list[Message]:
        if order_id is not None:
            about = database.transact(lambda tx: tx.outbound.of_order(config.shop.name, order_id))
            return [one for one in about if one.state in wanted and subscription in {None, one.subscription}]
        return [
            message
            for each in wanted
            for message in database.transact(
                lambda tx, each=each: tx.outbound.listed(each, subscription=subscription, limit=limit)  # type: ignore[misc]
            )
        ]

    with reading(config) as database:
        found = messages(database)
        endpoints = database.transact(lambda tx: tx.outbound.endpoints())
    if as_json:
        print_json({"messages": found, "endpoints": list(endpoints.values())})
        return
    print_table(
        "webhooks we send",
        ["message", "to", "kind", "order", "state", "made (UTC)", "tries", "last try (UTC)", "what came of it"],
        [_row(message, endpoints) for message in found],
        least=_LEAST,
    )
    for each in endpoints.values():
        if each.disabled_at is not None:
            click.echo(
                f"{each.subscription} is disabled since {when(each.disabled_at)} UTC: {each.reason};"
                f" orders outbound enable {each.subscription}",
                err=True,
            )


@command.command(epilog=examples("orders outbound show msg_2f1c9a0b"))
@click.argument("message_id")
@as_json
def show(message_id: str, *, as_json: bool) -> None:
    """Show one message: what is sent, to whom, and what came of it."""
    with reading(load()) as database:
        found = database.transact(lambda tx: tx.outbound.by_id(message_id))
        endpoints = database.transact(lambda tx: tx.outbound.endpoints())
    if not found:
        raise NotFound(f"no message {message_id}; `orders outbound list` shows them")
    if as_json:
        print_json(found)
        return
    click.echo(f"message {message_id}: {found[0].kind} of order {found[0].shop}/{found[0].order_id}")
    click.echo(json.dumps(json.loads(found[0].body), indent=2))
    print_table(
        "to",
        ["message", "to", "kind", "order", "state", "made (UTC)", "tries", "last try (UTC)", "what came of it"],
        [_row(message, endpoints) for message in found],
        least=_LEAST,
    )
    for message in found:
        click.echo(f"workflow notify/{message.subscription}/{message_id}")


@command.command(
    epilog=examples(
        'orders outbound redeliver msg_2f1c9a0b --reason "they lost it"',
        'orders outbound redeliver --dead --subscription erp --reason "their outage is over" --dry-run',
    )
)
@click.argument("message_id", required=False)
@click.option("--dead", is_flag=True, help="All dead letters instead of one message, the newest first.")
@subscription_option
@click.option("--limit", default=1000, show_default=True, help="Of dead letters at once.")
@reason_option()
@actor_option
@dry_run_option
def redeliver(
    message_id: str | None, subscription: str | None, limit: int, reason: str, actor: str, *, dead: bool, dry_run: bool
) -> None:
    """Have a message sent again, whatever became of it, or all dead letters; a running worker does it in seconds.

    The id stays the same: who has taken it before will know it.
    """
    if (message_id is None) is not dead:
        raise click.UsageError("name a MESSAGE_ID, or say --dead")
    config = load()
    if dry_run:
        _would_redeliver(config, message_id, subscription, limit)
        return
    subject = message_id or f"dead letters to {subscription or 'all'}"
    record(config, "redelivered", f"outbound/{subject}", actor=actor, reason=reason)
    with reading(config) as database:
        service = _service(config, database)
        found = (
            service.redeliver_dead(subscription, limit)
            if message_id is None
            else service.redeliver(message_id, subscription)
        )
        waiting = database.transact(lambda tx: tx.outbound.endpoints())
    for message in found:
        held = _held(message.subscription, waiting, config)
        click.echo(f"{message.message_id} to {message.subscription}: {held or 'will be sent again'}")
    if not found:
        click.echo("there are no dead letters", err=True)


@command.command(epilog=examples('orders outbound enable erp --reason "they have a new address"'))
@click.argument("subscription")
@reason_option(why="What was mended meanwhile.")
@actor_option
@dry_run_option
def enable(subscription: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Enable an endpoint that was disabled (it answered 410): what waits for it is sent. Dead letters stay dead."""
    config = load()
    with reading(config) as database:
        if dry_run:
            known = database.transact(lambda tx: tx.outbound.endpoints()).get(subscription)
            disabled = known is not None and known.disabled_at is not None
            click.echo(f"{subscription} {'would be enabled' if disabled else 'is not disabled: nothing would change'}")
            return
        pending = _service(config, database).enable(subscription, actor=actor, reason=reason)
    click.echo(f"{subscription} is enabled; pending: {pending}")


def _would_redeliver(config: WorkerConfig, message_id: str | None, subscription: str | None, limit: int) -> None:
    with reading(config) as database:
        if message_id is None:
            found = database.transact(
                lambda tx: tx.outbound.listed(MessageState.DEAD, subscription=subscription, limit=limit)
            )
        else:
            found = database.transact(lambda tx: tx.outbound.by_id(message_id))
            if not found:
                raise NotFound(f"no message {message_id}; `orders outbound list` shows them")
    for message in found:
        if subscription in {None, message.subscription}:
            click.echo(f"{message.message_id} to {message.subscription}: would be sent again")
    if not found:
        remark("there are no dead letters")


_LEAST = ("last try (UTC)", "made (UTC)", "tries", "what came of it", "to")


def _service(config: WorkerConfig, database: Database) -> OutboundService:
    from worker.gateways.clock import SystemClock
    from worker.policies import subscriptions_of
    from worker.services.outbound import OutboundService

    return OutboundService(database, SystemClock(), subscriptions_of(config))


def _held(subscription: str, endpoints: dict[str, Endpoint], config: WorkerConfig) -> str:
    if subscription not in config.outbound or not config.outbound[subscription].enabled:
        return "waits until the settings have its subscription again"
    endpoint = endpoints.get(subscription)
    if endpoint is not None and endpoint.disabled_at is not None:
        return f"waits until its endpoint is enabled: orders outbound enable {subscription}"
    return ""


def _row(message: Message, endpoints: dict[str, Endpoint]) -> tuple[str, ...]:
    endpoint = endpoints.get(message.subscription)
    disabled = endpoint is not None and endpoint.disabled_at is not None
    held = message.state is MessageState.PENDING and disabled
    return (
        message.message_id,
        message.subscription,
        message.kind,
        message.order_id,
        "held" if held else str(message.state),
        when(message.created_at),
        str(message.attempts),
        when(message.attempted_at),
        message.detail or (f"answered {message.status}" if message.status else "-"),
    )
