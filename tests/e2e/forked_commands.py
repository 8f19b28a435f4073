"""Commands forked from a process that has imported what they need: each as its own process, without Python's start.

Stories type some hundred of them, and to import the same modules for each took longer than all that they do. That a
command which was started says the same is held by tests/e2e/test_forked_commands.py; the demo starts all of its own.
"""

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.local import commandline, environment
from infra.local.commandline import Finished
from infra.local.layout import PROJECT, Layout
from worker.cli import main

NEEDED = [
    __name__,
    "dynaconf",
    "rich.table",
    "sqlalchemy.dialects.mysql.pymysql",
    "temporalio.client",
    "worker.config",
    "worker.connections",
    "worker.gateways.clock",
    "worker.repositories.database",
    "worker.temporal.client",
    "worker.temporal.codec",
    "worker.temporal.schedules",
]
"""What most commands import, beside their own modules. None of it may start a thread, which a fork would not have."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([*NEEDED, *(f"worker.cli.{name}" for name in main.COMMANDS)])


started = commandline.run
"""What starts a command, whatever takes its place meanwhile."""


async def run(layout: Layout, arguments: tuple[str, ...], *, seconds: float, env: Mapping[str, str]) -> Finished:
    """Take the place of `infra.local.commandline.run`."""
    return await asyncio.to_thread(_typed, layout, arguments, seconds, env)


def _typed(layout: Layout, arguments: tuple[str, ...], seconds: float, env: Mapping[str, str]) -> Finished:
    with tempfile.TemporaryDirectory(prefix="command-") as folder:
        own = environment.of_process(layout, environment.settings_of(layout) | dict(env))
        process = _processes.Process(target=_become, args=(arguments, own, folder))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{arguments} took longer than {seconds:g} s")
        out, err = (Path(folder, name).read_text("utf-8") for name in ("out", "err"))
        return Finished(status=process.exitcode, out=out, err=err)


def _become(arguments: tuple[str, ...], env: dict[str, str], folder: str) -> None:
    """Be the command, in the forked process."""
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(env)
    for number, name in enumerate(("out", "err"), start=1):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.argv = ["orders", *arguments]
    main.run()
