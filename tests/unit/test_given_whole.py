"""Variables that came packed in others: those that are wanted are set, what is missing is told, no value is shown."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.contract.given_whole import unpack
from worker.contract.settings import ConfigurationError, raw_settings

names = st.sampled_from([f"ORDERS_{table}__{key}" for table in ("SHOP", "MAIL") for key in ("KEY", "TOKEN", "NAME")])
objects = st.dictionaries(
    st.sampled_from(["worker", "database", "temporal"]),
    st.dictionaries(names, st.text(max_size=5), min_size=1, max_size=3),
)


@settings(max_examples=30)
@given(held=objects)
def test_what_is_wanted_is_set_and_nothing_else(held: dict[str, dict[str, str]]) -> None:
    wanted = {kind: [min(values)] for kind, values in held.items()}
    before = {"SECRET_VARIABLES": json.dumps(wanted)} | {
        f"SECRET_VARIABLES_{kind.upper()}": json.dumps(values) for kind, values in held.items()
    }
    environ = dict(before)
    assert unpack(environ) == []
    assert set(environ) - set(before) == {key for keys in wanted.values() for key in keys}
    assert all(
        environ[key] in [values.get(key) for values in held.values()] for keys in wanted.values() for key in keys
    )
    again = dict(environ)
    assert unpack(again) == []
    assert again == environ


def test_one_that_is_set_stays() -> None:
    environ = {
        "SECRET_VARIABLES": '{"worker": ["ORDERS_A__B"]}',
        "SECRET_VARIABLES_WORKER": '{"ORDERS_A__B": "packed"}',
        "ORDERS_A__B": "own",
    }
    assert unpack(environ) == []
    assert environ["ORDERS_A__B"] == "own"


def test_without_anything_packed_nothing_happens() -> None:
    environ = {"SECRET_VARIABLES_WORKER": '{"ORDERS_A__B": "packed"}'}
    assert unpack(environ) == []
    assert len(environ) == 1


@pytest.mark.parametrize(
    ("wanted", "packed", "says"),
    [
        ('{"worker": ["ORDERS_A__B"]}', "{}", "ORDERS_A__B: is not in the secret"),
        ('{"worker": ["ORDERS_A__B"]}', '["never-shown"]', "SECRET_VARIABLES_WORKER: is no JSON object"),
        ('{"worker": ["ORDERS_A__B"]}', "never-shown", "SECRET_VARIABLES_WORKER: is no JSON object"),
        ("[]", "{}", "SECRET_VARIABLES: is no JSON object"),
        ("{", "{}", "SECRET_VARIABLES: is no JSON object"),
    ],
)
def test_a_program_without_its_secrets_does_not_start(
    monkeypatch: pytest.MonkeyPatch, wanted: str, packed: str, says: str
) -> None:
    monkeypatch.setenv("SECRET_VARIABLES", wanted)
    monkeypatch.setenv("SECRET_VARIABLES_WORKER", packed)
    with pytest.raises(ConfigurationError, match=says) as caught:
        raw_settings()
    assert "never-shown" not in str(caught.value)
