"""`orders worker run`: the long-lived process."""

import asyncio

import click

from worker.config import load
from worker.observability.logging import configure
from worker.process import run_worker


@click.group()
def command() -> None:
    """The worker process."""


@command.command()
def run() -> None:
    """Poll the task queues of the settings until SIGTERM or SIGINT, then finish what is under way."""
    config = load()
    configure(config.logging)
    raise click.exceptions.Exit(asyncio.run(run_worker(config)))
