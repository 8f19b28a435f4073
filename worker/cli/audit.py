"""`orders audit`: the trail of what people and the engine did, and the proof that nobody changed it."""

import json
from contextlib import suppress
from typing import Any

import click

from worker.cli.options import Noun, examples
from worker.cli.output import as_json, print_json, print_table, shortened, when
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.audit import AuditEntry, words

BROKEN = 5
shop_option = click.option("--shop", help="Whose trail. Default: the shop of the settings.")


@click.group(cls=Noun)
def command() -> None:
    """The audit trail."""


@command.command(
    "list",
    epilog=examples("orders audit list --actor alice", "orders audit list --subject break/4be1f0a2c39d5e67 --json"),
)
@shop_option
@click.option("--subject", help="Only what was done to this, as break/0123456789abcdef.")
@click.option("--actor", help="Only what this person (or `reconciliation`) did.")
@click.option("--action", help="Only this action, as resolved.")
@click.option("--limit", default=50, show_default=True)
@as_json
def list_entries(
    shop: str | None, subject: str | None, actor: str | None, action: str | None, limit: int, *, as_json: bool
) -> None:
    """List the newest entries. Their reasons are people's words, as they wrote them."""
    config = load()
    name = shop or config.shop.name
    with reading(config) as database:
        entries = database.transact(
            lambda tx: tx.audit.listed(name, subject=subject, actor=actor, action=action, limit=limit)
        )
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    print_table(
        f"audit trail of {name}",
        ["number", "at (UTC)", "by", "action", "subject", "run", "detail", "hash"],
        [
            (
                str(entry.sequence),
                when(entry.record.at),
                entry.record.actor,
                entry.record.action,
                shortened(entry.record.subject),
                entry.record.run_id,
                words(_detail(entry)),
                entry.hash[:12],
            )
            for entry in entries
        ],
        least=("hash", "run", "number", "detail"),
    )


@command.command(
    epilog=examples("orders audit verify", "orders audit verify --at 412 --expect-head 9f2c... # a head noted earlier")
)
@shop_option
@click.option(
    "--expect-head", metavar="HASH", help="A head noted earlier: what it sealed must still be there, unchanged."
)
@click.option("--at", type=click.IntRange(1), help="The number of the entry that had this head. Default: the last one.")
@as_json
def verify(shop: str | None, expect_head: str | None, at: int | None, *, as_json: bool) -> None:
    """Walk the whole chain and say where it first breaks, and what differs there. Exits 0 when it is whole, else 5.

    A break that counts as settled by a person although the trail has no entry of it is named as well (5).

    The head that is printed proves the trail only if it is kept where those who can write the database cannot: note
    its number and hash, and give them back later with --at and --expect-head.
    """
    from worker.services.audit import verify as verify_trail

    if at is not None and expect_head is None:
        raise click.UsageError("--at says where --expect-head was the head: name both")
    config = load()
    name = shop or config.shop.name
    with reading(config) as database:
        proof = verify_trail(database, name, expect_head=expect_head, at=at)
    if as_json:
        print_json(proof)
    elif proof.fault is None:
        click.echo(f"the trail of {name} is whole: {proof.head.sequence} entries")
        click.echo(f"head {proof.head.sequence} {proof.head.hash}")
        if proof.unsealed:
            click.echo(f"{proof.unsealed} actions of an older release are not in it yet; the next one takes them in")
    else:
        click.echo(f"the trail of {name} is broken at entry {proof.fault.sequence}: {proof.fault.what}", err=True)
    for name_of_break in proof.unrecorded if not as_json else ():
        click.echo(f"break {name_of_break} counts as settled, but the trail has no entry of it", err=True)
    if not proof.holds:
        raise click.exceptions.Exit(BROKEN)


def _detail(entry: AuditEntry) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(entry.record.detail)
        if isinstance(found, dict):
            return found
    return {"detail": entry.record.detail}


def _document(entry: AuditEntry) -> dict[str, Any]:
    record = entry.record
    return {
        "shop": entry.shop,
        "sequence": entry.sequence,
        "at": record.at,
        "actor": record.actor,
        "action": record.action,
        "subject": record.subject,
        "run_id": record.run_id,
        "detail": _detail(entry),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
