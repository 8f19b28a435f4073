"""Every generated page, by its file's name: one module each."""

from collections.abc import Callable
from pathlib import Path

from infra.docs import alerts, api, commands, errors, incoming, metrics, outgoing, settings, states, workflows

FOLDER = Path(__file__).with_name("reference")

PAGES: dict[str, Callable[[], str]] = {
    "alerts.md": alerts.page,
    "api.md": api.page,
    "commands.md": commands.page,
    "errors.md": errors.page,
    "metrics.md": metrics.page,
    "settings.md": settings.page,
    "states.md": states.page,
    "webhooks-received.md": incoming.page,
    "webhooks-sent.md": outgoing.page,
    "workflows.md": workflows.page,
}


def rendered() -> dict[Path, str]:
    """Return what every page should be, by its file."""
    return {FOLDER / name: render() for name, render in PAGES.items()}


def stale(wanted: dict[Path, str]) -> list[str]:
    """Return what in the folder is not as it should be, a line each."""
    found = {file: file.read_text("utf-8") for file in FOLDER.glob("*.md")}
    return sorted(
        [f"{file.name}: is not there" for file in wanted.keys() - found.keys()]
        + [f"{file.name}: is no page any more" for file in found.keys() - wanted.keys()]
        + [f"{file.name}: is stale" for file in wanted.keys() & found.keys() if wanted[file] != found[file]]
    )
