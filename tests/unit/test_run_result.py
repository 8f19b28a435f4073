"""The document of a result: the bytes that every release wrote for the same content, or no run could be done again."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports_sample import END, LOST, START
from worker.domain.finding import Finding, Leg
from worker.domain.finding_codec import encode_finding
from worker.domain.matching.sums import WindowSums
from worker.services.findings import Findings
from worker.services.run_result import Compared, result_chunks

NAMES = st.text(st.sampled_from('a~\x7f\x00"\\é\U0001f600,}] '), max_size=4)


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 120)), max_size=12))
def test_a_result_is_written_as_it_always_was(told: list[tuple[str, str, int]]) -> None:
    findings = [replace(LOST, key=key, cause=cause, at_risk_minor=minor) for key, cause, minor in told]
    facts: Any = SimpleNamespace(
        scope=SimpleNamespace(window_start=START, window_end=END),
        legs_read=frozenset({Leg.PAYMENTS, Leg.ORDERS}),
        incomplete_because=("é",),
    )
    compared = Compared(
        facts=facts, findings=Findings("shop", "stripe", findings), sums=(WindowSums(currency="EUR"),), agreeing=3
    )
    assert b"".join(result_chunks(compared)) == _whole(compared, findings)


def _whole(compared: Compared, findings: list[Finding]) -> bytes:
    """Return the document as the first releases made it, all at once."""
    document = {
        "window": [START.isoformat(), END.isoformat()],
        "legs_read": sorted(compared.facts.legs_read),
        "incomplete_because": list(compared.facts.incomplete_because),
        "agreeing": compared.agreeing,
        "sums": [asdict(one) for one in compared.sums],
        "findings": sorted(map(encode_finding, findings), key=lambda one: json.dumps(one, sort_keys=True)),
    }
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
