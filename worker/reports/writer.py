"""Writes a finished run's report to the object store: HTML for people, tables for spreadsheets, JSON for programs.

report.html goes last and names the digests of its siblings, so where the page is, the files are.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from worker.domain.errors import InvalidInput
from worker.domain.finding import Break, Finding, Statement
from worker.reports import csv_export, html, json_export, site, workbook
from worker.reports.model import Report, build
from worker.services.ports import BreakAction, ObjectStore, Run

ROOT = "reports"
INDEX = f"{ROOT}/index.html"
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
        findings: Iterable[Finding],
        breaks: Iterable[Break],
        resolved: Sequence[Break],
        earlier: Sequence[Run],
        history: Mapping[str, Sequence[BreakAction]] | None = None,
        broken: Iterable[str] = (),
    ) -> str:
        """Write report.html and its siblings; return the path of the HTML below the store.

        Writing the same run again gives the same bytes. `history` is optional: what was done about each
        break, by its id. `broken`: as `build` has it. Raises InvalidInput when the run's names cannot be part of a path.
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
            broken=broken,
        )
        path = f"{folder}/report.html"
        digests = {}
        with html.paged(report) as pages:
            for names, make in _siblings(report, pages):
                with tempfile.TemporaryDirectory(prefix="orders-report-") as scratch:
                    # By way of files, so that a long one is never in memory.
                    make(Path(scratch))
                    for name in names:
                        made = Path(scratch) / name
                        with made.open("rb") as content:
                            digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
                        self._store.put_file(f"{folder}/{name}", made)
            self._store.put(path, html.render(report, digests, pages))
        return path

    def write_index(self, runs: Sequence[Run], latest: Run | None = None) -> str:
        """Write the pages over all runs, newest first; return the path of the index below the store.

        Of the pages of months only that of `latest` changes: others are written where they are missing. Without
        `latest`, all are.
        """
        there = set(self._store.names(f"{ROOT}/{site.MONTHS}/")) if latest else set()
        changed = site.month_of(latest) if latest else ""
        for month in site.months(runs):
            path = f"{ROOT}/{site.month_page(month)}"
            if month == changed or path not in there:
                self._store.put(path, site.render_month(month, runs))
        self._store.put(INDEX, site.render(runs))
        return INDEX


def _siblings(
    report: Report, pages: Sequence[html.BreakPage]
) -> Iterator[tuple[tuple[str, ...], Callable[[Path], object]]]:
    """Yield files and what makes them in a folder."""
    for one in pages[1:]:
        yield (one.name,), partial(_write_page, report, one, pages)
    yield ("summary.csv",), lambda folder: _write(folder / "summary.csv", csv_export.summary_chunks(report))
    yield ("items.csv", "report.xlsx"), partial(_write_tables, report)
    yield ("report.json",), lambda folder: _write(folder / "report.json", json_export.chunks(report))


def _write_page(report: Report, one: html.BreakPage, pages: Sequence[html.BreakPage], folder: Path) -> None:
    (folder / one.name).write_bytes(html.render_page(report, one, pages))


def _write_tables(report: Report, folder: Path) -> None:
    """Write both tables of items in one go: each row is made once."""
    with csv_export.opened(folder / "items.csv") as file:
        workbook.write(report, folder / "report.xlsx", csv_export.ItemTable(file).passing)


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)


def report_folder(run: Run) -> str:
    """Return `reports/{shop}/{provider}/{run_id}`. Raises InvalidInput for names that are no path parts."""
    parts = (run.shop, run.provider, run.run_id)
    for part in parts:
        if not _PART.fullmatch(part):
            raise InvalidInput(f"not usable in a report's path: {part[:140]!r}")
    return "/".join((ROOT, *parts))
