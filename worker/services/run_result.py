"""What a run found, as a document of one form: by its digest two comparisons are the same or not.

It holds what follows from the books alone: findings and sums. What people decided about breaks, and what the run
before left open, is not in it: they may be another tomorrow, and the books still say the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker.domain.finding import Break, Finding, Statement
from worker.domain.finding_codec import encode_finding
from worker.domain.matching.sums import WindowSums
from worker.domain.money import Money
from worker.services.findings import Findings
from worker.services.ports import Run
from worker.services.run_facts import RunFacts
from worker.services.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the legs of a run found."""

    facts: RunFacts
    findings: Findings
    sums: tuple[WindowSums, ...]
    agreeing: int
    """Keys that agree and are no findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a run answers, in the light of the breaks that are known and of what people decided."""

    run: Run
    statements: tuple[Statement, ...]
    findings: Spool[Finding]
    fates: Spool[tuple[Break | None, Break | None]]
    """Breaks that are known or that a finding makes, as they were and as they would be stored (None: unchanged)."""


def result_chunks(compared: Compared) -> Iterator[bytes]:
    """Yield what a run found as one JSON document, in pieces and in an order that depends on nothing but the content."""
    facts = compared.facts
    texts: Spool[str] = Spool(compared.findings.texts, key=_as_ascii)
    fields = {
        "window": [facts.scope.window_start.isoformat(), facts.scope.window_end.isoformat()],
        "legs_read": sorted(facts.legs_read),
        "incomplete_because": list(facts.incomplete_because),
        "agreeing": compared.agreeing,
        "sums": [asdict(one) for one in compared.sums],
    }
    before = b"{"
    for name in sorted([*fields, "findings"]):
        yield before + f'"{name}":'.encode()
        if name == "findings":
            yield from _listed(texts)
        else:
            yield _canonical(fields[name]).encode()
        before = b","
    yield b"}\n"


def _listed(texts: Iterable[str]) -> Iterator[bytes]:
    before = "["
    for text in texts:
        yield f"{before}{text}".encode()
        before = ","
    yield b"[]" if before == "[" else b"]"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _as_ascii(text: str) -> str:
    """Return by what findings are sorted: their JSON with everything else than plain letters escaped."""
    if text.isascii() and "\x7f" not in text:
        return text
    return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same in two results."""

    subject: str
    """A finding (leg, key, currency), the sums of a currency, or the result itself (empty)."""
    field: str
    """Empty: the subject as a whole is in one of the two only."""
    was: Any
    now: Any

    def __str__(self) -> str:
        if not self.field:
            return f"{self.subject}: {'only now' if self.was is None else 'not any more'}"
        return f"{self.subject}: {self.field}: {self._told(self.was)} -> {self._told(self.now)}".removeprefix(": ")

    def _told(self, value: Any) -> str:
        amount = isinstance(value, int) and self._currency()
        return str(Money(value, amount)) if amount else _short(value)

    def _currency(self) -> str:
        """Return the currency of an amount; none for what is none."""
        if self.field.endswith("_minor") or self.subject.startswith(_SUMS):
            return self.subject.rpartition(" ")[2]
        return self.field.partition("_minor_")[2]


def stored_document(run: Run, statements: Iterable[Statement], findings: Iterable[Finding]) -> dict[str, Any]:
    """Return what a run was stored with as JSON values, people's decisions included."""
    return {
        "window": [run.window_start.isoformat(), run.window_end.isoformat()],
        "source": run.source,
        "verdict": run.verdict,
        "incomplete_because": list(run.incomplete_because),
        "counts": dict(run.counts or {}),
        "sums": [_sums_of(one) for one in statements],
        "findings": [encode_finding(finding) for finding in findings],
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what differs between two results: the result itself, then its sums, then its findings."""
    for name in sorted((before.keys() | after.keys()) - {"sums", "findings"}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _fields(name, old, new)
        elif old != new:
            yield Difference(subject="", field=name, was=old, now=new)
    for key, pair in _paired(before["sums"], after["sums"], "currency").items():
        yield from _fields(f"{_SUMS}{key[0]}", *pair)
    for key, pair in _paired(before["findings"], after["findings"], "leg", "key", "currency").items():
        yield from _fields(" ".join(filter(None, key)), *pair)


def _fields(what: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference(subject=what, field="", was=old, now=new)
        return
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield Difference(subject=what, field=name, was=old.get(name), now=new.get(name))


def _paired(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *names: str
) -> dict[tuple[str, ...], tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    old, new = ({tuple(one[name] for name in names): one for one in side} for side in (before, after))
    return {
        key: (old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)
    }


def _sums_of(statement: Statement) -> dict[str, Any]:
    lines = {f"{line.code}": line.amount_minor for line in statement.lines}
    return {
        "currency": statement.currency,
        "ours_minor": statement.ours_minor,
        "theirs_minor": statement.theirs_minor,
        "fees_minor": statement.fees_minor,
        "net_minor": statement.net_minor,
        **lines,
    }


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


_LONGEST = 80
_SUMS = "sums of "
