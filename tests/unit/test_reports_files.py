"""The files of a report: the same bytes again, each named by its digest, tables that no spreadsheet runs."""

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from tests.unit.reports_reading import (
    EMPTY,
    PARTS,
    MemoryStore,
    Page,
    items_csv,
    items_of,
    ruled,
    sample,
    settled,
    written,
)
from tests.unit.reports_sample import BREAKS, END, LOST, RUN
from worker import reports
from worker.domain.errors import InvalidInput
from worker.domain.finding import BreakStatus, FindingKind, Leg, Outcome, Repair, RepairState, SettledAs, Verdict
from worker.reports import csv_export, html, json_export, workbook
from worker.reports.items import COLUMNS
from worker.reports.model import Report, build
from worker.reports.writer import ReportFiles
from worker.services.ports import ObjectStore, ReportWriter

FOLDER = "reports/main/stripe/r-20261122-14"
SIBLINGS = ["summary.csv", "items.csv", "report.xlsx", "report.json"]
SCHEMA: dict[str, Any] = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())
_SHEET = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def test_the_writer_is_the_port_and_writes_every_file_the_page_last() -> None:
    store: ObjectStore = MemoryStore()
    writer: ReportWriter = ReportFiles(store)
    path = writer.write(RUN, **PARTS)
    assert path == f"{FOLDER}/report.html"
    assert isinstance(store, MemoryStore)
    assert [name.rsplit("/", 1)[1] for name in store.files] == [*SIBLINGS, "report.html"]


def test_the_same_run_gives_the_same_bytes_whatever_the_order_of_its_parts() -> None:
    shuffled = MemoryStore()
    ReportFiles(shuffled).write(RUN, **{name: part[::-1] for name, part in PARTS.items()})
    assert shuffled.files == written().files


@pytest.mark.parametrize("part", ["..", "a/b", "", "x\n", " main"])
def test_names_that_are_no_path_parts_are_refused(part: str) -> None:
    with pytest.raises(InvalidInput):
        written(run=replace(RUN, run_id=part))


def test_the_page_names_and_links_its_siblings_with_their_digests() -> None:
    files = written().files
    page = Page(files[f"{FOLDER}/report.html"])
    for name in SIBLINGS:
        assert hashlib.sha256(files[f"{FOLDER}/{name}"]).hexdigest() in page.text
    assert {attrs["data-digest"] for attrs in page.having("data-digest")} == set(SIBLINGS)
    assert set(SIBLINGS) <= {attrs["href"] for attrs in page.having("href")}


def test_further_pages_of_breaks_are_siblings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "FIRST_BYTES", 1)
    monkeypatch.setattr(html, "PAGE_BYTES", 5_000)
    files = written().files
    further = [name.rsplit("/", 1)[1] for name in files if "/breaks-" in name]
    assert further == [f"breaks-{number:03}.html" for number in range(2, len(BREAKS) + 1)]
    told = {str(attrs["data-digest"]): attrs for attrs in Page(files[f"{FOLDER}/report.html"]).having("data-digest")}
    assert set(told) == {*further, *SIBLINGS}
    page = Page(files[f"{FOLDER}/report.html"]).text
    assert all(hashlib.sha256(files[f"{FOLDER}/{name}"]).hexdigest() in page for name in further)


def test_csv_holds_every_item_with_minor_units_and_plain_decimals() -> None:
    found = items_of(sample())
    assert [row["item"] for row in found] == ["break"] * 5 + ["resolved"] * 2 + ["pending"] * 4 + ["warning"]
    assert (
        found[0]
        | {
            "ours_minor": "0",
            "theirs_minor": "12990",
            "theirs": "129.90",
            "at_risk": "129.90",
            "first_movement_at": "2026-11-22T09:00:00Z",
        }
        == found[0]
    )
    assert [row["at_risk"] for row in found if row["currency"] == "JPY"] == ["184000"]
    refund = next(row for row in found if row["kind"] == "refund_missing")
    assert (refund["ours_minor"], refund["ours"]) == ("-4900", "-49.00")


@settings(deadline=None)
@given(st.text(max_size=30))
def test_no_text_cell_of_the_csv_is_a_formula(text: str) -> None:
    item = replace(BREAKS[0], finding=replace(LOST, order_id=text, key=text, cause=text), resolution=text)
    content = items_csv(build(replace(RUN, counts=None), **(EMPTY | {"breaks": (item,)})))
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    for column in ("order_id", "key", "cause", "resolution"):
        assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert row[column] in {text, f"'{text}"}


def summary_of(report: Report) -> list[dict[str, str]]:
    content = csv_export.summary_csv(report)
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_summary_has_the_figures_the_statements_the_ages_and_the_checks() -> None:
    report = sample()
    told = summary_of(report)
    assert {row["section"] for row in told} == {"run", "agenda", "totals", "statement", "open_items", "ages", "checks"}
    risk = {row["currency"]: row["amount"] for row in told if (row["section"], row["code"]) == ("totals", "at_risk")}
    assert risk == {"": "", "EUR": "214.90", "JPY": "184000", "USD": "49.00"}
    for bridge in report.bridges:
        lines = {
            row["code"]: int(row["amount_minor"])
            for row in told
            if row["section"] == "statement" and row["currency"] == bridge.currency
        }
        explained = sum(lines[row.code] for row in bridge.rows if row.role == "line")
        assert lines["ours"] + explained + lines["unexplained"] == lines["theirs"]
    counts = [int(row["count"]) for row in told if row["section"] == "ages" and row["code"] == "open" and row["count"]]
    assert counts[:-1] == [2, 1, 1, 1]
    assert counts[-1] == 5


def sheets(content: bytes) -> dict[str, list[list[tuple[str, str]]]]:
    """Read a workbook back: by sheet, rows of (type, text); types are `n` (number), `inlineStr`."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert not [name for name in file.namelist() if "externalLink" in name or "vba" in name.lower()]
        book = ET.fromstring(file.read("xl/workbook.xml"))  # noqa: S314 - a file of ours
        read = {}
        for number, sheet in enumerate(book.findall("m:sheets/m:sheet", _SHEET), 1):
            root = ET.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314
            assert root.find(".//m:f", _SHEET) is None, "no cell is a formula"
            assert root.find(".//m:pane[@state='frozen']", _SHEET) is not None
            assert root.find("m:autoFilter", _SHEET) is not None
            read[str(sheet.get("name"))] = [
                [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.findall("m:c", _SHEET)]
                for row in root.findall("m:sheetData/m:row", _SHEET)
            ]
    return read


def book_of(report: Report, folder: Path) -> bytes:
    path = folder / "report.xlsx"
    workbook.write(report, path)
    return path.read_bytes()


def test_the_workbook_has_real_numbers_and_dates_frozen_heads_and_filters(tmp_path: Path) -> None:
    read = sheets(book_of(sample(), tmp_path))
    assert list(read) == ["Summary", "Breaks", "Other items"]
    head, *found = read["Breaks"]
    assert [text for _, text in head] == [name for name in COLUMNS if not name.endswith("_minor")]
    assert len(found) == len(BREAKS)
    assert sum(kind == "n" and float(text) == 129.9 for kind, text in found[0]) == 3, "theirs, difference, at risk"
    days = (END - timedelta(hours=5) - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86_400
    assert any(kind == "n" and float(text) == pytest.approx(days, abs=1e-6) for kind, text in found[0]), "a real date"
    assert ("inlineStr", "450789469") in found[0], "an id is text, whatever it looks like"
    assert len(read["Other items"]) == 1 + 2 + 4 + 1


def test_a_reader_of_others_reads_the_workbook_as_it_is_meant(tmp_path: Path) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(book_of(sample(), tmp_path)))
    assert book.sheet_names == ["Summary", "Breaks", "Other items"]
    head, *found = book.get_sheet_by_name("Breaks").to_python()
    told = [dict(zip(head, row, strict=True)) for row in found]
    by_id = {row["break_id"]: row for row in items_of(sample()) if row["item"] == "break"}
    for row in told:
        same = by_id[str(row["break_id"])]
        assert [f"{row[name]}" for name in ("kind", "order_id", "cause")] == [
            same[name] for name in ("kind", "order_id", "cause")
        ]
        assert [row[name] for name in ("ours", "theirs", "at_risk")] == [
            float(same[name]) for name in ("ours", "theirs", "at_risk")
        ]
        seen = row["first_movement_at"]
        assert isinstance(seen, datetime)
        assert f"{seen.isoformat()}Z" == same["first_movement_at"]


def test_amounts_beyond_what_a_workbook_holds_exactly_are_text(tmp_path: Path) -> None:
    huge = replace(BREAKS[0], finding=replace(LOST, theirs_minor=10**17 + 1))
    (_, found) = sheets(book_of(sample(breaks=(huge,)), tmp_path))["Breaks"]
    assert ("inlineStr", "1,000,000,000,000,000.01") in found


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30))
def test_no_text_of_the_workbook_is_a_formula(text: str) -> None:
    item = replace(BREAKS[0], finding=replace(LOST, cause="=" + text), owner="@" + text)
    report = build(replace(RUN, counts=None), **(EMPTY | {"breaks": (item,)}))
    with tempfile.TemporaryDirectory() as folder:
        (_, found) = sheets(book_of(report, Path(folder)))["Breaks"]
    starting = [kind for kind, content in found if content.startswith(("=", "@"))]
    assert starting == ["inlineStr"] * 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<r><t>markup</t></r>", " <r><t>markup</t></r>"),
        ("a & b < c > d", "a & b < c > d"),
        (" kept \n", " kept \n"),
        ("_x0041_ is no escape", "_x005F_x0041_ is no escape"),
        ("bell\x07", "bell_x0007_"),
        ("\N{PARTY POPPER}" * 20_000, "\N{PARTY POPPER}" * 16_383),
    ],
)
def test_a_text_of_the_workbook_stays_the_text_it_is(tmp_path: Path, text: str, told: str) -> None:
    item = replace(BREAKS[0], finding=replace(LOST, cause=text))
    (_, found) = sheets(book_of(sample(breaks=(item,)), tmp_path))["Breaks"]
    assert [content for _, content in found].count(told) == 1


def test_the_workbook_says_when_a_sheet_cannot_hold_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    found = sheets(book_of(sample(), tmp_path))["Breaks"]
    assert len(found) == 1 + 3
    assert found[-1][0][1] == "more rows than a sheet holds: see items.csv"


@pytest.mark.parametrize("make", [sample, ruled, settled], ids=["plain", "ruled", "settled"])
def test_the_json_is_as_its_committed_schema_says(make: Any) -> None:
    report = make()
    document = json.loads(json_export.render(report))
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(document)
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(document)


def test_an_unfinished_run_and_an_empty_one_are_as_the_schema_says() -> None:
    for run in (replace(RUN, verdict="", finished_at=None), replace(RUN, counts=None)):
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(json.loads(json_export.render(build(run, **EMPTY))))


@pytest.mark.parametrize(
    "change",
    [{"verdict": "fine"}, {"compared": 1.5}, {"compared": -1}, {"unknown": 1}, {"as_of": "yesterday"}],
    ids=str,
)
def test_the_schema_refuses_what_no_report_says(change: dict[str, Any]) -> None:
    document = json.loads(json_export.render(sample())) | change
    assert not jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True).is_valid(document)


def test_the_schema_names_every_member_of_the_enums() -> None:
    kinds = {
        "verdict": Verdict,
        "status": BreakStatus,
        "leg": Leg,
        "kind": FindingKind,
        "outcome": Outcome,
        "repair": Repair,
        "repair_state": RepairState,
        "settled_as": SettledAs,
    }
    for name, kind in kinds.items():
        assert SCHEMA["$defs"][name]["enum"] == [one.value for one in kind], name


def test_times_of_files_are_those_of_the_run_and_never_of_now(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(book_of(sample(), tmp_path))) as file:
        assert {entry.date_time[0] for entry in file.infolist()} == {1980}
        told = file.read("docProps/core.xml").decode()
    assert RUN.finished_at is not None
    assert RUN.finished_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") in told
