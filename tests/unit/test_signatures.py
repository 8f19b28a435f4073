"""What holds for every signature scheme, against the senders' own libraries and hostile input of every kind."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from functions.signatures import SCHEMES, Clock, Rejection, Verdict, Verified
from tests.unit.signed_deliveries import (
    BODY,
    CLOCK,
    DATED,
    NOW,
    OLDER,
    SIGNATURE_HEADER,
    SIGNERS,
    WHSEC,
    Delivery,
    adyen_item,
    standard,
    striped,
)

Signer = Callable[..., Delivery]

every_scheme = pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS)
every_dated_scheme = pytest.mark.parametrize("sign", DATED.values(), ids=DATED)
really_every_scheme = pytest.mark.parametrize(
    "sign", [*SIGNERS.values(), lambda _: adyen_item()], ids=[*SIGNERS, "adyen"]
)


def test_no_scheme_is_left_out_here() -> None:
    assert {*SIGNERS, "adyen"} == {*SCHEMES, "hmac"}


@really_every_scheme
def test_what_the_sender_signed_is_believed(sign: Signer) -> None:
    assert sign(BODY).judge() == Verified(0)


def test_the_senders_own_libraries_agree_with_our_verdicts() -> None:
    at = int(datetime.now(UTC).timestamp())
    by_stripe = striped(BODY, at=at)
    assert stripe.WebhookSignature.verify_header(BODY.decode(), by_stripe.headers["stripe-signature"], WHSEC, 300)
    by_standard = standard(BODY, at=at)
    Webhook(WHSEC).verify(BODY.decode(), dict(by_standard.headers))
    for delivery in (by_stripe, by_standard):
        assert delivery.judge(clock=Clock(at, 300)) == Verified(0)


@every_scheme
def test_while_a_secret_is_rotated_both_are_accepted_and_afterwards_only_the_new_one(sign: Signer) -> None:
    old, new = sign(BODY, OLDER), sign(BODY, WHSEC)
    assert old.judge(new.secret, old.secret) == Verified(1)
    assert new.judge(new.secret, old.secret) == Verified(0)
    assert old.judge(new.secret) is Rejection.MISMATCH


@really_every_scheme
def test_no_secret_at_all_believes_nothing(sign: Signer) -> None:
    delivery = sign(BODY)
    assert delivery.verifier.verify(delivery.headers, delivery.body, [], CLOCK) is Rejection.MISMATCH


@every_dated_scheme
@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (-300, Verified(0)),
        (300, Verified(0)),
        (-301, Rejection.TOO_OLD),
        (301, Rejection.TOO_NEW),
        (86400, Rejection.TOO_NEW),
    ],
)
def test_the_tolerance_holds_on_both_sides(sign: Signer, offset: int, verdict: Verdict) -> None:
    assert sign(BODY, at=NOW + offset).judge() == verdict


@every_scheme
def test_every_flipped_bit_of_the_body_is_refused(sign: Signer) -> None:
    delivery = sign(BODY)
    for bit in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[bit // 8] ^= 1 << bit % 8
        assert replace(delivery, body=bytes(flipped)).judge() is Rejection.MISMATCH


@every_scheme
def test_every_flipped_bit_of_every_header_is_refused(sign: Signer) -> None:
    """The headers here are those that a scheme reads: signature, id and time."""
    delivery = sign(BODY)
    for name, value in delivery.headers.items():
        for bit in range(len(value) * 8):
            flipped = [*value]
            flipped[bit // 8] = chr(ord(flipped[bit // 8]) ^ 1 << bit % 8)
            assert isinstance(delivery.with_header(name, "".join(flipped)).judge(), Rejection), (name, flipped)


def test_every_flipped_bit_of_an_adyen_item_is_refused_or_changes_nothing_that_is_signed() -> None:
    """The signature is of eight fields: a flipped bit elsewhere is seen by nobody, in every implementation."""
    delivery = adyen_item()
    believed = 0
    for bit in range(len(delivery.body) * 8):
        flipped = bytearray(delivery.body)
        flipped[bit // 8] ^= 1 << bit % 8
        if isinstance(replace(delivery, body=bytes(flipped)).judge(), Verified):
            believed += 1
            assert signed_of(bytes(flipped)) == signed_of(delivery.body)
    assert 0 < believed < len(delivery.body) * 8 / 3


def signed_of(body: bytes) -> list[object]:
    item = json.loads(body)["notificationItems"][0]["NotificationRequestItem"]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference", "eventCode", "success")
    return [*(item.get(name) for name in names), item["amount"]["value"], item["amount"]["currency"]]


@every_scheme
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_one_changed_character_of_any_header_is_refused(sign: Signer, data: st.DataObject) -> None:
    delivery = sign(BODY)
    name = data.draw(st.sampled_from(sorted(delivery.headers)))
    value = delivery.headers[name]
    position = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters().filter(lambda letter: letter != value[position]))
    changed = value[:position] + other + value[position + 1 :]
    assert not isinstance(delivery.with_header(name, changed).judge(), Verified)


@every_scheme
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_text_added_to_a_digest_is_refused(sign: Signer, data: st.DataObject) -> None:
    delivery = sign(BODY)
    name = SIGNATURE_HEADER[delivery.scheme]
    # A blank or comma would begin a new, unreadable entry, which is allowed to stand beside a good one.
    tail = data.draw(st.text(min_size=1, max_size=4).filter(lambda text: text[0] not in " ,"))
    assert not isinstance(delivery.with_header(name, delivery.headers[name] + tail).judge(), Verified)


@every_scheme
def test_each_missing_header_is_missing_and_no_other_will_do(sign: Signer) -> None:
    delivery = sign(BODY)
    for name in delivery.headers:
        fewer = {other: value for other, value in delivery.headers.items() if other != name}
        assert replace(delivery, headers=fewer).judge() is Rejection.MISSING
        assert replace(delivery, headers={**fewer, name: ""}).judge() is Rejection.MISSING
        assert replace(delivery, headers={**fewer, f"x-{name}": delivery.headers[name]}).judge() is Rejection.MISSING


_HOSTILE = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="t=v10a,. +_-\n\t\x00é\ud800whsec", max_size=80),
    st.sampled_from(["t,v1=,v0=", "t=,v1=", ",,", ",", "v1,", "v1", "v1,=", " ", "v1,, v1", "t=1,t=1,v1=" + "0" * 64]),
    st.sampled_from(["sha256=", "sha256=" + "G" * 64, "v0=" + "0" * 64, "v1a," + "A" * 86 + "==", str(NOW), "msg_1"]),
)
_HEADERS = sorted({name for sign in SIGNERS.values() for name in sign().headers} | {"shopify-hmac-sha256"})


@really_every_scheme
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_a_rejection_and_never_an_exception(sign: Signer, data: st.DataObject) -> None:
    honest = sign(BODY)
    present = data.draw(st.dictionaries(st.sampled_from(_HEADERS), _HOSTILE))
    kept = data.draw(st.sets(st.sampled_from(sorted(honest.headers)))) if honest.headers else set[str]()
    headers = {**present, **{name: honest.headers[name] for name in kept}}
    body = data.draw(st.binary(max_size=300))
    assert isinstance(replace(honest, headers=headers, body=body).judge(), Rejection)


@every_scheme
def test_bytes_that_are_no_text_can_be_signed(sign: Signer) -> None:
    assert sign(b"\xff\xfe\x00not utf-8").judge() == Verified(0)
