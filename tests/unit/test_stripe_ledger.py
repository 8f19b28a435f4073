"""A balance transaction of a converted payment: what the customer paid beside what was settled."""

from typing import Any

from worker.domain.matching.movements import Converted, as_compared
from worker.domain.matching.rules import PLAIN
from worker.gateways.stripe_ledger import ledger_line

CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "object": "charge",
    "amount": 101040,
    "currency": "sar",
    "payment_intent": "pi_1",
    "metadata": {"order_id": "3439"},
    "payment_method_details": {"type": "card", "card": {"country": "SA"}},
}
REFUND: dict[str, Any] = {"id": "re_1", "object": "refund", "amount": 101040, "currency": "sar", "charge": CHARGE}


def transaction(source: dict[str, Any], category: str, amount: int, currency: str = "aed") -> dict[str, Any]:
    return {
        "id": f"txn_{source['id']}",
        "source": source,
        "reporting_category": category,
        "amount": amount,
        "fee": 0,
        "net": amount,
        "currency": currency,
        "created": 1_790_000_000,
    }


def test_a_converted_charge_and_its_refund_are_compared_in_what_the_customer_paid() -> None:
    charge = ledger_line("stripe", transaction(CHARGE, "charge", 98821))
    refund = ledger_line("stripe", transaction(REFUND, "refund", -98000))
    assert (charge.currency, charge.gross_minor, charge.customer_currency, charge.customer_minor) == (
        "AED",
        98821,
        "SAR",
        101040,
    )
    assert {(line.method, line.country, line.order_id) for line in (charge, refund)} == {("card", "SA", "3439")}
    compared = [as_compared(line, PLAIN) for line in (charge, refund)]
    # Stripe states the refund without a sign.
    assert [(line.currency, line.gross_minor) for line in compared] == [("SAR", 101040), ("SAR", -101040)]
    assert [line.settlement for line in compared if isinstance(line, Converted)] == [charge, refund]


def test_a_payment_that_was_not_converted_has_one_currency() -> None:
    line = ledger_line("stripe", transaction(CHARGE, "charge", 101040, "sar"))
    assert (line.customer_currency, line.customer_minor) == ("", 0)
    assert as_compared(line, PLAIN) is line


def test_a_source_that_tells_nothing_is_no_converted_payment() -> None:
    line = ledger_line("stripe", transaction({"id": "po_1", "object": "payout"}, "payout", -900))
    assert (line.method, line.country, line.customer_currency) == ("", "", "")
