"""What is particular to each signature scheme."""

import base64
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.signatures import SCHEMES, HmacRule, Rejection, Verified, scheme_named
from tests.unit.signed_deliveries import (
    BODY,
    NOW,
    OLDER,
    TIMED,
    WHSEC,
    Delivery,
    adyen_item,
    adyen_key,
    asymmetric,
    described,
    githubbed,
    notification,
    public_of,
    shopified,
    standard,
    striped,
    svix,
)


class TestStandardWebhooks:
    def test_a_good_signature_beside_unreadable_and_foreign_ones_is_found(self) -> None:
        delivery = standard()
        good = delivery.headers["webhook-signature"]
        for listed in (f"v1,!!! {good}", f"v1a,AAAA {good}", f"v1 v1,a,b  {good}", f"{good} v2,x"):
            assert delivery.with_header("webhook-signature", listed).judge() == Verified(0)

    def test_only_asymmetric_signatures_cannot_be_read(self) -> None:
        assert replace(asymmetric(), scheme="standard_webhooks", secret=WHSEC).judge() is Rejection.MALFORMED

    def test_a_flood_of_signatures_is_not_worked_through(self) -> None:
        delivery = standard()
        listed = " ".join([delivery.headers["webhook-signature"]] * 17)
        assert delivery.with_header("webhook-signature", listed).judge() is Rejection.MALFORMED

    def test_an_id_with_a_full_stop_could_be_split_elsewhere_and_is_refused(self) -> None:
        assert standard(message="msg_1.5").judge() is Rejection.MALFORMED

    @pytest.mark.parametrize("time", [f"{NOW}.0", f" {NOW}", f"+{NOW}", f"{NOW}_0", "0", "1e9", "\uff11\uff17"])
    def test_times_are_plain_digits(self, time: str) -> None:
        assert standard().with_header("webhook-timestamp", time).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize(
        "secret",
        ["", "whsec_", "whsec_short", "whsec_!!!!" + "A" * 40, WHSEC.removeprefix("whsec_"), "whsec_" + "A" * 200],
    )
    def test_unusable_secrets_are_refused_without_showing_them(self, secret: str) -> None:
        with pytest.raises(ValueError, match=r"must|base64") as caught:
            SCHEMES["standard_webhooks"].key(secret)
        assert secret.removeprefix("whsec_") not in str(caught.value) or len(secret) < 10

    def test_a_secret_without_its_padding_is_the_same_secret(self) -> None:
        assert standard().judge(WHSEC.rstrip("=")) == Verified(0)

    def test_only_the_names_that_settings_chose_are_read(self) -> None:
        """A signed id under one set of names must not carry another id under the other."""
        both = {**svix().headers, **standard(secret=OLDER, message="msg_2").headers}
        assert replace(standard(), headers=both).judge() is Rejection.MISMATCH
        assert replace(standard(), headers=svix().headers).judge() is Rejection.MISSING
        assert replace(svix(), headers=standard().headers).judge() is Rejection.MISSING


class TestStandardWebhooksV1a:
    def test_a_good_signature_beside_symmetric_and_unreadable_ones_is_found(self) -> None:
        delivery = asymmetric()
        good = delivery.headers["webhook-signature"]
        for listed in (f"{standard().headers['webhook-signature']} {good}", f"v1a,!! v1a,AAAA {good}", f"{good} v2,x"):
            assert delivery.with_header("webhook-signature", listed).judge() == Verified(0)

    def test_a_public_key_is_never_the_key_of_an_hmac(self) -> None:
        """Who knows the public key, everybody that is, must not be able to sign with it the old way."""
        key = base64.b64decode(public_of(WHSEC).removeprefix("whpk_"))
        forged = standard(secret="whsec_" + base64.b64encode(key).decode())
        assert replace(forged, scheme="standard_webhooks_v1a", secret=public_of(WHSEC)).judge() is Rejection.MALFORMED
        with pytest.raises(ValueError, match="whsec_"):
            SCHEMES["standard_webhooks"].key(public_of(WHSEC))

    def test_a_flood_of_signatures_is_not_worked_through(self) -> None:
        delivery = asymmetric()
        listed = " ".join([delivery.headers["webhook-signature"]] * 7)
        assert delivery.with_header("webhook-signature", listed).judge() is Rejection.MALFORMED

    def test_the_order_of_the_group_may_not_be_added_to_a_signature(self) -> None:
        """The textbook malleability of ed25519: s and s + L are the same to a lax verifier."""
        delivery = asymmetric()
        raw = base64.b64decode(delivery.headers["webhook-signature"].removeprefix("v1a,"))
        order = 2**252 + 27742317777372353535851937790883648493
        twin = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
        listed = "v1a," + base64.b64encode(twin).decode()
        assert delivery.with_header("webhook-signature", listed).judge() is Rejection.MISMATCH

    @pytest.mark.parametrize("secret", ["", "whpk_", "whpk_AAAA", "whpk_!" + "A" * 43, WHSEC, "whpk_" + "A" * 88])
    def test_what_is_no_public_key_is_refused(self, secret: str) -> None:
        with pytest.raises(ValueError, match=r"whpk_|32 bytes"):
            SCHEMES["standard_webhooks_v1a"].key(secret)

    def test_a_private_key_is_refused_by_name_and_not_shown(self) -> None:
        private = "whsk_" + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw() * 2).decode()
        with pytest.raises(ValueError, match="private key") as caught:
            SCHEMES["standard_webhooks_v1a"].key(private)
        assert private[5:] not in str(caught.value)


class TestStripe:
    def test_each_of_several_signatures_may_be_the_good_one(self) -> None:
        good = striped().headers["stripe-signature"].removeprefix(f"t={NOW},")
        for listed in (f"t={NOW},v1={'0' * 64},{good}", f"t={NOW},v0=abc,v1=,{good}", f"{good},t={NOW}"):
            assert Delivery("stripe", WHSEC, {"stripe-signature": listed}, BODY).judge() == Verified(0)

    def test_the_same_secret_is_another_key_than_for_standard_webhooks(self) -> None:
        assert SCHEMES["stripe"].key(WHSEC) == WHSEC.encode()
        assert SCHEMES["standard_webhooks"].key(WHSEC) == bytes(range(32))

    def test_two_times_leave_open_which_was_signed(self) -> None:
        header = striped().headers["stripe-signature"]
        assert Delivery("stripe", WHSEC, {"stripe-signature": f"{header},t={NOW}"}, BODY).judge() is Rejection.MALFORMED

    def test_upper_case_digests_are_another_spelling_and_refused(self) -> None:
        time, _, digest = striped().headers["stripe-signature"].partition(",v1=")
        assert digest.upper() != digest
        delivery = Delivery("stripe", WHSEC, {"stripe-signature": f"{time},v1={digest.upper()}"}, BODY)
        assert delivery.judge() is Rejection.MALFORMED


class TestShopify:
    def test_the_newer_header_name_is_understood(self) -> None:
        delivery = shopified()
        headers = {"shopify-hmac-sha256": delivery.headers["x-shopify-hmac-sha256"]}
        assert replace(delivery, headers=headers).judge() == Verified(0)

    def test_spare_bits_of_base64_may_not_be_played_with(self) -> None:
        delivery = shopified()
        digest = delivery.headers["x-shopify-hmac-sha256"]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        twin = digest[:-2] + alphabet[alphabet.index(digest[-2]) + 1] + "="
        assert base64.b64decode(twin) == base64.b64decode(digest)
        assert replace(delivery, headers={"x-shopify-hmac-sha256": twin}).judge() is Rejection.MALFORMED


class TestGitHub:
    def test_the_digest_needs_its_prefix_and_sha1_is_not_read(self) -> None:
        delivery = githubbed()
        digest = delivery.headers["x-hub-signature-256"].removeprefix("sha256=")
        assert delivery.with_header("x-hub-signature-256", digest).judge() is Rejection.MALFORMED
        assert delivery.with_header("x-hub-signature-256", f"sha1={digest[:40]}").judge() is Rejection.MALFORMED
        old = {"x-hub-signature": "sha1=" + hmac.digest(WHSEC.encode(), BODY, "sha1").hex()}
        assert replace(delivery, headers=old).judge() is Rejection.MISSING


class TestAdyen:
    SIGNED: tuple[tuple[str, Any], ...] = (
        ("pspReference", "NC6HT9CRT65ZGN83"),
        ("originalReference", "NC6HT9CRT65ZGN82"),
        ("merchantAccountCode", "ShopAT"),
        ("merchantReference", "main/1002"),
        ("amount", {"value": 4289, "currency": "EUR"}),
        ("amount", {"value": 4288, "currency": "USD"}),
        ("eventCode", "REFUND"),
        ("success", "false"),
    )

    @staticmethod
    def item_of(delivery: Delivery) -> dict[str, Any]:
        item: dict[str, Any] = json.loads(delivery.body)["notificationItems"][0]["NotificationRequestItem"]
        return item

    @pytest.mark.parametrize(("name", "value"), SIGNED)
    def test_every_signed_field_is_guarded(self, name: str, value: Any) -> None:
        delivery = adyen_item()
        changed = notification({**self.item_of(delivery), name: value})
        assert replace(delivery, body=changed).judge() is Rejection.MISMATCH

    def test_what_adyen_does_not_sign_is_not_guarded(self) -> None:
        """A fact to know: these fields are hints, in every implementation of this scheme."""
        delivery = adyen_item()
        changed = notification({**self.item_of(delivery), "reason": "other", "eventDate": "2027-01-01T00:00:00+00:00"})
        assert replace(delivery, body=changed).judge() == Verified(0)

    @pytest.mark.parametrize(
        "changes",
        [
            {"merchantReference": "a:b", "merchantAccountCode": "Shop"},
            {"merchantReference": None},
            {"merchantReference": "\\:/\\/ü"},
            {"originalReference": "8513907373412347"},
            {"amount": {"value": 0, "currency": "JPY"}},
        ],
    )
    def test_what_adyen_may_send_is_believed(self, changes: dict[str, Any]) -> None:
        assert adyen_item(**changes).judge() == Verified(0)

    def test_one_signature_does_not_fit_fields_cut_in_another_way(self) -> None:
        """Colons are not escaped in what is signed: the reference could lend a part of itself to its neighbour."""
        delivery = adyen_item(merchantAccountCode="Shop", merchantReference="DE:1001")
        recut = {"merchantAccountCode": "Shop:DE", "merchantReference": "1001"}
        changed = notification({**self.item_of(delivery), **recut})
        assert replace(delivery, body=changed).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize(
        "changes",
        [
            {"pspReference": None},
            {"pspReference": ["x"]},
            {"amount": None},
            {"amount": {"value": 42.88, "currency": "EUR"}},
            {"amount": {"value": True, "currency": "EUR"}},
            {"amount": {"value": "4288", "currency": "EUR"}},
            {"amount": {"value": 4288, "currency": "eur"}},
            {"success": True},
            {"additionalData": {"hmacSignature": 7}},
            {"additionalData": {"hmacSignature": "short"}},
            {"merchantReference": "\ud800"},
        ],
    )
    def test_fields_that_adyen_never_sends_are_malformed(self, changes: dict[str, Any]) -> None:
        delivery = adyen_item()
        body = notification({**self.item_of(delivery), **changes})
        assert replace(delivery, body=body).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize("extra", [None, {}, [], "x"])
    def test_without_a_signature_it_is_missing(self, extra: Any) -> None:
        delivery = adyen_item()
        body = notification({**self.item_of(delivery), "additionalData": extra})
        assert replace(delivery, body=body).judge() is Rejection.MISSING

    def test_two_notifications_or_none_are_not_adyens(self) -> None:
        delivery = adyen_item()
        item = self.item_of(delivery)
        for body in (notification(item, item), notification(), b"[]", b"{}", b'{"notificationItems":{"0":{}}}', b"["):
            assert replace(delivery, body=body).judge() is Rejection.MALFORMED

    def test_a_name_that_stands_twice_does_not_choose_what_is_checked(self) -> None:
        delivery = adyen_item()
        twice = delivery.body.replace(b'"success"', b'"success": "false", "success"')
        assert twice != delivery.body
        assert replace(delivery, body=twice).judge() is Rejection.MALFORMED

    @settings(max_examples=200, deadline=None)
    @given(data=st.data())
    def test_no_changed_byte_is_believed_with_other_signed_fields(self, data: st.DataObject) -> None:
        delivery = adyen_item()
        changed = bytearray(delivery.body)
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        verdict = replace(delivery, body=bytes(changed)).judge()
        if isinstance(verdict, Verified):
            ours, theirs = self.item_of(delivery), self.item_of(replace(delivery, body=bytes(changed)))
            for name, _ in self.SIGNED:
                assert ours.get(name) == theirs.get(name)

    @pytest.mark.parametrize("name", ["adyen", "adyen_platform"])
    @pytest.mark.parametrize("secret", ["", "zz", "ab" * 31, "ab" * 33, " " + "ab" * 32])
    def test_keys_are_64_hex_digits(self, name: str, secret: str) -> None:
        with pytest.raises(ValueError, match="64 hex digits"):
            SCHEMES[name].key(secret)

    def test_keys_may_be_written_in_either_case(self) -> None:
        assert adyen_item().judge(adyen_key(WHSEC).lower()) == Verified(0)


class TestGenericHmac:
    RULES: tuple[HmacRule, ...] = (
        HmacRule(header="x-sign"),
        HmacRule(header="x-sign", algorithm="sha512", encoding="base64"),
        HmacRule(header="x-sign", algorithm="sha384", prefix="sha384="),
        HmacRule(header="x-sign", key_encoding="base64"),
        HmacRule(header="x-sign", prefix="v0=", signed="v0:{timestamp}:{body}", timestamp_header="x-time"),
        HmacRule(header="x-sign", signed="{id}\n{body}", id_header="x-id"),
        TIMED,
    )

    @pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
    def test_each_way_of_signing_can_be_described(self, rule: HmacRule) -> None:
        delivery = described(rule=rule)
        assert delivery.judge() == Verified(0)
        assert replace(delivery, body=BODY + b" ").judge() is Rejection.MISMATCH

    @pytest.mark.parametrize("named", [shopified, githubbed, standard])
    def test_the_named_schemes_are_cases_of_it(self, named: Any) -> None:
        rule = {
            "shopify": HmacRule(header="x-shopify-hmac-sha256", encoding="base64"),
            "github": HmacRule(header="x-hub-signature-256", prefix="sha256="),
            "standard_webhooks": HmacRule(
                header="webhook-signature",
                encoding="base64",
                prefix="v1,",
                separator=" ",
                signed="{id}.{timestamp}.{body}",
                id_header="webhook-id",
                timestamp_header="webhook-timestamp",
                key_encoding="base64",
            ),
        }[named().scheme]
        secret = WHSEC.removeprefix("whsec_") if rule.key_encoding == "base64" else WHSEC
        assert replace(named(), scheme="hmac", rule=rule, secret=secret).judge() == Verified(0)

    def test_each_of_several_signatures_may_be_the_good_one(self) -> None:
        delivery = described()
        good = delivery.headers[TIMED.header]
        for listed in (f"v0={'0' * 64},{good}", f"{good},", f"v0=,{good.removeprefix('v0=')}"):
            assert delivery.with_header(TIMED.header, listed).judge() == Verified(0)
        assert delivery.with_header(TIMED.header, ",".join([good] * 17)).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize("message", ["msg 1", "msg:1", "msg.1", "é", "x" * 129])
    def test_an_id_that_could_reach_into_its_neighbours_is_malformed(self, message: str) -> None:
        assert described().with_header("x-acme-id", message).judge() is Rejection.MALFORMED

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"header": ""}, "hmac.header"),
            ({"header": "X-Sign"}, "hmac.header"),
            ({"algorithm": "md5"}, "hmac.algorithm"),
            ({"algorithm": "sha1"}, "hmac.algorithm"),
            ({"encoding": "base32"}, "hmac.encoding"),
            ({"key_encoding": "utf-8"}, "hmac.key_encoding"),
            ({"signed": ""}, "hmac.signed"),
            ({"signed": "constant"}, "hmac.signed"),
            ({"signed": "{body}{body}"}, "hmac.signed"),
            ({"signed": "{body}.suffix"}, "hmac.signed"),
            ({"signed": "{url}.{body}"}, "hmac.signed"),
            ({"signed": "{timestamp}.{body}"}, "hmac.timestamp_header"),
            ({"signed": "{timestamp}{body}", "timestamp_header": "x-time"}, "hmac.signed"),
            ({"signed": "{timestamp}0{body}", "timestamp_header": "x-time"}, "hmac.signed"),
            ({"signed": "{id}-{body}", "id_header": "x-id"}, "hmac.signed"),
            ({"timestamp_header": "x-time"}, "hmac.timestamp_header: is not part"),
            ({"id_header": "x-id"}, "hmac.id_header: is not part"),
        ],
    )
    def test_a_rule_that_is_not_sound_is_refused_by_the_name_of_its_key(
        self, changes: dict[str, str], told: str
    ) -> None:
        with pytest.raises(ValueError, match=r"^hmac\.") as caught:
            scheme_named("hmac", HmacRule(**{"header": "x-sign", **changes}))
        assert str(caught.value).startswith(told)

    @pytest.mark.parametrize(("encoding", "secret"), [("hex", "xyz"), ("hex", "abc"), ("base64", "a"), ("base64", "é")])
    def test_a_secret_that_is_not_so_written_is_refused(self, encoding: str, secret: str) -> None:
        with pytest.raises(ValueError, match=f"is not {encoding}"):
            scheme_named("hmac", HmacRule(header="x-sign", key_encoding=encoding)).key(secret)
        with pytest.raises(ValueError, match="empty"):
            scheme_named("hmac", HmacRule(header="x-sign", key_encoding=encoding)).key("")

    def test_it_needs_its_table_and_no_other_scheme_takes_one(self) -> None:
        with pytest.raises(ValueError, match="needs a table"):
            scheme_named("hmac", None)
        with pytest.raises(ValueError, match="only"):
            scheme_named("stripe", TIMED)
        with pytest.raises(ValueError, match="adyen_platform, github, hmac, shopify"):
            scheme_named("strype", None)
