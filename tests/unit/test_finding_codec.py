import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import InvalidInput
from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome, Repair, SettledAs, Settlement
from worker.domain.finding_codec import decode_finding, encode_finding, finding_text, read_finding

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
amounts = st.integers(-(2**63), 2**63 - 1)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.one_of(st.just(UTC), offsets))
facts = st.builds(
    Fact,
    record=texts,
    reference=texts,
    amount_minor=st.none() | amounts,
    currency=texts,
    at=moments,
    status=texts,
)
settlements = st.builds(
    Settlement,
    how=st.sampled_from(SettledAs),
    by=texts,
    at=moments,
    reason=texts,
    until=st.none() | moments,
)
findings = st.builds(
    Finding,
    leg=st.sampled_from(Leg),
    key=texts,
    kind=st.sampled_from(FindingKind),
    outcome=st.sampled_from(Outcome),
    currency=texts,
    ours_minor=amounts,
    theirs_minor=amounts,
    at_risk_minor=amounts,
    order_id=texts,
    break_on=st.none() | moments,
    cause=texts,
    ours=st.lists(facts, max_size=3).map(tuple),
    theirs=st.lists(facts, max_size=3).map(tuple),
    repair=st.sampled_from(Repair),
    repair_reference=texts,
    settlement=st.none() | settlements,
    before_minor=st.integers(-(10**15), 10**15),
    suggestions=st.lists(texts, max_size=3).map(tuple),
)
FACT = Fact(record="charge", reference="ch_1", amount_minor=1, currency="EUR", at=datetime(2026, 11, 22, tzinfo=UTC))
FINDING = Finding(
    leg=Leg.PAYMENTS,
    key="order/1",
    kind=FindingKind.DISPUTED,
    outcome=Outcome.BREAK,
    currency="EUR",
    ours_minor=1,
    theirs_minor=2,
    theirs=(FACT,),
)


@given(findings)
def test_a_finding_survives_json(finding: Finding) -> None:
    assert decode_finding(json.loads(json.dumps(encode_finding(finding)))) == finding


@given(findings)
def test_its_text_is_the_document_in_its_one_form(finding: Finding) -> None:
    text = finding_text(finding)
    assert text == json.dumps(encode_finding(finding), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert read_finding(text) == finding


@given(findings)
def test_amounts_are_json_integers_and_times_are_utc(finding: Finding) -> None:
    document = encode_finding(finding)
    assert all(type(document[name]) is int for name in ("ours_minor", "theirs_minor", "at_risk_minor"))
    assert all(fact["at"].endswith("+00:00") for fact in document["ours"] + document["theirs"])


def test_every_field_is_in_the_document() -> None:
    document = encode_finding(FINDING)
    assert document.keys() == {field.name for field in fields(Finding)}
    assert document["theirs"][0].keys() == {field.name for field in fields(Fact)}


@pytest.mark.parametrize(
    "naive",
    [
        replace(FINDING, break_on=datetime(2026, 1, 1)),
        replace(FINDING, theirs=(replace(FACT, at=datetime(2026, 1, 1)),)),
    ],
)
def test_naive_times_are_refused(naive: Finding) -> None:
    with pytest.raises(InvalidInput, match="zone"):
        encode_finding(naive)
    with pytest.raises(InvalidInput, match="zone"):
        finding_text(naive)


def test_a_finding_stored_before_people_could_settle_one_is_read() -> None:
    document = encode_finding(FINDING)
    del document["settlement"]
    assert decode_finding(document) == FINDING


@pytest.mark.parametrize("change", [{"kind": "unheard_of"}, {"leg": None}, {"break_on": "yesterday"}])
def test_an_unknown_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unheard_of|None|yesterday"):
        decode_finding(encode_finding(FINDING) | change)


def test_an_incomplete_document_is_refused() -> None:
    document = encode_finding(FINDING)
    del document["theirs"]
    with pytest.raises(KeyError, match="theirs"):
        decode_finding(document)


def test_documents_of_the_first_release_are_read() -> None:
    document = encode_finding(FINDING)
    for name in ("before_minor", "settlement", "suggestions"):
        del document[name]
    assert decode_finding(document) == FINDING
