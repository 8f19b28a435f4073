"""The `orders` command: one noun a module, loaded only when used, so that --help stays quick.

Data goes to stdout, talk to stderr. Exit codes are stable: 0 fine, 1 open breaks, 2 usage, 3 settings,
4 a dependency does not answer, 5 refused, 70 a bug of ours.
"""

import contextlib
import importlib
import logging
import os
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from worker.cli import complaints
from worker.cli.options import examples

COMMANDS = {
    "alerts": "One for a rule, shop and provider: list, show, test.",
    "attention": "What does not get on without a person: list.",
    "audit": "What people and the engine did, provably unchanged: list, verify.",
    "breaks": "Differences between the books: list, show, assign, comment, resolve, ignore, reopen, link, export, import.",
    "completion": "Completion of commands and options in your shell: bash, zsh, fish.",
    "db": "The database: migrate, check.",
    "deploy": "Before a release starts: run.",
    "dev": "The local stack: env, status, trace.",
    "doctor": "Whether everything is there that the work needs, and what to do where it is not.",
    "keys": "Payload keys: list, add, use, drop, rewrap.",
    "order": "Orders: list, show, timeline, note, cancel, cancel-lines, refund, retry, retry-payment, change-address, fill-numbers, resolve.",
    "outbound": "Webhooks we send: list, show, redeliver, enable.",
    "reconcile": "Reconciliation: run, backfill, watch, list, show, report, diff, replay.",
    "repairs": "What was done about breaks without a person: list, retry.",
    "schedules": "Schedules as code: plan, apply, list, pause, resume, trigger, backfill.",
    "secrets": "A deployed environment's secrets: put, remove, list, check.",
    "statements": "Statement files: preview, import, list, show, rejects.",
    "stock": "What is on the shelf, and what of it is promised: list, show, set, adjust, check, settle.",
    "users": "Users: list, show, resend, deactivate, reactivate, erase.",
    "webhooks": "Received events, and deliveries of our own: list, show, replay, send.",
    "worker": "The worker process: run, versions.",
}


class LazyGroup(click.Group):
    """Loads `worker.cli.<name>` when its command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Name all commands without importing any."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the module of the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"worker.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """Write the list from the table, so that help imports nothing heavy."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table: a press of the tab key imports nothing."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=said) for name, said in sorted(COMMANDS.items()) if name.startswith(incomplete)
        ]


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "orders order list --needs-attention",
        "orders breaks list --json",
        "orders reconcile run --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z",
    ),
)
@click.version_option(package_name="orders")
@click.option("--debug", is_flag=True, envvar="ORDERS_DEBUG", help="Show the traceback of whatever goes wrong.")
def cli(*, debug: bool) -> None:
    """Orders that run once and books that agree to the cent.

    Every command explains itself with --help, and every read takes --json. Exit codes: 0 fine, 1 open breaks, 2 usage,
    3 settings, 4 a dependency does not answer, 5 refused, 70 a bug of ours.
    """
    complaints.show_tracebacks(debug)


def run() -> NoReturn:
    """Run the command line and exit with a stable code."""
    code = exit_code()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.flush()
    # Without Python's own ending: the Temporal client has threads that may still be handing over their last answer,
    # and one that meets an interpreter that is being taken down aborts the whole process (SIGABRT).
    os._exit(code)


def exit_code(arguments: list[str] | None = None, **more: Any) -> int:
    """Run the command line and return its exit code; what went wrong is said on stderr."""
    try:
        # Without standalone mode click returns the code of an Exit instead of raising it.
        code = cli.main(arguments, standalone_mode=False, **more)
        return code if isinstance(code, int) else 0
    except click.Abort:
        return 130
    except BrokenPipeError:
        # `orders ... | head` has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as problem:
        return complaints.told(problem)
