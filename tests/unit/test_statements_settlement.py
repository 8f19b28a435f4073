"""PayPal's settlement report: unsigned hundredths with CR and DR, records of many kinds, sums that must agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statement_files import MOMENTS, NAMES, amounts, by_id, sample, utc
from worker.domain.errors import InvalidStatement
from worker.domain.money import exponent
from worker.statements.parse import parse

REPORT = sample("paypal_settlement.csv")
LINES = REPORT.splitlines(keepends=True)
COLUMNS = LINES[3].strip().decode()


def test_hundredths_become_minor_units_of_each_currency() -> None:
    parsed = parse("STL-20260820.01.009.CSV", REPORT)
    assert (parsed.format, parsed.provider, parsed.rows) == ("paypal_settlement", "paypal", 6)
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "USD", 12990, 407, 12583),
        ("refund", "USD", -2000, -58, -1942),
        ("dispute", "USD", -500, 1500, -2000),
        ("payout", "USD", -8641, 0, -8641),
        ("charge", "JPY", 1840, 100, 1740),
        ("unclassified", "JPY", -1, 0, -1),
    ]


def test_keys_of_a_line() -> None:
    lines = by_id(parse("x", REPORT))
    charge, refund, payout = lines["S1"], lines["S2"], lines["S4"]
    assert (charge.order_id, charge.payment_reference, charge.type_text) == ("1001", "S1", "T0006")
    assert charge.created_at == utc(2026, 8, 20, 7, 1, 17)
    assert (refund.payment_reference, refund.source_id) == ("S1", "S2")
    assert (payout.payout_id, payout.payout_at) == ("S4", payout.created_at)


def test_a_fee_in_another_currency_is_a_line_of_its_own() -> None:
    content = REPORT.replace(b'"DR",407,"USD"', b'"DR",350,"EUR"')
    lines = by_id(parse("x", content))
    assert (lines["S1"].fee_minor, lines["S1"].net_minor) == (0, 12990)
    fee = lines["S1-fee"]
    assert (fee.kind, fee.currency, fee.net_minor, fee.payment_reference) == ("fee", "EUR", -350, "S1")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_not_hide_the_report(encoding: str) -> None:
    assert parse("x", REPORT.decode().encode(encoding)).lines == parse("x", REPORT).lines


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        ((b'"SF","USD",12990', b'"SF","USD",12991'), "totals USD", "gross credits say '12991', the rows make 129.90"),
        ((b",58,1907", b",58,"), "totals USD", "fee debits say '', the rows make 19.07"),
        ((b'"SC",6', b'"SC",7'), "number of rows", "failed: SC says '7', there are 6"),
        ((b'"SC",6\n', b""), "number of rows", "failed: no SC record closes the section: the file is cut off"),
        ((b'"CR",173900,"CR",0', b'"CR",173800,"CR",0'), "balance JPY", "ok"),
        ((b'"CR",173900', b'"CR",173800'), "balance JPY", "failed: moved otherwise than the rows, which make 1,739"),
        ((LINES[11], b""), "totals JPY", "not in the file: no SF record of this currency"),
    ],
)
def test_the_sums_of_a_section_are_held_against_its_rows(change: tuple[bytes, bytes], check: str, said: str) -> None:
    content = REPORT.replace(*change)
    assert content != REPORT
    assert said in parse("x", content).checks[check]


def test_a_missing_row_shows_in_sums_and_count() -> None:
    parsed = parse("x", b"".join([*LINES[:5], *LINES[6:]]))
    failed = {name for name, result in parsed.checks.items() if result.startswith("failed")}
    assert failed == {"totals USD", "balance USD", "number of rows"}
    assert len(parsed.failed) == 3


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        (b'"CR",12990,"USD"', b'"CR",129.90,"USD"', "gross transaction amount"),
        (b'"CR",12990,"USD"', b'"CR",-12990,"USD"', "gross transaction amount"),
        (b'"CR",12990,"USD"', b'"",12990,"USD"', "transaction debit or credit"),
        (b'"CR",184000,"JPY"', b'"CR",184001,"JPY"', "gross transaction amount"),
        (b'"DR",407,"USD"', b'"XX",407,"USD"', "fee debit or credit"),
        (b'"SB","S1"', b'"SB",""', "transaction id"),
        (b"2026/08/20 00:01:17 -0700,2026/08/20 00:01:17 -0700", b",", "transaction initiation date"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_place(old: bytes, new: bytes, column: str) -> None:
    parsed = parse("x", REPORT.replace(old, new))
    ((line, place),) = [(one.line, one.column) for one in parsed.rejects]
    assert place == column
    assert line in {5, 9}
    assert len(parsed.lines) == 5


def test_several_sections_and_records_nobody_knows() -> None:
    second = [line.replace(b'"SB","S', b'"SB","R') for line in LINES[2:13]]
    content = b"".join([*LINES[:13], *second, b'"ZZ",1\n', *LINES[13:]])
    parsed = parse("x", content)
    assert len(parsed.lines) == 12
    assert [(one.line, one.reason) for one in parsed.rejects] == [(25, "is of no known record type: 'ZZ'")]
    assert parsed.checks["section 2 totals USD"].startswith("ok")


def test_a_report_without_columns_is_refused_and_rows_before_them_are_rejected() -> None:
    with pytest.raises(InvalidStatement, match="without columns"):
        parse("x", b"".join(LINES[:3]))
    parsed = parse("x", b"".join([*LINES[:3], LINES[4], *LINES[3:]]))
    assert [(one.line, one.reason) for one in parsed.rejects] == [(4, "stands before the columns")]


def test_an_insisted_format_is_kept_to() -> None:
    assert parse("x", REPORT, "paypal_settlement").sound
    with pytest.raises(InvalidStatement, match="the file is paypal_settlement, not stripe_payouts"):
        parse("x", REPORT, "stripe_payouts")


@given(
    NAMES, st.sampled_from(["USD", "JPY", "KWD"]), st.integers(-(10**11), 10**11), st.integers(-(10**6), 10**6), MOMENTS
)
def test_what_is_written_is_read_back(name: str, currency: str, gross: int, fee: int, at: object) -> None:
    def hundredths(minor: int) -> int:
        return int(abs(minor) * 100 // 10 ** exponent(currency))

    if currency == "KWD":
        gross, fee = gross // 10 * 10, fee // 10 * 10
    row = (
        f'"SB","{name}","7","","","T0006",{at:%Y/%m/%d %H:%M:%S} +0000,{at:%Y/%m/%d %H:%M:%S} +0000,'
        f'"{"CR" if gross >= 0 else "DR"}",{hundredths(gross)},"{currency}",'
        f'"{"DR" if fee >= 0 else "CR"}",{hundredths(fee)},"{currency}","","","","","",,,'
    )
    (line,) = parse("x", f'"RH",2026/08/21,"A","X",009,\n{COLUMNS}\n{row}\n"SC",1\n'.encode()).lines
    assert (line.line_id, line.currency, line.gross_minor, line.fee_minor, line.created_at, line.order_id) == (
        name,
        currency,
        gross,
        fee,
        at,
        "7",
    )
