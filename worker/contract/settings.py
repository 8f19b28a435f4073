"""The one door to settings.toml: dynaconf loads, frozen dataclasses receive, all errors are told at once.

This is the only module of the contract that is not plain standard library, and the only one anywhere that
imports dynaconf: both deployables load their settings through it. A section is a frozen dataclass whose
fields name the keys; a field without a default must be set; `Secret` fields never show their value. A section
with a class variable SHORTHAND may be written as the value of that one field.

The functions' bundle is the exception in how, not in what: dynaconf merged its settings when it was built
(`freeze`), and a cold start reads the result and the variables, for a sixth of the time.
"""

import dataclasses
import json
import os
import sys
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from worker.contract.given_whole import unpack
from worker.contract.variables import variables

ENVIRONMENTS = ("local", "test", "production")
ROOT = Path(__file__).resolve().parents[2]
FROZEN = "settings.frozen.json"
"""Where a bundle keeps its merged settings, by environment; it takes the place of settings.toml."""

T = TypeVar("T")


class ConfigurationError(Exception):
    """Settings are wrong; `problems` lists every one of them. Programs exit with 3."""

    exit_code = 3

    def __init__(self, problems: list[str]) -> None:
        super().__init__("settings are not usable:\n  " + "\n  ".join(problems))
        self.problems = problems


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that must not be shown. `reveal()` is the only way to the value."""

    _value: str

    def reveal(self) -> str:
        """Return the secret text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


def environment(environ: Mapping[str, str] | None = None) -> str:
    """Return the chosen environment. Raises ConfigurationError when ORDERS_ENV names no known one."""
    chosen = (os.environ if environ is None else environ).get("ORDERS_ENV", "local")
    if chosen not in ENVIRONMENTS:
        raise ConfigurationError([f"ORDERS_ENV is {chosen!r}; use one of {', '.join(ENVIRONMENTS)}"])
    return chosen


def raw_settings(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> dict[str, Any]:
    """Return the merged settings of the chosen environment as plain dictionaries with lower-case keys.

    Variables that came packed become variables of this process first (see `given_whole`). Raises ConfigurationError
    when one is missing, or ORDERS_ENV names no known environment (dynaconf would serve defaults).
    """
    env = environment(environ)
    problems = unpack(os.environ)
    if problems:
        raise ConfigurationError(problems)
    # Variables come last. Lists replace lists: a shorter list of queues must not grow by the default's.
    if (root / FROZEN).is_file():
        return _merge(_thawed(root / FROZEN, env), _plain(variables(os.environ)))
    return _merge(_files(root, ("settings.toml", ".secrets.toml"), env), _loaded(envvar_prefix="ORDERS"))


def freeze(root: Path, environments: tuple[str, ...], without: frozenset[str]) -> bytes:
    """Return the contents of FROZEN for these environments: settings.toml alone, without secrets and variables.

    `without` names top-level tables that whoever is to read it has no business with.
    """
    layers = {env: _files(root, ("settings.toml",), env) for env in environments}
    kept = {env: {name: table for name, table in layer.items() if name not in without} for env, layer in layers.items()}
    return json.dumps(kept, indent=1, sort_keys=True).encode()


def build(section: type[T], values: Mapping[str, Any]) -> T:
    """Build the frozen dataclass `section` from `values`, strictly.

    Raises ConfigurationError naming every unknown key, missing key and wrong type at once. Top-level keys
    that belong to the other deployable must be removed by the caller (see `pick`).
    """
    problems: list[str] = []
    built = _dataclass(section, values, "", problems)
    if problems:
        raise ConfigurationError(sorted(problems))
    return typing.cast("T", built)


def pick(values: Mapping[str, Any], section: type[Any], known: frozenset[str]) -> dict[str, Any]:
    """Return what `section` reads out of `values`, keeping keys that nobody knows so that they are reported."""
    own = {field.name for field in dataclasses.fields(section)}
    return {key: value for key, value in values.items() if key in own or key not in known}


def _files(root: Path, files: tuple[str, ...], env: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for file in files:
        layers = _loaded(settings_files=[str(root / file)]) if (root / file).exists() else {}
        for layer in ("default", env):
            merged = _merge(merged, layers.get(layer, {}))
    return merged


def _thawed(file: Path, env: str) -> dict[str, Any]:
    layers: dict[str, dict[str, Any]] = json.loads(file.read_bytes())
    if env not in layers:
        raise ConfigurationError([f"ORDERS_ENV is {env!r}; this bundle was built for {', '.join(sorted(layers))}"])
    return layers[env]


def _loaded(**options: Any) -> dict[str, Any]:
    loaded = _dynaconf()(environments=False, load_dotenv=False, **{"envvar_prefix": "ORDERS_NONE", **options})
    plain: dict[str, Any] = _plain(loaded.as_dict())
    # ORDERS_ACTOR says who acts on the command line; it is no setting.
    for noise in ("env", "load_dotenv", "environments", "actor"):
        plain.pop(noise, None)
    return plain


def _dynaconf() -> Any:
    """Return the class that loads settings.

    dynaconf imports Flask wherever that is installed, for an extension that nobody here uses, and that is half of what
    a short command costs: 0.3 s of CPU. So to dynaconf it is not installed.
    """
    hidden = "flask" not in sys.modules
    if hidden:
        sys.modules["flask"] = None  # type: ignore[assignment]  # how Python itself writes down what is not to be had
    try:
        from dynaconf import Dynaconf  # noqa: PLC0415 - a bundle has its settings frozen, and has no dynaconf
    finally:
        if hidden:
            del sys.modules["flask"]
    return Dynaconf


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _dataclass(section: type[Any], values: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(values, Mapping):
        problems.append(f"{path}: expected a table, got {_name(values)}")
        return None
    hints = typing.get_type_hints(section)
    fields = {field.name: field for field in dataclasses.fields(section)}
    prefix = f"{path}." if path else ""
    problems.extend(f"{prefix}{key}: unknown setting" for key in values if key not in fields)
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _convert(hints[name], values[name], f"{prefix}{name}", problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"{prefix}{name}: missing (set it in settings.toml or as {_variable(f'{prefix}{name}')})")
    return None if problems else section(**arguments)


def _convert(hint: Any, value: Any, path: str, problems: list[str]) -> Any:
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        inner = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        return None if value is None else _convert(inner[0], value, path, problems)
    if hint is Secret:
        return _secret(value, path, problems)
    if dataclasses.is_dataclass(hint):
        shorthand = getattr(hint, "SHORTHAND", None)
        if shorthand is not None and not isinstance(value, Mapping):
            value = {shorthand: value}
        return _dataclass(typing.cast("type[Any]", hint), value, path, problems)
    if hint is datetime:
        return _moment(value, path, problems)
    if origin in {tuple, list}:
        return _sequence(typing.get_args(hint)[0], value, path, problems)
    if origin is dict:
        return _table(typing.get_args(hint)[1], value, path, problems)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        problems.append(f"{path}: expected {hint.__name__}, got {_name(value)}")
        return None
    return value


def _secret(value: Any, path: str, problems: list[str]) -> Secret | None:
    """Take a text. The loader reads variables as TOML: a password that looks like a number is read again as it is."""
    text = value if isinstance(value, str) else os.environ.get(_variable(path))
    if text is None:
        problems.append(f"{path}: expected a text, got {_name(value)}")
        return None
    return Secret(text)


def _moment(value: Any, path: str, problems: list[str]) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            problems.append(f"{path}: is no time like 2026-12-01T00:00:00Z")
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        problems.append(f"{path}: expected a time with its offset, like 2026-12-01T00:00:00Z")
        return None
    return value.astimezone(UTC)


def _from_json(value: Any) -> Any:
    """Read a variable that holds JSON (the loader itself reads TOML, whose tables look different)."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _sequence(item: Any, value: Any, path: str, problems: list[str]) -> tuple[Any, ...]:
    value = _from_json(value)
    if not isinstance(value, list | tuple):
        problems.append(f"{path}: expected a list, got {_name(value)}")
        return ()
    return tuple(_convert(item, entry, f"{path}[{index}]", problems) for index, entry in enumerate(value))


def _table(item: Any, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    value = _from_json(value)
    if not isinstance(value, Mapping):
        problems.append(f"{path}: expected a table, got {_name(value)}")
        return {}
    return {key: _convert(item, entry, f"{path}.{key}", problems) for key, entry in value.items()}


def _variable(path: str) -> str:
    return f"ORDERS_{path.replace('.', '__').upper()}"


def _name(value: Any) -> str:
    return type(value).__name__
