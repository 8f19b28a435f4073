"""Payouts told by files alone: a list of payouts, statements and the bank's, as a shop without an API imports them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from tests.integration.bank_files import bank_table
from tests.integration.month_of_files import DAY, FIRST, Month, Paid, month
from tests.integration.own_database import emptied
from tests.unit.lake_books import lake_in
from tests.unit.statement_files import changed
from worker.contract.reconciliation import Reconcile
from worker.domain.finding import FindingKind, Leg, Outcome, Verdict
from worker.domain.matching.rules import Compared, Rules
from worker.gateways.folder_store import FolderStore
from worker.repositories.database import MysqlDatabase
from worker.services.ports import Clock, PaymentGateway, Run, ShopGateway, WarehouseGateway
from worker.services.reconciliation import Graces, ReconciliationService
from worker.services.verification import Verification
from worker.statements.importing import Imported, StatementImport

K, W = FindingKind, Outcome
LATER = datetime(2026, 10, 20, 12, tzinfo=UTC)
PROVIDERS = ("stripe", "shopify_payments")
NONE = timedelta(0)
Told = tuple[Leg, str, FindingKind, Outcome, int]


@pytest.fixture
def database(engine: Engine) -> MysqlDatabase:
    """An empty one: a file is imported once, whoever made it."""
    emptied(engine)
    return MysqlDatabase(engine)


class FilesAlone:
    """A shop that nobody can be asked for: what it compares was imported."""

    def __init__(self, database: MysqlDatabase, folder: Path, made: Month, now: datetime = LATER) -> None:
        self.shop = "main"
        self.database = database
        self.made = made
        self.instant = now
        self._store = FolderStore(folder)
        self.lake = lake_in(folder / "lake")
        rules = {name: Rules(provider=name, bank_names=(name.split("_")[0],)) for name in PROVIDERS}
        rules["shopify_payments"] = replace(rules["shopify_payments"], compared=Compared.SETTLEMENT)
        graces = Graces(payment=NONE, shipment=NONE, order=NONE, lookback=NONE, rules=rules)
        nobody = cast("tuple[PaymentGateway, ShopGateway, WarehouseGateway]", (None, None, None))
        self.service = ReconciliationService(database, *nobody, cast("Clock", self), graces, self.lake)
        for entry in made.entries(self.shop):
            database.transact(lambda tx, one=entry: tx.payments.post(one))  # type: ignore[misc]

    def now(self) -> datetime:
        """Be the clock."""
        return self.instant

    def take(self, name: str, content: bytes) -> Imported:
        self.instant += timedelta(seconds=1)
        taking = StatementImport(self.database, self._store, lambda: self.lake, self.shop)
        return taking.take(name, content, self.instant)

    def take_all(self) -> str:
        """Import everything; return the statement's SHA-256."""
        self.take("payouts.csv", self.made.list_of_payouts())
        self.take("bank.xml", self.made.bank())
        return self.take("statement.csv", self.made.statement(self.shop)).file.sha256

    def run(self, sha256: str) -> Run:
        self.instant += timedelta(seconds=1)
        request = Reconcile(shop=self.shop, provider=self.made.provider, statement_sha256=sha256)
        span = self.service.window(request, self.instant)
        return self.service.run(
            request, span, run_id=f"{self.shop}-{self.instant:%H%M%S}", workflow_id="w", give_up=False, progress=_quiet
        )

    def told(self, run: Run) -> list[Told]:
        found = self.database.transact(lambda tx: tx.runs.findings(run.run_id))
        return sorted((one.leg, one.key, one.kind, one.outcome, one.difference_minor) for one in found)


def _quiet(_step: str) -> None:
    pass


@pytest.fixture(params=PROVIDERS)
def files(request: pytest.FixtureRequest, database: MysqlDatabase, tmp_path: Path) -> Callable[..., FilesAlone]:
    """Make a shop on a provider, its month harmed as asked."""

    def make(harm: Callable[[Month], object] = lambda _: None) -> FilesAlone:
        made = month(request.param)
        shop = FilesAlone(database, tmp_path, made)
        harm(made)
        return shop

    return make


def test_a_month_of_files_agrees_from_the_orders_to_the_bank(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    run = shop.run(shop.take_all())
    told = [one for one in shop.told(run) if one[2] is not K.UNCLASSIFIED]
    assert told == []
    assert run.incomplete_because == ()
    assert (run.counts or {})["breaks_open"] == 0


def name_of(made: Month, number: int = 4) -> str:
    """A payout in the middle of the month: all its lines are told, and those before and after it."""
    return made.listed[number].name


Expected = dict[tuple[Leg, FindingKind], tuple[str, Outcome, int]]


def less_is_listed(made: Month) -> Expected:
    paid = made.listed[4]
    made.swap(paid.name, replace(paid, minor=paid.minor - 100))
    return {
        (Leg.PAYOUTS, K.PAYOUT_INCOMPLETE): (paid.name, W.BREAK, -100),
        (Leg.BANK, K.PAYOUT_AMOUNT_DIFFERS): (paid.name, W.BREAK, 100),
    }


def a_line_is_gone(made: Month) -> Expected:
    """A line without an order, so that the orders still agree."""
    fee = next(one for one in made.sales if one.kind == "fee" and one.payout == name_of(made, 6))
    made.sales.remove(fee)
    return {(Leg.PAYOUTS, K.PAYOUT_INCOMPLETE): (fee.payout, W.BREAK, fee.net)}


def not_listed(made: Month) -> Expected:
    paid = made.swap(name_of(made))
    return {(Leg.PAYOUTS, K.PAYOUT_UNLISTED): (paid.name, W.BREAK, -paid.minor)}


def listed_and_no_line_names_it(made: Month) -> Expected:
    name = "po_more" if made.provider == "stripe" else "2026-09-20"
    made.listed.append(Paid(name=name, on=FIRST + 19 * DAY, minor=4_200))
    made.sales.append(replace(made.sales[-1], order="", minor=-1, fee=0, at=made.sales[-1].at + 12 * DAY, kind="fee"))
    return {
        (Leg.PAYOUTS, K.PAYOUT_INCOMPLETE): (name, W.BREAK, 4_200),
        (Leg.BANK, K.PAYOUT_MISSING_AT_BANK): (name, W.BREAK, -4_200),
    }


def in_transit(made: Month) -> Expected:
    """The list was made before it arrived, and the bank has not booked it: it is late."""
    paid = made.listed[7]
    made.swap(paid.name, replace(paid, status="in_transit"))
    made.booked.pop(7)
    return {
        (Leg.PAYOUTS, K.PAYOUT_UNDER_WAY): (paid.name, W.WARNING, 0),
        (Leg.BANK, K.PAYOUT_MISSING_AT_BANK): (paid.name, W.BREAK, -paid.minor),
    }


def in_transit_and_booked(made: Month) -> Expected:
    """The bank knows better than an old list."""
    made.swap(name_of(made), replace(made.listed[4], status="in_transit"))
    return {}


def scheduled_and_booked(made: Month) -> Expected:
    made.swap(name_of(made), replace(made.listed[4], status="scheduled"))
    return {}


def failed(made: Month) -> Expected:
    paid = made.listed[4]
    made.swap(paid.name, replace(paid, status="failed"))
    made.booked.pop(4)
    return {(Leg.PAYOUTS, K.PAYOUT_FAILED): (paid.name, W.WARNING, 0)}


def cancelled(made: Month) -> Expected:
    paid = made.listed[4]
    made.swap(paid.name, replace(paid, status="canceled"))
    made.booked.pop(4)
    return {(Leg.PAYOUTS, K.PAYOUT_FAILED): (paid.name, W.WARNING, 0)}


def failed_and_booked(made: Month) -> Expected:
    paid = made.listed[4]
    made.swap(paid.name, replace(paid, status="failed"))
    return {
        (Leg.PAYOUTS, K.PAYOUT_FAILED): (paid.name, W.WARNING, 0),
        (Leg.BANK, K.STATUS_MISMATCH): (paid.name, W.BREAK, paid.minor),
    }


def the_bank_booked_less(made: Month) -> Expected:
    made.booked[4] = replace(made.booked[4], minor=made.booked[4].minor - 10)
    return {(Leg.BANK, K.PAYOUT_AMOUNT_DIFFERS): (name_of(made), W.BREAK, -10)}


def the_bank_booked_nothing(made: Month) -> Expected:
    gone = made.booked.pop(4)
    return {(Leg.BANK, K.PAYOUT_MISSING_AT_BANK): (name_of(made), W.BREAK, -gone.minor)}


def the_bank_booked_more_of_the_provider(made: Month) -> Expected:
    made.booked.append(replace(made.booked[0], minor=77, text="who knows"))
    return {(Leg.BANK, K.BANK_CREDIT_WITHOUT_PAYOUT): ("", W.BREAK, 77)}


HARMS = (
    less_is_listed,
    a_line_is_gone,
    not_listed,
    listed_and_no_line_names_it,
    in_transit,
    in_transit_and_booked,
    scheduled_and_booked,
    failed,
    cancelled,
    failed_and_booked,
    the_bank_booked_less,
    the_bank_booked_nothing,
    the_bank_booked_more_of_the_provider,
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_each_harm_to_a_file_is_found_and_nothing_else(
    files: Callable[..., FilesAlone], harm: Callable[[Month], Expected]
) -> None:
    expected: Expected = {}
    shop = files(lambda made: expected.update(harm(made)))
    run = shop.run(shop.take_all())
    found = {
        (leg, kind): (key.removeprefix("payout/") if key.startswith("payout/") else "", outcome, difference)
        for leg, key, kind, outcome, difference in shop.told(run)
        if leg is not Leg.PAYMENTS
    }
    assert found == expected
    breaks = any(outcome is W.BREAK for _, outcome, _ in expected.values())
    assert (run.verdict == Verdict.BREAKS) == breaks


# ---- what is told in part, twice, or later --------------------------------------------------------------------------


def payouts_told(shop: FilesAlone, run: Run) -> list[Told]:
    return [one for one in shop.told(run) if one[0] is not Leg.PAYMENTS]


def test_a_statement_that_begins_amid_a_payout_is_a_warning_until_the_one_before_is_imported(
    files: Callable[..., FilesAlone],
) -> None:
    shop = files()
    sales, paid = shop.made.sales, shop.made.listed[2]
    at = next(number for number, one in enumerate(sales) if one.payout == paid.name) + 1
    shop.take("payouts.csv", shop.made.list_of_payouts())
    shop.take("bank.xml", shop.made.bank())
    sha256 = shop.take("second.csv", shop.made.statement(shop.shop, sales[at:])).file.sha256
    first = (Leg.PAYOUTS, f"payout/{paid.name}", K.PAYOUT_INCOMPLETE, W.WARNING, sales[at - 1].net)
    assert payouts_told(shop, shop.run(sha256)) == [first]
    shop.take("first.csv", shop.made.statement(shop.shop, sales[:at]))
    assert payouts_told(shop, shop.run(sha256)) == []


def test_a_statement_that_ends_amid_a_payout_waits_for_the_next_one(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    sales, paid = shop.made.sales, shop.made.listed[5]
    at = next(number for number, one in enumerate(sales) if one.payout == paid.name) + 2
    shop.take("payouts.csv", shop.made.list_of_payouts())
    shop.take("bank.xml", shop.made.bank())
    run = shop.run(shop.take("first.csv", shop.made.statement(shop.shop, sales[:at])).file.sha256)
    ((leg, key, kind, outcome, apart),) = payouts_told(shop, run)
    assert (leg, key, kind, outcome) == (Leg.PAYOUTS, f"payout/{paid.name}", K.PAYOUT_INCOMPLETE, W.PENDING)
    assert apart == sum(one.net for one in sales[at:] if one.payout == paid.name)
    # The next one alone would say nothing of what it begins amid: both are known.
    run = shop.run(shop.take("second.csv", shop.made.statement(shop.shop, sales[at:])).file.sha256)
    assert payouts_told(shop, run) == []


@pytest.mark.parametrize("status", ["in_transit", "scheduled"])
def test_what_has_not_arrived_is_pending_with_its_day(files: Callable[..., FilesAlone], status: str) -> None:
    shop = files()
    shop.instant = datetime.combine(FIRST + 9 * DAY, datetime.min.time(), UTC) + timedelta(hours=12)
    made = shop.made
    made.listed[7:] = [replace(one, status=status) for one in made.listed[7:]]
    soon = made.listed[7]
    made.sales = [one for one in made.sales if one.at < shop.instant - DAY]
    shop.take("payouts.csv", made.list_of_payouts())
    run = shop.run(shop.take("statement.csv", made.statement(shop.shop)).file.sha256)
    found = shop.database.transact(lambda tx: tx.runs.findings(run.run_id))
    (waiting,) = [one for one in found if one.leg is Leg.PAYOUTS]
    assert (waiting.key, waiting.kind, waiting.outcome) == (f"payout/{soon.name}", K.PAYOUT_UNDER_WAY, W.PENDING)
    assert waiting.break_on == datetime.combine(soon.on, datetime.min.time(), UTC) + 3 * DAY
    assert (waiting.ours_minor, waiting.theirs_minor) == (soon.minor, soon.minor)


def test_a_newer_list_says_what_became_of_a_payout_and_another_amount_contradicts(
    files: Callable[..., FilesAlone],
) -> None:
    shop = files()
    made, paid = shop.made, shop.made.listed[4]
    shop.take("old.csv", made.list_of_payouts([replace(paid, status="in_transit")]))
    sha256 = shop.take_all()
    assert payouts_told(shop, shop.run(sha256)) == []
    shop.take("other.csv", made.list_of_payouts([replace(paid, minor=paid.minor + 5)]))
    ((leg, key, kind, outcome, _),) = payouts_told(shop, shop.run(sha256))[-1:]
    assert (leg, key, kind, outcome) == (Leg.PAYOUTS, f"payout/{paid.name}", K.PAYOUT_CONTRADICTED, W.BREAK)


def test_a_break_of_the_bank_is_over_when_another_file_of_it_has_the_booking(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    late = shop.made.booked.pop(4)
    sha256 = shop.take_all()
    first = shop.run(sha256)
    assert first.verdict == Verdict.BREAKS
    shop.take("late.csv", bank_table([late]))
    second = shop.run(sha256)
    assert payouts_told(shop, second) == []
    assert shop.database.transact(lambda tx: tx.breaks.open(shop.shop, shop.made.provider)) == []
    # What was imported since is no part of what the first run knew.
    assert Verification(shop.database, shop.lake, cast("Clock", shop)).replay(first.run_id).identical


def test_without_a_list_of_payouts_nothing_is_said_of_them(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    run = shop.run(shop.take("statement.csv", shop.made.statement(shop.shop)).file.sha256)
    assert payouts_told(shop, run) == []


def test_a_list_with_a_row_that_cannot_be_read_leaves_the_run_incomplete(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    column = "reporting_category" if shop.made.provider == "stripe" else "Status"
    shop.take("payouts.csv", changed(shop.made.list_of_payouts(), 4, {column: ""}))
    run = shop.run(shop.take("statement.csv", shop.made.statement(shop.shop)).file.sha256)
    assert run.verdict == Verdict.INCOMPLETE
    assert run.incomplete_because == ("1 of 8 rows of the list of payouts payouts.csv could not be read",)


def test_a_file_that_was_cut_between_two_rows_is_found_by_its_payout(files: Callable[..., FilesAlone]) -> None:
    """No total, no row is damaged: what lacks is known once the next file does not bring it."""
    shop = files()
    sales, paid = shop.made.sales, shop.made.listed[5]
    lost = next(number for number, one in enumerate(sales) if one.payout == paid.name) + 2
    shop.take("payouts.csv", shop.made.list_of_payouts())
    shop.take("cut.csv", shop.made.statement(shop.shop, sales[:lost]))
    run = shop.run(shop.take("next.csv", shop.made.statement(shop.shop, sales[lost + 1 :])).file.sha256)
    assert payouts_told(shop, run) == [
        (Leg.PAYOUTS, f"payout/{paid.name}", K.PAYOUT_INCOMPLETE, W.BREAK, sales[lost].net)
    ]


def test_a_payout_of_a_day_that_no_list_tells_of_is_said_until_a_list_does(files: Callable[..., FilesAlone]) -> None:
    shop = files()
    made = shop.made
    shop.take("payouts.csv", made.list_of_payouts(made.listed[:5]))
    shop.take("bank.xml", made.bank())
    sha256 = shop.take("statement.csv", made.statement(shop.shop)).file.sha256
    run = shop.run(sha256)
    told = [one for one in shop.told(run) if one[2] is not K.UNCLASSIFIED]
    untold = sorted(f"payout/{one.name}" for one in made.listed[5:])
    assert told == [(Leg.PAYOUTS, key, K.PAYOUT_UNLISTED, W.WARNING, 0) for key in untold], "the bank has each of them"
    assert run.verdict == Verdict.WARNINGS
    shop.take("rest.csv", made.list_of_payouts(made.listed[5:]))
    assert [one for one in shop.told(shop.run(sha256)) if one[2] is not K.UNCLASSIFIED] == []
