"""The supervisor, with tiny members that behave as badly as wanted."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from infra.local import pids, readiness, statefile
from infra.local.errors import MemberFailedError, StackError, StackRunningError
from infra.local.freeports import free_port, is_free
from infra.local.layout import HOST, PROJECT, Layout
from infra.local.members import Member
from infra.local.stack import Stack
from infra.local.supervised import State

PATIENCE = 60.0
WEB = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Writes when it drains into the file it is given.
DRAINING = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.2); pathlib.Path(sys.argv[1]).write_text("drained"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1] + ".up").touch()
while True: time.sleep(1)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1] + ".up").touch()
while True: time.sleep(1)
"""
# A child of its own, as gunicorn has: it must not survive either.
WITH_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-S", "-c", sys.argv[1], sys.argv[2]])
"""


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-S", "-c", script, *arguments]


def web(name: str = "web", *, after: tuple[str, ...] = (), within_child: bool = False) -> Member:
    def command(at: Layout) -> list[str]:
        port = str(at.ports[name])
        return python(WITH_CHILD, WEB, port) if within_child else python(WEB, port)

    def ready(at: Layout) -> Awaitable[None]:
        return readiness.http_answers(f"http://{HOST}:{at.ports[name]}/")

    return Member(name=name, ports=(name,), command=command, ready=ready, after=after, start_within=PATIENCE)


def script(
    name: str,
    text: str,
    *arguments: str,
    once: bool = False,
    drain: float = PATIENCE,
    after: tuple[str, ...] = (),
    within: float = PATIENCE,
) -> Member:
    async def is_up(_at: Layout) -> None:
        if arguments and not Path(arguments[0] + ".up").exists():
            raise readiness.NotReadyError("not up")

    command = python(text, *arguments)
    return Member(
        name=name, command=lambda _: command, ready=is_up, once=once, drain=drain, start_within=within, after=after
    )


async def get(url: str, seconds: float = PATIENCE) -> str:
    def read() -> str:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 - always http
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


async def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_members_start_in_order_and_leave_nothing_behind(tmp_path: Path) -> None:
    order: list[tuple[str, State]] = []
    members = [
        web("second", after=("check",)),
        script("check", "import time; time.sleep(0.1)", once=True, after=("first",)),
        web("first", after=("not in this stack",), within_child=True),
    ]
    async with Stack(
        tmp_path, members=members, on_change=lambda member: order.append((member.name, member.state))
    ) as stack:
        assert await get(stack.url("second")) == str(stack.member("second").pid)
        assert await get(stack.url("first")) != str(stack.member("first").pid), "the child of the member answers"
        assert stack.member("check").state is State.DONE
        starts = [order.index((name, State.STARTING)) for name in ("first", "check", "second")]
        readies = [
            order.index(step) for step in (("first", State.READY), ("check", State.DONE), ("second", State.READY))
        ]
        assert starts[0] < readies[0] < starts[1] < readies[1] < starts[2] < readies[2]
        assert len(pids.marked(tmp_path)) == 3
        ports = dict(stack.layout.ports)
    assert pids.marked(tmp_path) == set()
    assert all(is_free(port) for port in ports.values())
    stops = [order.index((name, State.STOPPED)) for name in ("second", "first")]
    assert stops == sorted(stops), "what needs others stops before them"


async def test_a_running_stack_is_found_by_its_state_file_and_only_by_its_owner(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=[web()], extra_env={"ORDERS_LOGGING__LEVEL": "DEBUG"}) as stack:
        record = statefile.read(tmp_path)
        assert record is not None
        assert statefile.is_running(tmp_path)
        assert record.supervisor == os.getpid()
        assert [(each.name, each.state, each.pid) for each in record.members] == [
            ("web", "ready", stack.member("web").pid)
        ]
        assert record.urls["web"] == stack.url("web")
        assert record.env["ORDERS_LOGGING__LEVEL"] == "DEBUG"
        for private in ("state.json", "credentials.json"):
            assert (tmp_path / private).stat().st_mode & 0o077 == 0, private
    assert not statefile.is_running(tmp_path)
    assert statefile.read(tmp_path) is None


async def test_a_member_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = script("broken", "print('first line'); print('cannot find my hat'); raise SystemExit(7)", once=True)
    with pytest.raises(MemberFailedError, match="cannot find my hat") as caught:
        async with Stack(tmp_path, members=[web(), broken]):
            pytest.fail("the stack must not come up")
    assert caught.value.member == "broken"
    assert "exit status 7" in caught.value.reason
    assert pids.marked(tmp_path) == set()
    assert not statefile.is_running(tmp_path)


async def test_a_member_that_ends_early_is_told_at_once_not_at_the_deadline(tmp_path: Path) -> None:
    member = script("short", "print('too early to leave')", str(tmp_path / "never"))
    began = time.monotonic()
    with pytest.raises(MemberFailedError, match="ended before it was ready"):
        async with Stack(tmp_path / "stack", members=[member]):
            pytest.fail("the stack must not come up")
    assert time.monotonic() - began < member.start_within


async def test_a_member_that_never_gets_ready_is_given_up_at_its_deadline(tmp_path: Path) -> None:
    member = script(
        "idle", "import time; print('dreaming', flush=True); time.sleep(60)", str(tmp_path / "never"), within=4
    )
    with pytest.raises(MemberFailedError, match=r"not ready after 4 s: not up(.|\n)*dreaming"):
        async with Stack(tmp_path / "stack", members=[member]):
            pytest.fail("the stack must not come up")
    assert pids.marked(tmp_path / "stack") == set()


async def test_a_second_stack_in_one_directory_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=[web()]) as stack:
        with pytest.raises(StackRunningError, match=str(os.getpid())):
            async with Stack(tmp_path, members=[web("other")]):
                pytest.fail("the second stack must not come up")
        assert await get(stack.url("web"))
        assert statefile.read(tmp_path) is not None


async def test_kill_and_start_keep_the_port_and_count(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=[web(within_child=True)]) as stack:
        url, first = stack.url("web"), await get(stack.url("web"))
        await stack.kill("web")
        assert stack.member("web").state is State.KILLED
        assert stack.member("web").pid is None
        with pytest.raises(OSError, match="refused"):
            await get(url)
        await stack.start("web")
        assert stack.url("web") == url
        assert await get(url) != first
        assert stack.member("web").restarts == 1
        with pytest.raises(StackError, match="runs already"):
            await stack.start("web")
        stack.check()


async def test_a_paused_member_keeps_its_connections_and_answers_later(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=[web(within_child=True)]) as stack:
        await stack.pause("web")
        assert stack.member("web").state is State.PAUSED
        with pytest.raises(TimeoutError):
            await get(stack.url("web"), seconds=0.3)
        await stack.resume("web")
        assert await get(stack.url("web"))
        with pytest.raises(StackError, match="not paused"):
            await stack.resume("web")
        await stack.pause("web")
    assert pids.marked(tmp_path) == set(), "a paused member is stopped as well"


async def test_stop_gives_time_to_drain_and_then_takes_it(tmp_path: Path) -> None:
    polite, rude = str(tmp_path / "polite"), str(tmp_path / "rude")
    members = [script("polite", DRAINING, polite), script("rude", STUBBORN, rude, drain=0.3)]
    async with Stack(tmp_path / "stack", members=members) as stack:
        assert await stack.stop("polite")
        assert Path(polite).read_text(encoding="utf-8") == "drained"
        assert not await stack.stop("rude")
        assert (stack.member("polite").state, stack.member("rude").state) == (State.STOPPED, State.STOPPED)
        assert pids.marked(tmp_path / "stack") == set()


async def test_a_crash_is_raised_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(MemberFailedError, match="ended on its own with exit status -9"):  # noqa: PT012 - the story needs them
        async with Stack(tmp_path, members=[web()]) as stack:
            pid = stack.member("web").pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: stack.member("web").state is State.CRASHED)
            with pytest.raises(MemberFailedError):
                stack.check()


async def test_a_crash_is_healed_where_that_was_asked_for(tmp_path: Path) -> None:
    async with Stack(tmp_path, members=[web()], restart=["web"]) as stack:
        pid = stack.member("web").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: stack.member("web").restarts == 1 and stack.member("web").state is State.READY)
        assert await get(stack.url("web")) == str(stack.member("web").pid)
        assert [crash.member for crash in stack.crashes] == ["web"]


async def test_a_stolen_port_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = free_port
    with subprocess.Popen(python(WEB, str(stolen := real())), stdout=subprocess.DEVNULL) as stranger:
        await until(lambda: not is_free(stolen))
        drawn = iter([stolen])
        monkeypatch.setattr(
            "infra.local.freeports.free_port", lambda taken=frozenset(): next(drawn, None) or real(taken)
        )
        try:
            async with Stack(tmp_path, members=[web()]) as stack:
                assert stack.layout.ports["web"] != stolen
                assert await get(stack.url("web")) == str(stack.member("web").pid)
        finally:
            stranger.kill()


def test_a_port_is_given_once_whatever_anybody_s_seed() -> None:
    before = random.getstate()
    try:
        given = [free_port() for _ in range(2) if not random.seed(1) for _ in range(20)]
    finally:
        random.setstate(before)
    assert len(set(given)) == 40


SUPERVISOR = """
import asyncio, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background of a shell does not hear it
sys.path.insert(0, sys.argv[2])
from test_stack import web
from infra.local.stack import Stack
async def main():
    async with Stack(Path(sys.argv[1]), members=[web("plain"), web("family", within_child=True)]):
        await asyncio.sleep(120)
asyncio.run(main())
"""


def supervisor(directory: Path) -> "subprocess.Popen[bytes]":
    here = str(Path(__file__).parent)
    return subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(directory), here], cwd=PROJECT)


def all_ready(directory: Path) -> Callable[[], bool]:
    def look() -> bool:
        record = statefile.read(directory)
        return record is not None and {member.state for member in record.members} == {"ready"}

    return look


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the members look for their parent five times a second")
async def test_members_die_with_a_killed_supervisor_and_its_rest_is_swept_up(tmp_path: Path) -> None:
    directory = tmp_path.resolve()
    with supervisor(directory) as killed:
        await until(all_ready(directory))
        record = statefile.read(directory)
        assert record is not None
        killed.kill()
    members = {member.pid for member in record.members}
    await until(lambda: not any(pids.start_time(pid) for pid in members if pid is not None))
    # The grandchild is nobody's direct child any more, so only the next stack can find it.
    assert len(pids.marked(directory) - {killed.pid}) == 1
    assert not statefile.is_running(directory)
    async with Stack(directory, members=[web()]) as stack:
        assert pids.marked(directory) == {stack.member("web").pid}


async def test_ctrl_c_stops_a_supervisor_in_order(tmp_path: Path) -> None:
    directory = tmp_path.resolve()
    with supervisor(directory) as stopped:
        await until(all_ready(directory))
        # asyncio.run turns SIGINT into a cancellation, which ends the `async with`.
        stopped.send_signal(signal.SIGINT)
        await until(lambda: stopped.poll() is not None)
    assert pids.marked(directory) == set()
    assert statefile.read(directory) is None


async def test_a_stranger_with_a_recorded_pid_is_spared(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = statefile.MemberRecord(
            name="web", state="ready", pid=stranger.pid, started="long ago", restarts=0, log=""
        )
        statefile.write(
            statefile.StackRecord(directory=str(tmp_path), supervisor=1, supervisor_started=None, members=(record,)),
        )
        async with Stack(tmp_path, members=[web()]):
            assert stranger.poll() is None
        stranger.kill()


async def test_the_watching_wrapper_takes_its_program_along_when_the_parent_dies(tmp_path: Path) -> None:
    wrapper = PROJECT / "infra" / "local" / "child.py"
    up = tmp_path / "child"
    starter = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-I', '-S', {str(wrapper)!r}, str(os.getpid()), '--watch', '--', *sys.argv[1:]],"
        " start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    write_pid = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    with subprocess.Popen(python(starter, *python(write_pid, str(up)))) as parent:
        await until(lambda: up.exists() and up.read_text(encoding="utf-8") != "")
        pid = int(up.read_text(encoding="utf-8"))
        assert pids.start_time(pid) is not None
        parent.kill()
    await until(lambda: pids.start_time(pid) is None)


async def test_the_watching_wrapper_passes_signals_and_the_exit_status_on(tmp_path: Path) -> None:
    wrapper = PROJECT / "infra" / "local" / "child.py"
    drained = tmp_path / "drained"
    program = [
        sys.executable,
        "-I",
        "-S",
        str(wrapper),
        str(os.getpid()),
        "--watch",
        "--",
        *python(DRAINING, str(drained)),
    ]
    with subprocess.Popen(program, start_new_session=True) as watching:
        await until(lambda: Path(f"{drained}.up").exists())
        watching.terminate()
        assert await asyncio.to_thread(watching.wait, PATIENCE) == 0
    assert drained.read_text(encoding="utf-8") == "drained"
    with subprocess.Popen([*program[:7], *python("raise SystemExit(9)")]) as failing:
        assert await asyncio.to_thread(failing.wait, PATIENCE) == 9
