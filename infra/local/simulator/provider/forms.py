"""Reading the provider's form-encoded requests: nested keys, strict types, unknown parameters refused."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from infra.local.simulator.provider.errors import invalid

Form = dict[str, "str | Form"]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_METADATA_KEYS, _METADATA_KEY, _METADATA_VALUE = 50, 40, 500


def parse(encoded: str) -> Form:
    """Turn `metadata[order_id]=1&expand[]=x` into nested dictionaries; list items get their position as key."""
    form: Form = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid(f"Invalid parameter name: {key[:80]}")
        node = form
        path = [match[1], *_BRACKET.findall(match[2])]
        for step in path[:-1]:
            child = node.setdefault(step or str(len(node)), {})
            if isinstance(child, str):
                raise invalid("Invalid hash", param=match[1])
            node = child
        node[path[-1] or str(len(node))] = value
    return form


class Params:
    """The parameters of one call. Every reader marks its parameter as known; `finish` refuses the rest."""

    def __init__(self, form: Form) -> None:
        """Read from a parsed form."""
        self._form = form
        self._known: set[str] = set()
        self.finished = False

    def text(self, name: str) -> str | None:
        """Return a parameter as text; absent and empty are both None."""
        value = self._take(name)
        if isinstance(value, dict):
            raise invalid(f"Invalid string: {name}", param=name)
        return value or None

    def required(self, name: str) -> str:
        """Return a parameter as text, refusing the call without it."""
        value = self.text(name)
        if value is None:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
        return value

    def integer(self, name: str) -> int | None:
        """Return a whole number or None."""
        value = self.text(name)
        return None if value is None else integer(value, name)

    def boolean(self, name: str) -> bool | None:
        """Return `true`/`false` or None."""
        value = self.text(name)
        if value is None:
            return None
        if value not in {"true", "false"}:
            raise invalid(f"Invalid boolean: {value[:40]}", param=name)
        return value == "true"

    def choice(self, name: str, options: frozenset[str]) -> str | None:
        """Return one of `options` or None."""
        value = self.text(name)
        if value is not None and value not in options:
            listed = ", ".join(sorted(options))
            raise invalid(f"Invalid {name}: must be one of {listed}", param=name)
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list parameter (`name[]=a&name[]=b`), empty when absent."""
        value = self._take(name)
        if value is None:
            return []
        if isinstance(value, str) or any(isinstance(item, dict) for item in value.values()):
            raise invalid("Invalid array", param=name)
        return [str(item) for item in value.values()]

    def mapping(self, name: str) -> Mapping[str, "str | Form"]:
        """Return a nested parameter, empty when absent."""
        value = self._take(name)
        if isinstance(value, str) and value:
            raise invalid("Invalid hash", param=name)
        return value if isinstance(value, dict) else {}

    def is_nested(self, name: str) -> bool:
        """Tell whether a parameter was given as `name[...]`."""
        return isinstance(self._form.get(name), dict)

    def metadata(self) -> dict[str, str]:
        """Return `metadata` within the provider's limits (50 keys of 40 characters, values of 500)."""
        values: dict[str, str] = {}
        for key, value in self.mapping("metadata").items():
            if isinstance(value, dict):
                raise invalid("Metadata values must be strings", param="metadata")
            if len(key) > _METADATA_KEY or len(value) > _METADATA_VALUE:
                raise invalid("Metadata keys have up to 40 characters and values up to 500", param="metadata")
            values[key] = value
        if len(values) > _METADATA_KEYS:
            raise invalid("Metadata has up to 50 keys", param="metadata")
        return {key: value for key, value in values.items() if value}

    def ignore(self, *names: str) -> None:
        """Accept parameters that make no difference here."""
        self._known.update(names)

    def finish(self) -> None:
        """Refuse the call when it has a parameter nobody read; call it before the first effect."""
        for name in self._form:
            if name not in self._known:
                raise invalid(f"Received unknown parameter: {name[:80]}", param=name, code="parameter_unknown")
        self.finished = True

    def _take(self, name: str) -> "str | Form | None":
        self._known.add(name)
        return self._form.get(name)


def integer(text: str, name: str) -> int:
    """Read a whole number strictly."""
    if not _INTEGER.fullmatch(text):
        raise invalid(f"Invalid integer: {text[:40]}", param=name, code="parameter_invalid_integer")
    return int(text)
