"""`orders deploy run`: prepare a release, as the one-off task of a deployment does it."""

import click

from worker.cli.options import Noun, examples


@click.group(cls=Noun)
def command() -> None:
    """Preparing a release."""


@command.command(epilog=examples("orders deploy run"))
def run() -> None:
    """Prepare database, user, schema, search attributes and schedules; safe to repeat, and to run twice at once.

    Signs in to the database as its master user, makes the application's own user and keeps that one's address and
    password in the environment's secrets. Exits 0 when the release may start, 4 when something does not answer, 5 when
    something is refused.
    """
    # Only this command needs the AWS library and both worlds.
    from worker.deployment import deploy, load
    from worker.gateways.secret_stores import vault_of
    from worker.observability.logging import configure

    config = load()
    configure(config.logging)
    deploy(config, vault_of(config.deploy.database_secret), click.echo)
    click.echo("ready: the release may start")
