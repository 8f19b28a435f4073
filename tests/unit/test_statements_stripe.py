"""Stripe's other files: the older balance history and the payouts report."""

import pytest

from tests.unit.statement_files import amounts, by_id, cells, changed, sample, table, utc
from worker.services.ports import StatementScope
from worker.statements.parse import parse

HISTORY = sample("stripe_history.csv")
PAYOUTS = sample("stripe_payouts.csv")


def test_the_balance_history_says_the_kind_by_type_source_and_description() -> None:
    parsed = parse("x", HISTORY)
    assert parsed.format == "stripe_balance_history"
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "EUR", 9700, 307, 9393),
        ("refund", "EUR", -1000, -25, -975),
        ("dispute", "EUR", -2000, 1500, -3500),
        ("dispute_reversal", "EUR", 2000, 0, 2000),
        ("adjustment", "EUR", -100, 0, -100),
        ("payout", "EUR", -6818, 0, -6818),
        ("unclassified", "EUR", -2, 0, -2),
    ]
    assert parsed.checks["payout po_1 EUR"] == "ok: its items make EUR 68.18, as paid out"


def test_the_balance_history_knows_order_payout_and_what_the_customer_saw() -> None:
    charge, refund = parse("x", HISTORY).lines[:2]
    assert (charge.order_id, charge.source_id, charge.payout_id) == ("1001", "ch_1", "po_1")
    assert (charge.created_at, charge.payout_at) == (utc(2026, 9, 11, 9), utc(2026, 9, 20))
    assert (charge.customer_minor, charge.customer_currency) == (11000, "USD")
    assert refund.customer_minor == -1134


def test_a_transfer_was_a_payout_once() -> None:
    old = changed(HISTORY, 7, {"Type": "transfer", "Description": "STRIPE TRANSFER"})
    assert by_id(parse("x", old))["txn_6"].kind == "payout"
    connect = changed(HISTORY, 7, {"Type": "transfer", "Description": "to a seller"})
    assert by_id(parse("x", connect))["txn_6"].kind == "transfer"


def test_an_order_of_another_shop_is_not_ours() -> None:
    header, *rows = cells(HISTORY)
    content = table([*header, "shop (metadata)"], [[*row, "other"] for row in rows])
    assert {line.order_id for line in parse("x", content, shop="main").lines} == {""}
    assert {line.order_id for line in parse("x", content, shop="other").lines} == {"1001", ""}


def test_a_refund_may_be_written_with_its_minus_left_out_of_what_the_customer_saw() -> None:
    unsigned = changed(HISTORY, 3, {"Customer Facing Amount": "11.34"})
    assert parse("x", unsigned).lines == parse("x", HISTORY).lines


def test_the_payouts_report_tells_of_payouts_alone() -> None:
    parsed = parse("x", PAYOUTS)
    assert (parsed.format, parsed.scope) == ("stripe_payouts", StatementScope.PAYOUTS)
    assert parsed.sound
    assert [(x.payout_id, x.net_minor, x.payout_at) for x in parsed.lines] == [
        ("po_1", -6818, utc(2026, 9, 22)),
        ("po_2", -500, utc(2026, 9, 24)),
        ("po_2", 500, utc(2026, 9, 24)),
    ]


def test_itemised_rows_say_how_and_where_was_paid() -> None:
    header, *rows = cells(sample("stripe_payout.csv"))
    more = ["payment_method_type", "card_brand", "card_country", "customer_facing_amount", "customer_facing_currency"]
    content = table([*header, *more], [[*row, "card", "visa", "de", "150.00", "usd"] for row in rows])
    refund = by_id(parse("x", content))["txn_9004"]
    assert (refund.method, refund.country, refund.customer_minor, refund.customer_currency) == (
        "card",
        "DE",
        -15000,
        "USD",
    )


@pytest.mark.parametrize(
    ("total", "said"),
    [
        ("Total,,,10.00,300.00,9.50,", "failed: fee says 300.00, the rows make 0.50"),
        ("Total,,,10.00,x,9.50,", "failed: fee is no decimal amount: 'x'"),
        ("Total,,,,,,", "not in the file: the row holds no amount that could be compared"),
        ("Total,10.00", "not in the file: the row holds no amount that could be compared"),
    ],
)
def test_a_row_of_totals_is_no_movement_but_is_compared(total: str, said: str) -> None:
    header = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category"
    row = "txn_1,2026-11-17 09:12:44,eur,10.00,0.50,9.50,charge"
    parsed = parse("x", f"{header}\n{row}\n{total}".encode())
    assert (len(parsed.lines), parsed.rows, parsed.rejects) == (1, 1, ())
    assert parsed.checks["total in line 3"] == said


def test_a_row_of_totals_that_is_right_is_fine_and_one_in_the_middle_is_a_row() -> None:
    header = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category"
    row = "txn_1,2026-11-17 09:12:44,eur,10.00,0.50,9.50,charge"
    total = "Total,,,10.00,0.50,9.50,"
    parsed = parse("x", f"{header}\n{row}\n{total}".encode())
    assert parsed.checks["total in line 3"] == "ok: the rows make what it says"
    assert parsed.sound
    amid = parse("x", "\n".join([header, row, total, *[row] * 6]).encode())
    assert [reject.line for reject in amid.rejects] == [3]
    dollars = row.replace("txn_1", "txn_2").replace("eur", "usd")
    mixed = parse("x", f"{header}\n{row}\n{dollars}\n{total}".encode())
    assert mixed.checks["total in line 4"] == "not in the file: one total over several currencies says nothing"
