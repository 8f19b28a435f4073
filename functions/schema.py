"""JSON Schema of a request, written down by the code that reads it: a reader is run with a Fields that records.

So the document cannot say anything else than the code does, but for rules that span fields, which are told in words.
A field is optional when the reader looks whether it is there before it reads it, or has a default; null counts as
absent.
"""

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from functions.fields import Choice, Fields, Item
from worker.contract.ids import PART

Schema = dict[str, Any]

_LENGTHS = re.compile(r"\(\?=\.\{(\d+),(\d+)\}\\Z\)")
_NO_CONTROL = "[^\\u0000-\\u001f\\u007f-\\u009f]"
"""Half characters are refused too, and cannot be told: not every dialect of regular expressions can name them."""
_INSTANT = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"


def schema_of(read: Callable[[Fields], object]) -> Schema:
    """Return the schema of the objects that `read` reads."""
    recorder = _Recorder()
    read(recorder)
    return recorder.schema


def pattern_schema(pattern: re.Pattern[str]) -> Schema:
    """Return the schema of texts that match `pattern` in full, in the dialect of regular expressions JSON Schema has."""
    text = pattern.pattern
    lengths = _LENGTHS.match(text)
    bounds = {"minLength": int(lengths[1]), "maxLength": int(lengths[2])} if lengths else {}
    return {"type": "string", **bounds, "pattern": f"^(?:{text[lengths.end() if lengths else 0 :]})$"}


class _Recorder(Fields):
    def __init__(self) -> None:
        super().__init__({})
        self._properties: dict[str, Schema] = {}
        self._required: list[str] = []
        self._looked_for: set[str] = set()

    @property
    def schema(self) -> Schema:
        """What was read so far."""
        return {
            "type": "object",
            "properties": self._properties,
            "required": self._required,
            "additionalProperties": False,
        }

    def present(self, name: str) -> bool:
        self._looked_for.add(name)
        return True

    def key(self, name: str) -> str:
        self._note(name, pattern_schema(PART) | {"description": "an id: 1 to 128 of A-Z a-z 0-9 . _ : # @ + -"})
        return "0"

    def matching(self, name: str, pattern: re.Pattern[str], meaning: str) -> str:
        self._note(name, pattern_schema(pattern) | {"description": meaning})
        return ""

    def member(self, name: str, members: Collection[str], meaning: str) -> str:
        self._note(name, {"type": "string", "enum": sorted(members), "description": meaning})
        return next(iter(members))

    def text(self, name: str, longest: int, *, shortest: int = 0) -> str:
        bounds = {"minLength": shortest, "maxLength": longest}
        self._note(name, {"type": "string", **bounds, "pattern": f"^{_NO_CONTROL}*$"})
        return ""

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        item = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": f"^{_NO_CONTROL}*$"}
        self._note(name, {"type": "array", "minItems": 1, "maxItems": most, "items": item})
        return ("",)

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        self._note(name, {"type": "integer", "minimum": least, "maximum": most}, default)
        return least

    def flag(self, name: str, *, default: bool) -> bool:
        self._note(name, {"type": "boolean"}, default)
        return default

    def choice(self, name: str, choices: type[Choice], default: Choice | None = None) -> Choice:
        known = {"type": "string", "enum": [str(member) for member in choices]}
        self._note(name, known, None if default is None else str(default))
        return next(iter(choices))

    def instant(self, name: str) -> datetime:
        words = "a time with its offset, to the second, like 2026-11-22T08:00:00Z"
        self._note(name, {"type": "string", "pattern": _INSTANT, "description": words})
        return datetime(2000, 1, 1, tzinfo=UTC)

    def part(self, name: str) -> Fields:
        inner = _Recorder()
        self._note(name, inner.schema)
        return inner

    def parts(self, name: str, most: int, read: Callable[[Fields], Item]) -> tuple[Item, ...]:
        inner = _Recorder()
        item = read(inner)
        self._note(name, {"type": "array", "minItems": 1, "maxItems": most, "items": inner.schema})
        return (item,)

    def refuse(self, name: str, problem: str) -> None:
        """Rules that span fields have no place in the schema."""

    def close(self) -> None:
        """Nothing is unknown here."""

    def finish(self) -> None:
        """Nothing is wrong here."""

    def _note(self, name: str, schema: Schema, default: object = None) -> None:
        if default is not None:
            schema["default"] = default
        if default is None and name not in self._looked_for:
            self._required.append(name)
        else:
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        self._properties[name] = schema
