"""Reading JSON documents of outside systems: typed access that fails with the path, never with the value.

What is read fits where it goes: texts are bounded and valid Unicode, integers fit 64 bits, times fit UTC.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.contract.currencies import EXPONENTS
from worker.domain.errors import InvalidInput
from worker.domain.money import parse_major

LONGEST_TEXT = 255
_LARGEST = 2**63 - 1


class Document:
    """A JSON object and the path at which it was found."""

    def __init__(self, value: Any, path: str = "$") -> None:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{path}: expected an object")
        self._value = value
        self._path = path

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; numbers are taken as text too (ids come as either)."""
        value = self._value.get(key)
        if value is None or value == "":
            if default is not None:
                return default
            raise InvalidInput(f"{self._path}.{key}: missing")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidInput(f"{self._path}.{key}: expected a text")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise InvalidInput(f"{self._path}.{key}: the number is too large")
        text = str(value)
        if len(text) > LONGEST_TEXT or not _is_unicode(text):
            raise InvalidInput(f"{self._path}.{key}: expected at most {LONGEST_TEXT} characters of Unicode")
        return text

    def integer(self, key: str, default: int | None = None) -> int:
        """Return an integer."""
        value = self._value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"{self._path}.{key}: expected an integer")
        if abs(value) > _LARGEST:
            raise InvalidInput(f"{self._path}.{key}: the number is too large")
        return value

    def currency(self, key: str) -> str:
        """Return an ISO 4217 code in capitals."""
        code = self.text(key).upper()
        if code not in EXPONENTS:
            raise InvalidInput(f"{self._path}.{key}: expected a currency of ISO 4217")
        return code

    def amount(self, key: str, currency: str, default: str | None = None) -> int:
        """Return a decimal text in major units as minor units."""
        text = self.text(key, default)
        try:
            minor = parse_major(text, currency)
        except InvalidInput:
            raise InvalidInput(f"{self._path}.{key}: expected a decimal amount of {currency}") from None
        if abs(minor) > _LARGEST:
            raise InvalidInput(f"{self._path}.{key}: the amount is too large")
        return minor

    def flag(self, key: str) -> bool:
        """Return a boolean; absent is false."""
        return self._value.get(key) is True

    def child(self, key: str) -> "Document":
        """Return the object below `key`; absent reads as an empty one."""
        return Document(self._value.get(key) or {}, f"{self._path}.{key}")

    def children(self, key: str) -> list["Document"]:
        """Return the objects of the list below `key`; absent reads as empty."""
        value = self._value.get(key) or []
        if not isinstance(value, list):
            raise InvalidInput(f"{self._path}.{key}: expected a list")
        return [Document(item, f"{self._path}.{key}[{index}]") for index, item in enumerate(value)]

    def time(self, key: str) -> str:
        """Return an ISO 8601 time with offset, as UTC."""
        text = self.text(key)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidInput(f"{self._path}.{key}: expected an ISO 8601 time") from None
        if at.tzinfo is None:
            raise InvalidInput(f"{self._path}.{key}: the time has no zone")
        try:
            return at.astimezone(UTC).isoformat()
        except OverflowError:
            raise InvalidInput(f"{self._path}.{key}: the time is out of range") from None

    def epoch(self, key: str) -> str:
        """Return a Unix time in seconds, as ISO 8601 UTC."""
        try:
            return datetime.fromtimestamp(self.integer(key), UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            raise InvalidInput(f"{self._path}.{key}: the time is out of range") from None


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: JSON's escapes can spell half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
