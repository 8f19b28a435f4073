"""Settings from variables, `ORDERS_<TABLE>__<KEY>=value`, read without a library.

For the functions' bundle, whose settings were merged when it was built (see `settings`): what is left to do at a
cold start is this, in a millisecond. Values mean what they mean to the loader everywhere else: TOML where they
read as TOML, True and False as booleans, anything else as the text itself; only the loader's `@` markers are
texts here. A test holds the two readers against each other.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

PREFIX = "ORDERS_"
NO_SETTINGS = frozenset({"ORDERS_ENV", "ORDERS_ACTOR"})
"""Which settings to read, and who acts on the command line."""
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)", re.ASCII)
_MAY_BE_TOML = re.compile(r"[0-9+\-\"'\[{ \t]|true|false|inf|nan", re.ASCII)
"""What a TOML value, or the space before one, begins with."""
_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(?::[0-9]+)?", re.ASCII)
"""Begins like a number and is none."""


def variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that `environ` holds as nested tables with lower-case keys."""
    tables: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            continue
        *path, key = name.removeprefix(PREFIX).lower().split("__")
        table = tables
        for part in path:
            below = table.get(part)
            if not isinstance(below, dict):
                below = table[part] = {}
            table = below
        table[key] = value_of(environ[name])
    return tables


def value_of(text: str) -> Any:
    """Return what one variable's text means."""
    if text.strip() in {"True", "False"}:
        text = text.lower()
    if not _MAY_BE_TOML.match(text) or _ADDRESS.fullmatch(text):
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if text[0] in "[{":
        plain = _as_json(text)
        if isinstance(plain, list) and "\\" not in text and all(isinstance(item, str) for item in plain):
            return plain  # a list of texts reads the same in TOML
        if isinstance(plain, dict) and plain:
            return text  # a JSON object never reads as TOML
    return _toml(text)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _toml(text: str) -> Any:
    import tomllib  # noqa: PLC0415 - ten milliseconds of a cold start that hardly any variable needs

    try:
        return tomllib.loads(f"key={text}")["key"]
    except tomllib.TOMLDecodeError:
        return text
