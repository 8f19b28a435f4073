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
    import gc

    # What is imported is no garbage: to look for some meanwhile is a sixth of what a start costs. The worker looks again
    # once it is up.
    gc.disable()
    import uvloop

    from worker.observability.logging import configure
    from worker.process import run_worker

    config = load()
    configure(config.logging)
    # The loop in C: a third of what the SDK costs in this process is the loop's own work.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raise click.exceptions.Exit(runner.run(run_worker(config)))


command.add_command(versions)
