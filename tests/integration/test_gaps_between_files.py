"""A day whose file was never imported: said by the run over its neighbour, and gone when the file comes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from tests.integration.bank_files import OPENING, camt
from tests.integration.month_of_files import Month, month
from tests.integration.own_database import emptied
from tests.integration.test_payout_files import FilesAlone
from tests.unit.statement_files import table
from worker.contract.reconciliation import Mode
from worker.domain.finding import Verdict
from worker.domain.matching.rules import Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry, EntryKind
from worker.repositories.database import MysqlDatabase
from worker.services.conclusion import _gaps_from
from worker.services.continuity import gaps_of
from worker.services.ports import Clock, Run, source_of
from worker.services.run_facts import RunFacts
from worker.services.verification import Verification

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


def test_a_bank_statement_that_lacks_is_said_by_the_run_whose_payouts_it_would_tell_of(
    engine: Engine, tmp_path: Path
) -> None:
    emptied(engine)
    made = month("stripe")
    shop = FilesAlone(MysqlDatabase(engine), tmp_path, made)
    shop.take("payouts.csv", made.list_of_payouts())
    statement = shop.take("statement.csv", made.statement(shop.shop)).file.sha256
    reached, balance = FIRST, OPENING
    parts: list[tuple[str, bytes]] = []
    for number, last in enumerate((FIRST + timedelta(days=7), FIRST + timedelta(days=8), FIRST + timedelta(days=24))):
        bookings = [one for one in made.booked if reached <= one.on <= last]
        parts.append((f"bank-{number}.xml", camt(reached, last, bookings, f"{number}", balance)))
        reached, balance = last + timedelta(days=1), balance + sum(one.minor for one in bookings)
    lacking = sum(one.minor for one in made.booked if one.on == FIRST + timedelta(days=8))
    for number in (0, 2):
        shop.take(*parts[number])

    run = shop.run(statement)
    (because,) = run.incomplete_because
    assert run.verdict == Verdict.INCOMPLETE
    assert because.startswith("bank statement bank-2.xml does not follow the one before: EUR of ...")
    assert because.endswith(f"EUR {format_minor(lacking, 'EUR')} moved in no imported file")

    shop.take(*parts[1])
    run = shop.run(statement)
    assert run.verdict != Verdict.INCOMPLETE
    assert run.incomplete_because == ()
    # Whatever the file that came later says: what the run knew is kept with it.
    assert Verification(shop.database, shop.lake, cast("Clock", shop)).replay(run.run_id).identical


@pytest.mark.parametrize(("mode", "days", "said"), [("full", 5, True), ("full", 20, False), ("close", 20, True)])
def test_a_full_run_says_so_as_long_as_payouts_are_looked_back_at_and_a_close_of_its_whole_month(
    mode: str, days: int, said: bool
) -> None:
    gap = datetime(2026, 9, 9, tzinfo=UTC)
    cut = gap + timedelta(days=days)
    # Its window has grown since the gap: the run of each day was incomplete.
    none = timedelta(0)
    scope = Scope(
        window_start=gap - timedelta(days=1),
        window_end=cut,
        horizon_start=gap - timedelta(days=6),
        payment_grace=none,
        shipment_grace=none,
        order_grace=none,
    )
    rules = Rules(provider="stripe", payout_lookback=timedelta(days=10), bank_grace=timedelta(days=3))
    run = Run(
        run_id="r",
        shop="main",
        provider="stripe",
        window_start=scope.window_start,
        window_end=cut,
        source=source_of(Mode(mode)),
        requested_by="schedule",
        workflow_id="w",
        started_at=cut,
    )
    facts = RunFacts(run=run, scope=scope, rules=rules, legs_read=frozenset(), incomplete_because=(), unread_rows=())
    assert (_gaps_from(facts) <= gap) is said
