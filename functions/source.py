"""One webhook source at work: who may call it, what it believes, how much of it, and what an event is called.

Each check raises its own problem, and the access log learns the reason, which the sender is not told. The rate
is spent by believed deliveries only: whoever cannot sign cannot use up the real sender's share.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from functions import event_identity
from functions.access_log import note
from functions.client_address import client_address, network, within
from functions.event_identity import Delivery
from functions.problems import AddressRefused, Malformed, RateLimited, SignatureInvalid
from functions.rate_limit import TokenBucket
from functions.signatures import UNSIGNED, Clock, Rejection, Scheme, Verdict, Verified, scheme_named
from functions.source_settings import ALL_TOPICS, SourceConfig, SourceSecret
from worker.contract.ids import is_valid_part

_log = logging.getLogger(__name__)


class Source:
    """One configured source of webhooks. `now` is the time in seconds since 1970."""

    def __init__(
        self, name: str, config: SourceConfig, *, max_body_bytes: int, now: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self.config = config
        self.max_body_bytes = config.max_body_bytes or max_body_bytes
        self._now = now
        self._scheme: Scheme | None = None
        self._keys: list[tuple[bytes, SourceSecret]] = []
        if config.scheme != UNSIGNED:
            self._scheme = scheme_named(config.scheme, config.hmac)
            self._keys = [(self._scheme.key(secret.value.reveal()), secret) for secret in config.secrets]
        self._networks = [network(text) for text in config.networks]
        self._bucket = TokenBucket(config.rate.per_minute, config.rate.burst) if config.rate else None
        own_id, own_topic = (self._scheme.event_id, self._scheme.topic) if self._scheme else ("body:id", "body:type")
        self._event_id = event_identity.rule(config.event_id_from or own_id)
        self._topic = event_identity.rule(config.topic_from or own_topic)
        self._warn()

    def admit(self, remote: str, forwarded_for: str) -> None:
        """Raise AddressRefused unless the caller's address is one that may call."""
        if not self._networks:
            return
        if not within(client_address(remote, forwarded_for, self.config.trusted_proxies), self._networks):
            note(rejection="address")
            raise AddressRefused("this address may not deliver here")

    def believe(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless the delivery was signed with one of our secrets, now."""
        if self._scheme is None:
            note(unsigned=True)
            return
        now = self._now()
        verdict = self._judge(self._scheme, headers, body, now)
        if not isinstance(verdict, Verified):
            note(rejection=str(verdict))
            raise SignatureInvalid("the delivery is not signed with an accepted secret, or not now")
        index = verdict.secret_index
        note(secret_index=index, secret=self._keys[index][1].name or str(index))

    def spend(self) -> None:
        """Count one delivery. Raises RateLimited, with the time to come again, when there were too many."""
        seconds = self._bucket.take() if self._bucket else 0
        if seconds:
            raise RateLimited("too many deliveries; send it again later", retry_after_seconds=math.ceil(seconds))

    def identify(self, delivery: Delivery) -> tuple[str, str]:
        """Return the event's id, equal over the sender's retries, and its topic. Raises Malformed."""
        event_id, topic = self._event_id.read(delivery), self._topic.read(delivery)
        if event_id is None or not is_valid_part(event_id):
            raise Malformed("the delivery names no usable event id")
        if topic is None:
            raise Malformed("the delivery names no topic")
        note(event_id=event_id)
        return event_id, topic

    def wants(self, topic: str) -> bool:
        """Tell whether this type of event is taken. Raises Malformed for a type that is no name."""
        if topic in self.config.topics:
            return True
        if ALL_TOPICS not in self.config.topics:
            return False
        if not event_identity.is_topic(topic):
            raise Malformed("the delivery names no usable topic")
        return True

    def _judge(self, scheme: Scheme, headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
        clock = Clock(int(now), self.config.tolerance_seconds)
        active = [index for index, (_, secret) in enumerate(self._keys) if not _ended(secret, now)]
        verdict = scheme.verify(headers, body, [self._keys[index][0] for index in active], clock)
        if isinstance(verdict, Verified):
            return Verified(active[verdict.secret_index])
        if verdict is Rejection.MISMATCH and len(active) < len(self._keys):
            ended = [key for key, secret in self._keys if _ended(secret, now)]
            if isinstance(scheme.verify(headers, body, ended, clock), Verified):
                return Rejection.ENDED
        return verdict

    def _warn(self) -> None:
        if self._scheme is None:
            _log.warning("a source believes anybody", extra={"fields": {"source": self.name}})
        now = self._now()
        for index, (_, secret) in enumerate(self._keys):
            if _ended(secret, now):
                fields = {"source": self.name, "secret": secret.name or str(index)}
                _log.warning("a secret is past its end and can be removed", extra={"fields": fields})


def _ended(secret: SourceSecret, now: float) -> bool:
    return secret.not_after is not None and datetime.fromtimestamp(now, UTC) >= secret.not_after
