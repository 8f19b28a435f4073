"""Statement files: what the provider wrote comes out to the cent, and what cannot be read is said, row by row."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.domain.errors import InvalidStatement
from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements import adyen, stripe
from worker.statements.detection import FORMATS, detect
from worker.statements.parse import ParsedStatement, parse
from worker.statements.reader import read

SAMPLES = Path(__file__).parent / "statements"
STRIPE = (SAMPLES / "stripe_payout.csv").read_bytes()
ADYEN = (SAMPLES / "adyen_batch.csv").read_bytes()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def by_id(parsed: ParsedStatement) -> dict[str, LedgerLine]:
    return {line.line_id: line for line in parsed.lines}


def stripe_row(**changes: str) -> bytes:
    """A file of one row."""
    row = {
        "balance_transaction_id": "txn_1",
        "created_utc": "2026-11-17 09:12:44",
        "currency": "eur",
        "gross": "10.00",
        "fee": "0.50",
        "net": "9.50",
        "reporting_category": "charge",
    } | changes
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue().encode()


# --- Stripe ---------------------------------------------------------------------------------------------------------


def test_stripe_every_row_becomes_a_line_with_signs_and_units_kept() -> None:
    parsed = parse("payout.csv", STRIPE)
    assert (parsed.format, parsed.provider, parsed.rows) == ("stripe_payout_reconciliation", "stripe", 10)
    assert parsed.sound
    assert [(line.kind, line.gross_minor, line.fee_minor, line.net_minor) for line in parsed.lines] == [
        (LineKind.CHARGE, 12990, 407, 12583),
        (LineKind.CHARGE, 10000, 320, 9680),
        (LineKind.PARTIAL_CAPTURE_REVERSAL, -2500, 0, -2500),
        (LineKind.REFUND, -4900, 0, -4900),
        (LineKind.DISPUTE, -2000, 1500, -3500),
        (LineKind.DISPUTE_REVERSAL, 2000, 0, 2000),
        (LineKind.FEE, -200, 0, -200),
        (LineKind.UNCLASSIFIED, -12, 0, -12),
        (LineKind.PAYOUT, -13151, 0, -13151),
        (LineKind.CHARGE, 1840, 66, 1774),
    ]


def test_stripe_keys_of_a_line() -> None:
    assert parse("payout.csv", STRIPE).lines[0] == LedgerLine(
        line_id="txn_9001",
        provider="stripe",
        kind=LineKind.CHARGE,
        currency="EUR",
        gross_minor=12990,
        fee_minor=407,
        net_minor=12583,
        created_at=utc(2026, 11, 17, 9, 12, 44),
        payment_reference="pi_9001",
        order_id="1001",
        source_id="ch_9001",
        payout_id="po_9001",
        type_text="charge",
        shop="main",
        payout_at=utc(2026, 11, 20),
    )


def test_stripe_a_payout_in_the_file_must_be_the_sum_of_its_items() -> None:
    assert parse("x", STRIPE).checks["payout po_9001 EUR"] == "ok: its items make EUR 131.51, as paid out"
    short = STRIPE.replace(b"-131.51,0.00,-131.51", b"-131.50,0.00,-131.50")
    parsed = parse("x", short)
    assert parsed.checks["payout po_9001 EUR"] == "failed: its items make EUR 131.51, paid out is 131.50"
    assert not parsed.sound


def test_stripe_order_ids_of_another_shop_are_not_ours() -> None:
    assert by_id(parse("x", STRIPE))["txn_9010"].order_id == "1003"
    ours = by_id(parse("x", STRIPE, shop="main"))
    assert ours["txn_9010"].order_id == ""
    assert ours["txn_9001"].order_id == "1001"


def test_stripe_other_names_for_the_same_columns() -> None:
    renamed = STRIPE.replace(b"automatic_payout_id", b"payout_id").replace(b"created_utc", b"created")
    assert parse("x", renamed).lines == parse("x", STRIPE).lines


def test_a_row_that_stands_twice_is_two_lines_and_a_failed_check() -> None:
    lines = STRIPE.splitlines(keepends=True)
    parsed = parse("x", b"".join([*lines, lines[1]]))
    assert [line.line_id for line in parsed.lines].count("txn_9001") == 2
    assert parsed.checks["each balance transaction once"] == "failed: 1 repeated, first txn_9001"


# --- Adyen ----------------------------------------------------------------------------------------------------------


def test_adyen_debit_and_credit_become_signs_and_four_fees_one() -> None:
    parsed = parse("batch.csv", ADYEN)
    assert (parsed.format, parsed.provider, parsed.rejects) == ("adyen_settlement_details", "adyen", ())
    assert [(line.kind, line.currency, line.gross_minor, line.fee_minor, line.net_minor) for line in parsed.lines] == [
        (LineKind.CHARGE, "EUR", 7500, 80, 7420),
        (LineKind.REFUND, "EUR", -1995, 0, -1995),
        (LineKind.DISPUTE, "EUR", -34999, 750, -35749),
        (LineKind.DISPUTE_REVERSAL, "EUR", 34999, 0, 34999),
        (LineKind.CHARGE, "JPY", 1840, 0, 1840),
        (LineKind.TRANSFER, "JPY", -1840, 0, -1840),
        (LineKind.TRANSFER, "EUR", 1104, 30, 1074),
        (LineKind.FEE, "EUR", -310, 0, -310),
        (LineKind.TRANSFER, "EUR", 2000, 0, 2000),
        (LineKind.UNCLASSIFIED, "EUR", -139, 0, -139),
        (LineKind.PAYOUT, "EUR", -7300, 0, -7300),
    ]
    assert parsed.checks["batch 12 EUR"] == "ok: payout and rows net to EUR 0.00"
    assert parsed.sound


def test_adyen_keys_of_a_line() -> None:
    line = parse("batch.csv", ADYEN).lines[0]
    assert (line.payment_reference, line.order_id, line.source_id, line.payout_id, line.type_text) == (
        "8816000000000001",
        "1001",
        "8816000000000101",
        "12",
        "Settled",
    )


def test_adyen_times_stand_in_the_zone_their_row_names() -> None:
    at = [line.created_at for line in parse("batch.csv", ADYEN).lines]
    assert at[0] == utc(2026, 7, 14, 8)
    assert at[1] == utc(2026, 1, 14, 9)
    assert at[2] == utc(2026, 7, 14, 8, 30), "CET written in July follows summer time"
    assert at[3] == utc(2026, 7, 14, 11, 30)
    assert at[4] == utc(2026, 7, 14, 3)


def test_adyen_a_batch_that_does_not_close_fails_and_one_without_payout_says_so() -> None:
    wrong = parse("x", ADYEN.replace(b",EUR,73,,", b",EUR,72.99,,"))
    assert wrong.checks["batch 12 EUR"] == "failed: payout and rows net to EUR 0.01"
    without = parse("x", b"".join(ADYEN.splitlines(keepends=True)[:-1]))
    assert without.checks["batch 12 EUR"] == "not in the file: no payout closes it; its rows make EUR 73.00"
    assert without.sound


def test_adyen_line_ids_do_not_depend_on_the_order_of_rows_or_columns() -> None:
    head, *body = ADYEN.splitlines(keepends=True)
    assert {line.line_id for line in parse("x", b"".join([head, *body[::-1]])).lines} == {
        line.line_id for line in parse("x", ADYEN).lines
    }
    table = list(csv.reader(io.StringIO(ADYEN.decode())))
    text = io.StringIO()
    csv.writer(text).writerows(row[::-1] for row in table)
    assert parse("x", text.getvalue().encode()).lines == parse("x", ADYEN).lines


def test_adyen_exponents_are_its_own() -> None:
    row = ADYEN.splitlines(keepends=True)[1].replace(b"EUR", b"IDR").replace(b",75,", b",75.5,")
    parsed = parse("x", ADYEN.splitlines(keepends=True)[0] + row)
    (reject,) = parsed.rejects
    assert (reject.line, reject.reason[-30:]) == (2, "has more decimals than IDR allows"[-30:])
    whole_units = row.replace(b"75.5", b"75").replace(b"74.2", b"74").replace(b"0.5,0.1,0.2", b"1,,")
    (line,) = parse("x", ADYEN.splitlines(keepends=True)[0] + whole_units).lines
    assert (line.gross_minor, line.fee_minor, line.net_minor) == (75, 1, 74)


def test_the_real_batch_closes(fixtures_dir: Path) -> None:
    name = "settlement_detail_report_batch_380.csv"
    parsed = parse(name, (fixtures_dir / "statements" / "adyen" / name).read_bytes())
    assert parsed.sound
    assert sum(line.net_minor for line in parsed.lines) == 0
    assert Counter(line.type_text for line in parsed.lines) == {
        "Settled": 220,
        "Refunded": 6,
        "Fee": 1,
        "MerchantPayout": 1,
    }
    assert parsed.checks["batch 380 USD"] == "ok: payout and rows net to USD 0.00"
    assert len({line.line_id for line in parsed.lines}) == 228


def test_real_files_that_are_no_statements_are_refused(fixtures_dir: Path) -> None:
    files = sorted((fixtures_dir / "statements" / "stripe").glob("*.csv"))
    assert len(files) == 8
    for file in files:
        with pytest.raises(InvalidStatement, match=r"no known statement header.*Known formats: stripe_payout"):
            parse(file.name, file.read_bytes())


# --- any file -------------------------------------------------------------------------------------------------------


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
    assert (found.encoding, found.delimiter, [record.line for record in found.records]) == ("utf-8", ";", [1, 2])


def test_the_digest_is_of_the_bytes() -> None:
    assert parse("a", STRIPE).sha256 == parse("b", STRIPE).sha256 != parse("a", STRIPE + b"\n").sha256


# --- properties -----------------------------------------------------------------------------------------------------

NAMES = st.text("ABCabc019_#-", min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2098, 12, 31)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


@st.composite
def ledger_lines(draw: st.DrawFn) -> LedgerLine:
    gross = draw(st.integers(-(10**11), 10**11))
    fee = draw(st.integers(-(10**6), 10**6))
    category = draw(st.sampled_from([*STRIPE_CATEGORIES, "network_cost"]))
    return LedgerLine(
        line_id=draw(NAMES),
        provider="stripe",
        kind=STRIPE_CATEGORIES.get(category, LineKind.UNCLASSIFIED),
        currency=draw(st.sampled_from(["EUR", "USD", "JPY", "KWD", "ISK", "MGA"])),
        gross_minor=gross,
        fee_minor=fee,
        net_minor=gross - fee,
        created_at=draw(MOMENTS),
        payment_reference=draw(st.just("") | NAMES),
        order_id=draw(st.just("") | NAMES),
        source_id=draw(st.just("") | NAMES),
        payout_id=draw(st.just("") | NAMES),
        type_text=category,
    )


def major(minor: int, currency: str) -> str:
    return format_minor(minor, currency, "stripe").replace(",", "")


WRITTEN = (
    "payout_id",
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "payment_intent_id",
    "payment_metadata[order_id]",
)


def rendered(lines: list[LedgerLine]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(WRITTEN)
    for line in lines:
        amounts = [major(minor, line.currency) for minor in (line.gross_minor, line.fee_minor, line.net_minor)]
        at = f"{line.created_at:%Y-%m-%d %H:%M:%S}"
        names = [line.type_text, line.source_id, line.payment_reference, line.order_id]
        writer.writerow([line.payout_id, line.line_id, at, line.currency.lower(), *amounts, *names])
    return text.getvalue().encode()


@given(st.lists(ledger_lines(), max_size=6))
def test_what_is_written_is_read_back(lines: list[LedgerLine]) -> None:
    parsed = parse("x", rendered(lines))
    assert list(parsed.lines) == lines
    assert parsed.rejects == ()


def whole(parsed: ParsedStatement) -> bool:
    """Every record became lines or one reject, and every line adds up."""
    read_rows = len({line.line_id.removesuffix("-out").removesuffix("-in") for line in parsed.lines})
    return (
        read_rows + len(parsed.rejects) <= parsed.rows <= len(parsed.lines) + len(parsed.rejects)
        and all(line.gross_minor - line.fee_minor == line.net_minor for line in parsed.lines)
        and all(line.created_at.tzinfo is UTC for line in parsed.lines)
    )


def survives(content: bytes) -> None:
    try:
        parsed = parse("x", content)
    except InvalidStatement:
        return
    assert whole(parsed)


@settings(max_examples=300)
@given(st.sampled_from([STRIPE, ADYEN]), st.data())
def test_a_corrupted_file_is_rejected_never_a_crash(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        what = data.draw(st.sampled_from(["byte", "cut", "drop", "repeat"]))
        if what == "byte":
            damaged[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del damaged[at + 1 :]
        elif what == "drop":
            del damaged[at : at + data.draw(st.integers(1, 40))]
        else:
            damaged[at:at] = damaged[at : at + 40]
        if not damaged:
            break
    survives(bytes(damaged))


@given(st.binary(max_size=300))
@example(b'"')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_survived(content: bytes) -> None:
    survives(content)


COLUMNS = STRIPE.decode().splitlines()[0].split(",")


@given(st.sampled_from(COLUMNS), st.text(max_size=40))
@example("created_utc", "9999-12-31 23:59:59-1200")
@example("created_utc", "2026-01-01 00:00:00+9999")
@example("gross", "\N{ARABIC-INDIC DIGIT THREE}.00")
@example("currency", "\N{LATIN SMALL LETTER LONG S}ss")
def test_any_cell_is_survived(column: str, text: str) -> None:
    table = list(csv.DictReader(io.StringIO(STRIPE.decode())))
    table[0][column] = text
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(table)
    survives(out.getvalue().encode("utf-8", "surrogatepass"))


ADYEN_COLUMNS = ADYEN.decode().splitlines()[0].split(",")
ADYEN_WORDS = {
    "Settled": LineKind.CHARGE,
    "Refunded": LineKind.REFUND,
    "Chargeback": LineKind.DISPUTE,
    "ChargebackReversed": LineKind.DISPUTE_REVERSAL,
    "RefundedReversed": LineKind.REFUND_FAILURE,
    "DepositCorrection": LineKind.ADJUSTMENT,
}


def sided(minor: int, currency: str) -> tuple[str, str]:
    """Return debit and credit cells."""
    text = format_minor(abs(minor), currency, "adyen").replace(",", "")
    return (text, "") if minor < 0 else ("", text)


@given(
    st.sampled_from(sorted(ADYEN_WORDS)),
    st.sampled_from(["EUR", "CLP", "CVE", "IDR", "KWD"]),
    st.integers(-(10**11), 10**11),
    st.lists(st.integers(-(10**6), 10**6), min_size=4, max_size=4),
    MOMENTS,
)
def test_adyen_what_is_written_is_read_back(
    word: str, currency: str, gross: int, fees: list[int], at: datetime
) -> None:
    net = gross - sum(fees)
    row = dict.fromkeys(ADYEN_COLUMNS, "") | {
        "Psp Reference": "8816",
        "Merchant Reference": "1001",
        "Creation Date": f"{at:%Y-%m-%d %H:%M:%S}",
        "TimeZone": "UTC",
        "Type": word,
        "Gross Currency": currency,
        "Net Currency": currency,
        "Batch Number": "7",
    }
    row["Gross Debit (GC)"], row["Gross Credit (GC)"] = sided(gross, currency)
    row["Net Debit (NC)"], row["Net Credit (NC)"] = sided(net, currency)
    for column, fee in zip(("Commission", "Markup", "Scheme Fees", "Interchange"), fees, strict=True):
        row[f"{column} (NC)"] = format_minor(fee, currency, "adyen").replace(",", "")
    text = io.StringIO()
    writer = csv.DictWriter(text, ADYEN_COLUMNS)
    writer.writeheader()
    writer.writerow(row)
    (line,) = parse("x", text.getvalue().encode()).lines
    assert (line.kind, line.currency, line.gross_minor, line.fee_minor, line.net_minor, line.created_at) == (
        ADYEN_WORDS[word],
        currency,
        gross,
        sum(fees),
        net,
        at,
    )
