"""Files that follow one another: whatever is left out of a chain is told by its amount or number, and nothing else is."""

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.integration.bank_files import Booking, camt
from tests.unit.statement_files import sample, table, utc
from worker.domain.continuity import BATCHES, Joint, Mark, seams
from worker.statements.parse import parse

NOON = utc(2026, 9, 1, 12)
DAY = timedelta(days=1)


def balances(moves: list[int], opening: int = 500, account: str = "", unit: str = "EUR") -> dict[str, list[Mark]]:
    """Return files of one day each that follow one another."""
    made = {}
    for number, moved in enumerate(moves):
        at = NOON + number * DAY
        made[f"day-{number:02d}"] = [
            Mark(account=account, unit=unit, opens=opening, closes=opening + moved, first_at=at, last_at=at + DAY / 2)
        ]
        opening += moved
    return made


chains = st.lists(st.integers(-1000, 1000).filter(bool), min_size=1, max_size=12)


@given(moves=chains, order=st.randoms())
def test_a_whole_chain_has_no_gap_in_whatever_order_it_came(moves: list[int], order: object) -> None:
    files = list(balances(moves).items())
    order.shuffle(files)  # type: ignore[attr-defined]
    assert [one.joint for one in seams(dict(files))] == [Joint.FIRST] + [Joint.JOINED] * (len(moves) - 1)


@given(moves=chains, days=st.data(), names=st.permutations(range(12)), whole=st.booleans())
def test_several_statements_of_a_day_follow_one_another_by_their_balances(
    moves: list[int], days: st.DataObject, names: list[int], whole: bool
) -> None:
    """Files are told apart by their content's digest, which says nothing of their order."""
    opening, number, files = 500, 0, {}
    for moved, name in zip(moves, names, strict=False):
        number += days.draw(st.integers(0, 1))
        begin = NOON + number * DAY
        end = begin + DAY if whole else begin  # a statement may say the day, or the time it was made
        files[f"{name:02d}"] = [
            Mark(account="1", unit="EUR", opens=opening, closes=opening + moved, first_at=begin, last_at=end)
        ]
        opening += moved
    told = seams(files)
    assert [one for one in told if one.joint is Joint.GAP] == []
    balances_of_one = len({mark.opens for (mark,) in files.values()}) == len(files)
    if balances_of_one and opening not in {mark.opens for (mark,) in files.values()}:
        assert sorted(one.joint for one in told) == sorted([Joint.FIRST] + [Joint.JOINED] * (len(moves) - 1))


def test_one_statement_in_two_files_is_no_gap() -> None:
    files = {
        name: [Mark(account="1", unit="EUR", opens=opens, closes=closes, first_at=at, last_at=at)]
        for name, opens, closes, at in (("a", 5, 10, NOON), ("b", 10, 20, NOON + DAY), ("c", 10, 20, NOON + DAY))
    }
    assert [one.joint for one in seams(files)] == [Joint.FIRST, Joint.OVERLAPS, Joint.JOINED]


@given(moves=chains.filter(lambda moves: len(moves) > 2), data=st.data())
def test_what_is_left_out_is_told_once_with_what_moved_in_it(moves: list[int], data: st.DataObject) -> None:
    files = balances(moves)
    start = data.draw(st.integers(1, len(moves) - 2))
    end = data.draw(st.integers(start + 1, len(moves) - 1))
    for number in range(start, end):
        del files[f"day-{number:02d}"]
    gaps = [one for one in seams(files) if one.joint is Joint.GAP]
    moved = sum(moves[start:end])
    assert [(one.file, one.before, one.mark.opens - one.closed) for one in gaps] == (
        [(f"day-{end:02d}", f"day-{start - 1:02d}", moved)] if moved else []
    ), "what nets to nothing leaves no trace in balances"


@given(numbers=st.sets(st.integers(1, 30), min_size=1), size=st.integers(1, 3))
def test_batches_that_no_file_holds_are_named(numbers: set[int], size: int) -> None:
    files = {
        f"batch-{number:02d}": [
            Mark(account="Main", unit=BATCHES, opens=number, closes=number + size - 1, first_at=NOON, last_at=NOON)
        ]
        for number in numbers
    }
    held = {number + more for number in numbers for more in range(size)}
    lacking: set[int] = set()
    for one in seams(files):
        if one.joint is Joint.GAP:
            lacking |= set(range(one.closed + 1, one.mark.opens))
    assert lacking == set(range(min(held), max(held) + 1)) - held


def test_accounts_and_currencies_are_chains_of_their_own_and_overlaps_are_no_gaps() -> None:
    files = balances([100, 200])
    files["day-01"] += balances([0, 7], opening=9, account="other")["day-01"]
    month = Mark(account="", unit="EUR", opens=500, closes=800, first_at=NOON, last_at=NOON + 2 * DAY)
    files["month"] = [month]
    told = {(one.file, one.mark.account): one.joint for one in seams(files)}
    assert told[("month", "")] is Joint.FIRST
    assert told[("day-01", "other")] is Joint.FIRST
    assert {told["day-00", ""], told["day-01", ""]} == {Joint.OVERLAPS}


def marks_of(name: str, content: bytes) -> list[tuple[str, str, int, int]]:
    return [(one.account, one.unit, one.opens, one.closes) for one in parse(name, content).marks]


def test_paypal_s_export_says_what_each_currency_opens_and_closes_with() -> None:
    assert ("", "USD", 0, 29_900) in marks_of("paypal.csv", sample("paypal_en.csv"))


def test_adyen_s_report_says_its_batches() -> None:
    ((_, unit, first, last),) = marks_of("adyen.csv", sample("adyen_batch.csv"))
    assert (unit, first <= last) == (BATCHES, True)


def test_a_bank_s_statement_says_its_balances_and_not_the_number_of_the_account() -> None:
    first = date(2026, 9, 1)
    whole = camt(first, first + DAY, [Booking(on=first, minor=250, text="x")])
    ((account, *balance),) = marks_of("bank.xml", whole)
    assert balance == ["EUR", 100_000, 100_250]
    assert account.endswith("2051")
    assert "DE02" not in account
    header = ("IBAN", "Booking Date", "Remittance Information", "Amount", "Currency", "Balance")
    rows = [
        ("DE02120300000000202051", "2026-09-03", "b", "2.00", "EUR", "1005.50"),
        ("DE02120300000000202051", "2026-09-02", "a", "1.00", "EUR", "1003.50"),
    ]
    assert marks_of("bank.csv", table(header, rows)) == [(account, "EUR", 100_250, 100_550)], "newest first, too"


def test_it_is_said_in_a_sentence() -> None:
    files = balances([100, 200, 300], account="0a1b-2051")
    del files["day-01"]
    (gap,) = [one for one in seams(files) if one.joint is Joint.GAP]
    assert gap.text({"day-00": "september.csv"}, "bank") == (
        "EUR of ...2051: opens with 8.00, and september.csv closes with 6.00: EUR 2.00 moved in no imported file"
    )
    at = datetime(2026, 9, 1, tzinfo=NOON.tzinfo)
    numbered = {
        name: [Mark(account="", unit=BATCHES, opens=number, closes=number, first_at=at, last_at=at)]
        for name, number in {"a": 380, "b": 383}.items()
    }
    assert seams(numbered)[1].text({"a": "batch_380.csv"}, "adyen") == (
        "batches 381 to 382 are in no imported file: batch_380.csv ends with 380"
    )
