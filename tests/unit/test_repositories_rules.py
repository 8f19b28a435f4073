import ssl
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import DatabaseUnavailable, InvalidInput
from worker.repositories import schema
from worker.repositories.engine import make_engine, tls_context
from worker.repositories.failures import error_number, translate
from worker.repositories.paging import chunked
from worker.repositories.times import UtcDateTime

ROOT = Path(__file__).resolve().parents[2]
DIALECT = mysql.dialect()


def test_every_select_for_update_is_in_locks() -> None:
    files = (ROOT / "worker" / "repositories").rglob("*.py")
    locking = [file.name for file in files if "with_for_update" in file.read_text(encoding="utf-8")]
    assert locking == ["locks.py"]


def test_amounts_are_whole_and_times_are_utc_in_every_table() -> None:
    for table in schema.METADATA.tables.values():
        for column in table.columns:
            kind = type(column.type).__name__
            assert kind not in {"Float", "Double", "Numeric", "DateTime"}, column
            assert kind == "BigInteger" or not column.name.endswith("_minor"), column
            if column.name.endswith(("_at", "window_start", "window_end")):
                assert isinstance(column.type, UtcDateTime), column
        options = table.dialect_options["mysql"]
        assert (options["engine"], options["collate"]) == ("InnoDB", "utf8mb4_bin")


@given(
    st.datetimes(
        datetime(1000, 1, 3),
        datetime(9999, 12, 29),
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_a_time_survives_its_column(at: datetime) -> None:
    column = UtcDateTime()
    stored = column.process_bind_param(at, DIALECT)
    assert stored is not None
    assert stored.tzinfo is None
    back = column.process_result_value(stored, DIALECT)
    assert back == at
    assert back is not None
    assert back.tzinfo is UTC


def test_a_naive_time_is_refused_and_none_is_none() -> None:
    column = UtcDateTime()
    with pytest.raises(InvalidInput, match="zone"):
        column.process_bind_param(datetime(2026, 1, 1), DIALECT)
    assert column.process_bind_param(None, DIALECT) is None
    assert column.process_result_value(None, DIALECT) is None


@pytest.mark.parametrize(
    "url",
    ["", "not a url", "sqlite://", "mysql://u:hush@h/d", "mysql+pymysql://u:hush@h", "mysql+pymysql://u:hush@h:port/d"],
)
def test_another_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make_engine(url, pool_size=1, connect_timeout=1, read_timeout=1, write_timeout=1, lock_wait=1, tls=False)
    assert "hush" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_there_is_one_verifying_tls_context() -> None:
    assert tls_context() is tls_context()
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname


@given(st.lists(st.integers(), max_size=30), st.integers(1, 7))
def test_chunks_make_the_whole(items: list[int], size: int) -> None:
    chunks = list(chunked(items, size))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(0 < len(chunk) <= size for chunk in chunks)


def test_an_error_without_a_number_is_still_translated() -> None:
    error = SQLAlchemyError("something with personal data")
    assert error_number(error) == 0
    translated = translate(error)
    assert isinstance(translated, DatabaseUnavailable)
    assert "personal" not in str(translated)
