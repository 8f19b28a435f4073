"""Made-up secrets of one stack directory: drawn once, kept in a file only its owner may read.

Every value starts with a letter and holds only letters, digits and underscores: variables of the settings are
read as TOML, in which a value like `1e5` would turn into a number and one that starts with `@` into a command. The
payload key, which is base64, travels inside a JSON document.
"""

import base64
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.statefile import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Passwords and keys with which the members of one stack trust each other."""

    database_password: str
    provider_key: str
    shop_token: str
    warehouse_token: str
    warehouse_secret: str
    shopify_webhook_secret: str
    stripe_webhook_secret: str
    warehouse_webhook_secret: str
    alert_webhook_secret: str
    user_token_key: str
    payload_key: str
    codec_token: str
    api_key: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "Credentials(***)"

    @property
    def api_key_sha256(self) -> str:
        """What the functions know of the API key."""
        return hashlib.sha256(self.api_key.encode()).hexdigest()


def credentials_of(directory: Path) -> Credentials:
    """Return the credentials of the stack in `directory`, drawing them at the first call."""
    file = directory / "credentials.json"
    # What an older release drew stays: data that was sealed, or signed, with it may be kept between runs.
    stored: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    drawn = {**_drawn(), **{name: stored[name] for name in Credentials.__dataclass_fields__ if name in stored}}
    if drawn != stored:
        write_private(file, json.dumps(drawn, indent=2))
    return Credentials(**drawn)


def _drawn() -> dict[str, str]:
    fresh = Credentials(
        database_password=f"pw_{secrets.token_hex(16)}",
        provider_key=f"sk_test_{secrets.token_hex(16)}",
        shop_token=f"shpat_{secrets.token_hex(16)}",
        warehouse_token=f"wh_{secrets.token_hex(16)}",
        warehouse_secret=_standard_webhooks_secret(),
        shopify_webhook_secret=f"shpss_{secrets.token_hex(16)}",
        stripe_webhook_secret=f"whsec_{secrets.token_hex(16)}",
        warehouse_webhook_secret=_standard_webhooks_secret(),
        alert_webhook_secret=_standard_webhooks_secret(),
        user_token_key=f"tk_{secrets.token_hex(32)}",
        payload_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        codec_token=f"ct_{secrets.token_hex(16)}",
        api_key=f"ok_{secrets.token_hex(16)}",
    )
    return asdict(fresh)


def _standard_webhooks_secret() -> str:
    # The scheme wants base64; a draw with "+" or "/" is thrown away to keep the promise above.
    while True:
        text = base64.b64encode(os.urandom(24)).decode()
        if text.isalnum():
            return f"whsec_{text}"
