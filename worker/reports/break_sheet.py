"""Breaks as a spreadsheet that people fill in, and what they filled in.

An export has a row a break: what it is, then empty columns for a deed. Only `break`, `version` and the columns to fill
are read back; what a spreadsheet did to the others does not matter. Ids and versions carry a word before them, or a
spreadsheet would make numbers of some. Text that it would run as a formula gets an apostrophe. Amounts come in minor
units (exact) and as a plain decimal. UTF-8 with a BOM, CRLF; read back with commas, semicolons or tabs.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.domain.finding import Break
from worker.domain.intervention import BREAK_LINK, Deed, Intervention, version
from worker.domain.money import format_minor
from worker.reports.cells import guarded
from worker.reports.words import KIND, iso
from worker.services.break_desk import Instruction, Problem

TO_FILL = ("action", "actor", "reason", "new_owner", "until", "link_to")
COLUMNS = (
    "break",
    "version",
    "status",
    "owner",
    "provider",
    "leg",
    "kind",
    "kind_in_words",
    "order_id",
    "key",
    "currency",
    "ours_minor",
    "ours",
    "theirs_minor",
    "theirs",
    "difference_minor",
    "difference",
    "at_risk_minor",
    "at_risk",
    "first_seen_at",
    "runs_seen",
    "cause",
    "settled",
    "links",
    *TO_FILL,
)
NEEDED = ("break", "version", "action", "reason")
MOST_ROWS = 10_000
MOST_BYTES = 20_000_000
NOBODY = "-"
"""In `new_owner`: an empty cell would take an owner away by mistake."""
_VERSION = "v-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a filled-in file says: deeds, or what is wrong with it, and how many rows ask for nothing."""

    instructions: tuple[Instruction, ...]
    problems: tuple[Problem, ...]
    idle: int


def render(breaks: Iterable[Break]) -> bytes:
    """Return the sheet of breaks, with the columns to fill empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for item in breaks:
        writer.writerow(_cells(item))
    return text.getvalue().encode("utf-8-sig")


def parse(content: bytes, importer: str) -> Sheet:
    """Return the deeds that a filled-in sheet asks for, and every problem with it. Rows without an action are idle.

    `importer` acts where a row names no actor.
    """
    if len(content) > MOST_BYTES or b"\x00" in content:
        return _unreadable(f"is no CSV file of at most {MOST_BYTES // 1_000_000} MB")
    try:
        return _read(content.decode("utf-8-sig"), importer)
    except UnicodeDecodeError:
        return _unreadable("save it as CSV in UTF-8: it holds bytes that are none")
    except csv.Error as error:
        return _unreadable(f"is no CSV: {error}")


def _read(text: str, importer: str) -> Sheet:
    header, rows = _table(text)
    missing = [column for column in NEEDED if column not in header]
    if missing or len(set(header)) != len(header):
        return _unreadable("its first line must name " + ", ".join(missing or header) + " (once each)")
    instructions: list[Instruction] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    idle = 0
    for line, cells in rows:
        if len(cells) > len(header):
            problems.append(Problem(line, "", "row", f"has {len(cells)} cells, the first line names {len(header)}"))
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if not row.get("action"):
            idle += 1
            problems += _stray(line, row)
            continue
        instruction, wrong = _instruction(line, row, importer)
        problems += wrong
        if instruction.break_id in lines:
            first = lines[instruction.break_id]
            problems.append(Problem(line, instruction.break_id, "break", f"stands in line {first} already"))
        lines.setdefault(instruction.break_id, line)
        instructions.append(instruction)
        if len(instructions) > MOST_ROWS:
            return _unreadable(f"asks for more than {MOST_ROWS:,} deeds; split it")
    return Sheet(instructions=tuple(instructions), problems=tuple(problems), idle=idle)


def _cells(item: Break) -> dict[str, str]:
    finding, decision = item.finding, item.settlement
    cells = {
        "break": BREAK_LINK + item.break_id,
        "version": _VERSION + version(item),
        "status": item.status.value,
        "owner": guarded(item.owner),
        "provider": guarded(item.provider),
        "leg": finding.leg.value,
        "kind": finding.kind.value,
        "kind_in_words": KIND[finding.kind],
        "order_id": guarded(finding.order_id),
        "key": guarded(finding.key),
        "currency": guarded(finding.currency),
        "first_seen_at": iso(item.first_seen_at),
        "runs_seen": str(item.runs_seen),
        "cause": guarded(finding.cause),
        "settled": guarded(f"{decision.how} by {decision.by}: {decision.reason}") if decision else "",
        "links": " ".join(item.links),
    }
    amounts = {
        "ours": finding.ours_minor,
        "theirs": finding.theirs_minor,
        "difference": finding.difference_minor,
        "at_risk": finding.at_risk_minor,
    }
    for name, minor in amounts.items():
        cells[f"{name}_minor"] = str(minor)
        cells[name] = format_minor(minor, finding.currency).replace(",", "")
    return cells


def _table(text: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the names of the columns, and the rows with the number of the line on which each begins."""
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))

    def numbered() -> Iterator[tuple[int, list[str]]]:
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1

    return [name.strip().lower() for name in next(reader, [])], numbered()


def _instruction(line: int, row: Mapping[str, str], importer: str) -> tuple[Instruction, list[Problem]]:
    name = row.get("break", "").removeprefix(BREAK_LINK)
    problems: list[Problem] = []

    def wrong(column: str, why: str) -> None:
        problems.append(Problem(line, name, column, why))

    if not name:
        wrong("break", "is missing")
    if not row.get("version", "").removeprefix(_VERSION):
        wrong("version", "is missing: it says what its author saw")
    try:
        deed = Deed(row["action"].lower())
    except ValueError:
        deed = Deed.COMMENT
        wrong("action", f"is none of {', '.join(Deed)}")
    until = None
    if row.get("until"):
        try:
            until = datetime.fromisoformat(row["until"])
            until = until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            wrong("until", "is no time like 2026-12-31 or 2026-12-31T09:00:00Z")
    new_owner = row.get("new_owner", "")
    if deed is Deed.ASSIGN and not new_owner:
        wrong("new_owner", f"is missing; write {NOBODY} for nobody")
    target = row.get("link_to", "")
    actor = row.get("actor") or importer
    act = Intervention(
        deed=deed,
        actor=actor,
        reason=row.get("reason", ""),
        new_owner="" if new_owner == NOBODY else new_owner,
        until=until,
        link_to=BREAK_LINK + target if target and "/" not in target else target,
    )
    instruction = Instruction(
        break_id=name,
        act=act,
        seen_version=row.get("version", "").removeprefix(_VERSION),
        imported_by=importer if importer != actor else "",
        line=line,
    )
    return instruction, problems


def _stray(line: int, row: Mapping[str, str]) -> list[Problem]:
    """Return a problem where a row was filled in but says no action: it must not be passed over in silence."""
    filled = [column for column in TO_FILL if column not in {"action", "actor"} and row.get(column)]
    return (
        [Problem(line, row.get("break", ""), "action", f"is missing, but {filled[0]} is filled in")] if filled else []
    )


def _unreadable(why: str) -> Sheet:
    return Sheet(instructions=(), problems=(Problem(1, "", "file", why),), idle=0)
