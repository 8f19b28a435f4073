"""What `make dev` shows: a live table of the processes on a terminal, plain lines anywhere else."""

import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.local.process import log_tail
from infra.local.stack import Stack
from infra.local.supervised import State, Supervised

_COLOURS = {
    State.READY: "green",
    State.DONE: "green",
    State.STARTING: "yellow",
    State.WAITING: "dim",
    State.PAUSED: "magenta",
    State.CRASHED: "bold red",
}
_TITLES = {
    "functions": "functions",
    "temporal_ui": "Temporal UI",
    "simulator": "outside world",
    "worker": "worker metrics",
    "temporal": "Temporal",
    "database": "MySQL",
}


class Dashboard:
    """Shows one stack. On a terminal it draws itself twice a second while entered."""

    def __init__(self, stack: Stack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._hint: Sequence[str] = ()
        self._live = (
            Live(console=console, get_renderable=self._picture, refresh_per_second=2) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw a last time and stop."""
        if self._live is not None:
            self._live.stop()

    def changed(self, member: Supervised) -> None:
        """Take notice of a member's new state."""
        if self._live is not None or (member.state is State.STARTING and member.pid is None):
            return
        words = [f"{member.state:<8} {member.name}"]
        if member.state in {State.READY, State.DONE} and member.ready_after is not None:
            words.append(f"{member.ready_after:.1f} s")
            words.append(self._stack.urls.get(member.name, ""))
        elif member.state is State.STARTING:
            words.append(f"pid {member.pid}")
        elif member.state is State.CRASHED:
            words.append(f"see {member.log}")
        self._console.print("  ".join(word for word in words if word), highlight=False, soft_wrap=True)

    def everything_is_up(self, hint: Sequence[str]) -> None:
        """Show, from now on, where everything is and what to try (`hint`, to be copied and pasted)."""
        self._hint = hint
        if self._live is None:
            for line in (*self._addresses(), "", *hint, ""):
                self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = [self._table()]
        if self._hint:
            # Without wrapping at the terminal's edge a command can be copied in one piece.
            parts.extend(Text(line, overflow="ignore", no_wrap=True) for line in (*self._addresses(), "", *self._hint))
        return Group(*parts)

    def _table(self) -> Table:
        table = Table(
            "process", "state", "pid", "port", "uptime", "restarts", "last line of its log", expand=True, box=None
        )
        ports = self._stack.layout.ports if self._stack.members else {}
        for member in self._stack.members:
            up = member.pid is not None and member.started_at is not None
            last = log_tail(member.log, 1)
            table.add_row(
                member.name,
                Text(member.state, style=_COLOURS.get(member.state, "")),
                str(member.pid or ""),
                " ".join(str(ports[name]) for name in member.member.ports),
                _duration(time.monotonic() - member.started_at) if up and member.started_at is not None else "",
                str(member.restarts or ""),
                Text(last, style="dim", overflow="ellipsis", no_wrap=True),
            )
        return table

    def _addresses(self) -> list[str]:
        urls = self._stack.layout.urls_to_show()
        lines = [""]
        for name, title in _TITLES.items():
            if name not in urls:
                continue
            shown = urls[name] + {"worker": "/metrics", "simulator": "/_sim/health"}.get(name, "")
            lines.append(f"  {title:<15} {shown}")
        return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
