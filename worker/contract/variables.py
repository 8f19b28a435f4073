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
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)", re.ASCII)
_MAY_BE_TOML = frozenset("0123456789+-\"'[{tfin \t")
"""What a TOML value, or the space before one, begins with."""


def variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that `environ` holds as nested tables with lower-case keys."""
    tables: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == "ORDERS_ENV":
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
    if text[:1] not in _MAY_BE_TOML:
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if text[0] == "[" and "\\" not in text:
        plain = _list_of_texts(text)
        if plain is not None:
            return plain
    return _toml(text)


def _list_of_texts(text: str) -> list[str] | None:
    """Return a list of texts, which reads the same in JSON and TOML; None for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if all(isinstance(item, str) for item in value) else None


def _toml(text: str) -> Any:
    import tomllib  # noqa: PLC0415 - ten milliseconds of a cold start that hardly any variable needs

    try:
        return tomllib.loads(f"key={text}")["key"]
    except tomllib.TOMLDecodeError:
        return text
