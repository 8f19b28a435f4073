"""The functions refuse to start with settings that would make an endpoint unsafe or useless."""

import json
from pathlib import Path

import pytest

from functions.config import load
from worker.contract.settings import ROOT, ConfigurationError

DIGEST = "a" * 64
PAYLOAD_KEY = '[{"id": "k1", "key": "dmlzaWJsZS1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE="}]'
SECRETS = {
    "ORDERS_WEBHOOKS__SHOPIFY__SECRETS": '["shop-secret"]',
    "ORDERS_WEBHOOKS__STRIPE__SECRETS": '["whsec_new", "whsec_old"]',
    "ORDERS_WEBHOOKS__WAREHOUSE__SECRETS": '["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]',
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    given = {"ORDERS_API__KEYS": json.dumps({"demo": DIGEST}), "ORDERS_ENCRYPTION__KEYS": PAYLOAD_KEY}
    for name, value in {"ORDERS_ENV": "test", **given, **SECRETS}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert caught.value.exit_code == 3
    return caught.value.problems


def test_the_projects_settings_load_once_secrets_are_given(variables: pytest.MonkeyPatch) -> None:
    config = load()
    assert config.api.shop == "main"
    assert config.api.keys["demo"].sha256.reveal() == DIGEST
    assert [secret.value.reveal() for secret in config.webhooks["stripe"].secrets] == ["whsec_new", "whsec_old"]
    assert config.webhooks["warehouse"].scheme == "standard_webhooks"


def test_every_source_without_a_secret_is_named(variables: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        variables.delenv(name)
    told = problems()
    assert [problem.split(":", maxsplit=1)[0] for problem in told] == [
        "webhooks.shopify.secrets",
        "webhooks.stripe.secrets",
        "webhooks.warehouse.secrets",
    ]
    assert all("ORDERS_WEBHOOKS__" in problem for problem in told)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ORDERS_WEBHOOKS__WAREHOUSE__SECRETS", '["not-whsec"]', "webhooks.warehouse.secrets[0]: must start"),
        ("ORDERS_WEBHOOKS__SHOPIFY__SECRETS", '[""]', "webhooks.shopify.secrets[0]: must not be empty"),
        ("ORDERS_WEBHOOKS__STRIPE__SCHEME", "strype", "webhooks.stripe.scheme: unknown"),
        ("ORDERS_WEBHOOKS__STRIPE__TOLERANCE_SECONDS", "0", "webhooks.stripe.tolerance_seconds: must be"),
        ("ORDERS_WEBHOOKS__STRIPE__TOLERANCE", "5", "webhooks.stripe.tolerance: unknown setting"),
        ("ORDERS_API__KEYS", '{"demo": "ok_plain_key"}', "api.keys.demo: must be the SHA-256"),
        ("ORDERS_API__KEYS", f'{{"demo": {{"sha256": "{DIGEST}", "shops": ["a/b"]}}}}', "api.keys.demo.shops[0]: not"),
        (
            "ORDERS_API__KEYS",
            f'{{"demo": {{"sha256": "{DIGEST}", "functions": ["health"]}}}}',
            "api.keys.demo.functions[0]: unknown, use one of orders, reconciliations, users",
        ),
        (
            "ORDERS_API__KEYS",
            f'{{"demo": {{"sha256": "{DIGEST}", "not_after": "2027-01-01"}}}}',
            "api.keys.demo.not_after",
        ),
        ("ORDERS_API__KEYS", '{"demo": {"shops": ["main"]}}', "api.keys.demo.sha256: missing"),
        ("ORDERS_API__MAX_IN_FLIGHT", "0", "api.max_in_flight: must be at least"),
        ("ORDERS_API__DEADLINE_MS", "@float 2.5", "api.deadline_ms: expected int"),
        ("ORDERS_WEBHOOKZ__X", "1", "webhookz: unknown setting"),
    ],
)
def test_what_is_wrong_is_told_by_its_name_and_without_the_value(
    variables: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    variables.setenv(variable, value)
    told = problems()
    assert [problem for problem in told if problem.startswith(expected)], told
    assert not [problem for problem in told if "not-whsec" in problem or "ok_plain_key" in problem]


def test_tables_of_the_worker_are_not_read(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (ROOT / "settings.toml").read_text("utf-8")
    (tmp_path / "settings.toml").write_text(text.replace("pool_size = 12", 'pool_size = "many"'), "utf-8")
    assert load(root=tmp_path).api.shop == "main"


def test_secrets_are_not_shown(variables: pytest.MonkeyPatch) -> None:
    shown = repr(load())
    assert "whsec_" not in shown
    assert "shop-secret" not in shown
    assert DIGEST not in shown
