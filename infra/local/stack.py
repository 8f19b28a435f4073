"""The whole topology as child processes of one supervisor: ordered start, real readiness, faults as an API.

    async with Stack(Path(".local/demo")) as stack:
        stack.url("functions")
        await stack.kill("worker")
        await stack.start("worker")

Invariants: one supervisor per directory; a member starts only when those it needs are ready; nothing survives the
supervisor, not even its `kill -9`; a member that ends on its own is recorded and, unless it is restarted, raised at
the end of the `async with`.
"""

import asyncio
import contextlib
import functools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from infra.local import commandline, environment, freeports, outerdatabase, statefile
from infra.local.commandline import Finished
from infra.local.credentials import credentials_of
from infra.local.errors import MemberFailedError, StackError
from infra.local.faultproxy import FaultProxy
from infra.local.layout import CACHE, HOST, Layout, outer_database_url
from infra.local.members import ALL, FOR_PEOPLE, Member
from infra.local.publication import publish
from infra.local.supervised import UP, State, Supervised

PROXY_UPSTREAM = {"mariadb": "mariadb", "temporal": "temporal", "provider": "simulator"}
"""What a fault proxy can stand before, and the port it forwards to."""

_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0)


class Stack:
    """A supervisor and its members. Use it as `async with`; all coroutines belong to the loop that entered it."""

    def __init__(
        self,
        directory: Path,
        *,
        members: Iterable[Member | str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        persist: bool = False,
        proxies: Iterable[str] = (),
        restart: Iterable[str] = (),
        on_change: Callable[[Supervised], None] | None = None,
        cache: Path = CACHE,
    ) -> None:
        """Describe a stack; nothing happens before it is entered.

        Args:
            directory: owned by this stack: data, logs, credentials and state file live here.
            members: which to start, standard ones by name; all standard ones by default.
            extra_env: settings of all members (ORDERS_...), over what the stack sets itself.
            persist: keep the data of the last run instead of starting from nothing.
            proxies: put a fault proxy before `mariadb`, `temporal` or `provider` (see `proxy`).
            restart: members to start again, with growing pauses, when they end on their own.
            on_change: called in the loop at every change of a member's state.
            cache: where the database's template is kept between stacks.
        """
        self.directory = directory.resolve()
        self.crashes: list[MemberFailedError] = []
        """Ends of members that nobody asked for, in order."""
        self._members = [
            _standard(member) if isinstance(member, str) else member for member in (ALL if members is None else members)
        ]
        self._extra_env = dict(extra_env or {})
        self._persist = persist
        self._wanted_proxies = tuple(proxies)
        self._restart = frozenset(restart)
        self._on_change = on_change
        self._cache = cache
        self._supervised: dict[str, Supervised] = {}
        self._proxies: dict[str, FaultProxy] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._claimed: str | None = None
        self._lock: TextIO | None = None
        self._layout: Layout | None = None
        self._ending = False

    # ---- life -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start everything. Raises StackRunningError, MemberFailedError or MissingProgramError, leaving nothing running."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = statefile.take(self.directory)
        try:
            await asyncio.to_thread(statefile.end_orphans, self.directory)
            await self._lay_out()
            await self._start_proxies()
            await self._start_all()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything in reverse order. Raises the first crash that nobody handled, unless an error is under way."""
        await self._end()
        unhandled = [crash for crash in self.crashes if crash.member not in self._restart]
        if error is None and unhandled:
            raise unhandled[0]

    async def _lay_out(self) -> None:
        if not self._persist:
            for folder in ("data", "logs"):
                await asyncio.to_thread(shutil.rmtree, self.directory / folder, ignore_errors=True)
        (self.directory / "logs").mkdir(exist_ok=True)
        credentials = credentials_of(self.directory)
        given = outer_database_url()
        if given is not None and credentials.database_password in given:
            # Exported from this very stack (`orders dev env`) when it ran before: not somebody's database.
            given = None
        wants_database = any(member.name == "mariadb" for member in self._members)
        if given is not None and wants_database:
            await asyncio.to_thread(outerdatabase.check, given)
            self._members = [member for member in self._members if member.name != "mariadb"]
            if not self._persist:
                self._claimed = await asyncio.to_thread(outerdatabase.claim, given)
                given = self._claimed or given
        self._layout = layout = Layout(
            directory=self.directory,
            credentials=credentials,
            cache=self._cache,
            extra_env=self._extra_env,
            given_database_url=given,
        )
        for name in (port for member in self._members for port in member.ports):
            layout.ports[name] = freeports.free_port(frozenset(layout.ports.values()))
        self._supervised = {member.name: Supervised(member, layout, self._changed) for member in self._members}

    async def _start_proxies(self) -> None:
        for target in self._wanted_proxies:
            if target not in PROXY_UPSTREAM:
                raise StackError(f"no fault proxy for {target!r}; there are {', '.join(PROXY_UPSTREAM)}")
            upstream = PROXY_UPSTREAM[target]
            if upstream not in self.layout.ports:
                raise StackError(f"no fault proxy for {target!r} without the member {upstream!r}")
            taken = frozenset(self.layout.ports.values()) | frozenset(self.layout.proxied.values())
            port = freeports.free_port(taken)
            proxy = FaultProxy(port, upstream=functools.partial(self._address, upstream))
            proxy.start()
            self._proxies[target] = proxy
            self.layout.proxied[target] = port

    def _address(self, port: str) -> tuple[str, int]:
        return HOST, self.layout.ports[port]

    async def _start_all(self) -> None:
        up = {name: asyncio.Event() for name in self._supervised}

        async def in_turn(supervised: Supervised) -> None:
            for needed in supervised.member.after:
                if needed in up:
                    await up[needed].wait()
            await self._bring_up(supervised, redraw_ports=True)
            up[supervised.name].set()

        try:
            async with asyncio.TaskGroup() as starting:
                for supervised in self._supervised.values():
                    starting.create_task(in_turn(supervised))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        for supervised in self._supervised.values():
            await supervised.member.introduce(self.layout)
        publish(self.layout, self.members)

    async def _end(self) -> None:
        self._ending = True
        # A watcher that is starting its member again would keep the member's lock.
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        # Shielded: a second Ctrl-C must not leave half of the members running.
        ending = asyncio.ensure_future(self._stop_all())
        while not ending.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        for proxy in self._proxies.values():
            proxy.close()
        if self._claimed is not None:
            await asyncio.to_thread(outerdatabase.drop, self._claimed)
            self._claimed = None
        (self.directory / statefile.STATE).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
        ending.result()

    async def _stop_all(self) -> None:
        down = {name: asyncio.Event() for name in self._supervised}

        async def in_turn(supervised: Supervised) -> None:
            for other in self._supervised.values():
                if supervised.name in other.member.after:
                    await down[other.name].wait()
            try:
                async with supervised.lock:
                    if supervised.pid is not None:
                        await supervised.end(State.STOPPED, drain=supervised.member.drain)
            finally:
                down[supervised.name].set()

        await asyncio.gather(*(in_turn(supervised) for supervised in self._supervised.values()))

    # ---- what it is -------------------------------------------------------------------------------------------

    @property
    def layout(self) -> Layout:
        """Folders, ports and secrets. Raises StackError before the stack was entered."""
        if self._layout is None:
            raise StackError("the stack was not started")
        return self._layout

    @property
    def urls(self) -> dict[str, str]:
        """Addresses by member: `functions`, `simulator`, `worker`, `temporal_ui` (HTTP), `temporal` (host:port), `database`."""
        return self.layout.urls()

    def url(self, name: str) -> str:
        """Return one of `urls`. Raises KeyError."""
        return self.urls[name]

    @property
    def env(self) -> dict[str, str]:
        """Every ORDERS_ setting, secrets included: what the command line needs to work on this stack."""
        return environment.settings_of(self.layout)

    @property
    def api_key(self) -> str:
        """The bearer key that the functions accept."""
        return self.layout.credentials.api_key

    def member(self, name: str) -> Supervised:
        """Return a member: `.pid`, `.state`, `.restarts`, `.log`. Raises KeyError."""
        return self._supervised[name]

    @property
    def members(self) -> Sequence[Supervised]:
        """All members, in the order in which they were described."""
        return tuple(self._supervised.values())

    def proxy(self, target: str) -> FaultProxy:
        """Return the fault proxy before `mariadb`, `temporal` or `provider`. Raises KeyError unless it was asked for."""
        return self._proxies[target]

    # ---- what can be done to it -------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """End a member and its children with SIGKILL."""
        supervised = self.member(name)
        async with supervised.lock:
            await supervised.end(State.KILLED)

    async def stop(self, name: str) -> bool:
        """End a member with SIGTERM, by force after its drain time; tell whether it ended in time."""
        supervised = self.member(name)
        async with supervised.lock:
            return await supervised.end(State.STOPPED, drain=supervised.member.drain)

    async def start(self, name: str) -> None:
        """Start a member that is down, on its old ports, and wait until it is ready. Raises MemberFailedError."""
        supervised = self.member(name)
        if supervised.pid is not None:
            raise StackError(f"{name} runs already")
        supervised.restarts += 1
        await self._bring_up(supervised, redraw_ports=False)
        await supervised.member.introduce(self.layout)

    async def restart(self, name: str) -> None:
        """`stop`, then `start`."""
        await self.stop(name)
        await self.start(name)

    async def pause(self, name: str) -> None:
        """Freeze a member: connections to it stay open and nobody answers."""
        supervised = self.member(name)
        async with supervised.lock:
            if supervised.process is None or supervised.state not in UP:
                raise StackError(f"{name} is not running")
            supervised.process.pause()
            supervised.enter(State.PAUSED)

    async def resume(self, name: str) -> None:
        """Let a frozen member go on."""
        supervised = self.member(name)
        async with supervised.lock:
            if supervised.process is None or supervised.state is not State.PAUSED:
                raise StackError(f"{name} is not paused")
            supervised.process.resume()
            supervised.enter(State.READY)

    async def cli(self, *arguments: str, seconds: float = 60.0, env: Mapping[str, str] | None = None) -> Finished:
        """Run the command line (`python -m worker ...`) on this stack. Raises TimeoutError."""
        return await commandline.run(self.layout, arguments, seconds=seconds, env=env or {})

    def check(self) -> None:
        """Raise the first crash that nobody handled, if there was one."""
        for crash in self.crashes:
            if crash.member not in self._restart:
                raise crash

    # ---- supervision ------------------------------------------------------------------------------------------

    async def _bring_up(self, supervised: Supervised, *, redraw_ports: bool) -> None:
        async with supervised.lock:
            await supervised.bring_up(redraw_ports=redraw_ports)
        if not supervised.member.once:
            watcher = asyncio.create_task(self._watch(supervised))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, supervised: Supervised) -> None:
        process = supervised.process
        if process is None:
            return
        status = await process.wait()
        if supervised.process is not process or supervised.state not in UP:
            return
        self.crashes.append(supervised.failure(f"ended on its own with exit status {status}"))
        supervised.enter(State.CRASHED)
        attempt = 0
        while supervised.name in self._restart and not self._ending and supervised.state is State.CRASHED:
            await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
            attempt += 1
            try:
                await self.start(supervised.name)
            except MemberFailedError as error:
                self.crashes.append(error)

    def _changed(self, supervised: Supervised) -> None:
        publish(self.layout, self.members)
        if self._on_change is not None:
            self._on_change(supervised)


def _standard(name: str) -> Member:
    for member in FOR_PEOPLE:
        if member.name == name:
            return member
    raise StackError(f"no member is called {name!r}; there are {', '.join(member.name for member in FOR_PEOPLE)}")
