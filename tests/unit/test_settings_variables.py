"""The bundle's reader of variables means what dynaconf means, and frozen settings are the settings."""

import json
import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.config import WORKER_ONLY
from worker.contract.settings import FROZEN, ROOT, ConfigurationError, _loaded, freeze, raw_settings
from worker.contract.variables import value_of, variables

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NEARLY_TOML = st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            [
                *"[]{}\"',:= \n\t\\#.-+_e01aé",
                "07",
                "true",
                "False",
                "inf",
                "nan",
                "1979-05-27",
                '"x"',
                "\\u00e9",
                "0x1f",
                "127.0.0.1",
            ]
        ),
        max_size=8,
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
).map(json.dumps)


def by_dynaconf(environ: dict[str, str]) -> dict[str, object]:
    with mock.patch.dict(os.environ, environ, clear=True):
        return _loaded(envvar_prefix="ORDERS")


def lowered(value: object) -> object:
    if isinstance(value, dict):
        return {str(key).lower(): lowered(item) for key, item in value.items()}
    return [lowered(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXTS, NEARLY_TOML, JSON).filter(lambda text: not text.startswith("@")))
def test_a_value_means_what_it_means_to_dynaconf(text: str) -> None:
    # By their representation: NaN is not equal to itself, and 1 is not to be taken for True.
    assert repr(lowered(value_of(text))) == repr(by_dynaconf({"ORDERS_A__B": text})["a"]["b"])  # type: ignore[index]


def test_tables_nest_as_they_do_for_dynaconf() -> None:
    environ = {
        "ORDERS_API__MAX_IN_FLIGHT": "12",
        "ORDERS_WEBHOOKS__STRIPE__SECRETS": '["whsec_a", "b"]',
        "ORDERS_WEBHOOKS__STRIPE__TOPICS": "[]",
        "ORDERS_TEMPORAL__ADDRESS": "127.0.0.1:7233",
        "ORDERS_TEMPORAL__TLS": "True",
        "ORDERS_ENV": "test",
        "ORDERS_ACTOR": "alice",
        "ORDERSX_API__SHOP": "other",
    }
    assert variables(environ) == by_dynaconf(environ)
    assert variables(environ)["temporal"] == {"address": "127.0.0.1:7233", "tls": True}


@pytest.mark.parametrize("text", ["@int 5", "@jinja {{ 1 + 1 }}", "@none"])
def test_a_marker_of_the_loader_is_a_text(text: str) -> None:
    assert value_of(text) == text


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    (tmp_path / FROZEN).write_bytes(freeze(ROOT, ("production", "test"), WORKER_ONLY))
    return tmp_path


@pytest.mark.parametrize("environment", ["production", "test"])
def test_frozen_settings_are_the_settings(frozen: Path, environment: str) -> None:
    with mock.patch.dict(os.environ, {"ORDERS_ENV": environment, "ORDERS_API__SHOP": "second"}, clear=True):
        whole, thawed = raw_settings(), raw_settings(root=frozen)
    assert thawed == {name: table for name, table in whole.items() if name not in WORKER_ONLY}
    assert thawed["api"]["shop"] == "second"


def test_a_bundle_never_runs_with_the_settings_of_a_local_stack(frozen: Path) -> None:
    with mock.patch.dict(os.environ, {}, clear=True), pytest.raises(ConfigurationError) as refused:
        raw_settings(root=frozen)
    assert refused.value.problems == ["ORDERS_ENV is 'local'; this bundle was built for production, test"]


def test_no_secret_is_frozen(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[default.api]\nshop = "main"\n', "utf-8")
    (tmp_path / ".secrets.toml").write_text('[default.api.keys]\nholder = "visible-1"\n', "utf-8")
    with mock.patch.dict(os.environ, {"ORDERS_TEMPORAL__API_KEY": "visible-2"}):
        assert json.loads(freeze(tmp_path, ("test",), frozenset())) == {"test": {"api": {"shop": "main"}}}
