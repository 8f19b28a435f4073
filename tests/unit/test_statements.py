"""Statement files of Stripe and Adyen: what the provider wrote comes out to the cent."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.statement_files import by_id, sample, utc
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LedgerLine, LineKind
from worker.statements.parse import parse

STRIPE = sample("stripe_payout.csv")
ADYEN = sample("adyen_batch.csv")


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
