"""`orders secrets`: the values of a deployed environment, put by a person and never by Terraform.

A secret holds variables by their names. Values are read from standard input, a file or a hidden prompt, never from an
argument, which every process of the machine could read; they are never printed.
"""

import re
import sys
from pathlib import Path

import click

from worker.cli.complaints import EXIT_REFUSED
from worker.cli.options import Noun, actor_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, print_table, when
from worker.domain.audit import Because
from worker.domain.errors import InvalidInput, NotFound

CONTENTS = {
    "temporal": ("ORDERS_TEMPORAL__API_KEY", "ORDERS_TEMPORAL__CLIENT_CERT", "ORDERS_TEMPORAL__CLIENT_KEY"),
    "api": ("ORDERS_API__KEYS",),
    "webhooks": ("ORDERS_WEBHOOKS__<SOURCE>__SECRETS",),
    "worker": (
        "ORDERS_USERS__TOKEN_KEY",
        "ORDERS_PROVIDER__API_KEY",
        "ORDERS_SHOP__ACCESS_TOKEN",
        "ORDERS_WAREHOUSE__SECRET",
        "ORDERS_WAREHOUSE__TOKEN",
        "ORDERS_OUTBOUND__<SOURCE>__SECRETS",
    ),
    "database": ("ORDERS_DATABASE__URL",),
    "encryption": ("ORDERS_ENCRYPTION__KEYS",),
}
"""What belongs into each secret of an environment, by the last part of its name (infra/aws/bootstrap makes them)."""

_NOT_NEEDED = frozenset({"ORDERS_OUTBOUND__<SOURCE>__SECRETS"})
"""What an environment starts without; Terraform hands it to the worker once `worker_secret_keys` names it."""

_BY_PEOPLE = ("api", "encryption", "webhooks", "worker")
"""Secrets without which an environment does not start; `temporal` depends on how its server knows us, `database` is
written by `orders deploy run`, `encryption` by `orders keys`."""

_READERS = {
    "api": "the functions take it over within five minutes",
    "webhooks": "the functions take it over within five minutes",
    "encryption": "the functions take it over within five minutes; restart the worker's services",
    "temporal": "the functions take it over within five minutes; restart the worker's services",
    "worker": "restart the worker's services to take it over: aws ecs update-service --force-new-deployment",
    "database": "restart the worker's services to take it over: aws ecs update-service --force-new-deployment",
}
WHY = "Why; with --actor it stands in CloudTrail's entry of the change, as its user agent."
"""There is no database of ours at hand: what happens to a secret is told where AWS keeps it anyway."""
_LONGEST = 60_000
"""Secrets Manager takes 65,536 bytes for all values of a secret together; a parameter less, which its store checks."""


@click.group(cls=Noun)
def command() -> None:
    """Secrets of a deployed environment.

    A name that begins with a slash (/orders/dev/worker) is a parameter of AWS Systems Manager, another (orders/prod/worker)
    a secret of AWS Secrets Manager, as the environment's secret_store has it.
    """


@command.command(
    epilog=examples(
        "orders secrets put /orders/dev/worker ORDERS_PROVIDER__API_KEY # asks for it, without showing it",
        "openssl rand -hex 32 | orders secrets put /orders/dev/worker ORDERS_USERS__TOKEN_KEY",
        'orders secrets put /orders/dev/worker ORDERS_PROVIDER__API_KEY --file key.txt --reason "the old one leaked"',
    )
)
@click.argument("secret")
@click.argument("key")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read the value from a file."
)
@reason_option(required=False, why=f"{WHY} A first value needs none.")
@actor_option
@dry_run_option
def put(secret: str, key: str, file: Path | None, reason: str, actor: str, *, dry_run: bool) -> None:
    """Set one variable in a secret, as ORDERS_API__KEYS in /orders/dev/api; the others stay.

    Without --file the value is read from standard input, or asked for without being shown.
    """
    from worker.gateways.secret_stores import vault_of

    kind = _kind(secret)
    _check(kind, key)
    value = _value(file, key)
    vault = vault_of(secret, Because(actor=actor, reason=reason))
    found = vault.read(secret)
    if key in found.values and not reason:
        raise click.UsageError(
            f"{secret} has a value of {key} already: say with --reason why there should be another one"
        )
    if dry_run:
        click.echo(f"{secret}: {key} would be {'changed' if key in found.values else 'added'}")
        return
    vault.write(secret, {**found.values, key: value}, over=found.version)
    click.echo(f"{secret}: {key} {'changed' if key in found.values else 'added'}; {_READERS[kind]}")


@command.command(
    epilog=examples(
        'orders secrets remove /orders/dev/worker ORDERS_OUTBOUND__ERP__SECRETS --reason "the ERP is gone" --dry-run'
    )
)
@click.argument("secret")
@click.argument("key")
@reason_option(why=WHY)
@actor_option
@dry_run_option
def remove(secret: str, key: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Remove one variable from a secret; what it held stays in the secret's previous version."""
    from worker.gateways.secret_stores import vault_of

    vault = vault_of(secret, Because(actor=actor, reason=reason))
    found = vault.read(secret)
    if key not in found.values:
        raise NotFound(f"{secret} has no {key}; `orders secrets list {secret}` shows what it has")
    if dry_run:
        click.echo(f"{secret}: {key} would be removed")
        return
    left = {name: value for name, value in found.values.items() if name != key}
    vault.write(secret, left, over=found.version)
    click.echo(f"{secret}: {key} removed; {_READERS[_kind(secret)]}")


@command.command("list", epilog=examples("orders secrets list /orders/dev/worker"))
@click.argument("secret")
@as_json
def list_keys(secret: str, *, as_json: bool) -> None:
    """List the variables in a secret and when it was last changed; never a value."""
    from worker.gateways.secret_stores import vault_of

    found = vault_of(secret).read(secret)
    if as_json:
        print_json({"secret": secret, "changed_at": found.changed_at, "keys": sorted(found.values)})
        return
    changed = when(found.changed_at) if found.changed_at else "never"
    print_table(
        secret, ["variable", "last change of the secret (UTC)"], [(key, changed) for key in sorted(found.values)]
    )


@command.command(
    epilog=examples("orders secrets check /orders/dev --api-key", "orders secrets check orders/prod --mtls --json")
)
@click.argument("environment")
@click.option("--mtls", is_flag=True, help="Temporal knows us by a certificate.")
@click.option("--api-key", is_flag=True, help="Temporal knows us by an API key.")
@click.option("--clear", is_flag=True, help="Payloads are not encrypted there.")
@as_json
def check(environment: str, *, mtls: bool, api_key: bool, clear: bool, as_json: bool) -> None:
    """Tell what an environment (/orders/dev) still lacks before it can be applied; exits 5 when something is missing."""
    from worker.gateways.secret_stores import vault_of

    wanted = {
        name: tuple(key for key in CONTENTS[name] if key not in _NOT_NEEDED)
        for name in _BY_PEOPLE
        if not (clear and name == "encryption")
    }
    if mtls:
        wanted["temporal"] = CONTENTS["temporal"][1:]
    if api_key:
        wanted["temporal"] = CONTENTS["temporal"][:1]
    vault, missing = vault_of(environment), []
    for name, keys in wanted.items():
        held = vault.read(f"{environment}/{name}").values
        missing += [f"{environment}/{name}: {key}" for key in keys if not any(_pattern(key).fullmatch(k) for k in held)]
    if as_json:
        print_json({"environment": environment, "missing": missing})
        if missing:
            raise click.exceptions.Exit(EXIT_REFUSED)
        return
    if missing:
        raise NotFound("missing\n  " + "\n  ".join(missing) + "\nput each with `orders secrets put SECRET KEY`")
    click.echo(f"{environment}: every secret has what it needs")


def _kind(secret: str) -> str:
    # An ARN of Secrets Manager ends in six characters of its own.
    name = re.sub(r"-[A-Za-z0-9]{6}$", "", secret) if ":secretsmanager:" in secret else secret
    kind = name.rpartition("/")[2]
    if kind not in CONTENTS:
        raise InvalidInput(f"a secret is named NAME/ENVIRONMENT/KIND, and KIND is one of {', '.join(CONTENTS)}")
    return kind


def _check(kind: str, key: str) -> None:
    if not any(_pattern(allowed).fullmatch(key) for allowed in CONTENTS[kind]):
        raise InvalidInput(f"{key} does not belong into a {kind} secret; it holds {', '.join(CONTENTS[kind])}")


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(re.escape(key).replace("<SOURCE>", "[A-Z][A-Z0-9_]{0,31}"))


def _value(file: Path | None, key: str) -> str:
    if file is not None:
        value = file.read_text("utf-8")
    elif sys.stdin.isatty():
        value = click.prompt(f"value of {key}", hide_input=True, err=True)
    else:
        value = sys.stdin.read()
    # The end of a line is an editor's, not the secret's; a PEM text does not need it either.
    value = value.strip("\r\n")
    if not value:
        raise InvalidInput(f"no value for {key}: give it on standard input, or with --file")
    if len(value.encode()) > _LONGEST:
        raise InvalidInput(f"the value of {key} is longer than {_LONGEST} bytes")
    return value
