"""One member under supervision: its state, its process, and the steps from nothing to ready and back."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from infra.local import environment, freeports
from infra.local.errors import MemberFailedError
from infra.local.layout import PROJECT, Layout
from infra.local.members import Member
from infra.local.process import ChildProcess, log_tail
from infra.local.readiness import NotReadyError, wait_until_ready

_STOLEN = ("address already in use", "connection in use", "bind on tcp/ip port")
_PORT_PATIENCE = 3.0
"""Seconds that a killed predecessor's last sockets may take to close."""
_ATTEMPTS = 3


class _PortTakenError(NotReadyError):
    """Another program listens where the member was going to."""


class State(StrEnum):
    """Where a member is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    DONE = "done"
    STOPPING = "stopping"
    STOPPED = "stopped"
    KILLED = "killed"
    CRASHED = "crashed"


UP = frozenset({State.READY, State.PAUSED})


class Supervised:
    """A member, as the stack sees it. Read its attributes; act on it through the Stack."""

    def __init__(self, member: Member, layout: Layout, changed: Callable[["Supervised"], None]) -> None:
        self.member = member
        self.state = State.WAITING
        self.restarts = 0
        self.log: Path = layout.log(member.name)
        self.process: ChildProcess | None = None
        self.started_at: float | None = None
        """`time.monotonic()` of the last start."""
        self.ready_after: float | None = None
        """Seconds from the last start to being ready (or done)."""
        self.lock = asyncio.Lock()
        self._layout = layout
        self._changed = changed

    @property
    def name(self) -> str:
        """Name of the member."""
        return self.member.name

    @property
    def pid(self) -> int | None:
        """Pid of the live process, which also leads its process group."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    def enter(self, state: State) -> None:
        """Change the state and tell the stack."""
        self.state = state
        self._changed(self)

    def failure(self, reason: str) -> MemberFailedError:
        """Return the error that says `reason` and shows the end of the log."""
        return MemberFailedError(self.name, reason, self.log, log_tail(self.log))

    async def bring_up(self, *, redraw_ports: bool) -> None:
        """Start it and wait until it is ready (or, for a one-off, done). Raises MemberFailedError.

        With `redraw_ports`, a port that another program took meanwhile is replaced and the start repeated.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            written = self.log.stat().st_size if self.log.exists() else 0
            try:
                # At the first start nobody has been told the ports yet: a taken one is not waited for.
                await self._start_once(port_patience=0 if redraw_ports else _PORT_PATIENCE)
                return
            except NotReadyError as error:
                await self.end(State.CRASHED)
                if attempt < _ATTEMPTS and redraw_ports and self._port_was_stolen(written, error):
                    ports = self._layout.ports
                    ports.update({name: freeports.free_port(frozenset(ports.values())) for name in self.member.ports})
                    continue
                raise self.failure(str(error)) from error

    async def _start_once(self, *, port_patience: float) -> None:
        member, layout = self.member, self._layout
        self.enter(State.STARTING)
        await self._ports_are_free(port_patience)
        await asyncio.to_thread(member.prepare, layout)
        self.started_at = began = time.monotonic()
        try:
            self.process = process = await ChildProcess.spawn(
                member.command(layout),
                environ=environment.of_process(layout, member.settings(layout)),
                cwd=PROJECT,
                log=self.log,
            )
        except OSError as error:
            raise NotReadyError(f"could not be started: {error}") from error
        self._changed(self)
        if member.once:
            await self._run_to_the_end(process)
        else:
            await wait_until_ready(
                lambda: member.ready(layout),
                seconds=member.start_within,
                still_hoping=lambda: process.returncode is None,
            )
            if process.returncode is not None:
                raise NotReadyError("ended before it was ready")
        self.ready_after = time.monotonic() - began
        self.enter(State.DONE if member.once else State.READY)

    async def _ports_are_free(self, patience: float) -> None:
        """Make sure that nobody else answers the probe in the member's stead. Raises _PortTakenError."""
        deadline = time.monotonic() + patience
        for name in self.member.ports:
            while not freeports.is_free(port := self._layout.ports[name]):
                if time.monotonic() > deadline:
                    raise _PortTakenError(f"found its port {port} taken by another program")
                await asyncio.sleep(0.05)

    async def _run_to_the_end(self, process: ChildProcess) -> None:
        try:
            async with asyncio.timeout(self.member.start_within):
                status = await process.wait()
        except TimeoutError:
            raise NotReadyError(f"did not finish within {self.member.start_within:g} s") from None
        if status != 0:
            raise NotReadyError(f"failed with exit status {status}")

    async def end(self, state: State, *, drain: float | None = None) -> bool:
        """End the process, at once or within `drain` seconds, and enter `state`; tell whether it ended in time."""
        in_time = True
        process = self.process
        if process is not None and process.returncode is None:
            if drain is None:
                # The state comes first: the watcher must not take this end for a crash.
                self.enter(state)
                await process.kill()
            else:
                self.enter(State.STOPPING)
                in_time = await process.drain(drain)
        self.enter(state)
        return in_time

    def _port_was_stolen(self, written_before: int, error: NotReadyError) -> bool:
        if isinstance(error, _PortTakenError):
            return True
        try:
            with self.log.open("rb") as file:
                file.seek(written_before)
                text = file.read(262_144).decode("utf-8", errors="replace").lower()
        except OSError:
            return False
        return any(sign in text for sign in _STOLEN)
