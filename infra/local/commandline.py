"""Runs the command line (`python -m worker ...`) on a stack, as an operator would."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local import environment
from infra.local.layout import PROJECT, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ran to its end."""

    status: int
    out: str
    err: str


async def run(layout: Layout, arguments: tuple[str, ...], *, seconds: float, env: Mapping[str, str]) -> Finished:
    """Run one command with the stack's settings and `env` over them. Raises TimeoutError, having ended the command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=PROJECT,
        env=environment.of_process(layout, environment.settings_of(layout) | dict(env)),
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Finished(status=process.returncode or 0, out=out.decode(), err=err.decode())
