"""`orders doctor`: whether everything is there that the work needs, and what to do where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from worker.cli.options import examples
from worker.cli.output import as_json, console, print_json
from worker.contract.settings import ConfigurationError

if TYPE_CHECKING:
    from worker.cli.checks.line import Check, Line

EXIT_SETTINGS, EXIT_FAILED = 3, 4


@click.command(epilog=examples("orders doctor", "orders doctor --seconds 3 --json"))
@click.option(
    "--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1, 300), help="What a check may take at most."
)
@as_json
def command(seconds: float, *, as_json: bool) -> None:
    """Check what the work stands on: versions, settings, servers, clocks, secrets, disk. Changes nothing.

    (But for one small object, doctor/written, by which the object store shows that it takes and gives.) Everything is
    looked at at once, and what does not answer is left. Exits 0 without a failure, 3 when the settings are not usable,
    4 when something else fails.
    """
    from worker.cli.checks.line import Status, examine, worst

    checks, unusable = _checks()
    lines = [*unusable, *examine(checks, timedelta(seconds=seconds))]
    if as_json:
        print_json({"status": worst(lines), "lines": lines})
    else:
        _print(lines)
    if unusable:
        raise click.exceptions.Exit(EXIT_SETTINGS)
    if worst(lines) is Status.FAIL:
        raise click.exceptions.Exit(EXIT_FAILED)


def _checks() -> tuple[dict[str, Check], list[Line]]:
    """Return what can be looked at, and what is wrong with the settings (then less can be)."""
    from worker.cli.checks import installation, secrets, servers, stack
    from worker.cli.checks.line import fail, ok
    from worker.config import load
    from worker.connections import lake_folder
    from worker.contract.settings import environment, raw_settings

    always: dict[str, Check] = {"versions": installation.versions, "local stack": stack.ports}
    try:
        config = load()
        env, raw = environment(), raw_settings()
    except ConfigurationError as problem:
        remedy = 'settings.toml explains every key; for the local stack: eval "$(orders dev env)"'
        return always | {"disk": lambda: installation.disk({})}, [
            fail("settings", one, remedy) for one in problem.problems
        ]
    lake = lake_folder(config)
    folders = {"object store": lake.parent} if lake is not None else {}
    return always | {
        "settings": lambda: [ok("settings", f"usable, environment {env}, shop {config.shop.name}")],
        "secrets": lambda: secrets.of_worker(config, datetime.now(UTC)),
        "webhook secrets": lambda: secrets.of_webhooks(raw, datetime.now(UTC)),
        "database": lambda: servers.database(config),
        "Temporal": lambda: servers.temporal(config),
        "object store": lambda: servers.object_store(config),
        "disk": lambda: installation.disk(folders),
        "outside": lambda: servers.outside(config),
    }, []


def _print(lines: list[Line]) -> None:
    from rich.text import Text

    from worker.cli.checks.line import Status

    colours = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
    drawn = console()
    width = max(len(line.check) for line in lines)
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        said = Text.assemble((f"{line.status:<5}", colours[line.status]), f"{line.check:<{width}}  {line.what}")
        drawn.print(said, soft_wrap=True)
        # One remedy for several things in a row is said once, below the last.
        if line.remedy and (after is None or after.remedy != line.remedy):
            drawn.print(Text(f"     {'':<{width}}  -> {line.remedy}"), soft_wrap=True)
    counts = ", ".join(f"{sum(line.status is one for line in lines)} {one}" for one in Status)
    click.echo(counts, err=True)
