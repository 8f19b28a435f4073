"""Keeps personal data and secrets out of texts that leave the process: logs and the failures Temporal stores.

A net under the rule that messages hold ids and amounts only: libraries put statements, parameters and URLs into
their exceptions. Redaction never raises and never lengthens a text beyond its bound.
"""

import re

MAX_MESSAGE = 8000
"""Longest message of a failure, in characters: histories are bounded, and failures travel with every retry."""

_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_CREDENTIAL_IN_URL = re.compile(r"(://[^\s:/@]{1,128}:)[^\s@]{1,256}@")
_SECRET = re.compile(
    r"\b(?:(?:sk|rk|pk)_(?:live|test)_\w{3,}|whsec_[\w+/=-]{3,}|shp(?:at|ss|ca|pa)_\w{3,}|[Bb]earer\s+[\w.~+/=-]{6,})"
)
_CARD = re.compile(r"(?<!\w)(?<!\d[.-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{3,7}(?!\w|[.-]\d)")


def redact(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return `text` without mail addresses, credentials and card numbers, cut to `limit` characters."""
    if len(text) > limit:
        text = text[:limit] + "..."
    text = _CREDENTIAL_IN_URL.sub(r"\1[secret]@", text)
    text = _SECRET.sub("[secret]", text)
    text = _ADDRESS.sub("[address]", text)
    return _CARD.sub(_card, text)[: limit + 3]


def _card(match: re.Match[str]) -> str:
    """Redact a number only if its check digit is right: our own ids are long numbers too."""
    digits = [int(character) for character in match[0] if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return "[number]" if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else match[0]
