"""`orders dev`: find the local stack that runs in this checkout, through the state file it keeps."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import click

from worker.cli.options import Noun, examples
from worker.cli.output import as_json, print_json, print_table, remark
from worker.cli.trace_tree import traces
from worker.contract.settings import ROOT

STACKS = (Path(".local") / "dev", Path(".local") / "demo")
"""Where a stack of this checkout may be, those of `make dev` and of the demo's world; the first that runs is meant."""
SPANS_FILE = "spans.jsonl"
STATE_NAME = "state.json"
STATE_FILE = STACKS[0] / STATE_NAME


@click.group(cls=Noun)
def command() -> None:
    """The local stack."""


directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="The stack's directory (default: the one whose settings these are, else the one that runs here).",
)


@command.command(epilog=examples("orders dev status", "orders dev status --json"))
@directory_option
@as_json
def status(directory: Path | None, *, as_json: bool) -> None:
    """Show the processes of a running stack. Exits 4 when none runs or one of them is gone."""
    state = _state(directory)
    members: list[dict[str, Any]] = [member | {"alive": alive(member["pid"])} for member in state["members"]]
    ports: dict[str, int] = state["ports"]
    if as_json:
        print_json({"members": members, "ports": ports, "urls": state["urls"]})
    else:
        print_table(
            "local stack",
            ["process", "state", "pid", "port", "restarts", "log"],
            [
                (
                    member["name"],
                    member["state"] if member["alive"] else f"{member['state']} (gone)",
                    str(member["pid"] or "-"),
                    str(ports.get(member["name"], "-")),
                    str(member["restarts"]),
                    member["log"],
                )
                for member in members
            ],
            least=("log", "restarts"),
        )
        print_table("where", ["what", "url"], [(name, str(url)) for name, url in state["urls"].items()])
    if not all(member["alive"] for member in members):
        raise click.exceptions.Exit(4)


@command.command(epilog=examples('eval "$(orders dev env)"', "orders dev env --json"))
@directory_option
@as_json
def env(directory: Path | None, *, as_json: bool) -> None:
    """Print the stack's settings as exports, for `eval "$(orders dev env)"`. They hold its throw-away secrets."""
    if as_json:
        print_json(_state(directory)["env"])
        return
    for key, value in sorted(_state(directory)["env"].items()):
        click.echo(f"export {key}={shlex.quote(value)}")


@command.command(epilog=examples("orders dev trace", "orders dev trace 1001", "orders dev trace --json"))
@click.argument("what", required=False)
@directory_option
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    help="Show so many, newest last. Default: 1, or 20 of those WHAT is found in.",
)
@as_json
def trace(what: str | None, directory: Path | None, limit: int | None, *, as_json: bool) -> None:
    """Show traces as trees, from the webhook to the provider: the newest, or those that WHAT is found in.

    WHAT is a trace's id, or a part of the id of a workflow, an order or an event. Times are since the trace began; a
    workflow's own spans have no duration. Exits 5 when there is none.
    """
    path = (directory or stack_directory()) / SPANS_FILE
    found = traces(path, what)[-(limit or (20 if what else 1)) :]
    if not found:
        click.echo(f"no trace{f' of {what}' if what else ''} in {path}", err=True)
        raise click.exceptions.Exit(5)
    if as_json:
        print_json([tree.document() for tree in found])
        return
    click.echo("\n\n".join("\n".join(tree.lines()) for tree in found))


def stack_directory(root: Path = ROOT) -> Path:
    """Return the directory of the stack whose settings the environment holds, else of one that runs in this checkout."""
    if spans := os.environ.get("ORDERS_TRACING__FILE"):
        named = Path(spans).parent
        if (named / STATE_NAME).is_file():
            return named
    found = [root / stack for stack in STACKS if (root / stack / STATE_NAME).is_file()]
    return found[0] if found else root / STACKS[0]


def _state(directory: Path | None) -> dict[str, Any]:
    path = (directory or stack_directory()) / STATE_NAME
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        remark("no stack runs here; `make dev` starts one, `make dev WORLD=demo` the world that the demo left")
        raise click.exceptions.Exit(4) from None
    return state


def alive(pid: int | None) -> bool:
    """Tell whether a process is there."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
