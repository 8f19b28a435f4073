"""What names an event, and its type: rules that settings write as one line, for senders of every habit.

    header:x-github-delivery            a header, in lower case; `|` between alternatives, the first present counts
    body:data.id                        a text or whole number in the JSON body; digits step into a list
    digest                              SHA-256 of the raw body: for senders that name nothing but repeat exactly
    fixed:acme.notice                   always this, for a source with one type of event
    body:psp + body:code                several, joined with colons

The id must be the same over all retries of an event and new for every event: it becomes the workflow id. An id
that the scheme does not sign keeps honest retries apart from new events, not a forger who holds a signed body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.contract.ids import fingerprint

_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_STEPS = re.compile(r"[^.\s|+]+(?:\.[^.\s|+]+)*")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a rule may look at. `headers` has lower-case names; `body` is `raw` as read."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """One part of a rule."""

    kind: str
    names: tuple[str, ...] = ()

    def read(self, delivery: Delivery) -> str | None:
        """Return the text at this place, None when there is none."""
        match self.kind:
            case "header":
                return next((value for name in self.names if (value := delivery.headers.get(name))), None)
            case "body":
                return _walk(delivery.body, self.names)
            case "digest":
                return fingerprint(delivery.raw)
            case _:
                return self.names[0]


@dataclass(frozen=True, slots=True)
class Rule:
    """Parts that together name something."""

    places: tuple[Place, ...]

    def read(self, delivery: Delivery) -> str | None:
        """Return the name, None when any part is missing."""
        texts = [place.read(delivery) for place in self.places]
        present = [text for text in texts if text]
        return ":".join(present) if len(present) == len(texts) else None


def is_topic(text: str) -> bool:
    """Tell whether `text` looks like the name of a type of event (1 to 128 characters, no space)."""
    return _TOPIC.fullmatch(text) is not None


def rule(text: str) -> Rule:
    """Read a rule. Raises ValueError when it is none."""
    return Rule(tuple(_place(part.strip()) for part in text.split("+")))


def _place(text: str) -> Place:
    kind, _, rest = text.partition(":")
    match kind:
        case "header" if all(_HEADER.fullmatch(name) for name in rest.split("|")):
            return Place(kind, tuple(rest.split("|")))
        case "body" if _STEPS.fullmatch(rest):
            return Place(kind, tuple(rest.split(".")))
        case "fixed" if _TOPIC.fullmatch(rest):
            return Place(kind, (rest,))
        case "digest" if text == "digest":
            return Place(kind)
    raise ValueError("must be header:<name in lower case>, body:<path>, fixed:<text> or digest, joined with +")


def _walk(value: Any, steps: tuple[str, ...]) -> str | None:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
