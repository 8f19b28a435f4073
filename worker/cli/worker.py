"""`orders worker run`: the long-lived process."""

import asyncio

import click

from worker.app import run_worker
from worker.config import load
from worker.observability.logging import configure


@click.group()
def command() -> None:
    """The worker process."""


@command.command()
def run() -> None:
    """Poll the task queues of the settings until SIGTERM or SIGINT, then finish what is under way."""
    config = load()
    configure(level=config.logging.level, json=config.logging.json)
    asyncio.run(run_worker(config))
