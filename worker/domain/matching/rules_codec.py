"""Rules as a JSON document and back, without loss: a run keeps those it was judged by, whatever the settings say later.

Times are whole microseconds. The document follows the fields of `Rules`; one that is missing in an older document
has its default, one that this code does not know raises InvalidInput: judging without it would be another answer.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from worker.domain.errors import InvalidInput
from worker.domain.matching.rules import Rules

_MICROSECOND = timedelta(microseconds=1)


def encode_rules(rules: Rules) -> dict[str, Any]:
    """Return the document of some rules."""
    document: dict[str, Any] = _plain(rules)
    return document


def decode_rules(document: Mapping[str, Any]) -> Rules:
    """Return the rules of a document. Raises InvalidInput for a field that this code does not know."""
    rules: Rules = _typed(Rules, document)
    return rules


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        # What a rule does not say is not written: a release that does not know of it yet can judge by the rest.
        said = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _plain(item) for name, item in said if item is not None}
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    return value.value if isinstance(value, Enum) else value


def _typed(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        unknown = sorted(value.keys() - hints.keys())
        if unknown:
            raise InvalidInput(f"the run was judged by rules this release does not know: {', '.join(unknown)}")
        return hint(**{name: _typed(hints[name], item) for name, item in value.items()})
    arms = get_args(hint)
    if NoneType in arms:
        return None if value is None else _typed(next(arm for arm in arms if arm is not NoneType), value)
    if get_origin(hint) is tuple:
        return tuple(_typed(arms[0], item) for item in value)
    if arms:
        return {key: _typed(arms[1], item) for key, item in value.items()}
    if hint is timedelta:
        return value * _MICROSECOND
    return hint(value)
