"""Breaks as a spreadsheet: safe to open, and read back as it was meant or refused with the place of every mistake."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.reports_sample import BREAKS
from worker.domain.finding import BreakStatus, SettledAs, Settlement
from worker.domain.intervention import Deed, Intervention, version
from worker.reports.break_sheet import COLUMNS, MOST_BYTES, TO_FILL, parse, render
from worker.services.break_desk import Instruction

FIRST, SECOND = BREAKS[0], BREAKS[1]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def filled(*rows: dict[str, str], delimiter: str = ",", encoding: str = "utf-8-sig") -> bytes:
    """Return the export of as many breaks, with these cells filled in."""
    table = list(csv.DictReader(io.StringIO(render(BREAKS[: len(rows)]).decode("utf-8-sig"), newline="")))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(row | cells for row, cells in zip(table, rows, strict=True))
    return text.getvalue().encode(encoding)


def problems(content: bytes) -> list[tuple[int, str, str]]:
    return [(one.line, one.column, one.why) for one in parse(content, "alice").problems]


RESOLVE = {"action": "resolve", "reason": "written off"}


def test_an_export_has_its_amounts_twice_and_its_deeds_empty() -> None:
    (row, *_) = csv.DictReader(io.StringIO(render([FIRST]).decode("utf-8-sig"), newline=""))
    assert tuple(row) == COLUMNS
    finding = FIRST.finding
    assert int(row["difference_minor"]) == finding.difference_minor
    assert round(float(row["difference"]) * 100) == finding.difference_minor
    assert (row["break"], row["version"]) == (f"break/{FIRST.break_id}", f"v-{version(FIRST)}")
    assert {row[column] for column in TO_FILL} == {""}
    assert render([FIRST]).startswith(b"\xef\xbb\xbfbreak,version,")
    assert render([]).count(b"\r\n") == 1


@settings(max_examples=50)
@given(st.sampled_from(FORMULA), st.sampled_from(["owner", "order_id", "key", "cause", "reason"]))
def test_no_cell_is_a_formula(start: str, where: str) -> None:
    text = start + "cmd|' /C calc'!A0"
    settlement = Settlement(how=SettledAs.IGNORED, by=text, at=FIRST.first_seen_at, reason=text)
    item = replace(FIRST, status=BreakStatus.RESOLVED, settlement=settlement, owner=text)
    if where not in {"owner", "reason"}:
        changed: dict[str, Any] = {where: text}
        item = replace(item, finding=replace(item.finding, **changed))
    (row,) = csv.DictReader(io.StringIO(render([item]).decode("utf-8-sig"), newline=""))
    for column, cell in row.items():
        if not column.endswith(("_minor", "ours", "theirs", "difference", "at_risk")):
            assert not cell.startswith(FORMULA), column


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_was_filled_in_is_read_back(delimiter: str, encoding: str) -> None:
    rows: tuple[dict[str, str], ...] = (
        {"action": " Ignore ", "reason": "bank, closed; “until” Tuesday", "until": "2026-12-01", "actor": "bob"},
        {},
        {"action": "assign", "reason": "hers", "new_owner": "carol"},
        {"action": "assign", "reason": "nobody's", "new_owner": "-"},
        {"action": "link", "reason": "the other half", "link_to": FIRST.break_id},
    )
    sheet = parse(filled(*rows, delimiter=delimiter, encoding=encoding), "alice")
    assert sheet.problems == ()
    assert sheet.idle == 1
    ignore, assign, nobody, link = sheet.instructions
    assert ignore == Instruction(
        break_id=FIRST.break_id,
        act=Intervention(
            deed=Deed.IGNORE,
            actor="bob",
            reason="bank, closed; “until” Tuesday",
            until=datetime(2026, 12, 1, tzinfo=UTC),
        ),
        seen_version=version(FIRST),
        imported_by="alice",
        line=2,
    )
    assert (assign.act.new_owner, assign.act.actor, assign.imported_by, assign.line) == ("carol", "alice", "", 4)
    assert nobody.act.new_owner == ""
    assert link.act.link_to == f"break/{FIRST.break_id}"


def test_every_mistake_is_named_with_its_line_and_column() -> None:
    content = filled(
        {"action": "delete", "reason": "x"},
        RESOLVE | {"version": ""},
        {"action": "ignore", "reason": "x", "until": "31.12.2026"},
        {"reason": "forgot what"},
        {"action": "assign", "reason": "x"},
    )
    double = content + content.splitlines()[3].replace(b"31.12.2026", b"2026-12-31") + b"\r\n"
    found = problems(double)
    assert [(line, column) for line, column, _ in found] == [
        (2, "action"),
        (3, "version"),
        (4, "until"),
        (5, "action"),
        (6, "new_owner"),
        (7, "break"),
    ]
    assert "stands in line 4 already" in found[-1][2]
    assert "reason is filled in" in found[3][2]


def test_lines_count_as_an_editor_does_although_a_cell_may_hold_several() -> None:
    content = filled(RESOLVE | {"cause": "two\nlines"}, {"action": "resolve", "reason": "x", "until": "soon"})
    assert [line for line, _, _ in problems(content)] == [4]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must name break, version, action, reason"),
        (b"break;version;action\r\n", "must name reason"),
        (b"break,version,action,reason,reason\r\n", "once each"),
        ("break,version,action,reason\r\nx,y,resolve,caf\u00e9\r\n".encode("cp1252"), "UTF-8"),
        (render([FIRST]).decode("utf-8-sig").encode("utf-16"), "no CSV file"),
        (b"break,version,action,reason\r\n" + b'"' + b"x" * 200_000 + b'",,,\r\n', "field larger"),
        (b"x" * (MOST_BYTES + 1), "at most 20 MB"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, says: str) -> None:
    ((line, column, why),) = problems(content)
    assert (line, column) == (1, "file")
    assert says in why


def test_a_row_with_more_cells_than_columns_is_refused() -> None:
    assert problems(b"break,version,action,reason\r\na,b,resolve,x,y\r\n")[0][:2] == (2, "row")


def test_the_same_row_has_the_same_mark_and_another_row_another() -> None:
    def mark(cells: dict[str, str]) -> str:
        return parse(filled(cells), "alice").instructions[0].row

    assert mark(RESOLVE) == mark(dict(RESOLVE))
    others = [RESOLVE | {"reason": "y"}, RESOLVE | {"actor": "bob"}, RESOLVE | {"version": "v-0"}]
    assert len({mark(RESOLVE), *map(mark, others)}) == 4
