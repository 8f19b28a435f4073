"""`orders worker`: the long-lived process, and its versions."""

import click

from worker.cli.options import Noun, examples
from worker.cli.settings import load
from worker.cli.worker_versions import versions


@click.group(cls=Noun)
def command() -> None:
    """The worker process."""


@command.command(epilog=examples("orders worker run"))
def run() -> None:
    """Poll the task queues of the settings until SIGTERM or SIGINT, then finish what is under way."""
    import asyncio

    from worker.observability.logging import configure
    from worker.process import run_worker

    config = load()
    configure(config.logging)
    raise click.exceptions.Exit(asyncio.run(run_worker(config)))


command.add_command(versions)
