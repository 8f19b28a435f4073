"""Payouts to the bank, of the provider's API and of its settlement file: to the cent, or which one, by how much, where."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.integration.bank_files import Booking, bank_table, camt
from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.own_database import emptied
from tests.unit.statement_files import table
from worker.contract.reconciliation import Reconcile
from worker.domain.errors import SourceUnreadable
from worker.domain.finding import BreakStatus, Finding, FindingKind, Leg, Outcome, Verdict
from worker.domain.matching.payouts import PayoutSums
from worker.domain.matching.rules import Rules
from worker.domain.money import format_minor
from worker.domain.window import Span
from worker.gateways.folder_store import FolderStore
from worker.services.ports import Run
from worker.statements.importing import StatementImport

DAY = timedelta(days=1)
_numbers = count(1)
K = FindingKind


@pytest.fixture
def office(engine: Engine, outside: OutsideProcess) -> Iterator[Office]:
    """Books of one test: an empty database, and a time in which nobody else did anything."""
    outside.control("POST", "/clock/advance", {"seconds": 20 * DAY.total_seconds()})
    outside.control("POST", "/provider/payouts")
    outside.control("POST", "/clock/advance", {"seconds": 20 * DAY.total_seconds()})
    emptied(engine)
    yield Office(engine, outside)
    outside.heal()


@pytest.fixture
def start(office: Office) -> datetime:
    return office.clock.now()


def sold(office: Office, *, order: str = "own") -> str:
    order_id = f"{order}-{next(_numbers)}"
    office.complete(order_id)
    return order_id


def paid_out(office: Office, **how: Any) -> dict[str, Any]:
    """Sell something and let the provider pay it out; the payout has arrived when this returns."""
    sold(office)
    office.advance(3 * DAY)
    (payout,) = office.outside.control("POST", "/provider/payouts", how)["data"]
    office.advance(DAY + timedelta(minutes=2))
    return dict(payout)


def arrived(payout: dict[str, Any]) -> date:
    return datetime.fromtimestamp(payout["arrival_date"], UTC).date()


def imported(office: Office, name: str, content: bytes) -> str:
    store = FolderStore(office.lake_folder / "store")
    taken = StatementImport(office.database, store, lambda: office.lake, "main").take(name, content, office.clock.now())
    assert taken.read.sound
    return taken.file.sha256


def told(office: Office, run: Run) -> list[tuple[Leg, str, FindingKind, Outcome, int]]:
    found = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    return sorted((one.leg, one.key, one.kind, one.outcome, one.difference_minor) for one in found)


def findings(office: Office, run: Run) -> dict[str, Finding]:
    return {one.key: one for one in office.database.transact(lambda tx: tx.runs.findings(run.run_id))}


def payouts_of(office: Office, run: Run) -> dict[str, PayoutSums]:
    return {one.payout_id: one for one in office.lake.gathered(run.inputs).payouts()}


def credited(payouts: Sequence[dict[str, Any]], *missing: int) -> list[Booking]:
    """Book payouts at the bank, each a day after it was due."""
    return [
        Booking(on=arrived(one) + DAY, minor=one["amount"] - short, text=f"Payout {one['id']}")
        for one, short in zip(payouts, missing or [0] * len(payouts), strict=False)
    ]


def test_payouts_of_the_api_reach_the_bank_or_are_told_which_did_not(office: Office, start: datetime) -> None:
    made = [paid_out(office) for _ in range(3)]
    office.advance(5 * DAY)
    span = office.span(start)
    alone = office.reconcile(span, "alone")
    assert (alone.verdict, told(office, alone)) == (Verdict.RECONCILED, [])
    assert {key: (one.amount_minor, one.lines_minor) for key, one in payouts_of(office, alone).items()} == {
        one["id"]: (one["amount"], one["amount"]) for one in made
    }
    full, short, missing = made
    days = (start.date(), office.clock.now().date() - DAY)
    imported(office, "november.xml", camt(*days, credited([full, short], 0, 100)))
    run = office.reconcile(span, "with the bank")
    assert run.verdict == Verdict.BREAKS
    assert told(office, run) == sorted(
        [
            (Leg.BANK, f"payout/{short['id']}", K.PAYOUT_AMOUNT_DIFFERS, Outcome.BREAK, -100),
            (Leg.BANK, f"payout/{missing['id']}", K.PAYOUT_MISSING_AT_BANK, Outcome.BREAK, -missing["amount"]),
        ]
    )
    by_key = findings(office, run)
    assert by_key[f"payout/{short['id']}"].ours_minor == short["amount"]
    assert by_key[f"payout/{short['id']}"].theirs_minor == short["amount"] - 100
    assert by_key[f"payout/{missing['id']}"].at_risk_minor == missing["amount"]
    # The bank corrects itself, in another kind of file: what was open is closed.
    late = credited([missing])
    rest = Booking(on=arrived(short) + 2 * DAY, minor=100, text=f"rest of {short['id']}")
    imported(office, "late.csv", bank_table([*late, rest, Booking(on=days[1], minor=-500, text="rent", payer="Owner")]))
    mended = office.reconcile(span, "mended")
    assert (mended.verdict, told(office, mended)) == (Verdict.RECONCILED, [])
    assert office.database.transact(lambda tx: tx.breaks.open("main", "stripe")) == []


def test_money_of_the_provider_that_no_payout_explains_is_a_break(office: Office, start: datetime) -> None:
    made = paid_out(office)
    office.advance(4 * DAY)
    stray = Booking(on=arrived(made), minor=777, text="something else")
    imported(office, "x.xml", camt(start.date(), office.clock.now().date() - DAY, [*credited([made]), stray]))
    run = office.reconcile(office.span(start), "stray")
    ((leg, key, *rest),) = told(office, run)
    assert (leg, key.partition("/")[0], rest) == (
        Leg.BANK,
        "credit",
        [K.BANK_CREDIT_WITHOUT_PAYOUT, Outcome.BREAK, 777],
    )


def test_the_bank_is_asked_even_where_the_provider_lists_no_payout(office: Office, start: datetime) -> None:
    sold(office)
    office.advance(4 * DAY)
    today = office.clock.now().date()
    imported(
        office, "x.xml", camt(start.date(), today - DAY, [Booking(on=today - 2 * DAY, minor=777, text="what is it")])
    )
    run = office.reconcile(office.span(start), "without payouts")
    assert payouts_of(office, run) == {}
    assert [(leg, kind, difference) for leg, _, kind, _, difference in told(office, run)] == [
        (Leg.BANK, K.BANK_CREDIT_WITHOUT_PAYOUT, 777)
    ]


def test_an_account_s_payouts_are_one_shop_s_to_judge(office: Office, outside: OutsideProcess, start: datetime) -> None:
    """Two shops share an account: what is wrong with a payout is told and counted once."""
    lost = sold(office)
    made = paid_out(office)
    office.outside.control("POST", "/provider/tamper", {"action": "drop_charge", "order_id": lost})
    stray = Booking(on=arrived(made), minor=777, text="something else")
    office.advance(4 * DAY)
    imported(office, "x.xml", camt(start.date(), office.clock.now().date() - DAY, [*credited([made]), stray]))
    legs = {}
    for answering in ("another shop", "main"):
        rules = {"stripe": Rules(provider="stripe", payouts_by=answering)}
        shop = Office(office.engine, outside, rules=rules)
        run = shop.reconcile(shop.span(start), f"of {answering}")
        legs[answering] = {leg for leg, *_ in told(shop, run)}
        assert run.verdict == Verdict.BREAKS  # the payment that is gone is this shop's, whoever answers for payouts
    assert legs == {"another shop": {Leg.PAYMENTS}, "main": {Leg.PAYMENTS, Leg.PAYOUTS, Leg.BANK}}


def test_a_payout_that_came_back_is_told_and_the_next_one_takes_it_along(office: Office, start: datetime) -> None:
    first = paid_out(office)
    assert office.reconcile(office.span(start), "paid").verdict == Verdict.RECONCILED
    office.outside.control("POST", f"/provider/payouts/{first['id']}/fail")
    second = paid_out(office)
    # The window of this run begins long after the first payout arrived: it is asked for again all the same.
    run = office.reconcile(office.span(office.clock.now() - timedelta(hours=1)), "came back")
    assert told(office, run) == [
        (Leg.PAYOUTS, f"payout/{first['id']}", K.PAYOUT_FAILED, Outcome.WARNING, 0),
    ]
    assert second["amount"] > first["amount"]
    assert payouts_of(office, run)[second["id"]].lines_minor == second["amount"]
    assert run.verdict == Verdict.WARNINGS


def test_a_payout_made_by_hand_is_not_itemisable_and_no_break(office: Office, start: datetime) -> None:
    made = paid_out(office, automatic=False)
    run = office.reconcile(office.span(start), "by hand")
    assert told(office, run) == [
        (Leg.PAYOUTS, f"payout/{made['id']}", K.PAYOUT_NOT_ITEMISABLE, Outcome.MATCHED, 0),
    ]
    assert run.verdict == Verdict.RECONCILED


def test_a_line_that_is_gone_from_a_payout_is_a_break_once_the_provider_had_its_time(
    office: Office, start: datetime
) -> None:
    lost = sold(office)
    made = paid_out(office)
    office.outside.control("POST", "/provider/tamper", {"action": "drop_charge", "order_id": lost})
    office.advance(2 * DAY)
    run = office.reconcile(office.span(start), "a line is gone", repair=False)
    found = findings(office, run)[f"payout/{made['id']}"]
    (payment,) = office.payments_of(lost)
    assert (found.leg, found.kind, found.outcome) == (Leg.PAYOUTS, K.PAYOUT_INCOMPLETE, Outcome.BREAK)
    assert 0 < found.difference_minor <= payment.amount_minor


def test_payouts_that_cannot_be_read_make_the_run_incomplete_and_resolve_nothing(
    office: Office, start: datetime
) -> None:
    made = paid_out(office)
    office.advance(5 * DAY)  # the bank's last day ends before ours: whatever the hour, it covers the whole grace
    imported(office, "empty.xml", camt(start.date(), office.clock.now().date() - DAY, []))
    span = office.span(start)
    office.reconcile(span, "missing")
    office.outside.fault("GET /stripe/v1/payouts", "status", status=500, times=2)
    with pytest.raises(SourceUnreadable):
        office.reconcile(span, "away")
    run = office.reconcile(span, "away", give_up=True)
    assert run.verdict == Verdict.INCOMPLETE
    assert [why.partition(":")[0] for why in run.incomplete_because] == ["the provider's payouts could not be read"]
    (item,) = office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))
    assert (item.finding.key, item.status) == (f"payout/{made['id']}", BreakStatus.NEW)


def test_a_reading_that_broke_off_goes_on_where_it_was(office: Office, start: datetime) -> None:
    for _ in range(2):
        paid_out(office)
    span = office.span(start)
    lines = "GET /stripe/v1/balance_transactions"
    # The ledger is one page, and so are the lines of the first payout; those of the second do not come.
    office.outside.fault(lines, "status", status=500, after=2)
    with pytest.raises(SourceUnreadable):
        office.reconcile(span, "broken off")
    office.outside.heal()
    office.outside.fault(lines, "status", status=500, after=1, times=9)
    assert office.reconcile(span, "broken off").verdict == Verdict.RECONCILED
    # Nor does the next run ask again for what does not change; the ledger it reads for itself.
    office.outside.heal()
    office.outside.fault(lines, "status", status=500, after=1, times=9)
    assert office.reconcile(span, "the next").verdict == Verdict.RECONCILED


def settlement(office: Office, payouts: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """Write a settlement file: orders, and the payout that pays them out the day after the last of them."""
    rows = []
    for payout, orders in payouts:
        entries = [office.entries_of(order_id)[0] for order_id in orders]
        at = max(entry.occurred_at for entry in entries) + DAY
        rows += [_row(payout, e.occurred_at, e.amount_minor, "charge", e.payment_reference) for e in entries]
        rows.append(_row(payout, at, -sum(entry.amount_minor for entry in entries), "payout", ""))
    names = ("automatic_payout_id", "automatic_payout_effective_at_utc", "balance_transaction_id", "created_utc")
    more = ("currency", "gross", "fee", "net", "reporting_category", "source_id", "payment_intent_id")
    return table((*names, *more), rows)


def _row(payout: str, at: datetime, minor: int, category: str, payment: str) -> tuple[str, ...]:
    amount = format_minor(minor, "EUR")
    when = f"{at:%Y-%m-%d %H:%M:%S}"
    named = f"txn_{payout}_{category}_{payment}"
    return (payout, when, named, when, "eur", amount, "0.00", amount, category, payment or payout, payment)


def test_a_settlement_file_beside_a_bank_file(office: Office, start: datetime) -> None:
    sales: list[tuple[str, list[str]]] = []
    for name in ("po_full", "po_short", "po_missing", "po_fresh"):
        sales.append((name, [sold(office), sold(office)]))
        office.advance(3 * DAY)
    sha256 = imported(office, "settlement.csv", settlement(office, sales))
    days = {name: office.entries_of(orders[0])[0].occurred_at.date() + DAY for name, orders in sales}
    booked = [
        Booking(on=days[name] + DAY, minor=5000 - less, text=name) for name, less in (("po_full", 0), ("po_short", 1))
    ]
    imported(office, "bank.xml", camt(start.date(), office.clock.now().date() - DAY, booked))
    request = Reconcile(shop="main", provider="stripe", statement_sha256=sha256)
    span: Span = office.reconciliation.window(request, office.clock.now())
    run = office.reconciliation.run(
        request, span, run_id="file", workflow_id="w", give_up=False, progress=lambda _: None
    )
    # A payout of the last days may still be on its way to the bank.
    assert told(office, run) == [
        (Leg.BANK, "payout/po_fresh", K.PAYOUT_MISSING_AT_BANK, Outcome.PENDING, -5000),
        (Leg.BANK, "payout/po_missing", K.PAYOUT_MISSING_AT_BANK, Outcome.BREAK, -5000),
        (Leg.BANK, "payout/po_short", K.PAYOUT_AMOUNT_DIFFERS, Outcome.BREAK, -1),
    ]
    assert run.verdict == Verdict.BREAKS


def test_a_bank_day_that_ends_before_ours_belongs_to_the_statement(office: Office, start: datetime) -> None:
    """The last day of a German statement ends at 23:00 UTC: what was booked on it counts."""
    made = paid_out(office)
    on_last_day = Booking(on=arrived(made) + DAY, minor=made["amount"], text=made["id"])
    imported(office, "edge.xml", camt(start.date(), on_last_day.on, [on_last_day]))
    office.advance(5 * DAY)
    run = office.reconcile(office.span(start), "edge")
    assert told(office, run) == []


def list_of(payouts: Sequence[dict[str, Any]], *more: tuple[str, int]) -> bytes:
    """Write Stripe's list of payouts, and more of them by name and amount."""
    names = ("payout_id", "effective_at", "currency", "balance_transaction_id", "gross", "fee", "net")
    rows = [(one["id"], one["amount"], arrived(one)) for one in payouts]
    rows += [(name, minor, arrived(payouts[0])) for name, minor in more]
    return table(
        (*names, "reporting_category", "payout_expected_arrival_date", "payout_status"),
        [
            (
                name,
                f"{on} 00:00:00",
                "eur",
                f"txn_{name}",
                f"-{amount}",
                "0.00",
                f"-{amount}",
                "payout",
                f"{on}",
                "paid",
            )
            for name, minor, on in rows
            for amount in (format_minor(minor, "EUR").replace(",", ""),)
        ],
    )


def test_a_payout_that_the_api_and_a_list_tell_counts_once_and_they_must_agree(office: Office, start: datetime) -> None:
    made = [paid_out(office) for _ in range(2)]
    office.advance(5 * DAY)
    span = office.span(start)
    imported(office, "list.csv", list_of(made))
    agreed = office.reconcile(span, "agreed")
    assert (agreed.verdict, told(office, agreed)) == (Verdict.RECONCILED, [])
    assert payouts_of(office, agreed).keys() == {one["id"] for one in made}
    less = {**made[0], "amount": made[0]["amount"] - 7}
    imported(office, "other.csv", list_of([less, made[1]], ("po_unheard_of", 4200)))
    run = office.reconcile(span, "contradicted")
    assert told(office, run) == sorted(
        [
            (Leg.PAYOUTS, f"payout/{less['id']}", K.PAYOUT_CONTRADICTED, Outcome.BREAK, 0),
            (Leg.PAYOUTS, "payout/po_unheard_of", K.PAYOUT_CONTRADICTED, Outcome.BREAK, 0),
        ]
    )
    assert {key: one.at_risk_minor for key, one in findings(office, run).items()} == {
        f"payout/{less['id']}": 7,
        "payout/po_unheard_of": 4200,
    }


def test_what_the_bank_books_days_before_or_after_a_payout_s_day_is_no_credit_without_one(
    office: Office, start: datetime
) -> None:
    """In every daily run, also in those whose time begins or ends between the two."""
    late = paid_out(office)
    sold(office)
    office.advance(3 * DAY)
    (early,) = office.outside.control("POST", "/provider/payouts")["data"]
    before, after = arrived(early) - DAY, arrived(late) + 5 * DAY
    bookings = [
        Booking(on=before, minor=early["amount"], text=f"Payout {early['id']}"),
        Booking(on=after, minor=late["amount"], text=f"Payout {late['id']}"),
    ]
    imported(office, "bank.xml", camt(start.date(), after + 20 * DAY, bookings))
    seen: dict[str, set[FindingKind]] = {}
    midnight = datetime.combine(arrived(early), datetime.min.time(), UTC)
    office.advance(30 * DAY)
    for day in (0, 9, 11):
        span = Span(midnight + (day - 1) * DAY, midnight + day * DAY)
        run = office.reconcile(span, f"day-{day}")
        for one in office.database.transact(lambda tx, it=run: tx.runs.findings(it.run_id)):  # type: ignore[misc]
            if one.leg is Leg.BANK:
                seen.setdefault(one.key, set()).add(one.kind)
    told_of = {key: kinds - {K.MATCHED} for key, kinds in seen.items() if kinds != {K.MATCHED}}
    assert told_of == {f"payout/{late['id']}": {K.PAYOUT_MISSING_AT_BANK}}, "it came after the bank's grace"
    assert office.database.transact(lambda tx: tx.breaks.open("main", "stripe")) == []
