"""Statement files however they were saved: what cannot be read is said, row by row."""

import csv
import io

import pytest

from tests.unit.statement_files import sample, stripe_row, utc
from worker.domain.errors import InvalidStatement
from worker.statements import adyen, stripe
from worker.statements.detection import FORMATS, detect
from worker.statements.parse import parse
from worker.statements.reader import read

STRIPE = sample("stripe_payout.csv")
ADYEN = sample("adyen_batch.csv")


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_spreadsheets_may_have_saved_it_again(delimiter: str, ending: str, encoding: str) -> None:
    table = list(csv.reader(io.StringIO(STRIPE.decode())))
    table[1][table[0].index("description")] = "Café; über"
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=ending).writerows(table)
    parsed = parse("x", text.getvalue().encode(encoding))
    assert parsed.lines == parse("x", STRIPE).lines
    assert parsed.rejects == ()


def test_a_title_and_blank_lines_above_the_header_are_passed_over() -> None:
    parsed = parse("x", b"Payout report\n\nfrom,to\n" + STRIPE.replace(b"eur,129.90", b"eur,abc"))
    assert len(parsed.lines) == 9
    assert [(one.line, one.column) for one in parsed.rejects] == [(5, "gross")]


def test_a_header_without_rows_is_a_statement_without_lines() -> None:
    parsed = parse("x", STRIPE.splitlines(keepends=True)[0])
    assert (parsed.lines, parsed.rejects, parsed.rows, parsed.sound) == ((), (), 0, True)


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"gross": "1,000.00"}, "gross", "no decimal amount"),
        ({"gross": "1e1"}, "gross", "no decimal amount"),
        ({"gross": "1_0.00"}, "gross", "no decimal amount"),
        ({"gross": "NaN"}, "gross", "no decimal amount"),
        ({"gross": "10.001"}, "gross", "more decimals than EUR allows"),
        ({"gross": "99999999999999.00"}, "gross", "no decimal amount"),
        ({"gross": ""}, "gross", "no decimal amount"),
        ({"net": "9.51"}, "net", "gross 10.00 less fee 0.50 is not net 9.51"),
        ({"currency": "euro"}, "currency", "no currency"),
        ({"currency": ""}, "currency", "no currency"),
        ({"created_utc": "2026-11-17"}, "created_utc", "no date and time"),
        ({"created_utc": "2026-13-17 00:00:00"}, "created_utc", "no date and time"),
        ({"created_utc": "0001-01-01 00:00:00+0100"}, "created_utc", "no date and time"),
        ({"created_utc": "1026-11-17 00:00:00"}, "created_utc", "outside the years"),
        ({"created_utc": "", "created": ""}, "created", "no date and time"),
        ({"balance_transaction_id": ""}, "balance_transaction_id", "is empty"),
        ({"balance_transaction_id": "x" * 129}, "balance_transaction_id", "longer than 128"),
        ({"balance_transaction_id": "a\x1bb"}, "balance_transaction_id", "cannot be printed"),
        ({"reporting_category": " "}, "reporting_category", "is empty"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_place(change: dict[str, str], column: str, reason: str) -> None:
    parsed = parse("x", stripe_row(**change))
    assert parsed.lines == ()
    assert not parsed.sound
    (reject,) = parsed.rejects
    assert (reject.line, reject.column) == (2, column)
    assert reason in reject.reason


@pytest.mark.parametrize("when", ["2026-11-17T09:12:44Z", "2026-11-17 10:12:44 +0100", "2026-11-17 09:12:44.000 UTC"])
def test_a_time_that_names_its_zone_is_believed(when: str) -> None:
    assert parse("x", stripe_row(created_utc=when)).lines[0].created_at == utc(2026, 11, 17, 9, 12, 44)


def test_a_torn_row_is_rejected_and_the_rest_read() -> None:
    lines = STRIPE.splitlines(keepends=True)
    parsed = parse("x", b"".join([*lines[:3], b"po_9001,2026\n", *lines[3:]]))
    assert [(one.line, one.reason) for one in parsed.rejects] == [(4, "has 2 cells where the header has 15")]
    assert len(parsed.lines) == 10
    assert parsed.checks["every row read"] == "failed: 1 of 11 rejected"


def test_line_numbers_count_lines_not_records() -> None:
    body = STRIPE.replace(b'"Order 1001, express"', b'"Order 1001,\nexpress"').replace(b"eur,100.00", b"eur,abc")
    assert [one.line for one in parse("x", body).rejects] == [4]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary|neither"),
        (b"\x81\x8d", "neither UTF-8 nor"),
        (b"\xff\xfea", "marked as utf-16-le but is not"),
        (b"a,b\n1,2\n", r"line 1 reads 'a', 'b'\. Known formats: .*Nearest is stripe_payout_reconciliation"),
        (
            b"currency,gross,fee,net\n",
            r"also needs: balance_transaction_id; created_utc or created; reporting_category",
        ),
        (STRIPE.replace(b"description", b"currency", 1), "names a column twice: currency"),
        (b"x," * 70000, "no known|not delimited"),
        (b'"' + b"x" * 140_000, "not delimited text"),
    ],
)
def test_what_is_no_statement_says_what_was_found(content: bytes, said: str) -> None:
    with pytest.raises(InvalidStatement, match=said):
        parse("x", content)


def test_an_insisted_format_is_kept_to() -> None:
    assert parse("x", STRIPE, "stripe_payout_reconciliation").sound
    with pytest.raises(InvalidStatement, match="Nearest is adyen_settlement_details, which also needs"):
        parse("x", STRIPE, "adyen_settlement_details")
    with pytest.raises(InvalidStatement, match="unknown format 'mt940'"):
        parse("x", STRIPE, "mt940")


def test_detection_goes_by_names_alone() -> None:
    header = STRIPE.decode().splitlines()[0].split(",")
    assert detect(header[::-1]) == stripe.DIALECTS[0]
    assert detect([name.upper() for name in header]) == stripe.DIALECTS[0]
    assert detect(header[3:]) is None
    assert adyen.DIALECT.name in FORMATS


def test_the_reader_says_how_it_read() -> None:
    found = read("\ufeffa;b\r\n1;2\r\n".encode())
    assert (found.text.encoding, found.delimiter, [record.line for record in found]) == ("utf-8", ";", [1, 2])


def test_the_digest_is_of_the_bytes() -> None:
    assert parse("a", STRIPE).sha256 == parse("b", STRIPE).sha256 != parse("a", STRIPE + b"\n").sha256
