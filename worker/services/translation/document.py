"""Reading JSON documents of outside systems: typed access that fails with the path, never with the value."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.domain.errors import InvalidInput


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
        return str(value)

    def integer(self, key: str, default: int | None = None) -> int:
        """Return an integer."""
        value = self._value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"{self._path}.{key}: expected an integer")
        return value

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
        return at.astimezone(UTC).isoformat()

    def epoch(self, key: str) -> str:
        """Return a Unix time in seconds, as ISO 8601 UTC."""
        return datetime.fromtimestamp(self.integer(key), UTC).isoformat()
