"""What a run found, as a document of one form: by its digest two comparisons are the same or not.

It holds what follows from the books alone: findings and sums. What people decided about breaks, and what the run
before left open, is not in it: they may be another tomorrow, and the books still say the same.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from worker.domain.finding import Break, Finding, Statement
from worker.domain.finding_codec import encode_finding
from worker.domain.matching.lifecycle import LifecycleStep
from worker.domain.matching.sums import WindowSums
from worker.services.ports import Run
from worker.services.run_facts import RunFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the legs of a run found."""

    facts: RunFacts
    findings: tuple[Finding, ...]
    sums: tuple[WindowSums, ...]
    agreeing: int
    """Keys that agree and are no findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a run answers, in the light of the breaks that are known and of what people decided."""

    run: Run
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    step: LifecycleStep
    """What becomes of the breaks."""
    known: Mapping[str, Break]
    """Breaks as they were before, by their ids."""
    at: datetime


def result_document(compared: Compared) -> dict[str, Any]:
    """Return what a run found as JSON values, in an order that depends on nothing but the content."""
    facts = compared.facts
    findings = [encode_finding(finding) for finding in compared.findings]
    return {
        "window": [facts.scope.window_start.isoformat(), facts.scope.window_end.isoformat()],
        "legs_read": sorted(facts.legs_read),
        "incomplete_because": list(facts.incomplete_because),
        "agreeing": compared.agreeing,
        "sums": [asdict(one) for one in compared.sums],
        "findings": sorted(findings, key=lambda one: json.dumps(one, sort_keys=True)),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words what differs between two results."""
    for name in ("window", "legs_read", "incomplete_because", "agreeing"):
        if before[name] != after[name]:
            yield f"{name}: {_short(before[name])} -> {_short(after[name])}"
    for currency, (old, new) in _paired(before["sums"], after["sums"], "currency").items():
        yield from _fields(f"sums of {currency[0]}", old, new)
    for key, (old, new) in _paired(before["findings"], after["findings"], "leg", "key", "currency").items():
        yield from _fields(" ".join(key).strip(), old, new)


def _fields(what: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"{what}: {'only now' if old is None else 'not any more'}"
        return
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{what}: {name}: {_short(old.get(name))} -> {_short(new.get(name))}"


def _paired(
    before: list[dict[str, Any]], after: list[dict[str, Any]], *names: str
) -> dict[tuple[str, ...], tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    old, new = ({tuple(one[name] for name in names): one for one in side} for side in (before, after))
    return {
        key: (old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)
    }


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
