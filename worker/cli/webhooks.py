"""`orders webhooks`: the inbox of received events, events again, and deliveries of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from worker.cli.dialogue import ask, record, workflow_link
from worker.cli.options import (
    Noun,
    actor_option,
    consent,
    dry_run_option,
    examples,
    moment,
    reason_option,
    yes_option,
)
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.cli.webhooks_send import send
from worker.connections import reading
from worker.contract.events import ProviderEvent
from worker.domain.errors import Conflict, InvalidInput, NotFound, ProviderUnavailable

if TYPE_CHECKING:
    from temporalio.client import Client

    from worker.config import WorkerConfig
    from worker.services.ports import InboxEntry

_NAMED = 100
"""Events of one replay whose ids the audit trail keeps."""
MOST = 1000
"""Events that one replay may take: more is a job for a reconciliation."""
OUTCOMES = ("applied", "duplicate", "ignored", "late", "unmatched", "unreadable", "received")
_PATIENCE = timedelta(seconds=60)
_TOLD = ("received", "source", "type", "event", "before", "now", "detail")
_UNREACHABLE, _NOT_TRIED = "no answer", "not tried"
_GONE = (
    "Temporal has its body no more (its retention ended); `orders reconcile run` finds what it meant at the provider, "
    "the shop and the warehouse, and repairs it"
)


@click.group(cls=Noun)
def command() -> None:
    """Received webhooks, and deliveries of our own."""


command.add_command(send)


def filters(limit: int, meaning: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the options that choose events of the inbox."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--limit", default=limit, show_default=True, type=click.IntRange(1, MOST), help=meaning),
            click.option("--until", callback=moment, help="Received before this time (UTC unless it says otherwise)."),
            click.option("--since", callback=moment, help="Received at this time or later."),
            click.option("--outcome", type=click.Choice(OUTCOMES), help="Only this outcome; received: not done yet."),
            click.option("--type", "topic", help="Only this type of event, as orders/paid."),
            click.option("--source", help="Only this source (shopify, stripe, warehouse)."),
        ):
            function = option(function)
        return function

    return decorate


@command.command(
    "list",
    epilog=examples(
        "orders webhooks list --outcome unmatched", "orders webhooks list --source stripe --since 2026-11-28 --json"
    ),
)
@filters(50, "How many, the newest.")
@as_json
def list_events(*, as_json: bool, limit: int, **chosen: Any) -> None:
    """List the newest events and what became of them."""
    entries, more = _chosen(load(), limit, **chosen)
    if more:
        remark(f"the newest {limit}; there are more (--limit)")
    if as_json:
        print_json(entries)
        return
    print_table(
        "inbox",
        ["received (UTC)", "source", "type", "origin", "outcome", "event", "detail"],
        [(when(e.received_at), e.source, e.topic, e.origin, e.outcome, e.event_id, e.detail) for e in entries],
        least=("detail", "origin", "source"),
    )


@command.command(epilog=examples("orders webhooks show evt_1Qx", "orders webhooks show evt_1Qx --body > body.json"))
@click.argument("event_id")
@click.option("--source", help="Its source, where two have an event of this id.")
@click.option("--body", is_flag=True, help="Print the body alone, as it was received. It may hold personal data.")
@as_json
def show(event_id: str, source: str | None, *, body: bool, as_json: bool) -> None:
    """Show one event: when it came, what became of it, which workflow handled it."""
    config = load()
    entry = _one(config, event_id, source)
    if body:
        from worker.temporal.replay import event_of

        found = ask(config, lambda client: event_of(client, entry))
        if found is None:
            raise NotFound(f"event {event_id}: {_GONE}")
        click.echo(found.body, nl=False)
    elif as_json:
        print_json(entry)
    else:
        click.echo(
            f"event {entry.source}/{entry.event_id}: {entry.topic}, {entry.outcome}{f': {entry.detail}' if entry.detail else ''}"
        )
        click.echo(f"received {when(entry.received_at)} UTC as {entry.origin}, SHA-256 {entry.body_sha256}")
        click.echo(f"workflow {entry.workflow_id} (run {entry.run_id})")
        if link := workflow_link(config, entry.workflow_id):
            click.echo(f"  {link}")


@command.command(
    "replay",
    epilog=examples(
        "orders webhooks replay evt_1Qx --dry-run",
        'orders webhooks replay --outcome unmatched --since 2026-11-28 --reason "the release is mended" --yes',
    ),
)
@click.argument("event_id", required=False)
@filters(100, "Refuse to replay more than this.")
@reason_option(required=False)
@actor_option
@dry_run_option
@yes_option
@as_json
def replay_events(
    event_id: str | None,
    reason: str,
    actor: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    limit: int,
    **chosen: Any,
) -> None:
    """Run events again, oldest first: one by its id, or all that the options choose.

    What an event did before it does not do again: an order takes each event once. Exits 5 when a body is gone or a
    replay failed, the others are replayed all the same; 4 when Temporal stops answering, the rest is not tried.
    """
    if event_id is None and not any(chosen.values()):
        raise click.UsageError("name an event, or choose some with --source, --type, --outcome, --since, --until")
    config = load()
    entries, more = _chosen(config, limit, event_id=event_id, **chosen)
    if not entries:
        raise NotFound("no such event in the inbox; `orders webhooks list` shows what is")
    if more:
        raise InvalidInput(f"more than {limit} events: choose a shorter time, or raise --limit (up to {MOST})")
    if event_id is not None and len(entries) > 1:
        raise _ambiguous(event_id, entries)
    entries = entries[::-1]
    consent(f"replay {len(entries)} event{'s' * (len(entries) > 1)}?", yes=yes, dry_run=dry_run)
    if not dry_run:
        names = [entry.event_id for entry in entries[:_NAMED]]
        subject = f"event/{event_id}" if event_id is not None else "events"
        record(config, "replayed", subject, actor=actor, reason=reason, events=names, number=len(entries))
    told = ask(config, lambda client: _replayed(client, entries, dry_run=dry_run))
    if as_json:
        print_json(told)
    else:
        print_table(
            "would be replayed" if dry_run else "replayed",
            ["received (UTC)", "source", "type", "event", "before", "now", "detail"],
            [tuple(each[key] for key in _TOLD) for each in told],
            least=("detail", "before", "source", "received (UTC)"),
        )
    outcomes = {each["now"] for each in told}
    if outcomes & {_UNREACHABLE, _NOT_TRIED}:
        raise click.exceptions.Exit(4)
    if outcomes & {"gone", "failed"}:
        raise click.exceptions.Exit(5)


async def _replayed(client: Client, entries: list[InboxEntry], *, dry_run: bool) -> list[dict[str, str]]:
    told: list[dict[str, str]] = []
    reached = True
    for entry in entries:
        now, detail = await _outcome(client, entry, dry_run=dry_run) if reached else (_NOT_TRIED, "")
        reached = reached and now != _UNREACHABLE
        told.append(
            {
                "received": when(entry.received_at),
                "source": entry.source,
                "type": entry.topic,
                "event": entry.event_id,
                "before": entry.outcome,
                "now": now,
                "detail": detail,
            }
        )
    return told


async def _outcome(client: Client, entry: InboxEntry, *, dry_run: bool) -> tuple[str, str]:
    from worker.temporal.replay import event_of, replay

    try:
        event: ProviderEvent | None = await event_of(client, entry)
        if event is None:
            return "gone", _GONE
        if dry_run:
            return "can be", f"{len(json.dumps(event.body))} characters"
        result = await replay(client, event, patience=_PATIENCE)
    except ProviderUnavailable as error:
        return _UNREACHABLE, str(error)
    except (Conflict, InvalidInput) as error:
        return "failed", str(error)
    if result is None:
        return "waiting", "no result yet; it goes on by itself, `orders webhooks show` tells later"
    return result.outcome, result.detail


def _inbox(config: WorkerConfig, **chosen: Any) -> list[InboxEntry]:
    with reading(config) as database:
        return database.transact(lambda tx: tx.inbox.recent(**chosen))


def _chosen(config: WorkerConfig, limit: int, **chosen: Any) -> tuple[list[InboxEntry], bool]:
    """Return the newest entries that fit, at most `limit`, and whether there are more."""
    found = _inbox(config, limit=limit + 1, **chosen)
    return found[:limit], len(found) > limit


def _ambiguous(event_id: str, entries: list[InboxEntry]) -> InvalidInput:
    sources = " and ".join(sorted(entry.source for entry in entries))
    return InvalidInput(f"{sources} both have an event {event_id}: add --source")


def _one(config: WorkerConfig, event_id: str, source: str | None) -> InboxEntry:
    found = _inbox(config, source=source, outcome=None, event_id=event_id, limit=2)
    if not found:
        raise NotFound(f"event {event_id} is not in the inbox; `orders webhooks list` shows what is")
    if len(found) > 1:
        raise _ambiguous(event_id, found)
    return found[0]
