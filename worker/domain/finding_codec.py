"""A finding as a JSON document and back, without loss: evidence must read the same years later.

Times are ISO 8601 in UTC; amounts are JSON integers (never floats). Reading is strict: a document of a form this
code does not know raises KeyError or ValueError instead of a finding that looks whole.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from worker.domain.errors import InvalidInput
from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome, Repair, SettledAs, Settlement
from worker.domain.outline import Outline


def encode_finding(finding: Finding) -> dict[str, Any]:
    """Return the document of a finding. Raises InvalidInput for a time without a zone."""
    return {
        "leg": finding.leg.value,
        "key": finding.key,
        "kind": finding.kind.value,
        "outcome": finding.outcome.value,
        "currency": finding.currency,
        "ours_minor": finding.ours_minor,
        "theirs_minor": finding.theirs_minor,
        "at_risk_minor": finding.at_risk_minor,
        "order_id": finding.order_id,
        "break_on": None if finding.break_on is None else _encode_time(finding.break_on),
        "cause": finding.cause,
        "ours": [_encode_fact(fact) for fact in finding.ours],
        "theirs": [_encode_fact(fact) for fact in finding.theirs],
        "repair": finding.repair.value,
        "repair_reference": finding.repair_reference,
        "before_minor": finding.before_minor,
        "suggestions": list(finding.suggestions),
        "settlement": None if finding.settlement is None else _encode_settlement(finding.settlement),
    }


def finding_text(finding: Finding) -> str:
    """Return the document as JSON text of one form: sorted keys, no spaces, all characters as they are.

    Written out, since every finding of a run passes here: by way of `encode_finding` it would take twice as long.
    """
    break_on = "null" if finding.break_on is None else f'"{_encode_time(finding.break_on)}"'
    settled = "null" if finding.settlement is None else _written(_encode_settlement(finding.settlement))
    return (
        f'{{"at_risk_minor":{finding.at_risk_minor},"before_minor":{finding.before_minor},"break_on":{break_on},'
        f'"cause":{_quoted(finding.cause)},"currency":{_quoted(finding.currency)},"key":{_quoted(finding.key)},'
        f'"kind":"{finding.kind}","leg":"{finding.leg}","order_id":{_quoted(finding.order_id)},'
        f'"ours":[{",".join(map(_fact_text, finding.ours))}],"ours_minor":{finding.ours_minor},'
        f'"outcome":"{finding.outcome}","repair":"{finding.repair}",'
        f'"repair_reference":{_quoted(finding.repair_reference)},"settlement":{settled},'
        f'"suggestions":[{",".join(map(_quoted, finding.suggestions))}],'
        f'"theirs":[{",".join(map(_fact_text, finding.theirs))}],"theirs_minor":{finding.theirs_minor}}}'
    )


def read_finding(text: str) -> Finding:
    """Return the finding of a document's text."""
    return decode_finding(json.loads(text))


def decode_finding(document: Mapping[str, Any]) -> Finding:
    """Return the finding of a document made by `encode_finding`."""
    return Finding(
        **_plain(document),
        cause=document["cause"],
        ours=tuple(_decode_fact(fact) for fact in document["ours"]),
        theirs=tuple(_decode_fact(fact) for fact in document["theirs"]),
        # Documents of the first release have none.
        suggestions=tuple(document.get("suggestions", ())),
    )


def read_outline(text: str) -> Outline:
    """Return what a document's text says of its finding, which comes without evidence, cause and suggestions."""
    document = json.loads(text)
    times = [datetime.fromisoformat(fact["at"]) for side in ("ours", "theirs") for fact in document[side]]
    return Outline(Finding(**_plain(document)), min(times, default=None), max(times, default=None))


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields but those that hold the evidence and what is said of it."""
    break_on, settlement = document["break_on"], document.get("settlement")
    return {
        "leg": Leg(document["leg"]),
        "key": document["key"],
        "kind": FindingKind(document["kind"]),
        "outcome": Outcome(document["outcome"]),
        # Of many findings held at a time each would have a text of its own for the few currencies there are.
        "currency": sys.intern(document["currency"]),
        "ours_minor": document["ours_minor"],
        "theirs_minor": document["theirs_minor"],
        "at_risk_minor": document["at_risk_minor"],
        "order_id": document["order_id"],
        "break_on": None if break_on is None else datetime.fromisoformat(break_on),
        "repair": Repair(document["repair"]),
        "repair_reference": document["repair_reference"],
        # Documents of the first release have none.
        "before_minor": document.get("before_minor", 0),
        # Findings stored before people could settle them do not say so.
        "settlement": None if settlement is None else _decode_settlement(settlement),
    }


def _fact_text(fact: Fact) -> str:
    amount = "null" if fact.amount_minor is None else fact.amount_minor
    return (
        f'{{"amount_minor":{amount},"at":"{_encode_time(fact.at)}","currency":{_quoted(fact.currency)},'
        f'"record":{_quoted(fact.record)},"reference":{_quoted(fact.reference)},"status":{_quoted(fact.status)}}}'
    )


def _encode_fact(fact: Fact) -> dict[str, Any]:
    return {
        "record": fact.record,
        "reference": fact.reference,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "at": _encode_time(fact.at),
        "status": fact.status,
    }


def _decode_fact(document: Mapping[str, Any]) -> Fact:
    return Fact(
        record=document["record"],
        reference=document["reference"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        at=datetime.fromisoformat(document["at"]),
        status=document["status"],
    )


_quoted = json.JSONEncoder(ensure_ascii=False).encode
"""A text alone is encoded at once: the encoder knows it for a special case."""
_written = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def _encode_settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "how": settlement.how.value,
        "by": settlement.by,
        "at": _encode_time(settlement.at),
        "reason": settlement.reason,
        "until": None if settlement.until is None else _encode_time(settlement.until),
    }


def _decode_settlement(document: Mapping[str, Any]) -> Settlement:
    return Settlement(
        how=SettledAs(document["how"]),
        by=document["by"],
        at=datetime.fromisoformat(document["at"]),
        reason=document["reason"],
        until=None if document["until"] is None else datetime.fromisoformat(document["until"]),
    )


@lru_cache(maxsize=1024)
def _encode_time(at: datetime) -> str:
    if at.tzinfo is None:
        raise InvalidInput("a time of a finding needs a zone")
    return at.astimezone(UTC).isoformat()
