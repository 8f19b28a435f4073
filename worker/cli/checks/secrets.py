"""Secrets: whether they are there, and how old they are where that is known. Never what they are."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.cli.checks.line import Line, fail, ok, warn
from worker.config import WorkerConfig
from worker.contract.settings import Secret

OLD = timedelta(days=365)
SOON = timedelta(days=14)
_ROTATE = "put a new one beside it, change the sender or issuer over, then drop the old one (README, Afterwards)"


def of_worker(config: WorkerConfig, now: datetime) -> list[Line]:
    """Look at what the worker signs in with, and at the keys of payloads."""
    held: dict[str, Secret | None] = {
        "provider.api_key": config.provider.api_key,
        "shop.access_token": config.shop.access_token,
        "warehouse.secret": config.warehouse.secret,
        "warehouse.token": config.warehouse.token,
        "users.token_key": config.users.token_key,
    }
    missing = [name for name, secret in held.items() if secret is None or not secret.reveal().strip()]
    lines = [
        fail("secrets", f"{name} is empty", f"orders secrets put SECRET ORDERS_{name.replace('.', '__').upper()}")
        for name in missing
    ]
    if not missing:
        lines.append(ok("secrets", f"{len(held)} of the worker are there; their age is known to who issued them"))
    return [*lines, *_payload_keys(config, now), *_certificate(config, now)]


def of_webhooks(raw: Mapping[str, Any], now: datetime) -> list[Line]:
    """Look at the secrets of webhook sources, where this process's settings have any (the functions hold them)."""
    lines: list[Line] = []
    for source, table in sorted(raw.get("webhooks", {}).items()):
        secrets = table.get("secrets") if isinstance(table, Mapping) else None
        for number, secret in enumerate(secrets if isinstance(secrets, list | tuple) else (), 1):
            lines += _webhook_secret(f"webhooks.{source} secret {number}", secret, now)
    return lines


def _webhook_secret(name: str, secret: Any, now: datetime) -> Iterator[Line]:
    told = secret if isinstance(secret, Mapping) else {}
    ends, added = _time(told.get("not_after")), _time(told.get("added_at"))
    if ends is not None and ends <= now:
        yield warn("webhook secrets", f"{name} ended on {ends:%Y-%m-%d}", "remove it: nobody is let in by it any more")
    elif ends is not None and ends - now < SOON:
        yield warn("webhook secrets", f"{name} ends on {ends:%Y-%m-%d}", _ROTATE)
    elif added is not None and now - added > OLD:
        yield warn("webhook secrets", f"{name} is {(now - added).days} days old", _ROTATE)
    else:
        age = f"{(now - added).days} days old" if added is not None else "age unknown (added_at says it)"
        yield ok("webhook secrets", f"{name}: {age}")


def _payload_keys(config: WorkerConfig, now: datetime) -> list[Line]:
    if not config.encryption.enabled:
        return [warn("payload keys", "payloads are sent to Temporal in clear", "encryption.enabled = true and a key")]
    if not config.encryption.keys:
        return [fail("payload keys", "there is none", "orders keys add NAME/ENVIRONMENT/encryption")]
    sealing = config.encryption.keys[0].id
    dated = re.match(r"\d{4}-\d{2}-\d{2}", sealing)
    if dated is None:
        return [ok("payload keys", f"{len(config.encryption.keys)}, {sealing} seals; its id does not tell its age")]
    age = (now.date() - date.fromisoformat(dated[0])).days
    said = f"{len(config.encryption.keys)}, {sealing} seals, {age} days old"
    return [ok("payload keys", said) if age <= OLD.days else warn("payload keys", said, "orders keys add, use, rewrap")]


def _certificate(config: WorkerConfig, now: datetime) -> list[Line]:
    if config.temporal.client_cert is None:
        return []
    from cryptography.x509 import load_pem_x509_certificate

    pem = config.temporal.client_cert.reveal().replace("\\n", "\n")
    ends = load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    said = f"the certificate for Temporal ends on {ends:%Y-%m-%d}"
    remedy = "orders secrets put NAME/ENVIRONMENT/temporal ORDERS_TEMPORAL__CLIENT_CERT, and its key"
    if ends <= now:
        return [fail("certificate", said, remedy)]
    return [ok("certificate", said) if ends - now > SOON else warn("certificate", said, remedy)]


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(found, datetime):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
