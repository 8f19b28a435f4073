"""What a signature check answers: a typed verdict for every byte string, never an exception."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Rejection(StrEnum):
    """Why a delivery is not believed. For our logs; the sender is only told "invalid signature"."""

    MISSING = "missing"
    """A header the scheme needs is not there."""
    MALFORMED = "malformed"
    """A header is there, but no signature can be read from it."""
    TOO_OLD = "too_old"
    """Its signed time is further in the past than the tolerance."""
    TOO_NEW = "too_new"
    """Its signed time is further in the future than the tolerance."""
    MISMATCH = "mismatch"
    """Signatures were readable; none was made with a secret we accept."""
    ENDED = "secret_ended"
    """Signed with a secret of ours that is past its end: the sender was not told of the new one."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The delivery was signed with our secret number `secret_index` (0 first).

    An old secret may be retired when no delivery names its index any more.
    """

    secret_index: int


Verdict = Verified | Rejection


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment of the check and how far a signed time may be away from it, both sides, in seconds."""

    now: int
    tolerance_seconds: int

    def judge(self, timestamp: int) -> Rejection | None:
        """Return why `timestamp` (seconds since 1970, UTC) is out of tolerance, or None when it is within."""
        if timestamp < self.now - self.tolerance_seconds:
            return Rejection.TOO_OLD
        if timestamp > self.now + self.tolerance_seconds:
            return Rejection.TOO_NEW
        return None


class Scheme(Protocol):
    """One way of signing, and where its senders write an event's id and type unless settings say otherwise."""

    @property
    def event_id(self) -> str:
        """The rule (functions.event_identity) of what names an event, the same over all retries."""

    @property
    def topic(self) -> str:
        """The rule of what names the type of an event."""

    def key(self, secret: str) -> bytes:
        """Return the key that `secret` stands for. Raises ValueError, without the secret, when it is unusable."""

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:
        """Judge one delivery. `headers` has lower-case names; `body` is the raw bytes. Never raises."""
