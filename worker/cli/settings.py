"""The settings, read when a command runs: --help needs none, and their classes are a third of what it would take."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.config import StatementsConfig, WorkerConfig


def load() -> "WorkerConfig":
    """Return the settings of worker and command line. Raises ConfigurationError."""
    from worker.config import load as read

    return read()


def load_statements() -> "StatementsConfig":
    """Return the settings of statement files alone, which need no secret. Raises ConfigurationError."""
    from worker.config import load_statements as read

    return read()
