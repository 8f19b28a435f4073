"""Writes a finished run's report to the object store: HTML for people, tables for spreadsheets, JSON for programs.

report.html goes last and names the digests of its siblings, so where the page is, the files are.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from worker.domain.errors import InvalidInput
from worker.domain.finding import Break, Finding, Statement
from worker.reports import csv_export, html, items, json_export, site, workbook
from worker.reports.model import Report, build
from worker.reports.passing import by_hundreds
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
        digests = {}
        with (
            # By way of files, so that a long one is never in memory.
            tempfile.TemporaryDirectory(prefix="orders-report-") as scratch,
            tempfile.TemporaryFile(prefix="orders-report-") as drawn,
        ):
            drawing = html.Drawing(report, drawn)
            tables = _tables(report, drawing, Path(scratch))
            pages = drawing.pages()
            for made in chain(_further_pages(report, pages, Path(scratch)), tables):
                with made.open("rb") as content:
                    digests[made.name] = hashlib.file_digest(content, "sha256").hexdigest()
                self._store.put_file(f"{folder}/{made.name}", made)
            path = f"{folder}/report.html"
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


def _tables(report: Report, drawing: html.Drawing, folder: Path) -> list[Path]:
    """Go through the breaks once, and on the way write the tables and JSON, and draw what goes on pages."""
    made = [folder / name for name in ("summary.csv", "items.csv", "report.xlsx", "report.json")]
    summary, items_csv, xlsx, json_file = made
    summary.write_bytes(csv_export.summary_csv(report))
    with csv_export.opened(items_csv) as table_file, json_file.open("wb") as document_file:
        table, document = csv_export.item_table(table_file), json_export.Document(report, document_file)
        breaks = by_hundreds(document.passing(by_hundreds(drawing.passing(by_hundreds(report.breaks)))))
        rows = by_hundreds(table.passing(by_hundreds(items.break_rows(breaks))))
        workbook.write(report, xlsx, rows, table.passing(items.other_rows(report)))
        document.end()
    return made


def _further_pages(report: Report, pages: Sequence[html.BreakPage], folder: Path) -> Iterator[Path]:
    for one in pages[1:]:
        made = folder / one.name
        made.write_bytes(html.render_page(report, one, pages))
        yield made
        made.unlink(missing_ok=True)


def report_folder(run: Run) -> str:
    """Return `reports/{shop}/{provider}/{run_id}`. Raises InvalidInput for names that are no path parts."""
    parts = (run.shop, run.provider, run.run_id)
    for part in parts:
        if not _PART.fullmatch(part):
            raise InvalidInput(f"not usable in a report's path: {part[:140]!r}")
    return "/".join((ROOT, *parts))
