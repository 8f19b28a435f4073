"""A day whose file was never imported: said by the run over its neighbour, and gone when the file comes."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.month_of_files import Month
from tests.integration.own_database import emptied
from tests.integration.test_payout_files import FilesAlone
from tests.unit.statement_files import table
from worker.domain.finding import Verdict
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry, EntryKind
from worker.repositories.database import MysqlDatabase
from worker.services.continuity import gaps_of

NAMES = ("Date", "Time", "TimeZone", "Type", "Status", "Currency", "Gross", "Fee", "Net", "Transaction ID", "Invoice Number", "Balance")  # fmt: skip
FIRST = date(2026, 9, 1)
SOLD = {0: 2_000, 1: 3_100, 2: 700, 40: 900}
"""What was sold on which day; nothing moves between the third and the forty-first."""


def activity(day: int) -> bytes:
    """Return PayPal's file of a day: one sale, and the balance after it."""
    balance = sum(minor for number, minor in SOLD.items() if number <= day)
    amount, on = format_minor(SOLD[day], "EUR"), FIRST + timedelta(days=day)
    row = (f"{on}", "10:00:00", "GMT", "Express Checkout Payment", "Completed", "EUR", amount, "0.00", amount, f"T{day}", f"10{day}", format_minor(balance, "EUR"))  # fmt: skip
    return table(NAMES, [row])


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> FilesAlone:
    emptied(engine)
    opened = FilesAlone(MysqlDatabase(engine), tmp_path, Month(provider="paypal"))
    for day, minor in SOLD.items():
        booked = BookEntry(
            shop="main",
            order_id=f"10{day}",
            provider="paypal",
            kind=EntryKind.CAPTURE,
            reference=f"T{day}",
            payment_reference=f"T{day}",
            amount_minor=minor,
            currency="EUR",
            occurred_at=opened.instant.replace(year=2026, month=9, day=1, hour=10, minute=0) + timedelta(days=day),
        )
        opened.database.transact(lambda tx, one=booked: tx.payments.post(one))  # type: ignore[misc]
    return opened


def test_a_missing_day_makes_its_neighbours_incomplete_until_it_is_imported(shop: FilesAlone) -> None:
    first, third = (shop.take(f"day-{day}.csv", activity(day)).file for day in (0, 2))
    expected = (
        (
            "statement day-2.csv does not follow the one before: EUR: opens with 51.00, and day-0.csv closes with 20.00: "
            "EUR 31.00 moved in no imported file"
        ),
    )
    run = shop.run(third.sha256)
    assert (run.verdict, tuple(run.incomplete_because)) == (Verdict.INCOMPLETE, expected)
    assert tuple(shop.run(first.sha256).incomplete_because) == expected, "it ends where the gap begins"
    second = shop.take("day-1.csv", activity(1)).file
    for one in (first, second, third):
        run = shop.run(one.sha256)
        assert (run.verdict, tuple(run.incomplete_because)) == (Verdict.RECONCILED, ())


def test_whoever_begins_anew_after_months_lacks_nothing(shop: FilesAlone) -> None:
    shop.take("day-0.csv", activity(0))
    later = shop.take("day-40.csv", activity(40)).file
    assert gaps_of(shop.database, later) == []
    assert tuple(shop.run(later.sha256).incomplete_because) == ()
