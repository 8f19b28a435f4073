"""Where a source reads an event's id and type, for a sender who chooses them.

The rules are those of settings (`event_id_from`, `topic_from`): `header:x-id`, `body:data.id`, `digest`, `fixed:text`,
joined with ` + `. A chosen name goes into the first part that can hold one. Without a rule of its own a source has its
scheme's, as the functions have it; a test holds both tables together.
"""

import json
from dataclasses import dataclass

from worker.domain.errors import InvalidInput

_ITEM = "body:notificationItems.0.NotificationRequestItem."
_IN_HEADER = {
    "github": ("header:x-github-delivery", "header:x-github-event"),
    "shopify": ("header:x-shopify-webhook-id", "header:x-shopify-topic"),
    "standard_webhooks": ("header:webhook-id", "body:type"),
    "standard_webhooks_v1a": ("header:webhook-id", "body:type"),
    "svix": ("header:svix-id", "body:type"),
}
_IN_BODY = {
    "adyen": (f"{_ITEM}pspReference", f"{_ITEM}eventCode"),
    "adyen_platform": ("digest", "body:type"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name can be written: in a `header`, or in the body at `path`; nowhere when both are empty."""

    header: str = ""
    path: str = ""

    def write(self, body: bytes, value: str) -> tuple[bytes, dict[str, str]]:
        """Return the body with `value` in it, or the header that carries it. Raises InvalidInput."""
        if self.header:
            return body, {self.header: value}
        if not self.path:
            raise InvalidInput("this source takes the name from nothing that can be chosen (a digest, a fixed text)")
        return _with(body, self.path, value), {}


def place_of(rule: str) -> Place:
    """Return the first place in a rule where a name can be written."""
    for part in rule.split("+"):
        kind, _, rest = part.strip().partition(":")
        if kind == "header":
            return Place(header=rest.split("|")[0])
        if kind == "body":
            return Place(path=rest)
    return Place()


def rules_of(scheme: str, id_header: str = "") -> tuple[str, str]:
    """Return a scheme's own rules of id and type; `id_header` is the one that scheme `hmac` signs, if it does."""
    if scheme == "hmac" and id_header:
        return f"header:{id_header}", "body:type"
    return _IN_HEADER.get(scheme) or _IN_BODY.get(scheme) or ("body:id", "body:type")


def _with(body: bytes, path: str, value: str) -> bytes:
    *steps, last = path.split(".")
    try:
        document = json.loads(body)
        place = document
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InvalidInput(f"the file has no place for {path}, where its sender writes it") from error
    return json.dumps(document, ensure_ascii=False).encode()
