"""Traces as trees: spans that two deployables wrote, put together by their parents, with times since the beginning."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.contract.spans import Span, before, read

_SAID = ("status", "outcome", "http.response.status_code", "url.path", "workflow_id", "problem", "rejection")
"""Attributes that a line shows, in this order."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One trace. A span whose parent is not in it (another system's) stands at the top."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def began_ns(self) -> int:
        """When the first of its spans began."""
        return min(span.start_ns for span in self.spans)

    def lines(self) -> Iterator[str]:
        """Return it for a terminal."""
        ended = max(span.end_ns for span in self.spans)
        services = ", ".join(sorted({span.service for span in self.spans}))
        yield f"trace {self.trace_id}: {len(self.spans)} spans of {services}, {_ms(ended - self.began_ns)}"
        walked = [(f"{prefix}{span.name}{' FAILED' if span.failed else ''}", span) for prefix, span in self._walk()]
        width = max(len(name) for name, _ in walked)
        for name, span in walked:
            said = " ".join(span.attributes[key] for key in _SAID if key in span.attributes)
            times = f"{_ms(span.start_ns - self.began_ns):>9} {_ms(span.end_ns - span.start_ns):>9}"
            yield f"{name:<{width}} {times}  {said}".rstrip()

    def document(self) -> dict[str, object]:
        """Return it for a program: spans in the order of the tree, each with its depth."""
        return {
            "trace_id": self.trace_id,
            "spans": [
                {
                    "depth": len(prefix) // 3,
                    "span_id": span.span_id,
                    "parent_id": span.parent_id,
                    "service": span.service,
                    "name": span.name,
                    "kind": span.kind.name.lower(),
                    "start_ns": span.start_ns,
                    "end_ns": span.end_ns,
                    "failed": span.failed,
                    "attributes": dict(span.attributes),
                }
                for prefix, span in self._walk()
            ],
        }

    def _walk(self) -> Iterator[tuple[str, Span]]:
        known = {span.span_id for span in self.spans}
        below: dict[str, list[Span]] = {}
        # Spans of one workflow task begin at the same moment; they were written in their order.
        for span in sorted(self.spans, key=lambda each: each.start_ns):
            below.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
        yield from _walk(below, "", "")


def traces(path: Path, what: str | None) -> list[Tree]:
    """Return the traces of a file that `what` is found in (an id, or a part of an attribute), oldest first."""
    spans: dict[str, list[Span]] = {}
    for file in (before(path), path):
        with contextlib.suppress(FileNotFoundError), file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for span in read(line):
                    spans.setdefault(span.trace_id, []).append(span)
    trees = [
        Tree(trace_id, tuple(found))
        for trace_id, found in spans.items()
        if what is None
        or what == trace_id
        or any(what in value for span in found for value in span.attributes.values())
    ]
    return sorted(trees, key=lambda tree: tree.began_ns)


def _walk(below: Mapping[str, list[Span]], parent: str, indent: str) -> Iterator[tuple[str, Span]]:
    children = below.get(parent, [])
    for number, span in enumerate(children):
        last = number == len(children) - 1
        top = not parent
        yield ("" if top else f"{indent}{'`- ' if last else '|- '}"), span
        yield from _walk(below, span.span_id, "" if top else f"{indent}{'   ' if last else '|  '}")


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000:.1f} ms"
