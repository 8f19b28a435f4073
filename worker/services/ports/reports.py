"""The writer of reports and of the pages over all runs."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from worker.domain.finding import Break, Finding, Statement
from worker.services.ports.reconciliation import Run


class ReportWriter(Protocol):
    """Renders a finished run."""

    def write(
        self,
        run: Run,
        *,
        statements: Sequence[Statement],
        findings: Iterable[Finding],
        breaks: Iterable[Break],
        resolved: Sequence[Break],
        earlier: Sequence[Run],
        broken: Iterable[str],
    ) -> str:
        """Write HTML, tables and JSON to the object store; return the path of the HTML.

        Findings that are breaks need not be among `findings`: `broken` are the ids of the breaks they belong to.
        `breaks` in `OpenBreaks` bring along what was done about them.
        """
        ...

    def write_index(self, runs: Sequence[Run], latest: Run | None = None) -> str:
        """Write the pages over all runs (newest first); return the path of the index.

        With `latest` only what it changes is written, and what is missing.
        """
        ...
