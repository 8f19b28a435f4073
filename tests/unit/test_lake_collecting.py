"""What is left of very large books is looked through in parts: what is held of every key does not spill."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from worker.domain.matching.scope import Scope
from worker.lake.collecting import clear_agreeing
from worker.lake.engine import Engine, EngineLimits, engine

KEYS = 50_000
LITTLE_MB = 40
SCOPE = Scope(
    window_start=datetime(2026, 1, 1, tzinfo=UTC),
    window_end=datetime(2026, 2, 1, tzinfo=UTC),
    horizon_start=datetime(2025, 12, 1, tzinfo=UTC),
    payment_grace=timedelta(0),
    shipment_grace=timedelta(0),
    order_grace=timedelta(0),
)
_LINE = """
    select 'order/' || i || '-of-a-large-shop' as key, '{kind}' as kind, '{name}' || i || '_payment' as payment_reference,
        '{name}{kind}' || i || '_line' as line_id, '{name}{kind}' || i || '_object' as source_id, {minor} as gross_minor,
        'EUR' as currency, '' as customer_currency, 0 as customer_minor, timestamp '2026-01-05' as created_at
    from range({keys}) as numbers(i)"""


def judged(opened: Engine) -> None:
    """Make keys of a capture on both sides, and of a second charge that was given back whole."""
    run = opened.connection.execute
    run(f"""
        create temp table judged_entry as
        select 'order/' || i || '-of-a-large-shop' as key, 'capture' as kind, 'pi' || i || '_payment' as payment_reference,
            'ours' || i || '_reference' as reference, 100 as amount_minor, 'EUR' as currency,
            timestamp '2026-01-05' as occurred_at
        from range({KEYS}) as numbers(i)""")  # noqa: S608 - numbers of our own
    lines = [("charge", "pi", 100), ("charge", "again", 100), ("refund", "again", -100)]
    each = [_LINE.format(kind=kind, name=name, minor=minor, keys=KEYS) for kind, name, minor in lines]
    run(f"create temp table judged_line as {' union all '.join(each)}")
    run("create temp table suspect (key varchar)")
    run("create temp table agreed (key varchar)")


def agreeing(rows_at_once: int) -> object:
    """Return how many keys are found, and how many different ones."""
    with engine(EngineLimits(memory_mb=LITTLE_MB)) as opened:
        judged(opened)
        clear_agreeing(opened, SCOPE, rows_at_once)
        return opened.connection.execute("select count(*), count(distinct key) from agreed").fetchone()


def test_keys_that_agree_are_found_in_parts_where_all_at_once_would_not_fit() -> None:
    assert agreeing(KEYS // 2) == (KEYS, KEYS)
    with pytest.raises(duckdb.OutOfMemoryException):
        agreeing(KEYS * 100)
