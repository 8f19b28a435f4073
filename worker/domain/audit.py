"""The audit trail: what people and the engine did, one chain a shop, each entry sealed by the hash of all before it.

    hash = SHA-256 of the canonical JSON of the entry's content, which includes the hash of the entry before it

Whoever changes, removes, adds or reorders an entry breaks the chain there; whoever writes the whole chain anew ends at
another head. So a head (sequence and hash) that is kept elsewhere proves everything up to it. Nobody updates or
deletes entries; a mistake is corrected by the next entry. What is written stays: no personal data belongs here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

canonical_text = json.encoder.encode_basestring_ascii
"""Return `canonical` of a text alone."""
FORM = 1
"""Version of the canonical form; it is part of what is hashed, so a later form cannot pass for this one."""
NOTHING = "0" * 64
"""What stands for the hash before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Something that was done, not yet in the chain."""

    at: datetime
    actor: str
    action: str
    subject: str
    """What it was done to, as `break/ID`."""
    run_id: str = ""
    detail: str
    """Canonical JSON (`canonical`): reason, amounts, whatever belongs to the action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Who does something and why, on its way to wherever that is kept."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """Where a chain ends: sequence 0 and NOTHING before its first entry."""

    sequence: int = 0
    hash: str = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One link of a shop's chain; sequences count from 1 without a hole."""

    shop: str
    sequence: int
    record: AuditRecord
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where a chain does not hold, and what differs there."""

    sequence: int
    what: str


def canonical(document: Any) -> str:
    """Return the one JSON text of a document: sorted keys, no spaces, ASCII only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def entry_hash(shop: str, sequence: int, record: AuditRecord, previous_hash: str) -> str:
    """Return the seal of an entry.

    Its content is `canonical` JSON, written out here: a run seals an entry of every break that it finds.
    """
    content = (
        f'{{"action":{canonical_text(record.action)},"actor":{canonical_text(record.actor)},'
        f'"at":"{record.at.astimezone(UTC).isoformat(timespec="microseconds")}",'
        f'"detail":{canonical_text(record.detail)},"form":{FORM},"previous_hash":{canonical_text(previous_hash)},'
        f'"run_id":{canonical_text(record.run_id)},"sequence":{sequence},"shop":{canonical_text(shop)},'
        f'"subject":{canonical_text(record.subject)}}}'
    )
    return hashlib.sha256(content.encode()).hexdigest()


def chained(shop: str, head: AuditHead, records: Iterable[AuditRecord]) -> list[AuditEntry]:
    """Return the records as entries that continue the chain at `head`."""
    entries: list[AuditEntry] = []
    for record in records:
        sequence, previous = head.sequence + 1, head.hash
        sealed = entry_hash(shop, sequence, record, previous)
        entries.append(AuditEntry(shop=shop, sequence=sequence, record=record, previous_hash=previous, hash=sealed))
        head = AuditHead(sequence=sequence, hash=sealed)
    return entries


def first_fault(entries: Iterable[AuditEntry], head: AuditHead, kept: AuditHead | None = None) -> Fault | None:
    """Return the first fault of a chain; None when it is whole.

    `entries` come in the order of their sequence, `head` is where the books say the chain ends. `kept` is a head that
    somebody noted earlier: the entry of that sequence must still be the same, and with it all before it.
    """
    reached = AuditHead()
    for entry in entries:
        if entry.sequence != reached.sequence + 1:
            return Fault(reached.sequence + 1, f"the entry is missing; the next one there is {entry.sequence}")
        fault = _fault(entry, reached, kept)
        if fault:
            return Fault(entry.sequence, fault)
        reached = AuditHead(sequence=entry.sequence, hash=entry.hash)
    if reached.sequence < head.sequence:
        return Fault(reached.sequence + 1, f"the entry is missing; the trail once reached {head.sequence}")
    if reached != head:
        return Fault(max(reached.sequence, 1), f"the head is noted as {head.sequence} {head.hash[:12]}..., not as this")
    if kept is not None and kept.sequence > reached.sequence:
        return Fault(reached.sequence + 1, f"the entry is missing; {kept.sequence} was noted as a head")
    return None


def _fault(entry: AuditEntry, reached: AuditHead, kept: AuditHead | None) -> str:
    if entry.previous_hash != reached.hash:
        return f"it follows {entry.previous_hash[:12]}..., but the entry before it is {reached.hash[:12]}..."
    expected = entry_hash(entry.shop, entry.sequence, entry.record, entry.previous_hash)
    if entry.hash != expected:
        now = f"{entry.record.at:%Y-%m-%d %H:%M:%S} {entry.record.actor} {entry.record.action} {entry.record.subject}"
        return f"its content ({now}, ...) gives {expected[:12]}..., but it is sealed as {entry.hash[:12]}..."
    if kept is not None and kept.sequence == entry.sequence and kept.hash != entry.hash:
        return f"{kept.hash[:12]}... was noted here, now it is {entry.hash[:12]}...: the trail was rewritten up to here"
    return ""


def words(detail: Mapping[str, Any]) -> str:
    """Return what a person reads of a detail: what it says of itself, and the reason."""
    return ": ".join(str(detail[key]) for key in ("detail", "reason") if detail.get(key))
