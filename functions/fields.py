"""Strict reading of a JSON object's fields: every problem is collected with its path, nothing is coerced.

A reader is asked for each field it knows; `finish` then reports fields nobody asked for. A problem is answered
with a harmless stand-in value, so that one pass finds all problems; `finish` raises before it can be used.
No message repeats the input, not even the name of an unknown field.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from functions.problems import FieldProblem, Unprocessable
from worker.contract.ids import is_valid_part

MAX_REPORTED = 20
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
_STAND_IN = datetime(2000, 1, 1, tzinfo=UTC)

Choice = TypeVar("Choice", bound=StrEnum)
Item = TypeVar("Item")
StandIn = TypeVar("StandIn")


class Fields:
    """Reads one JSON object. `problems` is shared with the readers of its parts."""

    def __init__(self, values: Mapping[str, Any], path: str = "", problems: list[FieldProblem] | None = None) -> None:
        self._values = values
        self._path = path
        self._asked: set[str] = set()
        self.problems: list[FieldProblem] = [] if problems is None else problems

    def present(self, name: str) -> bool:
        """Tell whether the field is there (null counts as absent)."""
        self._asked.add(name)
        return self._values.get(name) is not None

    def key(self, name: str) -> str:
        """Read a text that may stand in a workflow id."""
        return self._checked(name, is_valid_part, "must be 1 to 128 of A-Z a-z 0-9 . _ : # @ + -", "0")

    def matching(self, name: str, pattern: re.Pattern[str], meaning: str) -> str:
        """Read a text that matches `pattern` in full; `meaning` completes "must be"."""
        return self._checked(name, lambda text: pattern.fullmatch(text) is not None, f"must be {meaning}", "")

    def member(self, name: str, members: Collection[str], meaning: str) -> str:
        """Read one of `members`; `meaning` completes "must be"."""
        return self._checked(name, lambda text: text in members, f"must be {meaning}", next(iter(members)))

    def text(self, name: str, longest: int, *, shortest: int = 0) -> str:
        """Read a text without control characters, at most `longest` characters."""
        return self._checked(
            name,
            lambda text: _is_text(text, shortest, longest),
            f"must be {shortest} to {longest} characters, none a control",
            "",
        )

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Read an integer from `least` to `most`; true, 1.0 and "1" are none."""
        value = self._take(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        return self._wrong(name, f"must be an integer from {least} to {most}", least)

    def flag(self, name: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._take(name, default)
        return value if isinstance(value, bool) else self._wrong(name, "must be true or false", default)

    def choice(self, name: str, choices: type[Choice], default: Choice | None = None) -> Choice:
        """Read one of an enumeration's values."""
        known = {str(member): member for member in choices}
        value = self._take(name, None if default is None else str(default))
        if isinstance(value, str) and value in known:
            return known[value]
        return self._wrong(name, f"must be one of {', '.join(known)}", next(iter(choices)))

    def instant(self, name: str) -> datetime:
        """Read a time with its zone, to the second (`2026-11-22T08:00:00Z`), as UTC."""
        value = self._take(name)
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            try:
                return datetime.fromisoformat(value).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
        return self._wrong(name, "must be a time like 2026-11-22T08:00:00Z", _STAND_IN)

    def part(self, name: str) -> "Fields":
        """Read a nested object; finish it before this one."""
        value = self._take(name)
        if not isinstance(value, dict):
            value = self._wrong(name, "must be an object", {})
            return Fields(value, self._at(name), [])
        return Fields(value, self._at(name), self.problems)

    def parts(self, name: str, most: int, read: Callable[["Fields"], Item]) -> tuple[Item, ...]:
        """Read a list of 1 to `most` objects, each with `read`."""
        value = self._take(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            return self._wrong(name, f"must be a list of 1 to {most} objects", ())
        items: list[Item] = []
        for index, entry in enumerate(value):
            path = f"{self._at(name)}[{index}]"
            if isinstance(entry, dict):
                fields = Fields(entry, path, self.problems)
                items.append(read(fields))
                fields.close()
            else:
                self.problems.append(FieldProblem(path, "must be an object"))
        return tuple(items)

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """Read a list of 1 to `most` texts as `text` reads them, none empty."""
        value = self._take(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            return self._wrong(name, f"must be a list of 1 to {most} texts", ())
        found = []
        for index, entry in enumerate(value):
            if isinstance(entry, str) and _is_text(entry, 1, longest):
                found.append(entry)
            else:
                problem = f"must be 1 to {longest} characters, none a control"
                self.problems.append(FieldProblem(f"{self._at(name)}[{index}]", problem))
        return tuple(found)

    def refuse(self, name: str, problem: str) -> None:
        """Report a problem that spans fields, at the field `name`."""
        self.problems.append(FieldProblem(self._at(name), problem))

    def close(self) -> None:
        """Report fields nobody asked for."""
        if self._values.keys() - self._asked:
            known = ", ".join(sorted(self._asked))
            self.problems.append(FieldProblem(self._path, f"has a field that is not known here; known are {known}"))

    def finish(self) -> None:
        """Raise Unprocessable when anything was wrong."""
        self.close()
        if self.problems:
            raise Unprocessable("the request does not fit the schema", fields=self.problems[:MAX_REPORTED])

    def _take(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        value = self._values.get(name)
        return default if value is None else value

    def _checked(self, name: str, fits: Callable[[str], bool], problem: str, stand_in: str) -> str:
        value = self._take(name)
        return value if isinstance(value, str) and fits(value) else self._wrong(name, problem, stand_in)

    def _wrong(self, name: str, problem: str, stand_in: StandIn) -> StandIn:
        self.problems.append(FieldProblem(self._at(name), problem if self.present(name) else "is needed"))
        return stand_in

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _is_text(text: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text)
