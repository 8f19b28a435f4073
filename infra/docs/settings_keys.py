"""Every key that a process reads, from the dataclasses that receive the settings."""

import dataclasses
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from functions.config import FunctionsConfig
from infra.docs.told import texts_below
from worker.config import WorkerConfig
from worker.contract.settings import Secret
from worker.deployment import DeployConfig

READERS: dict[str, type[Any]] = {"worker": WorkerConfig, "functions": FunctionsConfig, "deploy": DeployConfig}
NAME = "<name>"
"""Stands in a path for a name that whoever writes the settings chooses."""

_WORDS: dict[Any, str] = {str: "text", int: "integer", bool: "true or false", Path: "path", datetime: "time"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. `path` is like `webhooks.<name>.secrets[].value`."""

    path: str
    kind: str
    secret: bool
    required: bool
    default: Any
    readers: str
    meaning: str

    @property
    def table(self) -> str:
        """Its table of the first level."""
        return self.path.partition(".")[0]

    @property
    def variable(self) -> str:
        """The variable that sets it; an entry of a list has none of its own."""
        if "[]" in self.path:
            return ""
        return f"ORDERS_{self.path.replace('.', '__').upper()}"


def every() -> list[Key]:
    """Return every key once, with all who read it."""
    found: dict[str, Key] = {}
    for reader, config in READERS.items():
        for key in _keys(config, reader):
            known = found.get(key.path)
            if known is None:
                found[key.path] = key
            elif reader not in known.readers.split(", "):
                found[key.path] = dataclasses.replace(known, readers=f"{known.readers}, {reader}")
    return list(found.values())


def _keys(owner: type[Any], reader: str, path: str = "") -> Iterator[Key]:
    hints = typing.get_type_hints(owner)
    told = texts_below(owner)
    for field in dataclasses.fields(owner):
        below = f"{path}.{field.name}" if path else field.name
        hint = _bare(hints[field.name])
        inner, suffix = _inside(hint)
        if dataclasses.is_dataclass(inner) and inner is not Secret:
            if suffix == "[]" or (suffix and path):
                yield _key(field, hint, below, reader, told.get(field.name, ""))
            yield from _keys(typing.cast("type[Any]", inner), reader, below + suffix)
        else:
            yield _key(field, hint, below, reader, told.get(field.name, ""))


def _key(field: "dataclasses.Field[Any]", hint: Any, path: str, reader: str, meaning: str) -> Key:
    factory = field.default_factory
    plain = field.default is not dataclasses.MISSING
    return Key(
        path=path,
        kind=_kind(hint),
        secret=Secret in {hint, _inside(hint)[0]},
        required=not plain and factory is dataclasses.MISSING,
        default=field.default if plain else (factory() if factory is not dataclasses.MISSING else None),
        readers=reader,
        meaning=meaning,
    )


def _bare(hint: Any) -> Any:
    """Return a type without its None."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return next(arm for arm in typing.get_args(hint) if arm is not type(None))
    return hint


def _inside(hint: Any) -> tuple[Any, str]:
    """Return the type of the entries of a list or a table of names, and how a path tells of them."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return inner[0], "[]"
    if origin is dict:
        return inner[1], f".{NAME}"
    return hint, ""


def _kind(hint: Any) -> str:
    inner, suffix = _inside(hint)
    if suffix:
        word = "secrets" if inner is Secret else f"{_WORDS.get(inner, 'table').removesuffix(' or false')}s"
        return f"list of {word}" if suffix == "[]" else f"{word} by name"
    return "secret" if inner is Secret else _WORDS.get(inner, "table")
