"""Processes that take turns: each goes on to its next call to the outside, in an order that a test chooses.

A process is a function in a thread of its own, of which exactly one runs at a time. It stops before and after each call of a
gateway that is `seen`, and there it may be stalled for as long as the test likes, killed, or left without its answer. No call
is made within a transaction, so a process that stands still holds nothing that another waits for. It may also wait until
something is so, which another brings about.
"""

from collections.abc import Callable
from threading import Event, Thread, current_thread
from typing import Any

PATIENCE_SECONDS = 60.0


class Killed(BaseException):
    """The process ended here, and nothing of it runs on."""


class Turns:
    """The processes of one test.

    `choose` says whose turn it is, of those that are not done; `fate`, what befalls that one at the call where it stands, None
    for nothing. Both are asked in the test's own thread.
    """

    def __init__(self, choose: Callable[[list[str]], str], fate: Callable[[str, str], BaseException | None]) -> None:
        self._choose = choose
        self._fate = fate
        self._turns: dict[str, Event] = {}
        self._stands: dict[str, str] = {}
        self._fates: dict[str, BaseException | None] = {}
        self._waits: dict[str, tuple[Callable[[], bool], bool]] = {}
        self._stopped = Event()
        self._threads: dict[str, Thread] = {}
        self._failed: list[BaseException] = []
        self.story: list[str] = []
        """What was done, in its order, for the message of a test that fails."""

    def process(self, name: str, work: Callable[[], object]) -> None:
        """Add a process; it begins when it is first chosen."""

        def run() -> None:
            self._wait(name)
            try:
                work()
            except Killed:
                self.story.append(f"{name} died")
            except BaseException as problem:  # told in the test's own thread
                self._failed.append(problem)
            finally:
                del self._turns[name]
                self._stopped.set()

        self._turns[name] = Event()
        self._threads[name] = Thread(target=run, name=name, daemon=True)
        self._threads[name].start()

    def play(self) -> None:
        """Let them all go on until they are done. Raises what one of them raised."""
        while self._turns:
            able = [name for name in sorted(self._turns) if self._may_go_on(name)]
            assert able, f"all wait for each other: {sorted(self._turns)}, {self.story}"
            name = self._choose(able)
            if name in self._stands:
                self._fates[name] = self._fate(name, self._stands.pop(name))
            self._stopped.clear()
            self._turns[name].set()
            assert self._stopped.wait(PATIENCE_SECONDS), f"{name} waits for something: {self.story}"
            if self._failed:
                raise self._failed[0]

    def seen(self, port: Any, *calls: str) -> Any:
        """Wrap a port: these calls of it are where processes stop."""
        return _Seen(port, calls, self)

    def at(self, moment: str) -> BaseException | None:
        """Stop the process that runs, until its next turn; return what befalls it then. Others do not stop."""
        name = current_thread().name
        if self._threads.get(name) is not current_thread():
            return None
        self.story.append(f"{name} {moment}")
        self._stands[name] = moment
        self._stopped.set()
        self._wait(name)
        return self._fates.pop(name)

    def until(self, ready: Callable[[], bool], moment: str, *, gives_up: bool = False) -> bool:
        """Have the process that runs wait until something is so; tell whether it is. One that `gives_up` may not wait for it."""
        name = current_thread().name
        if ready():
            return True
        assert self._threads.get(name) is current_thread(), f"nobody else is there to bring about: {moment}"
        self.story.append(f"{name} {moment}")
        self._waits[name] = (ready, gives_up)
        self._stopped.set()
        self._wait(name)
        del self._waits[name]
        if ready():
            return True
        self.story.append(f"{name} waits no longer")
        return False

    def _may_go_on(self, name: str) -> bool:
        if name not in self._waits:
            return True
        ready, gives_up = self._waits[name]
        return gives_up or ready()

    def _wait(self, name: str) -> None:
        turn = self._turns[name]
        turn.wait()
        turn.clear()


class _Seen:
    def __init__(self, port: Any, calls: tuple[str, ...], turns: Turns) -> None:
        self._port = port
        self._calls = calls
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in self._calls:
            return found

        def called(*arguments: Any, **named: Any) -> Any:
            if (problem := self._turns.at(f"before {name}")) is not None:
                raise problem
            answer = found(*arguments, **named)
            if (problem := self._turns.at(f"after {name}")) is not None:
                raise problem
            return answer

        return called
