import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome
from worker.domain.finding_codec import decode_finding, encode_finding, finding_text
from worker.domain.matching.sums import WindowSums
from worker.lake.files import canonical
from worker.lake.judged import read_judged, written
from worker.services.ports.lake import Judged

FINDING = Finding(
    leg=Leg.PAYMENTS,
    key="order/1",
    kind=FindingKind.AMOUNT_UNDER,
    outcome=Outcome.BREAK,
    currency="EUR",
    ours_minor=100,
    theirs_minor=90,
)
# Whatever ends a line somewhere, or looks like the end of a finding or of the whole.
texts = st.text(st.one_of(st.sampled_from('\n\r\u2028,"]}[{\\'), st.characters(exclude_categories=["Cs"])), max_size=12)
facts = st.builds(
    Fact,
    record=texts,
    reference=texts,
    amount_minor=st.none() | st.integers(),
    currency=texts,
    at=st.just(datetime(2026, 11, 29, tzinfo=UTC)),
    status=texts,
)
findings = st.builds(
    lambda key, cause, sides: replace(FINDING, key=key, cause=cause, ours=tuple(sides)),
    texts,
    texts,
    st.lists(facts, max_size=2),
)
sums = st.builds(WindowSums, currency=texts, ours_minor=st.integers(), converted_minor=st.integers())
parts = st.builds(
    Judged,
    findings=st.lists(findings, max_size=4).map(tuple),
    sums=st.lists(sums, max_size=2).map(tuple),
    agreeing=st.integers(0, 9),
)


@given(parts)
def test_what_was_judged_is_read_as_it_was_written(judged: Judged) -> None:
    kept = read_judged(written(judged))
    assert tuple(kept.findings) == judged.findings
    assert kept.texts == tuple(map(finding_text, judged.findings))
    assert (kept.sums, kept.agreeing) == (judged.sums, judged.agreeing)


@given(parts)
def test_a_worker_of_the_release_before_reads_it_too(judged: Judged) -> None:
    document = json.loads(written(judged))
    assert tuple(decode_finding(one) for one in document["findings"]) == judged.findings
    assert [WindowSums(**one) for one in document["sums"]] == list(judged.sums)
    assert document["agreeing"] == judged.agreeing


@given(parts)
def test_what_a_worker_of_the_release_before_wrote_is_read(judged: Judged) -> None:
    document = {
        "findings": [encode_finding(one) for one in judged.findings],
        "sums": [asdict(one) for one in judged.sums],
        "agreeing": judged.agreeing,
    }
    assert read_judged(canonical(document)) == read_judged(written(judged))
    del document["agreeing"]
    assert read_judged(canonical(document)).agreeing == 0
