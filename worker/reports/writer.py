"""Writes a finished run's report to the object store: HTML for people, CSV for spreadsheets, JSON for programs.

The HTML goes last and names the digests of its siblings, so where the page is, the files are.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from worker.domain.errors import InvalidInput
from worker.domain.finding import Break, Finding, Statement
from worker.reports import csv_export, html, json_export
from worker.reports.model import build
from worker.services.ports import BreakAction, ObjectStore, Run

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")


class ReportFiles:
    """Implements `ReportWriter` over an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(
        self,
        run: Run,
        *,
        statements: Sequence[Statement],
        findings: Sequence[Finding],
        breaks: Sequence[Break],
        resolved: Sequence[Break],
        earlier: Sequence[Run],
        history: Mapping[str, Sequence[BreakAction]] | None = None,
    ) -> str:
        """Write report.html, breaks.csv and report.json; return the path of the HTML below the store.

        Writing the same run again gives the same bytes. `history` is optional: what was done about each
        break, by its id. Raises InvalidInput when the run's names cannot be part of a path.
        """
        folder = report_folder(run)
        report = build(
            run,
            statements=statements,
            findings=findings,
            breaks=breaks,
            resolved=resolved,
            earlier=earlier,
            history=history,
        )
        siblings = {"breaks.csv": csv_export.chunks(report), "report.json": json_export.chunks(report)}
        digests = {name: self._put(f"{folder}/{name}", chunks) for name, chunks in siblings.items()}
        path = f"{folder}/report.html"
        self._store.put(path, html.render(report, digests))
        return path

    def _put(self, path: str, chunks: Iterable[bytes]) -> str:
        """Write an object piece by piece, so that a long one is never in memory; return the SHA-256 of its bytes."""
        with tempfile.TemporaryDirectory(prefix="orders-report-") as folder:
            made = Path(folder) / "content"
            digest = hashlib.sha256()
            with made.open("wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
            self._store.put_file(path, made)
        return digest.hexdigest()


def report_folder(run: Run) -> str:
    """Return `reports/{shop}/{provider}/{run_id}`. Raises InvalidInput for names that are no path parts."""
    parts = (run.shop, run.provider, run.run_id)
    for part in parts:
        if not _PART.fullmatch(part):
            raise InvalidInput(f"not usable in a report's path: {part[:140]!r}")
    return "/".join(("reports", *parts))
