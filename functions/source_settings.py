"""Settings of one webhook source, `[webhooks.<name>]`, and what can be wrong with them.

A source of a known scheme is one such table and no code.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from functions import event_identity
from functions.client_address import network
from functions.signatures import UNSIGNED, HmacRule, scheme_named
from worker.contract.settings import Secret

ALL_TOPICS = "*"
MAX_BODY_BYTES = 655_360
"""The most that any body may have. A body travels in JSON to Temporal, which takes no message above 2 MiB, and
JSON makes up to three bytes of one."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_.-]{0,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSecret:
    """One accepted secret: a plain text, or a table when more is to be said.

    `name` is how logs and metrics call it (its place in the list otherwise); `added_at` is when it came into use,
    for its age; from `not_after` on it is refused.
    """

    SHORTHAND: ClassVar[str] = "value"

    value: Secret
    name: str = ""
    added_at: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How many believed deliveries one process takes: `per_minute` on average, `burst` at once."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """One webhook source.

    `scheme` says how it signs, `secrets` are all accepted ones, the current one first, `tolerance_seconds` how far
    a signed time may be away, both sides. `dialect` says how the worker reads the body, `topics` which types of
    event it gets ("*": all). `event_id_from` and `topic_from` are rules (functions.event_identity); empty means the
    scheme's own. `networks` lets only these callers in, seen through `trusted_proxies` proxies of ours.
    """

    scheme: str
    dialect: str
    shop: str
    secrets: tuple[SourceSecret, ...]
    tolerance_seconds: int
    topics: tuple[str, ...]
    event_id_from: str = ""
    topic_from: str = ""
    max_body_bytes: int | None = None
    rate: RateLimit | None = None
    networks: tuple[str, ...] = ()
    trusted_proxies: int = 0
    hmac: HmacRule | None = None


def problems_of(name: str, source: SourceConfig, *, environment: str, now: datetime) -> list[str]:
    """Return what is wrong with a source, each as `.key: problem`; empty when it is sound. Shows no secret."""
    problems: list[str] = []
    if not _NAME.fullmatch(name):
        problems.append(": the name of a source is lower-case letters, digits and underscores")
    if source.tolerance_seconds < 1:
        problems.append(".tolerance_seconds: must be at least 1")
    if not source.topics:
        problems.append('.topics: name the types of event to take, or "*"')
    if source.max_body_bytes is not None and not 1024 <= source.max_body_bytes <= MAX_BODY_BYTES:
        problems.append(f".max_body_bytes: must be from 1024 to {MAX_BODY_BYTES}")
    if source.rate is not None and min(source.rate.per_minute, source.rate.burst) < 1:
        problems.append(".rate: per_minute and burst must be at least 1")
    problems.extend(_address_problems(source))
    problems.extend(_rule_problems(source))
    if source.scheme == UNSIGNED:
        return problems + _unsigned_problems(source, environment)
    return problems + _secret_problems(name, source, now)


def _address_problems(source: SourceConfig) -> list[str]:
    problems: list[str] = []
    for index, text in enumerate(source.networks):
        try:
            network(text)
        except ValueError:
            problems.append(f".networks[{index}]: is no network like 203.0.113.0/24, or has host bits set")
    if source.trusted_proxies < 0:
        problems.append(".trusted_proxies: must not be negative")
    if source.trusted_proxies and not source.networks:
        problems.append(".trusted_proxies: means nothing without networks")
    return problems


def _rule_problems(source: SourceConfig) -> list[str]:
    problems: list[str] = []
    for key, text in (("event_id_from", source.event_id_from), ("topic_from", source.topic_from)):
        try:
            event_identity.rule(text or "digest")
        except ValueError as error:
            problems.append(f".{key}: {error}")
    if source.event_id_from.strip().startswith("fixed:") and "+" not in source.event_id_from:
        problems.append(".event_id_from: one id for all events would make them all duplicates of the first")
    return problems


def _unsigned_problems(source: SourceConfig, environment: str) -> list[str]:
    problems: list[str] = []
    if environment != "local":
        problems.append(".scheme: an unsigned source exists in the local environment only")
    if source.secrets:
        problems.append(".secrets: an unsigned source has none; name a scheme to check them by")
    return problems


def _secret_problems(name: str, source: SourceConfig, now: datetime) -> list[str]:
    try:
        scheme = scheme_named(source.scheme, source.hmac)
    except ValueError as error:
        return [f".{error}"]
    variable = f"ORDERS_WEBHOOKS__{name.upper()}__SECRETS"
    if not source.secrets:
        return [f".secrets: a source needs at least one secret (set {variable} to a JSON list)"]
    problems: list[str] = []
    for index, secret in enumerate(source.secrets):
        try:
            scheme.key(secret.value.reveal())
        except ValueError as error:
            problems.append(f".secrets[{index}]: {error}")
        if not _SECRET_NAME.fullmatch(secret.name):
            problems.append(f".secrets[{index}].name: is up to 32 letters, digits, dots, underscores or hyphens")
    if all(secret.not_after is not None and secret.not_after <= now for secret in source.secrets):
        problems.append(f".secrets: every one is past its end (set {variable} to a JSON list with a new one)")
    return problems
