"""`make dev`: the whole stack, up until Ctrl-C, its data kept between runs in `.local/dev`.

The worker and the functions are started again when they end on their own; the servers are not, for their end is news.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from rich.console import Console

from infra.local.dashboard import Dashboard
from infra.local.errors import StackError, StackRunningError
from infra.local.layout import PROJECT
from infra.local.members import FOR_PEOPLE
from infra.local.stack import Stack
from infra.local.supervised import Supervised

DIRECTORY = PROJECT / ".local" / "dev"
RESTARTED = ("worker", "functions")


def main(arguments: list[str] | None = None) -> int:
    """Run the stack and return the exit status: 0 stopped on request, 4 a member failed, 5 it runs already."""
    parser = argparse.ArgumentParser(prog="make dev", description="Run the whole stack until Ctrl-C.")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where its data, logs and state file live")
    parser.add_argument("--fresh", action="store_true", help="start from nothing instead of the last run's data")
    parser.add_argument("--only", nargs="+", metavar="MEMBER", help="start only these members")
    options = parser.parse_args(arguments)
    stack_directory: Path = options.directory
    try:
        asyncio.run(_run(stack_directory, fresh=options.fresh, only=options.only))
    except StackRunningError as error:
        print(error, file=sys.stderr)
        return 5
    except StackError as error:
        print(error, file=sys.stderr)
        return 4
    return 0


async def _run(directory: Path, *, fresh: bool, only: list[str] | None) -> None:
    console = Console()

    def changed(member: Supervised) -> None:
        dashboard.changed(member)

    stack = Stack(directory, members=only or FOR_PEOPLE, persist=not fresh, restart=RESTARTED, on_change=changed)
    dashboard = Dashboard(stack, console)
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        # Asking again while it stops changes nothing: members are being given time to finish their work.
        asyncio.get_running_loop().add_signal_handler(number, _once(this))
    console.print("starting the local stack; Ctrl-C stops it", highlight=False)
    with contextlib.suppress(asyncio.CancelledError), dashboard:
        async with stack:
            dashboard.everything_is_up(_try_it(stack))
            await asyncio.Event().wait()
    console.print("stopped", highlight=False)


class _once:  # noqa: N801 - reads as what it does
    """Cancels `task` at the first call only."""

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task: asyncio.Task[None] | None = task

    def __call__(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None


def _try_it(stack: Stack) -> list[str]:
    """Return what a newcomer may copy and paste."""
    if "functions" not in stack.urls:
        return []
    # Short lines: a terminal cuts what does not fit, and a cut command cannot be copied.
    return [
        "place an order:",
        f"  curl -sS {stack.url('functions')}/orders \\",
        f"    -H 'Authorization: Bearer {stack.api_key}' -H 'Content-Type: application/json' \\",
        """    -d '{"order_id": "try-'$(date +%s)'", "customer_id": "c-1", "currency": "EUR", "total_minor": 2500,""",
        """         "payment_mode": "charge", "payment_method": "pm_card_visa",""",
        """         "lines": [{"sku": "TEA-1", "quantity": 1, "unit_price_minor": 2500}]}'""",
        "work on it with the command line:",
        '  eval "$(.venv/bin/orders dev env)"; .venv/bin/orders --help',
    ]


if __name__ == "__main__":
    sys.exit(main())
