"""Values are written into statements as PyMySQL itself writes them, whatever they are, only sooner."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.constants import SERVER_STATUS
from pymysql.cursors import Cursor

from worker.repositories.connection import AttentiveConnection


class Word(StrEnum):
    NEW = "new"


VALUES = st.one_of(
    st.text(st.sampled_from("a'\"\\%s\n\x00\x1aé\U0001f600")),
    st.integers(),
    st.none(),
    st.booleans(),
    st.binary(max_size=4),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(),
    st.just(Word.NEW),
)


def connection(*, backslashes: bool) -> Any:
    made: Any = AttentiveConnection(defer_connect=True)
    made.server_status = 0 if backslashes else SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES
    return made


@given(st.lists(VALUES, max_size=6).map(tuple), st.booleans())
def test_values_are_written_as_the_driver_writes_them(values: tuple[Any, ...], backslashes: bool) -> None:
    to = connection(backslashes=backslashes)
    query = f"VALUES ({', '.join(['%s'] * len(values))}) -- 100 %%"
    assert to.cursor().mogrify(query, values) == Cursor(to).mogrify(query, values)


def test_other_forms_of_values_are_the_drivers() -> None:
    cursor = connection(backslashes=False).cursor()
    assert cursor.mogrify("SELECT %(a)s, '%%'", {"a": "it's"}) == "SELECT 'it''s', '%'"
    assert cursor.mogrify("SELECT %s", [datetime(2026, 11, 29)]) == "SELECT '2026-11-29 00:00:00'"
    assert cursor.mogrify("SELECT '%'") == "SELECT '%'"


def test_too_few_values_are_told_as_the_driver_tells_it() -> None:
    with pytest.raises(pymysql.ProgrammingError, match="not enough"):
        connection(backslashes=False).cursor().mogrify("SELECT %s, %s", (1,))
