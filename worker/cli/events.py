"""`orders events`: the inbox of received webhooks."""

import click

from worker.cli.output import as_json, print_json, print_table, when
from worker.config import load
from worker.connections import reading


@click.group()
def command() -> None:
    """Received webhooks."""


@command.command("list")
@click.option("--source", help="Only this source (shopify, stripe, warehouse).")
@click.option("--outcome", help="Only this outcome (applied, duplicate, ignored, late, unmatched, unreadable).")
@click.option("--limit", default=50, show_default=True)
@as_json
def list_events(source: str | None, outcome: str | None, limit: int, *, as_json: bool) -> None:
    """List the newest events and what became of them."""
    with reading(load()) as database:
        entries = database.transact(lambda tx: tx.inbox.recent(source=source, outcome=outcome, limit=limit))
    if as_json:
        print_json(entries)
        return
    print_table(
        "inbox",
        ["received (UTC)", "source", "topic", "origin", "outcome", "event", "detail"],
        [(when(e.received_at), e.source, e.topic, e.origin, e.outcome, e.event_id, e.detail) for e in entries],
    )
