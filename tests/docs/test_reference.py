"""What has to be looked up is written down: every setting has a comment at its table, every error a code of its own."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from functions import problems
from worker.domain import errors
from worker.domain.errors import OrdersError

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (ROOT / "settings.toml").read_text("utf-8")
SELF_EXPLAINING = {
    "address",
    "namespace",
    "tls",
    "name",
    "host",
    "port",
    "sender",
    "id",
    "shop",
    "provider",
    "level",
    "json",
}
"""Keys whose name says all; a unit (`_seconds`, `_ms`, `_bytes`) does too."""


def descendants(kind: type[OrdersError]) -> Iterator[type[OrdersError]]:
    for child in kind.__subclasses__():
        if child.__module__ == kind.__module__:
            yield child
        yield from descendants(child)


def tables() -> dict[str, str]:
    """Return the text of each table of the default environment, comments above its header included."""
    parts = re.split(r"^(?=(?:#[^\n]*\n)*\[)", SETTINGS, flags=re.MULTILINE)
    found: dict[str, str] = {}
    comment = ""
    for part in parts:
        header = re.search(r"^\[([\w.]+)\]", part, re.MULTILINE)
        if header is None:
            comment = part
            continue
        found[header[1]] = found.get(header[1], "") + comment + part
        comment = ""
    return found


def test_every_table_and_key_of_the_settings_is_explained() -> None:
    texts = tables()
    defaults = tomllib.loads(SETTINGS)["default"]
    unexplained: list[str] = []
    for section, keys in defaults.items():
        nested = [f"{section}.{key}" for key, value in keys.items() if isinstance(value, dict) and value]
        words = "\n".join(
            line for name in (section, *nested) for line in texts.get(f"default.{name}", "").splitlines() if "#" in line
        )
        flat = {key for key, value in keys.items() if not (isinstance(value, dict) and value)}
        flat |= {key for name in nested for key in keys[name.partition(".")[2]]}
        unexplained += [
            f"{section}.{key}"
            for key in sorted(flat)
            if key not in SELF_EXPLAINING and not key.endswith(("_seconds", "_ms", "_bytes")) and not words
        ]
    assert unexplained == []


def test_every_error_has_a_code_of_its_own_that_is_its_name() -> None:
    kinds = list(descendants(OrdersError))
    assert len(kinds) > 10
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(kind) for kind in kinds), "an inherited code would be somebody else's"
    for kind in kinds:
        assert kind.code == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    told = errors.__doc__ or ""
    for kind in descendants(OrdersError):
        line = re.search(rf"^( +){kind.__name__}  +\S", told, re.MULTILINE)
        assert line, f"{kind.__name__} is not in the docstring"
        depth = len(kind.__mro__) - len(OrdersError.__mro__)
        assert len(line[1]) == 4 + 2 * depth


def test_errors_that_help_themselves_are_few_and_named() -> None:
    again = {kind.__name__ for kind in descendants(OrdersError) if kind.retryable}
    assert again == {"NotFound", "ProviderUnavailable", "DatabaseUnavailable", "NoRoom", "SourceUnreadable"}


def test_every_problem_of_the_edge_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, type) and issubclass(kind, problems.Problem)]
    codes = [kind.code for kind in kinds if "code" in vars(kind)]
    assert len(codes) > 5
    assert len(set(codes)) == len(codes)
