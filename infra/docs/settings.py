"""The page of settings: every key of settings.toml and of the classes that receive it, with its comment."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from infra.docs import settings_keys
from infra.docs.markdown import cell, code, fence, plain, section, table
from infra.docs.markdown import page as whole
from infra.docs.settings_comments import Comments, comments_of
from infra.docs.settings_keys import Key
from infra.docs.told import ROOT
from worker.contract.settings import ENVIRONMENTS

_LONG = 60


def page() -> str:
    """Return the page."""
    text = (ROOT / "settings.toml").read_text("utf-8")
    layers = tomllib.loads(text)
    keys = settings_keys.every()
    leaves = {key.path.rpartition(".")[2].removesuffix("[]") for key in keys}
    comments = comments_of(text, frozenset(leaves))
    names = list(dict.fromkeys([*layers["default"], *(key.table for key in keys)]))
    return whole(
        "Settings",
        plain(" ".join(line.lstrip("# ") for line in text.partition("\n\n")[0].splitlines())),
        "`<name>` stands for a name of your choice, `[]` for the entries of a list. A list of tables, or a table of names, "
        "is given to its variable as JSON.",
        section("What environments change", _differences(layers)),
        *(_section(name, [key for key in keys if key.table == name], layers["default"], comments) for name in names),
    )


def _section(name: str, keys: Iterable[Key], default: Mapping[str, Any], comments: Comments) -> str:
    keys = list(keys)
    rows = [
        (
            code(key.path.partition(".")[2] or key.path),
            key.kind,
            _default(key, default),
            code(key.variable),
            key.readers,
            cell(comments.meaning(key.path) or key.meaning),
        )
        for key in keys
    ]
    declared = [
        (code(path), _value(value), cell(comments.meaning_of_value(path)))
        for path, value in _flat(default.get(name, {}), name)
        if path not in {key.path for key in keys}
    ]
    return section(
        f"[{name}]",
        *(part.text if part.is_prose else fence(part.text) for part in comments.intro(name)),
        table(("key", "type", "default", "variable", "read by", "meaning"), rows),
        "Declared in settings.toml:" if declared else "",
        table(("key", "value", "reason"), declared),
    )


def _differences(layers: Mapping[str, Any]) -> str:
    default = dict(_flat(layers["default"]))
    others = {env: dict(_flat(layers.get(env, {}))) for env in ENVIRONMENTS}
    paths = dict.fromkeys(path for env in ENVIRONMENTS for path in others[env])
    rows = [
        (
            code(path),
            _value(default[path]) if path in default else "",
            *(_value(others[env][path]) if path in others[env] else "" for env in ENVIRONMENTS),
        )
        for path in paths
    ]
    return table(("key", "default", *ENVIRONMENTS), rows)


def _default(key: Key, default: Mapping[str, Any]) -> str:
    values = dict(_flat(default))
    if key.path in values:
        return _value(values[key.path])
    if key.secret:
        return "secret, none"
    return "**required**" if key.required else _value(key.default)


def _value(value: Any) -> str:
    if value in ("", None):
        return "empty" if value == "" else "none"
    shown = _toml(value)
    return code(shown) if len(shown) <= _LONG else code(shown[:_LONG].rpartition(" ")[0] + " …")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }" if value else "{}"
    return str(value)


def _flat(values: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        below = f"{path}.{name}" if path else name
        found += _flat(value, below) if isinstance(value, Mapping) and value else [(below, value)]
    return found
