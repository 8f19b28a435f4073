"""PayPal's exports: languages, numbers and dates as the file decides; rows that moved nothing; balances that close."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.statement_files import (
    CURRENCIES,
    MOMENTS,
    NAMES,
    amounts,
    by_id,
    changed,
    sample,
    table,
    utc,
    written,
)
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LineKind
from worker.statements.parse import parse
from worker.statements.paypal_words import ALIASES, COLUMNS
from worker.statements.told import DateOrder, Told

ENGLISH = sample("paypal_en.csv")
GERMAN = sample("paypal_de.csv")
SHORT = ["Date", "Time", "TimeZone", "Type", "Status", "Currency", "Gross", "Fee", "Net", "Transaction ID"]


def row(date: str = "25/09/2026", **change: str) -> list[str]:
    cells_of = dict(
        zip(SHORT, (date, "10:00:00", "UTC", "Payment", "Completed", "EUR", "10.00", "-1.00", "9.00", "X"), strict=True)
    )
    return list((cells_of | change).values())


def test_rows_become_lines_and_the_fee_changes_its_sign() -> None:
    parsed = parse("x", ENGLISH)
    assert (parsed.format, parsed.provider) == ("paypal_activity", "paypal")
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "USD", 392000, 17278, 374722),
        ("transfer", "USD", -374722, 0, -374722),
        ("transfer", "USD", 0, 0, 0),
        ("transfer", "USD", 374722, 0, 374722),
        ("refund", "USD", -10000, -441, -9559),
        ("payout", "EUR", -300000, 0, -300000),
        ("transfer", "USD", -330000, 0, -330000),
        ("transfer", "EUR", 300000, 0, 300000),
        ("adjustment", "USD", -5163, 0, -5163),
        ("unclassified", "USD", -100, 0, -100),
    ]


def test_keys_of_a_line() -> None:
    lines = by_id(parse("x", ENGLISH))
    charge, refund, withdrawal = lines["T1"], lines["T5"], lines["T6"]
    assert (charge.payment_reference, charge.order_id, charge.source_id) == ("T1", "1001", "T1")
    assert charge.created_at == utc(2026, 9, 25, 20, 34, 51), "PDT is seven hours behind"
    assert (refund.payment_reference, refund.source_id) == ("T1", "T5"), "a refund names its payment"
    assert (withdrawal.payout_id, withdrawal.payout_at) == ("T6", withdrawal.created_at)


def test_a_hold_and_its_release_net_to_zero_and_belong_to_one_payment() -> None:
    held = [x for x in parse("x", ENGLISH).lines if x.payment_reference == "T1" and x.kind is LineKind.TRANSFER]
    assert [x.source_id for x in held] == ["T2", "T4"]
    assert sum(x.net_minor for x in held) == 0


def test_a_pending_row_counts_when_it_moved_the_balance() -> None:
    """The withdrawal did, the payment did not, and the file says so by its balances alone."""
    lines = by_id(parse("x", ENGLISH))
    assert (lines["T3"].net_minor, lines["T3"].type_text) == (0, "Express Checkout Payment (Pending)")
    assert lines["T6"].net_minor == -300000
    moved = changed(ENGLISH, 4, {"Balance": "10.00"})
    assert by_id(parse("x", moved))["T3"].net_minor == 1000


def test_without_balances_a_pending_withdrawal_has_left_and_a_pending_payment_has_not_come() -> None:
    rows = [
        row(**{"Transaction ID": "in", "Status": "Pending"}),
        row(**{"Transaction ID": "out", "Status": "Pending", "Type": "General Withdrawal", "Gross": "-10.00"}),
        row(**{"Transaction ID": "no", "Status": "Denied", "Type": "General Withdrawal", "Gross": "-10.00"}),
    ]
    for one in rows[1:]:
        one[SHORT.index("Fee")], one[SHORT.index("Net")] = "0.00", "-10.00"
    nets = {line.line_id: line.net_minor for line in parse("x", table(SHORT, rows)).lines}
    assert nets == {"in": 0, "out": -1000, "no": 0}


def test_a_gap_in_a_running_balance_is_found_by_its_line() -> None:
    lines = ENGLISH.splitlines(keepends=True)
    parsed = parse("x", b"".join(lines[:5] + lines[6:]))
    assert (
        parsed.checks["running balance USD"] == "failed: 1 gaps, first in line 7: 3,747.22 and -3,300.00 is not 351.63"
    )
    assert parsed.checks["running balance EUR"].startswith("ok")
    assert not parsed.sound


def test_newest_first_is_as_good() -> None:
    head, *body = ENGLISH.splitlines(keepends=True)
    parsed = parse("x", b"".join([head, *body[::-1]]))
    assert parsed.sound
    assert parsed.lines == parse("x", ENGLISH).lines[::-1]


def test_a_conversion_without_its_other_side_is_said() -> None:
    lines = ENGLISH.splitlines(keepends=True)
    parsed = parse("x", b"".join(lines[:7] + lines[8:]))
    assert parsed.checks["currency conversions"] == "failed: 1 without both sides, first T6"


def test_german_headers_numbers_and_dates() -> None:
    parsed = parse("x", GERMAN)
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "EUR", 124937, 2478, 122459),
        ("refund", "EUR", -4937, 0, -4937),
        ("transfer", "EUR", 0, 0, 0),
        ("payout", "EUR", -117522, 0, -117522),
    ]
    assert parsed.lines[0].created_at == utc(2026, 9, 7, 8, 12)


def test_a_spanish_statement_reads_day_first() -> None:
    header = [
        "Fecha",
        "Hora",
        "Zona horaria",
        "Descripción",
        "Divisa",
        "Bruto",
        "Comisión",
        "Neto",
        "Saldo",
        "Id. de transacción",
        "Correo electrónico del remitente",
        "Nombre",
        "Id. de factura",
        "Id. de referencia de trans.",
    ]
    one = "2/1/2020|11:05:56|Europe/Berlin|Pago estándar|EUR|49,37|-1,78|47,59|4.626,81|S1|a@example.com|A|1001|"
    two = "3/1/2020|11:05:56|Europe/Berlin|Pago estándar|EUR|28,82|-1,19|27,63|4.654,44|S2|b@example.com|B||"
    parsed = parse("x", table(header, [one.split("|"), two.split("|")]))
    assert parsed.sound
    assert [(x.kind, x.net_minor, x.created_at.month, x.order_id) for x in parsed.lines] == [
        (LineKind.CHARGE, 4759, 1, "1001"),
        (LineKind.CHARGE, 2763, 1, ""),
    ]


@pytest.mark.parametrize("language", [name for name in COLUMNS if name != "en"])
def test_every_language_names_the_columns_a_row_needs(language: str) -> None:
    names = {ours: theirs for theirs, ours in COLUMNS[language].items()}
    header = [names.get(column.lower(), column) for column in SHORT]
    assert parse("x", table(header, [row()])).lines == parse("x", table(SHORT, [row()])).lines
    assert set(ALIASES) >= set(names.values())


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (["9/4/2026", "9/27/2026"], [9, 9]),
        (["4/9/2026", "27/9/2026"], [9, 9]),
        (["04.09.2026", "05.09.2026"], [9, 9]),
        (["2026-09-04", "2026/9/5"], [9, 9]),
        (["9/9/26", "1/1/2026"], [9, 1]),
    ],
)
def test_the_whole_file_decides_how_a_date_reads(dates: list[str], months: list[int]) -> None:
    rows = [row(date, **{"Transaction ID": date}) for date in dates]
    assert [line.created_at.month for line in parse("x", table(SHORT, rows)).lines] == months


def test_dates_that_nothing_decides_are_refused_unless_told() -> None:
    content = table(SHORT, [row("4/9/2026"), row("5/9/2026", **{"Transaction ID": "Y"})])
    with pytest.raises(InvalidStatement, match=r"4/9/2026 may be read in two ways.*--dates day-first\|month-first"):
        parse("x", content)
    assert parse("x", content, told=Told(dates=DateOrder.DAY_FIRST)).lines[0].created_at.month == 9
    assert parse("x", content, told=Told(dates=DateOrder.MONTH_FIRST)).lines[0].created_at.month == 4
    proved = table(SHORT, [row("4/9/2026"), row("25/9/2026", **{"Transaction ID": "Y"})])
    with pytest.raises(InvalidStatement, match=r"said to be month-first, but 25/9/2026 is not"):
        parse("x", proved, told=Told(dates=DateOrder.MONTH_FIRST))
    both = table(SHORT, [row("9/25/2026"), row("25/9/2026", **{"Transaction ID": "Y"})])
    with pytest.raises(InvalidStatement, match="dates contradict each other"):
        parse("x", both)


def test_amounts_that_nothing_decides_are_refused_unless_told() -> None:
    dinars = {"Currency": "KWD", "Gross": "1,234", "Fee": "0", "Net": "1,234"}
    content = table(SHORT, [row(**dinars)])
    with pytest.raises(InvalidStatement, match=r"'1,234' may be read in two ways.*--decimal"):
        parse("x", content)
    assert parse("x", content, told=Told(decimal=".")).lines[0].gross_minor == 1234000
    assert parse("x", content, told=Told(decimal=",")).lines[0].gross_minor == 1234
    euros = table(SHORT, [row(**dinars | {"Currency": "EUR"})])
    assert parse("x", euros).lines[0].gross_minor == 123400, "a euro has no third decimal"


@pytest.mark.parametrize(
    "grouping",
    ["", ".", " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "'", "\N{RIGHT SINGLE QUOTATION MARK}"],
)
def test_thousands_are_grouped_in_many_ways(grouping: str) -> None:
    change = {"Gross": f"1{grouping}234{grouping}567,89", "Fee": "0,00", "Net": f"1{grouping}234{grouping}567,89"}
    assert parse("x", table(SHORT, [row(**change)])).lines[0].gross_minor == 123456789


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"Date": "31/02/2026"}, "date"),
        ({"Date": "yesterday"}, "date"),
        ({"Date": "01/01/1026"}, "date"),
        ({"Time": "25:00:00"}, "time"),
        ({"Time": ""}, "time"),
        ({"TimeZone": "Mars/Olympus"}, "timezone"),
        ({"Net": "9.01"}, "net"),
        ({"Gross": "10.0.0"}, "gross"),
        ({"Currency": "Euro"}, "currency"),
        ({"Transaction ID": ""}, "transaction id"),
        ({"Type": ""}, "type"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_place(change: dict[str, str], column: str) -> None:
    parsed = parse("x", table(SHORT, [row(), row(**{"Transaction ID": "Y"} | change)]))
    assert [(one.line, one.column) for one in parsed.rejects] == [(3, column)]
    assert len(parsed.lines) == 1


@pytest.mark.parametrize(("clock", "hour"), [("1:05:06 PM", 13), ("12:05 am", 0), ("12:05:06 PM", 12), ("07:05:06", 7)])
def test_clocks_of_twelve_hours(clock: str, hour: int) -> None:
    assert parse("x", table(SHORT, [row(Time=clock)])).lines[0].created_at.hour == hour


@pytest.mark.parametrize("zone", ["GMT+02:00", "+0200", "CEST"])
def test_zones_may_be_offsets(zone: str) -> None:
    assert parse("x", table(SHORT, [row(TimeZone=zone)])).lines[0].created_at.hour == 8


def test_a_t_code_decides_before_any_word() -> None:
    header = [*SHORT, "Transaction Event Code", "Country Code"]
    parsed = parse("x", table(header, [[*row(Type="Whatever"), "T0006", "DE"]]))
    assert (parsed.lines[0].kind, parsed.lines[0].country) == (LineKind.CHARGE, "DE")


def test_the_real_activity_closes_in_every_currency(fixtures_dir: Path) -> None:
    parsed = parse("activity", (fixtures_dir / "statements" / "paypal" / "activity_en.csv").read_bytes())
    assert parsed.sound
    assert len(parsed.lines) == 76
    assert parsed.checks["running balance AUD"] == "ok: closes over 2 rows"
    assert parsed.checks["running balance EUR"] == "ok: closes over 29 rows"
    assert parsed.checks["running balance USD"] == "ok: closes over 45 rows"
    assert parsed.checks["currency conversions"] == "ok: 16 with both sides"
    assert Counter(line.kind.value for line in parsed.lines) == {
        "charge": 26,
        "adjustment": 2,
        "payout": 14,
        "transfer": 34,
    }
    held = [line for line in parsed.lines if line.type_text in {"Payment Hold", "Payment Release"}]
    assert sum(line.net_minor for line in held) == 0
    ends = Counter[str]()
    for line in parsed.lines:
        ends[line.currency] += line.net_minor
    assert ends == {"USD": 190, "EUR": 4334, "AUD": 0}, "what the last balance of each currency says"


def test_the_real_empty_activity_is_a_statement_without_lines(fixtures_dir: Path) -> None:
    parsed = parse("activity", (fixtures_dir / "statements" / "paypal" / "empty_activity.csv").read_bytes())
    assert (parsed.format, parsed.lines, parsed.rejects, parsed.sound) == ("paypal_activity", (), (), True)


ROWS = st.tuples(NAMES, CURRENCIES, st.integers(1, 10**9), st.integers(0, 10**6), MOMENTS)


@given(st.lists(ROWS, max_size=5, unique_by=lambda one: one[0]), st.sampled_from([(".", ","), (",", "."), (",", " ")]))
def test_what_is_written_is_read_back(rows: list[tuple[str, str, int, int, datetime]], marks: tuple[str, str]) -> None:
    header = [*SHORT, "Balance"]
    balances = Counter[str]()
    body = []
    for name, currency, gross, fee, at in rows:
        balances[currency] += gross - fee
        texts = [written(minor, currency, *marks) for minor in (gross, -fee, gross - fee, balances[currency])]
        when = [f"{at:%Y/%m/%d}", f"{at:%H:%M:%S}", "UTC", "Payment", "Completed", currency]
        body.append([*when, *texts[:3], name, texts[3]])
    parsed = parse("x", table(header, body), told=Told(decimal=marks[0]))
    assert parsed.sound
    assert [(x.line_id, x.currency, x.gross_minor, x.fee_minor, x.created_at) for x in parsed.lines] == rows


@settings(max_examples=60)
@given(
    st.lists(st.tuples(CURRENCIES, st.integers(-(10**11), 10**11)), min_size=1),
    st.sampled_from([(".", ","), (",", ".")]),
)
def test_the_marks_are_found_or_asked_for_but_never_mistaken(
    values: list[tuple[str, int]], marks: tuple[str, str]
) -> None:
    body = []
    for number, (currency, minor) in enumerate(values):
        text = written(minor, currency, *marks)
        body.append(
            row(**{"Currency": currency, "Gross": text, "Fee": "0", "Net": text, "Transaction ID": str(number)})
        )
    try:
        parsed = parse("x", table(SHORT, body))
    except InvalidStatement as problem:
        assert "--decimal" in str(problem)  # noqa: PT017 - either answer is right, a wrong amount is not
        return
    assert [line.gross_minor for line in parsed.lines] == [minor for _, minor in values]
