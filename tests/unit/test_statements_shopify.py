"""Shopify Payments: every header variant gives the same lines; a payout's parts make its total."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statement_files import CURRENCIES, MOMENTS, amounts, cells, changed, sample, table, utc, written
from worker.services.ports import StatementScope
from worker.statements.parse import parse

TRANSACTIONS = sample("shopify_transactions.csv")
PAYOUTS = sample("shopify_payouts.csv")
SHORT = ["Transaction Date", "Type", "Order", "Amount", "Fee", "Net", "Currency"]


def test_amounts_are_signed_and_fees_positive() -> None:
    parsed = parse("x", TRANSACTIONS)
    assert (parsed.format, parsed.provider) == ("shopify_transactions", "shopify_payments")
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "AED", 98821, 5768, 93053),
        ("refund", "AED", -8821, 0, -8821),
        ("dispute", "AED", -10000, 1500, -11500),
        ("dispute_reversal", "AED", 10000, -1500, 11500),
        ("charge", "AED", 120000, 3000, 117000),
        ("adjustment", "AED", -300, 0, -300),
        ("unclassified", "AED", -50, 0, -50),
    ]


def test_keys_of_a_line() -> None:
    charge, refund, *_ = parse("x", TRANSACTIONS).lines
    assert (charge.order_id, charge.source_id, charge.payout_id, charge.method) == ("1001", "551", "77001", "card")
    assert charge.created_at == utc(2026, 8, 24, 18, 1, 24), "the offset is believed"
    assert charge.payout_at == utc(2026, 9, 1), "2026/9/1 is a date too"
    assert (charge.customer_minor, charge.customer_currency) == (101040, "SAR")
    assert refund.customer_minor == -9020, "written without its sign"


def without(content: bytes, *columns: str) -> bytes:
    header, *rows = cells(content)
    kept = [at for at, name in enumerate(header) if name not in columns]
    return table([header[at] for at in kept], [[row[at] for at in kept] for row in rows])


def test_the_european_and_the_older_layouts_mean_the_same() -> None:
    lines = parse("x", TRANSACTIONS).lines
    header, *rows = cells(without(TRANSACTIONS, "Business Entity Name", "Business Entity ID"))
    european = table([*header, "VAT"], [[*row, "0.00"] for row in rows])
    assert parse("x", european).lines == lines
    older = parse("x", without(TRANSACTIONS, "Payout ID", "Checkout"))
    assert amounts(older) == amounts(parse("x", TRANSACTIONS))
    assert older.lines[0].payout_id == "2026-09-01", "without an id, a payout is its day"
    assert parse("x", without(TRANSACTIONS, *set(cells(TRANSACTIONS)[0]) - set(SHORT))).sound


def test_value_added_tax_beside_the_fee_is_a_part_of_it() -> None:
    row = ["2026-08-24 22:01:24 +0200", "charge", "#1", "100.00", "2.00", "97.62", "EUR", "0.38"]
    (line,) = parse("x", table([*SHORT, "VAT"], [row])).lines
    assert (line.gross_minor, line.fee_minor, line.net_minor) == (10000, 238, 9762)
    row[5] = "98.00"
    (line,) = parse("x", table([*SHORT, "VAT"], [row])).lines
    assert line.fee_minor == 200, "where it is in the fee already, it is not counted twice"


def test_a_net_that_is_not_amount_less_fee_rejects_its_row() -> None:
    parsed = parse("x", changed(TRANSACTIONS, 2, {"Net": "1045.89"}))
    assert [(one.line, one.column) for one in parsed.rejects] == [(2, "net")]
    assert len(parsed.lines) == 6


def test_a_row_that_stands_twice_is_said() -> None:
    lines = TRANSACTIONS.splitlines(keepends=True)
    parsed = parse("x", b"".join([*lines, lines[1]]))
    assert parsed.checks["each row once"].startswith("failed: 1 repeated")
    assert len(parsed.lines) == 8


def test_a_line_keeps_its_id_when_its_payout_moves_on() -> None:
    paid = changed(TRANSACTIONS, 7, {"Payout Status": "paid", "Payout Date": "2026-09-05", "Payout ID": "77002"})
    assert [line.line_id for line in parse("x", paid).lines] == [
        line.line_id for line in parse("x", TRANSACTIONS).lines
    ]


def test_payouts_are_their_parts() -> None:
    parsed = parse("x", PAYOUTS)
    assert (parsed.format, parsed.scope) == ("shopify_payouts", StatementScope.PAYOUTS)
    assert parsed.sound
    assert [(x.payout_id, x.net_minor, x.type_text) for x in parsed.lines] == [
        ("2026-09-03", -41665, "paid"),
        ("2026-09-04", -9200, "in_transit"),
        ("2026-09-05", -4850, "failed"),
        ("2026-09-05", 4850, "failed"),
    ], "what has failed came back"
    wrong = parse("x", PAYOUTS.replace(b"416.65", b"416.66"))
    assert [(one.line, one.column, one.reason) for one in wrong.rejects] == [
        (2, "total", "the parts make 416.65, the total is 416.66")
    ]


def test_payouts_of_the_older_and_the_newer_layout() -> None:
    unsigned = PAYOUTS.replace(b"-13.35", b"13.35")
    assert parse("x", unsigned).lines == parse("x", PAYOUTS).lines
    header = "Payout Date,Status,Charges,Refunds,Adjustments,Marketplace Sales Tax,Advances,Reserved Funds,Fees,"
    row = "2026-05-01,paid,100,0,0,-2,0,0,-3,0,95,USD,REF-1"
    (line,) = parse("x", f"{header}Retried Amount,Total,Currency,Bank Reference\n{row}\n".encode()).lines
    assert (line.net_minor, line.source_id) == (-9500, "REF-1")


def test_the_six_real_rows(fixtures_dir: Path) -> None:
    name = "payment_transactions_export.csv"
    parsed = parse(name, (fixtures_dir / "statements" / "shopify" / name).read_bytes())
    assert parsed.sound
    assert len(parsed.lines) == 6
    assert sum(line.net_minor for line in parsed.lines) == 297592
    assert sum(line.fee_minor for line in parsed.lines) == 18875
    assert parsed.lines[0].customer_minor == -159870, "the refund's presentment amount has no sign in the file"
    assert parsed.checks["payout 148156579998 AED"] == "not in the file: its items make AED 2,975.92"


@given(CURRENCIES, st.integers(-(10**10), 10**10), st.integers(-(10**6), 10**6), MOMENTS, st.booleans())
def test_what_is_written_is_read_back(currency: str, amount: int, fee: int, at: object, symbols: bool) -> None:
    texts = [written(minor, currency, grouping="," if symbols else "") for minor in (amount, fee, amount - fee)]
    if symbols:
        texts = [f"-${text[1:]}" if text.startswith("-") else f"${text}" for text in texts]
    row = [f"{at:%Y-%m-%d %H:%M:%S +0000}", "charge", "#7", *texts, currency]
    (line,) = parse("x", table(SHORT, [row])).lines
    assert (line.gross_minor, line.fee_minor, line.net_minor, line.currency, line.created_at) == (
        amount,
        fee,
        amount - fee,
        currency,
        at,
    )


@pytest.mark.parametrize("text", ["1,23.00", "$", "--1.00", "1.00$$", "(1.00)", "1 234.00.00", "EUR 1.00"])
def test_what_is_no_amount_is_rejected(text: str) -> None:
    parsed = parse("x", changed(TRANSACTIONS, 2, {"Amount": text}))
    assert [(one.line, one.column) for one in parsed.rejects] == [(2, "amount")]
