"""Sources of every scheme as settings describe them, and variables that say nothing else."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.freeports import free_port
from tests.unit.signed_deliveries import (
    OLDER,
    WHSEC,
    adyen_key,
    public_of,
)
from worker.contract.settings import ROOT

SETTINGS = f"""
[default.webhooks.code]
scheme = "github"
dialect = "github"
shop = "main"
secrets = ["{WHSEC}"]
tolerance_seconds = 300
topics = ["push"]

[default.webhooks.gemini]
scheme = "standard_webhooks_v1a"
dialect = "gemini"
shop = "main"
secrets = ["{public_of(WHSEC)}"]
tolerance_seconds = 300
topics = ["*"]

[default.webhooks.hooks]
scheme = "svix"
dialect = "hooks"
shop = "second"
secrets = ["{WHSEC}"]
tolerance_seconds = 300
topics = ["payment_intent.succeeded"]

[default.webhooks.adyen]
scheme = "adyen"
dialect = "adyen"
shop = "main"
secrets = ["{adyen_key(WHSEC)}"]
tolerance_seconds = 300
topics = ["AUTHORISATION", "CAPTURE"]

[default.webhooks.platform]
scheme = "adyen_platform"
dialect = "adyen"
shop = "main"
secrets = ["{adyen_key(WHSEC)}"]
tolerance_seconds = 300
topics = ["*"]

[default.webhooks.chat]
scheme = "hmac"
dialect = "chat"
shop = "main"
secrets = ["chat-secret"]
tolerance_seconds = 60
topics = ["message"]
event_id_from = "body:channel + body:sequence"
topic_from = "fixed:message"
max_body_bytes = 2048
[default.webhooks.chat.hmac]
header = "x-chat-signature"
prefix = "v0="
signed = "v0:{{timestamp}}:{{body}}"
timestamp_header = "x-chat-time"

[default.webhooks.fenced]
scheme = "shopify"
dialect = "shopify"
shop = "main"
secrets = ["{WHSEC}"]
tolerance_seconds = 300
topics = ["orders/create"]
networks = ["203.0.113.0/24", "2001:db8::/32"]
trusted_proxies = 1

[default.webhooks.eager]
scheme = "shopify"
dialect = "shopify"
shop = "main"
secrets = ["{WHSEC}"]
tolerance_seconds = 300
topics = ["orders/create"]
rate = {{ per_minute = 1, burst = 2 }}

[default.webhooks.rotated]
scheme = "stripe"
dialect = "stripe"
shop = "main"
tolerance_seconds = 300
topics = ["payment_intent.succeeded"]
secrets = [
    "{WHSEC}",
    {{ value = "{OLDER}", name = "spring", added_at = 2026-01-01T00:00:00Z, not_after = "2999-01-01T00:00:00+01:00" }},
    {{ value = "long-gone", name = "winter", not_after = 2026-01-01T00:00:00Z }},
]

[local.webhooks.bench]
scheme = "unsigned"
dialect = "stripe"
shop = "main"
secrets = []
tolerance_seconds = 300
topics = ["*"]
"""


def settings_with(folder: Path, added: str) -> Path:
    """Write the project's settings and more into a folder; return it."""
    (folder / "settings.toml").write_text((ROOT / "settings.toml").read_text("utf-8") + added, "utf-8")
    return folder


@contextmanager
def only_these_variables() -> Iterator[pytest.MonkeyPatch]:
    """Take every variable of ours away but those of the sources that the settings name."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ORDERS_")]:
            patch.delenv(name)
        patch.setenv("ORDERS_WEBHOOKS__SHOPIFY__SECRETS", '["shop-secret"]')
        patch.setenv("ORDERS_WEBHOOKS__STRIPE__SECRETS", '["whsec_x"]')
        patch.setenv("ORDERS_WEBHOOKS__WAREHOUSE__SECRETS", json.dumps([WHSEC]))
        patch.setenv("ORDERS_TEMPORAL__ADDRESS", f"127.0.0.1:{free_port()}")
        yield patch
