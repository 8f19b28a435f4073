"""The way of a notice to its endpoint: a webhook signed as Standard Webhooks say, or a mail."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from worker.domain.errors import InvalidInput, ProviderRejected, ProviderUnavailable
from worker.gateways.egress import target_of
from worker.gateways.webhook_signing import Envelope, signed_by_all
from worker.services.ports import MailGateway, Notice

TIMEOUT_SECONDS = 10
_TRY_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where notices go: a webhook (`url`, `secrets` with the newest first) or a mail address."""

    url: str = ""
    secrets: tuple[str, ...] = ()
    mail: str = ""


class EndpointNotifier:
    """Implements `Notifier`. No address, URL or secret stands in an error."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        mail: MailGateway,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        local: bool = False,
    ) -> None:
        self._endpoints = endpoints
        self._mail = mail
        self._allowed_hosts = allowed_hosts
        self._local = local

    def send(self, notice: Notice) -> None:
        """Send one notice. Raises ProviderUnavailable (try again), ProviderRejected and InvalidInput (do not)."""
        endpoint = self._endpoints.get(notice.endpoint)
        if endpoint is None:
            raise InvalidInput(f"endpoint {notice.endpoint} is no longer in the settings")
        if endpoint.mail:
            self._mail.send(
                to=endpoint.mail,
                subject=subject_of(notice.document),
                text=text_of(notice.document),
                message_id=f"<{notice.notice_id}@alerts.orders>",
            )
            return
        self._post(endpoint, notice)

    def _post(self, endpoint: Endpoint, notice: Notice) -> None:
        target = target_of(endpoint.url, allowed_hosts=self._allowed_hosts, local=self._local)
        body = json.dumps(notice.document, separators=(",", ":"), ensure_ascii=False).encode()
        envelope = Envelope(event_id=notice.notice_id, topic=str(notice.document["type"]), at=int(time.time()))
        headers = {
            **signed_by_all(body, endpoint.secrets, envelope),
            "Host": target.host,
            "Content-Type": "application/json",
            "User-Agent": "orders-alerts",
        }
        try:
            # No proxy of the environment: the address was judged, and is where it goes.
            with (
                httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream(
                    "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.server_name}
                ) as answer,
            ):
                code = answer.status_code
        except httpx2.HTTPError as problem:
            raise ProviderUnavailable(f"{notice.endpoint} did not answer: {type(problem).__name__}") from None
        if 200 <= code < 300:
            return
        if code in _TRY_AGAIN or code >= 500:
            raise ProviderUnavailable(f"{notice.endpoint} answered {code}")
        raise ProviderRejected(f"{notice.endpoint} answered {code}")


def subject_of(document: Mapping[str, Any]) -> str:
    """Return the mail's subject: what, where, how much."""
    data = document["data"]
    change = str(document["type"]).rpartition(".")[2].replace("_", " ")
    amounts = ", ".join(f"{each['currency']} {each['amount']}" for each in data["at_risk"])
    about = f"{data['count']}" + (f", {amounts} at risk" if amounts else "")
    return f"[{change}] {data['rule']}: {data['shop']}/{data['provider']} ({about})"


def text_of(document: Mapping[str, Any]) -> str:
    """Return the mail's text."""
    data = document["data"]
    lines = [
        subject_of(document),
        "",
        f"opened   {data['opened_at']}",
        *([f"closed   {data['closed_at']}"] if data["closed_at"] else []),
        f"run      {data['run_id']} ({data['verdict']})",
        *([f"report   {data['report']}"] if data["report"] else []),
        *[f"kind     {kind}: {count}" for kind, count in data["by_kind"].items()],
        *[f"repair   {state}: {count}" for state, count in data["by_repair"].items()],
        *[f"because  {reason}" for reason in data["reasons"]],
        *[
            f"break    {each['break_id']}  {each['kind']}  since {each['since']}: orders breaks show {each['break_id']}"
            for each in data["top"]
        ],
        "",
        f"All of it: {data['command']}",
    ]
    return "\n".join(lines) + "\n"
