"""How the tests of the report make one and read it back: a store in memory, a page, tables, what is printed."""

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.unit.reports_sample import (
    BREAKS,
    EARLIER,
    END,
    FINDINGS,
    HISTORY,
    RESOLVED,
    RUN,
    SHORT,
    STATEMENTS,
    STRANGE,
    finding,
)
from worker.domain.errors import NotFound
from worker.domain.finding import (
    FindingKind,
    Leg,
    Outcome,
    SettledAs,
    Settlement,
)
from worker.domain.matching.rejects import UnreadRow, rejected_rows
from worker.reports import csv_export, items, terminal
from worker.reports.model import Report, build
from worker.reports.writer import ReportFiles

PARTS: dict[str, Any] = {
    "statements": STATEMENTS,
    "findings": FINDINGS,
    "breaks": BREAKS,
    "resolved": RESOLVED,
    "earlier": EARLIER,
}


EMPTY: dict[str, Any] = dict.fromkeys(PARTS, ())


class MemoryStore:
    """An object store in a dictionary; keeps the order of writing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return f"memory:{path}"

    def put_file(self, path: str, source: Path) -> str:
        return self.put(path, source.read_bytes())

    @contextmanager
    def holding(self, source: Path) -> Iterator[Callable[[str], str]]:
        yield lambda path: self.put_file(path, source)

    def get(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise NotFound(path) from None

    def fetch(self, path: str, into: Path) -> Path:
        copy = into / path.replace("/", "__")
        copy.write_bytes(self.get(path))
        return copy

    def names(self, prefix: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(prefix))


class Page(HTMLParser):
    """What a test wants to know of a page: tags with attributes, and the text a reader sees."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._text: list[str] = []
        self._hidden = 0
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self._text))

    def having(self, attribute: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if attribute in attrs]


def sample(**changes: Any) -> Report:
    return build(**(PARTS | {"run": RUN, "history": HISTORY} | changes))


def written(**changes: Any) -> MemoryStore:
    store = MemoryStore()
    run = changes.pop("run", RUN)
    ReportFiles(store).write(run, **PARTS, **changes)
    return store


def items_csv(report: Report) -> bytes:
    """Write items.csv and return what stands in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.csv"
        with csv_export.opened(path) as file:
            for _ in csv_export.item_table(file).passing(items.rows(report)):
                pass
        return path.read_bytes()


def items_of(report: Report) -> list[dict[str, str]]:
    content = items_csv(report)
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def printed(report: Report, *, terminal_: bool) -> str:
    out = io.StringIO()
    terminal.show(report, Console(file=out, force_terminal=terminal_, width=140, color_system=None))
    return out.getvalue()


ROUNDED = finding(
    "450789900",
    FindingKind.MATCHED_WITHIN_TOLERANCE,
    ours=1000,
    theirs=998,
    age=timedelta(hours=1),
    outcome=Outcome.MATCHED,
    at_risk=0,
    cause="the provider captured EUR 0.02 less than we booked, which the rules allow",
)


ROWS = rejected_rows(
    [
        UnreadRow(file="july.csv", line=line, column="net", reason="not a plain decimal amount", read_at=END)
        for line in (12, 7)
    ],
    Leg.PAYMENTS,
)


ALIKE = replace(SHORT, suggestions=("payment/pi_alike", "line/txn_9"))


SETTLED = replace(
    STRANGE,
    key="line/settled",
    settlement=Settlement(how=SettledAs.RESOLVED, by="ada", at=END, reason="the bank confirmed it by letter"),
)


def ruled() -> Report:
    """The sample with what only rules bring about."""
    return sample(
        findings=(*FINDINGS, ROUNDED, *ROWS, SETTLED),
        breaks=(*BREAKS[:2], replace(BREAKS[2], finding=ALIKE), *BREAKS[3:]),
        run=replace(RUN, counts={**(RUN.counts or {}), "matched": 97, "warnings": 4}, verdict="incomplete"),
    )


def settled(reason: str = "the bank's error, refunded by hand", **changes: Any) -> Report:
    """Return the sample with one more difference, which a person settled."""
    made = finding(
        "777", FindingKind.AMOUNT_UNDER, ours=900, theirs=600, age=timedelta(days=2), outcome=Outcome.WARNING
    )
    decision = Settlement(
        how=SettledAs.IGNORED, by="alice", at=END - timedelta(hours=3), reason=reason, until=END + timedelta(days=9)
    )
    counts = dict(RUN.counts or {})
    counts["warnings"] = counts.get("warnings", 0) + 1
    findings = (*PARTS["findings"], replace(made, settlement=decision))
    return sample(findings=findings, run=replace(RUN, counts=counts), **changes)
