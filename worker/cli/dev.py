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

STATE_FILE = Path(".local") / "dev" / "state.json"
SPANS_FILE = "spans.jsonl"


@click.group(cls=Noun)
def command() -> None:
    """The local stack."""


directory_option = click.option(
    "--directory", type=click.Path(path_type=Path), help="The stack's directory (default: .local/dev)."
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
@click.option("--limit", default=1, show_default=True, type=click.IntRange(1, 100), help="Show so many, newest last.")
@as_json
def trace(what: str | None, directory: Path | None, limit: int, *, as_json: bool) -> None:
    """Show traces as trees, from the webhook to the provider: the newest, or those that WHAT is found in.

    WHAT is a trace's id, or a part of the id of a workflow, an order or an event. Times are since the trace began; a
    workflow's own spans have no duration. Exits 5 when there is none.
    """
    path = (directory or ROOT / STATE_FILE.parent) / SPANS_FILE
    found = traces(path, what)[-limit:]
    if not found:
        click.echo(f"no trace{f' of {what}' if what else ''} in {path}", err=True)
        raise click.exceptions.Exit(5)
    if as_json:
        print_json([tree.document() for tree in found])
        return
    for tree in found:
        click.echo("\n".join(tree.lines()))


def _state(directory: Path | None) -> dict[str, Any]:
    path = directory / "state.json" if directory else ROOT / STATE_FILE
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        remark("no stack runs here; `make dev` starts one")
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
