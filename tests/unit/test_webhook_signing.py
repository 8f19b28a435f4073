"""What `orders webhooks send` signs, the functions believe: every scheme, any body; and nothing else does."""

import base64
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from functions.signatures import SCHEMES, UNSIGNED, Clock, HmacRule, Verified, scheme_named
from tests.unit.signed_deliveries import TIMED, WHSEC, adyen_item, adyen_key, public_of
from worker.cli.webhooks_send import send
from worker.domain.errors import InvalidInput, NotFound, OrdersError
from worker.gateways.webhook_signing import _SIGNERS, Envelope, HmacDescription, signer_of

NOW = 1_795_380_000
ENVELOPE = Envelope(event_id="msg_1", topic="orders/paid", at=NOW)
SECRETS = {"adyen": adyen_key(WHSEC), "adyen_platform": adyen_key(WHSEC)}
VERIFYING = {"standard_webhooks_v1a": public_of(WHSEC)}
SIMPLE = HmacRule(header="x-sig", encoding="base64", algorithm="sha512", key_encoding="base64")
SHOP_SECRET = "shop-secret-never-shown"


def believed(scheme: str, body: bytes, rule: HmacRule | None = None, *, at: int = NOW) -> bool:
    secret = SECRETS.get(scheme, WHSEC[6:] if rule and rule.key_encoding == "base64" else WHSEC)
    description = HmacDescription(**asdict(rule)) if rule else None
    signed = signer_of(scheme, description)(body, secret, replace(ENVELOPE, at=at))
    verifier = scheme_named(scheme, rule)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    key = verifier.key(VERIFYING.get(scheme, secret))
    return isinstance(verifier.verify(headers, signed.body, [key], Clock(NOW, 300)), Verified)


def test_there_is_a_signer_for_every_scheme() -> None:
    assert set(_SIGNERS) == {*SCHEMES, UNSIGNED}
    with pytest.raises(InvalidInput, match="there are hmac, adyen"):
        signer_of("guessed")


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"adyen"}))
@given(body=st.binary(max_size=300))
def test_any_body_signed_is_believed(scheme: str, body: bytes) -> None:
    assert believed(scheme, body)


@pytest.mark.parametrize("rule", [TIMED, SIMPLE], ids=["timed", "simple"])
@given(body=st.binary(max_size=300))
def test_a_described_scheme_signs_as_it_is_described(rule: HmacRule, body: bytes) -> None:
    assert believed("hmac", body, rule)


@given(reference=st.text(max_size=20), amount=st.integers(0, 10**9))
def test_adyen_signs_inside_the_body(reference: str, amount: int) -> None:
    stored = adyen_item(merchantReference=reference, amount={"value": amount, "currency": "EUR"}).body
    item = json.loads(stored)["notificationItems"][0]["NotificationRequestItem"]
    item["additionalData"] = {"hmacSignature": "of another key", "shopperReference": "kept"}
    unsigned = json.dumps({"notificationItems": [{"NotificationRequestItem": item}]}).encode()
    assert believed("adyen", unsigned)


@pytest.mark.parametrize("scheme", ["standard_webhooks", "svix", "standard_webhooks_v1a", "stripe"])
def test_a_dated_signature_is_of_its_own_time(scheme: str) -> None:
    assert not believed(scheme, b"{}", at=NOW - 301)


@pytest.mark.parametrize("scheme", ["adyen", "standard_webhooks"])
def test_what_cannot_be_signed_is_said(scheme: str) -> None:
    with pytest.raises(InvalidInput):
        signer_of(scheme)(b"no notification", "no key of any kind", ENVELOPE)


class TestCommand:
    @pytest.fixture(autouse=True)
    def settings(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("ORDERS_ENV", "test")
        monkeypatch.setenv("ORDERS_WEBHOOKS__SHOPIFY__SECRETS", json.dumps([SHOP_SECRET]))
        monkeypatch.setenv("ORDERS_WEBHOOKS__STRIPE__SECRETS", json.dumps([{"value": WHSEC, "name": "2026-11"}]))
        monkeypatch.delenv("ORDERS_WEBHOOKS__WAREHOUSE__SECRETS", raising=False)
        self.file = tmp_path / "event.json"
        self.file.write_text('{"id": "evt_1", "type": "charge.refunded", "note": "Zürich"}', encoding="utf-8")

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(send, [arguments[0], str(self.file), *arguments[1:]])
        if isinstance(done.exception, OrdersError):
            raise done.exception
        assert done.exit_code == 0, done.output
        assert SHOP_SECRET not in done.output
        return done.output

    def test_a_dry_run_shows_the_delivery_and_sends_nothing(self) -> None:
        said = self.run("shopify", "--type", "orders/paid", "--id", "wh-1", "--dry-run", "--url", "http://127.0.0.1:9")
        assert "X-Shopify-Webhook-Id: wh-1" in said
        assert "X-Shopify-Topic: orders/paid" in said
        assert self.file.read_text("utf-8") in said
        assert "POST http://127.0.0.1:9/webhooks/shopify" in said

    def test_a_new_id_goes_where_the_sender_puts_it(self) -> None:
        said = self.run("stripe", "--new-ids", "--dry-run")
        assert "evt_1" not in said
        assert '"note": "Zürich"' in said

    def test_without_a_secret_it_says_which(self) -> None:
        with pytest.raises(InvalidInput, match="ORDERS_WEBHOOKS__WAREHOUSE__SECRETS"):
            self.run("warehouse", "--dry-run")
        with pytest.raises(NotFound, match="there are shopify, stripe, warehouse"):
            self.run("unknown", "--dry-run")

    def test_a_secret_file_signs_instead(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode() + "\n", encoding="utf-8")
        assert "webhook-signature: v1," in self.run("warehouse", "--secret-file", str(secret), "--dry-run")

    def test_nobody_there_is_exit_code_4(self) -> None:
        done = CliRunner().invoke(send, ["stripe", str(self.file), "--url", "http://127.0.0.1:9"])
        assert done.exit_code == 4
