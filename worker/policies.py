"""What the settings allow and ask for, as the domain's rules: repair policies, alert rules, endpoints, subscriptions.

Every problem is told at once, as those of the settings themselves are.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from worker.config import AlertConfig, RepairConfig, WorkerConfig
from worker.contract.currencies import EXPONENTS
from worker.contract.ids import is_valid_part
from worker.contract.settings import ConfigurationError, environment
from worker.domain.alert import AlertRule, AlertTrigger
from worker.domain.capture import CapturePolicy
from worker.domain.errors import InvalidInput
from worker.domain.finding import FindingKind, Repair
from worker.domain.outbound import Subscription
from worker.domain.repair_policy import RepairMode, RepairPolicy
from worker.domain.stock import Unknown
from worker.gateways.mail import SmtpMail
from worker.gateways.notifier import Endpoint, EndpointNotifier
from worker.gateways.outbound import Destination, HttpOutbound
from worker.gateways.webhook_signing import Envelope, signed_by_all

Word = TypeVar("Word", bound=StrEnum)


def repair_policies_of(config: WorkerConfig) -> dict[Repair, RepairPolicy]:
    """Return the policy of each repair, those without a table included. Raises ConfigurationError."""
    problems: list[str] = []
    known = [repair for repair in Repair if repair is not Repair.NONE]
    policies: dict[Repair, RepairPolicy] = {repair: RepairPolicy() for repair in known}
    for name, section in config.reconciliation.repairs.items():
        path = f"reconciliation.repairs.{name}"
        repair = _word(name, known, path, problems)
        with _told(path, problems):
            policy = _policy(section, path, problems)
            if repair is not None:
                policies[repair] = policy
    if problems:
        raise ConfigurationError(sorted(problems))
    return policies


def alert_rules_of(config: WorkerConfig) -> tuple[AlertRule, ...]:
    """Return the alert rules, by name. Raises ConfigurationError."""
    problems: list[str] = []
    found = []
    for name, section in sorted(config.alerts.items()):
        path = f"alerts.{name}"
        problems += [
            f"{path}.to: there is no [alerting.endpoints.{each}]"
            for each in section.to
            if each not in config.alerting.endpoints
        ]
        with _told(path, problems):
            found.append(_rule(name, section, problems))
    if problems:
        raise ConfigurationError(sorted(problems))
    return tuple(found)


def notifier_of(config: WorkerConfig, mail: SmtpMail) -> EndpointNotifier:
    """Return the way to the endpoints. Raises ConfigurationError for one that leads nowhere."""
    problems = [
        f"alerting.endpoints.{name}: give it a url and secrets, or a mail address, not both"
        for name, endpoint in config.alerting.endpoints.items()
        if bool(endpoint.mail) == bool(endpoint.url and endpoint.secrets)
    ]
    if problems:
        raise ConfigurationError(sorted(problems))
    endpoints = {
        name: Endpoint(url=each.url, secrets=tuple(secret.reveal() for secret in each.secrets), mail=each.mail)
        for name, each in config.alerting.endpoints.items()
    }
    hosts = frozenset(host.lower() for host in config.alerting.allowed_hosts)
    return EndpointNotifier(endpoints, mail, allowed_hosts=hosts, local=environment() == "local")


def subscriptions_of(config: WorkerConfig) -> dict[str, Subscription]:
    """Return the subscriptions that are enabled, by name. Raises ConfigurationError, also for one that is not."""
    problems: list[str] = []
    found: dict[str, Subscription] = {}
    for name, section in sorted(config.outbound.items()):
        path = f"outbound.{name}"
        if not is_valid_part(name):
            problems.append(f"{path}: the name is not usable in ids")
        if not (section.shop and section.url and section.secrets):
            problems.append(f"{path}: give it a shop, a url and secrets")
        for secret in section.secrets:
            try:
                signed_by_all(b"", [secret.reveal()], Envelope(event_id="", topic="", at=0))
            except InvalidInput as problem:
                problems.append(f"{path}.secrets: {problem}")
        with _told(path, problems):
            subscription = Subscription(
                name=name,
                shop=section.shop,
                kinds=frozenset(section.kinds),
                ladder=tuple(timedelta(seconds=wait) for wait in section.retry_seconds),
            )
            if section.enabled:
                found[name] = subscription
    if problems:
        raise ConfigurationError(sorted(problems))
    return found


def stocked_of(config: WorkerConfig) -> dict[str, Unknown]:
    """Return the shops that keep stock, with what an SKU without a level means there. Raises ConfigurationError."""
    problems: list[str] = []
    found: dict[str, Unknown] = {}
    for shop, word in sorted(config.stock.items()):
        unknown = _word(word, Unknown, f"stock.{shop}", problems)
        if unknown is not None:
            found[shop] = unknown
    if problems:
        raise ConfigurationError(problems)
    return found


def captures_of(config: WorkerConfig) -> dict[str, CapturePolicy]:
    """Return when each shop's held money is taken, for the shops that say so. Raises ConfigurationError."""
    problems: list[str] = []
    named = {
        shop: _word(word, CapturePolicy, f"capture.{shop}", problems) for shop, word in sorted(config.capture.items())
    }
    if problems:
        raise ConfigurationError(problems)
    return {shop: policy for shop, policy in named.items() if policy is not None}


def outbound_of(config: WorkerConfig) -> HttpOutbound:
    """Return the way to the subscriptions' endpoints."""
    destinations = {
        name: Destination(url=each.url, secrets=tuple(secret.reveal() for secret in each.secrets), inside=each.inside)
        for name, each in config.outbound.items()
    }
    return HttpOutbound(destinations, local=environment() == "local")


def _policy(section: RepairConfig, path: str, problems: list[str]) -> RepairPolicy:
    mode = _word(section.mode, RepairMode, f"{path}.mode", problems)
    return RepairPolicy(
        mode=mode or RepairMode.OFF,
        limits=_amounts(section.limits, f"{path}.limits", problems),
        ladder=tuple(timedelta(seconds=wait) for wait in section.ladder_seconds),
        most_attempts=section.most_attempts,
    )


def _rule(name: str, section: AlertConfig, problems: list[str]) -> AlertRule:
    path = f"alerts.{name}"
    kinds = (_word(kind, FindingKind, f"{path}.kinds", problems) for kind in section.kinds)
    return AlertRule(
        name=name,
        when=_word(section.when, AlertTrigger, f"{path}.when", problems) or AlertTrigger.BREAKS,
        to=section.to,
        period=timedelta(seconds=section.period_seconds),
        kinds=frozenset(kind for kind in kinds if kind is not None),
        min_count=section.min_count,
        min_at_risk=_amounts(section.min_at_risk, f"{path}.min_at_risk", problems),
        min_age=timedelta(seconds=section.min_age_seconds),
    )


def _amounts(given: Mapping[str, int], path: str, problems: list[str]) -> dict[str, int]:
    """Return amounts by currency; the loader writes every key in small letters."""
    problems += [f"{path}.{code}: is no currency of ISO 4217" for code in given if code.upper() not in EXPONENTS]
    return {code.upper(): minor for code, minor in given.items()}


def _word(text: str, words: Iterable[Word], path: str, problems: list[str]) -> Word | None:
    known = {str(word): word for word in words}
    if text not in known:
        problems.append(f"{path}: {text!r} is none of {', '.join(known)}")
    return known.get(text)


@contextmanager
def _told(path: str, problems: list[str]) -> Iterator[None]:
    """Add what the domain refuses to the problems."""
    try:
        yield
    except ValueError as problem:
        problems.append(f"{path}: {problem}")
