"""Signature schemes against the senders' own libraries, and against hostile input of every kind."""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from functions.signatures import SCHEMES, Clock, Rejection, Verdict, Verified

NOW = 1_795_380_000
CLOCK = Clock(NOW, 300)
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()


@dataclass(frozen=True)
class Delivery:
    scheme: str
    secret: str
    headers: Mapping[str, str]
    body: bytes

    def judge(self, *secrets_: str, clock: Clock = CLOCK) -> Verdict:
        scheme = SCHEMES[self.scheme]
        keys = [scheme.key(secret) for secret in secrets_ or (self.secret,)]
        return scheme.verify(self.headers, self.body, keys, clock)


def standard(body: bytes, secret: str = WHSEC, at: int = NOW, message: str = "msg_1") -> Delivery:
    signature = Webhook(secret).sign(message, datetime.fromtimestamp(at, UTC), body.decode())
    headers = {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": signature}
    return Delivery("standard_webhooks", secret, headers, body)


def striped(body: bytes, secret: str = WHSEC, at: int = NOW) -> Delivery:
    digest = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", secret)
    return Delivery("stripe", secret, {"stripe-signature": f"t={at},v1={digest}"}, body)


def shopified(body: bytes, secret: str = WHSEC, at: int = NOW) -> Delivery:
    del at  # nothing in a Shopify delivery is dated
    digest = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return Delivery("shopify", secret, {"x-shopify-hmac-sha256": digest}, body)


SIGNERS: dict[str, Callable[..., Delivery]] = {"standard_webhooks": standard, "stripe": striped, "shopify": shopified}
SIGNATURE_HEADER = {
    "standard_webhooks": "webhook-signature",
    "stripe": "stripe-signature",
    "shopify": "x-shopify-hmac-sha256",
}
BODY = '{"id":"evt_1","type":"payment_intent.succeeded","note":"Zürich"}'.encode()

every_scheme = pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS)
every_dated_scheme = pytest.mark.parametrize("sign", [standard, striped], ids=["standard_webhooks", "stripe"])


@every_scheme
def test_what_the_sender_signed_is_believed(sign: Callable[..., Delivery]) -> None:
    assert sign(BODY).judge() == Verified(0)


def test_stripes_own_library_agrees_with_our_verdicts() -> None:
    at = int(datetime.now(UTC).timestamp())
    delivery = striped(BODY, at=at)
    assert stripe.WebhookSignature.verify_header(BODY.decode(), delivery.headers["stripe-signature"], WHSEC, 300)
    assert delivery.judge(clock=Clock(at, 300)) == Verified(0)


@every_scheme
def test_another_secret_is_a_mismatch(sign: Callable[..., Delivery]) -> None:
    assert sign(BODY).judge(OLDER) is Rejection.MISMATCH


@every_scheme
def test_while_a_secret_is_rotated_both_are_accepted_and_afterwards_only_the_new_one(
    sign: Callable[..., Delivery],
) -> None:
    old, new = sign(BODY, OLDER), sign(BODY, WHSEC)
    assert old.judge(WHSEC, OLDER) == Verified(1)
    assert new.judge(WHSEC, OLDER) == Verified(0)
    assert old.judge(WHSEC) is Rejection.MISMATCH


@every_scheme
def test_no_secret_at_all_believes_nothing(sign: Callable[..., Delivery]) -> None:
    delivery = sign(BODY)
    assert SCHEMES[delivery.scheme].verify(delivery.headers, BODY, [], CLOCK) is Rejection.MISMATCH


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
def test_the_tolerance_holds_on_both_sides(sign: Callable[..., Delivery], offset: int, verdict: Verdict) -> None:
    assert sign(BODY, at=NOW + offset).judge() == verdict


@every_scheme
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_flipped_bit_of_the_body_is_refused(sign: Callable[..., Delivery], data: st.DataObject) -> None:
    delivery = sign(BODY)
    flipped = bytearray(BODY)
    flipped[data.draw(st.integers(0, len(BODY) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert replace(delivery, body=bytes(flipped)).judge() is Rejection.MISMATCH


@every_scheme
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_one_changed_character_of_any_header_is_refused(sign: Callable[..., Delivery], data: st.DataObject) -> None:
    delivery = sign(BODY)
    name = data.draw(st.sampled_from(sorted(delivery.headers)))
    value = delivery.headers[name]
    position = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters().filter(lambda letter: letter != value[position]))
    changed = value[:position] + other + value[position + 1 :]
    assert not isinstance(replace(delivery, headers={**delivery.headers, name: changed}).judge(), Verified)


@every_scheme
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_text_added_to_a_digest_is_refused(sign: Callable[..., Delivery], data: st.DataObject) -> None:
    delivery = sign(BODY)
    name = SIGNATURE_HEADER[delivery.scheme]
    # A blank or comma would begin a new, unreadable entry, which is allowed to stand beside a good one.
    tail = data.draw(st.text(min_size=1, max_size=4).filter(lambda text: text[0] not in " ,"))
    headers = {**delivery.headers, name: delivery.headers[name] + tail}
    assert not isinstance(replace(delivery, headers=headers).judge(), Verified)


_HOSTILE = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="t=v10a,. +_-\n\t\x00é\ud800whsec", max_size=80),
    st.sampled_from(["t,v1=,v0=", "t=,v1=", ",,", ",", "v1,", "v1", "v1,=", " ", "v1,, v1", "t=1,t=1,v1=" + "0" * 64]),
)


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_a_rejection_and_never_an_exception(name: str, data: st.DataObject) -> None:
    scheme = SCHEMES[name]
    present = data.draw(
        st.dictionaries(
            st.sampled_from(["webhook-id", "webhook-timestamp", *SIGNATURE_HEADER.values(), "shopify-hmac-sha256"]),
            _HOSTILE,
        )
    )
    verdict = scheme.verify(present, data.draw(st.binary(max_size=300)), [scheme.key(WHSEC)], CLOCK)
    assert isinstance(verdict, Rejection)


@pytest.mark.parametrize("name", SCHEMES)
def test_without_headers_they_are_missing(name: str) -> None:
    assert SCHEMES[name].verify({}, BODY, [b"key"], CLOCK) is Rejection.MISSING


@every_scheme
def test_bytes_that_are_no_text_can_be_signed(sign: Callable[..., Delivery]) -> None:
    body = b"\xff\xfe\x00not utf-8"
    key = SCHEMES[sign(BODY).scheme].key(WHSEC)
    digest = {
        "standard_webhooks": lambda: hmac.digest(key, f"msg_1.{NOW}.".encode() + body, "sha256"),
        "stripe": lambda: hmac.digest(key, f"{NOW}.".encode() + body, "sha256"),
        "shopify": lambda: hmac.digest(key, body, "sha256"),
    }[sign(BODY).scheme]()
    header = {
        "standard_webhooks": "v1," + base64.b64encode(digest).decode(),
        "stripe": f"t={NOW},v1={digest.hex()}",
        "shopify": base64.b64encode(digest).decode(),
    }[sign(BODY).scheme]
    delivery = sign(BODY)
    headers = {**delivery.headers, SIGNATURE_HEADER[delivery.scheme]: header}
    assert replace(delivery, headers=headers, body=body).judge() == Verified(0)


class TestStandardWebhooks:
    def test_a_good_signature_beside_unreadable_and_foreign_ones_is_found(self) -> None:
        delivery = standard(BODY)
        good = delivery.headers["webhook-signature"]
        for listed in (f"v1,!!! {good}", f"v1a,AAAA {good}", f"v1 v1,a,b  {good}", f"{good} v2,x"):
            assert replace(delivery, headers={**delivery.headers, "webhook-signature": listed}).judge() == Verified(0)

    def test_only_asymmetric_signatures_cannot_be_read(self) -> None:
        delivery = standard(BODY)
        headers = {**delivery.headers, "webhook-signature": "v1a," + "A" * 88}
        assert replace(delivery, headers=headers).judge() is Rejection.MALFORMED

    def test_a_flood_of_signatures_is_not_worked_through(self) -> None:
        delivery = standard(BODY)
        headers = {**delivery.headers, "webhook-signature": " ".join([delivery.headers["webhook-signature"]] * 17)}
        assert replace(delivery, headers=headers).judge() is Rejection.MALFORMED

    def test_an_id_with_a_full_stop_could_be_split_elsewhere_and_is_refused(self) -> None:
        assert standard(BODY, message="msg_1.5").judge() is Rejection.MALFORMED

    @pytest.mark.parametrize("time", [f"{NOW}.0", f" {NOW}", f"+{NOW}", f"{NOW}_0", "0", "1e9", "\uff11\uff17"])
    def test_times_are_plain_digits(self, time: str) -> None:
        delivery = standard(BODY)
        assert replace(delivery, headers={**delivery.headers, "webhook-timestamp": time}).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize(
        "secret",
        ["", "whsec_", "whsec_short", "whsec_!!!!" + "A" * 40, WHSEC.removeprefix("whsec_"), "whsec_" + "A" * 200],
    )
    def test_unusable_secrets_are_refused_without_showing_them(self, secret: str) -> None:
        with pytest.raises(ValueError, match=r"must|base64") as caught:
            SCHEMES["standard_webhooks"].key(secret)
        assert secret.removeprefix("whsec_") not in str(caught.value) or len(secret) < 10

    def test_a_secret_without_its_padding_is_the_same_secret(self) -> None:
        assert standard(BODY).judge(WHSEC.rstrip("=")) == Verified(0)


class TestStripe:
    def test_each_of_several_signatures_may_be_the_good_one(self) -> None:
        good = striped(BODY).headers["stripe-signature"].removeprefix(f"t={NOW},")
        for listed in (f"t={NOW},v1={'0' * 64},{good}", f"t={NOW},v0=abc,v1=,{good}", f"{good},t={NOW}"):
            assert Delivery("stripe", WHSEC, {"stripe-signature": listed}, BODY).judge() == Verified(0)

    def test_the_same_secret_is_another_key_than_for_standard_webhooks(self) -> None:
        assert SCHEMES["stripe"].key(WHSEC) == WHSEC.encode()
        assert SCHEMES["standard_webhooks"].key(WHSEC) == bytes(range(32))

    def test_two_times_leave_open_which_was_signed(self) -> None:
        header = striped(BODY).headers["stripe-signature"]
        assert Delivery("stripe", WHSEC, {"stripe-signature": f"{header},t={NOW}"}, BODY).judge() is Rejection.MALFORMED

    def test_upper_case_digests_are_another_spelling_and_refused(self) -> None:
        time, _, digest = striped(BODY).headers["stripe-signature"].partition(",v1=")
        assert digest.upper() != digest
        delivery = Delivery("stripe", WHSEC, {"stripe-signature": f"{time},v1={digest.upper()}"}, BODY)
        assert delivery.judge() is Rejection.MALFORMED


class TestShopify:
    def test_the_newer_header_name_is_understood(self) -> None:
        delivery = shopified(BODY)
        headers = {"shopify-hmac-sha256": delivery.headers["x-shopify-hmac-sha256"]}
        assert replace(delivery, headers=headers).judge() == Verified(0)

    def test_spare_bits_of_base64_may_not_be_played_with(self) -> None:
        delivery = shopified(BODY)
        digest = delivery.headers["x-shopify-hmac-sha256"]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        twin = digest[:-2] + alphabet[alphabet.index(digest[-2]) + 1] + "="
        assert base64.b64decode(twin) == base64.b64decode(digest)
        assert replace(delivery, headers={"x-shopify-hmac-sha256": twin}).judge() is Rejection.MALFORMED
