"""The audit chain: whatever is done to it afterwards is found, at the very entry where it was done."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.reports_sample import BREAKS
from worker.domain.audit import (
    FORM,
    NOTHING,
    AuditEntry,
    AuditHead,
    AuditRecord,
    canonical,
    chained,
    entry_hash,
    first_fault,
    words,
)
from worker.repositories.breaks import record_of
from worker.services.ports import BreakAction

ROOT = Path(__file__).resolve().parents[2]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
records = st.builds(
    AuditRecord, at=moments, actor=texts, action=texts, subject=texts, run_id=texts, detail=texts.map(canonical)
)
chains = st.lists(records, min_size=1, max_size=6).map(lambda some: chained("main", AuditHead(), some))
CHANGES: dict[str, Callable[[AuditEntry], AuditEntry]] = {
    "shop": lambda entry: replace(entry, shop=entry.shop + "x"),
    "sequence": lambda entry: replace(entry, sequence=entry.sequence + 1000),
    "previous_hash": lambda entry: replace(entry, previous_hash="f" * 64),
    "hash": lambda entry: replace(entry, hash="f" * 64),
} | {
    field.name: (
        lambda entry, name=field.name: replace(
            entry,
            record=replace(
                entry.record,
                **{
                    name: entry.record.at + timedelta(microseconds=1)
                    if name == "at"
                    else getattr(entry.record, name) + " "
                },
            ),
        )
    )
    for field in fields(AuditRecord)
}


def head(entries: list[AuditEntry]) -> AuditHead:
    return AuditHead(sequence=entries[-1].sequence, hash=entries[-1].hash) if entries else AuditHead()


def at(entries: list[AuditEntry], kept: AuditHead | None = None, noted: AuditHead | None = None) -> int | None:
    fault = first_fault(entries, head(entries) if noted is None else noted, kept)
    return None if fault is None else fault.sequence


def test_every_field_of_an_entry_is_changed_by_the_tests_below() -> None:
    assert set(CHANGES) == {field.name for field in (*fields(AuditEntry), *fields(AuditRecord))} - {"record"}


@settings(max_examples=30)
@given(chains, st.integers(1, 6))
def test_a_chain_is_whole_however_often_it_was_continued(entries: list[AuditEntry], first: int) -> None:
    assert at(entries) is None
    begun, rest = entries[:first], entries[first:]
    assert begun + chained("main", head(begun), [entry.record for entry in rest]) == entries
    assert all(at(entries, head(entries[: n + 1])) is None for n in range(len(entries)))
    assert at([]) is None
    assert entries[0].previous_hash == NOTHING


@pytest.mark.parametrize("column", CHANGES)
@settings(max_examples=10)
@given(entries=chains, number=st.integers(0, 5))
def test_a_change_of_any_column_of_any_entry_is_found_there(
    column: str, entries: list[AuditEntry], number: int
) -> None:
    noted, number = head(entries), number % len(entries)
    changed = [*entries]
    changed[number] = CHANGES[column](entries[number])
    assert at(changed, noted=noted) == number + 1


@settings(max_examples=30)
@given(chains, st.data())
def test_what_is_removed_added_or_swapped_is_found(entries: list[AuditEntry], data: st.DataObject) -> None:
    noted, number = head(entries), data.draw(st.integers(0, len(entries) - 1))
    assert at([*entries[:number], *entries[number + 1 :]], noted=noted) == number + 1
    twice = [*entries[: number + 1], *entries[number:]]
    assert at(twice, noted=noted) == number + 2
    if len(entries) > 1:
        other = data.draw(st.integers(0, len(entries) - 1).filter(lambda n: n != number))
        swapped = [*entries]
        swapped[number], swapped[other] = entries[other], entries[number]
        assert at(swapped, noted=noted) == min(number, other) + 1
    assert at(entries, noted=AuditHead(sequence=len(entries) + 1, hash="f" * 64)) == len(entries) + 1
    assert at(entries, noted=AuditHead(sequence=len(entries), hash="f" * 64)) == len(entries)


@settings(max_examples=30)
@given(chains, st.data())
def test_a_chain_written_anew_passes_but_not_beside_a_head_kept_elsewhere(
    entries: list[AuditEntry], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(entries) - 1))
    changed = [entry.record for entry in entries]
    changed[number] = replace(changed[number], actor=changed[number].actor + "!")
    forged = chained("main", AuditHead(), changed)
    assert at(forged) is None
    for kept in range(len(entries)):
        assert at(forged, head(entries[: kept + 1])) == (kept + 1 if kept >= number else None)
    cut = entries[:-1]
    assert at(cut, head(entries)) == len(entries)


def test_the_hash_never_changes_its_meaning() -> None:
    """A trail of years ago must verify: this value may only change together with FORM."""
    record = AuditRecord(
        at=datetime(2026, 11, 22, 15, 0, 0, 7, timezone(timedelta(hours=1))),
        actor="zoë",
        action="resolved",
        subject="break/0123456789abcdef",
        run_id="",
        detail=canonical({"reason": "written off", "break": {"at_risk_minor": 300}}),
    )
    assert record.detail == '{"break":{"at_risk_minor":300},"reason":"written off"}'
    assert entry_hash("main", 7, record, NOTHING) == "d08359c64506b2823ad9276cd48232927aeace8ca80d56e6548ac9741ccddbae"


@given(texts, st.integers(1), records, texts)
def test_what_is_hashed_is_the_canonical_form_of_the_content(
    shop: str, sequence: int, record: AuditRecord, previous_hash: str
) -> None:
    content = {one.name: getattr(record, one.name) for one in fields(record)} | {
        "form": FORM,
        "shop": shop,
        "sequence": sequence,
        "at": record.at.isoformat(timespec="microseconds"),
        "previous_hash": previous_hash,
    }
    assert entry_hash(shop, sequence, record, previous_hash) == sha256(canonical(content).encode()).hexdigest()


@given(st.tuples(*[texts] * 5))
def test_the_record_of_a_break_is_in_canonical_form(told: tuple[str, ...]) -> None:
    currency, action, detail, reason, row = told
    item = replace(BREAKS[0], finding=replace(BREAKS[0].finding, currency=currency))
    done = BreakAction(
        at=item.last_seen_at, actor="a", action=action, run_id="r", detail=detail, reason=reason, row=row
    )
    written = record_of(item, done).detail
    assert written == canonical(json.loads(written))
    after = json.loads(written).pop("break")
    assert json.loads(written) == {
        name: text for name, text in (("detail", detail), ("reason", reason), ("row", row)) if text
    } | {"break": after}
    assert after == {
        "status": item.status.value,
        "kind": item.finding.kind.value,
        "currency": currency,
        "ours_minor": item.finding.ours_minor,
        "theirs_minor": item.finding.theirs_minor,
        "at_risk_minor": item.finding.at_risk_minor,
    }


def test_words_of_a_detail() -> None:
    assert words({"reason": "why", "detail": "what", "row": "x"}) == "what: why"
    assert words({"reason": "why"}) == "why"
    assert words({}) == ""


def test_no_code_changes_or_removes_an_entry() -> None:
    """In SQL or through the tables' names: the trail is inserted and read, and its heads move in one place."""
    changing = re.compile(
        r"(UPDATE|FROM|TRUNCATE|TRUNCATE TABLE|REPLACE INTO|ALTER TABLE|DROP TABLE)\s+`?audit_", re.IGNORECASE
    )
    calls: list[tuple[str, str, str]] = []
    for path in sorted((ROOT / "worker").rglob("*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "audit_" in text.lower() else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not changing.search(node.value), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                target = node.args[0]
                if isinstance(target, ast.Name) and target.id.startswith("AUDIT_"):
                    calls.append((path.name, node.func.id, target.id))
    assert {call for call in calls if call[1] not in {"select", "insert"}} == {("audit.py", "update", "AUDIT_HEADS")}
    assert ("audit.py", "insert", "AUDIT_TRAIL") in calls
