"""The report writer."""

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
        """Write HTML, CSV and JSON to the object store; return the path of the HTML."""
        ...
