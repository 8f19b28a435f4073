"""`orders keys`: payload keys follow one another without anybody seeing one, and without anything unreadable.

A key goes through three states, each taken over by functions and worker before the next step is made:

    add     drawn, last in the list: everybody can open with it, nobody seals with it yet
    use     first in the list: everybody seals with it; the others still open what they sealed
    drop    given up, once nothing that is kept needs it: whatever it alone sealed is lost for good

Users' own keys are kept wrapped by the key that seals; `rewrap` has them follow.
"""

import base64
import json
import secrets
from datetime import UTC, datetime

import click

from worker.cli.dialogue import record
from worker.cli.options import Noun, actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.output import as_json, print_json, print_table
from worker.cli.secrets import WHY
from worker.contract.sealing import KEY_BYTES
from worker.domain.audit import Because
from worker.domain.errors import Conflict, InvalidInput, NotFound

VARIABLE = "ORDERS_ENCRYPTION__KEYS"
KIND = "encryption"
_NEXT = "wait until the functions have it (five minutes) and restart the worker's services, before the next step"

Keys = list[dict[str, str]]


@click.group(cls=Noun)
def command() -> None:
    """Payload keys: in a deployed environment's secret (/orders/dev/encryption), and what is wrapped by them."""


@command.command("list", epilog=examples("orders keys list /orders/dev/encryption"))
@click.argument("secret")
@as_json
def list_keys(secret: str, *, as_json: bool) -> None:
    """List the ids of the keys, the one that seals first; never a key."""
    ids = [held["id"] for held in _Held(secret).keys]
    if as_json:
        print_json({"secret": secret, "keys": ids})
        return
    print_table(
        secret, ["key", "does"], [(name, "opens" if place else "seals, opens") for place, name in enumerate(ids)]
    )


@command.command(epilog=examples('orders keys add /orders/dev/encryption --reason "the yearly change"'))
@click.argument("secret")
@reason_option(required=False, why=f"{WHY} The first key needs none.")
@actor_option
@dry_run_option
def add(secret: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Draw a key and add it last: it opens everywhere before it seals anywhere. The first one seals at once."""
    held = _Held(secret, Because(actor=actor, reason=reason))
    if held.keys and not reason:
        raise click.UsageError("there is a key already: say with --reason why there should be another one")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    ids = {one["id"] for one in held.keys}
    name = next(name for name in (today, *(f"{today}-{number}" for number in range(2, 1000))) if name not in ids)
    if dry_run:
        click.echo(f"{secret}: {name} would be added{'' if ids else ', the first: it would seal'}")
        return
    drawn = {"id": name, "key": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}
    held.write([*held.keys, drawn])
    if ids:
        click.echo(f"{secret}: {name} added; {_NEXT}: orders keys use {secret} {name}")
    else:
        click.echo(f"{secret}: {name} added, the first: it seals")


@command.command(epilog=examples('orders keys use /orders/dev/encryption 2026-11-28 --reason "the yearly change"'))
@click.argument("secret")
@click.argument("key_id")
@reason_option(why=WHY)
@actor_option
@dry_run_option
def use(secret: str, key_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Seal with this key from now on; the others still open."""
    held = _Held(secret, Because(actor=actor, reason=reason))
    chosen = held.one(key_id)
    if held.keys[0] is chosen:
        raise Conflict(f"{key_id} seals already")
    if dry_run:
        click.echo(f"{secret}: {key_id} would seal instead of {held.keys[0]['id']}")
        return
    held.write([chosen, *(other for other in held.keys if other is not chosen)])
    click.echo(f"{secret}: {key_id} seals from now on; {_NEXT}: orders keys rewrap")


@command.command(
    epilog=examples('orders keys drop /orders/dev/encryption 2025-11-28 --reason "retention has passed" --dry-run')
)
@click.argument("secret")
@click.argument("key_id")
@reason_option(why=WHY)
@actor_option
@dry_run_option
@yes_option
def drop(secret: str, key_id: str, reason: str, actor: str, *, dry_run: bool, yes: bool) -> None:
    """Give up a key, and with it whatever it alone sealed. Never the one that seals.

    Not before `orders keys rewrap` was run, the schedules were applied, every workflow that was open when it stopped
    sealing has ended, and the namespace's retention has passed since.
    """
    held = _Held(secret, Because(actor=actor, reason=reason))
    chosen = held.one(key_id)
    if held.keys[0] is chosen:
        raise Conflict(f"{key_id} seals: let another one do so first (orders keys use)")
    consent(f"Give up {key_id}? What it sealed cannot be read any more.", yes=yes, dry_run=dry_run)
    if dry_run:
        click.echo(f"{secret}: {key_id} would be given up, and what it alone sealed with it")
        return
    held.write([other for other in held.keys if other is not chosen])
    click.echo(f"{secret}: {key_id} is given up; its previous version keeps it until it is overwritten once more")


@command.command(epilog=examples('orders keys rewrap --reason "before 2025-11-28 is dropped"'))
@reason_option()
@actor_option
@dry_run_option
def rewrap(reason: str, actor: str, *, dry_run: bool) -> None:
    """Wrap users' own keys, in the database of the settings, with the key that seals; before an older one is dropped."""
    from worker.config import load
    from worker.connections import reading, user_keys_of

    config = load()
    with reading(config) as database:
        keys = user_keys_of(config.encryption, database)
        if keys is None:
            raise Conflict("there is no payload key, so users have no keys of their own")
        sealing = config.encryption.keys[0].id
        if dry_run:
            click.echo(f"users' own keys would be wrapped anew with {sealing}")
            return
        record(config, "rewrapped", f"key/{sealing}", actor=actor, reason=reason)
        click.echo(f"{keys.wrap_anew()} keys of users wrapped anew with {sealing}")


class _Held:
    """The keys of a secret as they were read, and the way to write others over them."""

    def __init__(self, secret: str, because: "Because | None" = None) -> None:
        from worker.gateways.secret_stores import vault_of

        if KIND not in secret.rpartition("/")[2]:
            raise InvalidInput(f"payload keys are in the secret NAME/ENVIRONMENT/{KIND}")
        self._secret = secret
        self._vault = vault_of(secret, because)
        self._found = self._vault.read(secret)
        self.keys: Keys = _keys(self._found.values.get(VARIABLE, "[]"), secret)

    def one(self, key_id: str) -> dict[str, str]:
        """Return a key by its id. Raises NotFound."""
        for held in self.keys:
            if held["id"] == key_id:
                return held
        raise NotFound(f"{self._secret} has no key {key_id}; `orders keys list {self._secret}` shows them")

    def write(self, keys: Keys) -> None:
        """Put these keys in the place of those. Raises Conflict when somebody else wrote meanwhile."""
        self._vault.write(self._secret, {**self._found.values, VARIABLE: json.dumps(keys)}, over=self._found.version)


def _keys(text: str, secret: str) -> Keys:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) and set(one) == {"id", "key"} for one in found):
        raise Conflict(f"{secret}: {VARIABLE} is no list of keys like [{{'id': ..., 'key': ...}}]")
    return found
