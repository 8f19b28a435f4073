"""The writer of reports and of the pages over all runs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.domain.finding import Break, Finding, Statement
from worker.services.ports.reconciliation import BreakAction, Run


class ReportWriter(Protocol):
    """Renders a finished run."""

    def write(
        self,
        run: Run,
        *,
        statements: Sequence[Statement],
        findings: Sequence[Finding],
        breaks: Sequence[Break],
        resolved: Sequence[Break],
        earlier: Sequence[Run],
        history: Mapping[str, Sequence[BreakAction]],
    ) -> str:
        """Write HTML, tables and JSON to the object store; return the path of the HTML."""
        ...

    def write_index(self, runs: Sequence[Run], latest: Run | None = None) -> str:
        """Write the pages over all runs (newest first); return the path of the index.

        With `latest` only what it changes is written, and what is missing.
        """
        ...
