"""The `orders` command: one noun a module, loaded only when used, so that --help stays quick.

Data goes to stdout, talk to stderr. Exit codes are stable: 0 fine, 1 open breaks, 2 usage, 3 settings,
4 a dependency does not answer, 5 refused, 70 a bug of ours.
"""

import contextlib
import importlib
import logging
import os
import sys
import traceback
from typing import NoReturn

import click

from worker.contract.sealing import SealError
from worker.contract.settings import ConfigurationError
from worker.domain.errors import DatabaseUnavailable, OrdersError, ProviderUnavailable, SourceUnreadable

EXIT_BREAKS = 1
EXIT_DEPENDENCY = 4
EXIT_REFUSED = 5
EXIT_BUG = 70

COMMANDS = {
    "alerts": "One for a rule, shop and provider: list, show, test.",
    "attention": "What does not get on without a person: list.",
    "audit": "What people and the engine did, provably unchanged: list, verify.",
    "breaks": "Differences between the books: list, show, assign, comment, resolve, ignore, reopen, link, export, import.",
    "db": "The database: migrate, check.",
    "deploy": "Before a release starts: run.",
    "dev": "The local stack: env, status, trace.",
    "keys": "Payload keys: list, add, use, drop, rewrap.",
    "order": "Orders: list, show, timeline, note, cancel.",
    "outbound": "Webhooks we send: list, show, redeliver, enable.",
    "reconcile": "Reconciliation: run, backfill, watch, list, show, report, diff, replay.",
    "repairs": "What was done about breaks without a person: list, retry.",
    "schedules": "Schedules as code: plan, apply, list, pause, resume, trigger, backfill.",
    "secrets": "A deployed environment's secrets: put, remove, list, check.",
    "statements": "Statement files: preview, import, list, show, rejects.",
    "users": "Users: erase.",
    "webhooks": "Received events, and deliveries of our own: list, show, replay, send.",
    "worker": "The worker process: run.",
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


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orders")
def cli() -> None:
    """Orders that run once and books that agree to the cent."""


def run() -> NoReturn:
    """Run the command line and exit with a stable code."""
    code = _code()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.flush()
    # Without Python's own ending: the Temporal client has threads that may still be handing over their last answer,
    # and one that meets an interpreter that is being taken down aborts the whole process (SIGABRT).
    os._exit(code)


def _code() -> int:
    try:
        # Without standalone mode click returns the code of an Exit instead of raising it.
        code = cli(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.Abort:
        return 130
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except ConfigurationError as problem:
        _complain("settings", str(problem))
        return problem.exit_code
    except (DatabaseUnavailable, ProviderUnavailable, SourceUnreadable) as problem:
        _complain(problem.code, str(problem))
        return EXIT_DEPENDENCY
    except OrdersError as problem:
        _complain(problem.code, str(problem))
        return EXIT_REFUSED
    except SealError as problem:
        _complain("sealed", str(problem))
        return EXIT_REFUSED
    except Exception:
        traceback.print_exc()
        return EXIT_BUG


def _complain(code: str, message: str) -> None:
    click.echo(f"orders: {code}: {message}", err=True)
