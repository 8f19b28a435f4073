"""When money moved, as the simulated provider tells it: the books are dated by it, however late we hear of it."""

import json
from datetime import UTC, datetime, timedelta

from tests.integration.outside_process import OutsideProcess
from worker.domain.ledger import LineKind
from worker.gateways.stripe_payments import StripePayments


def test_a_payment_is_dated_by_its_capture_and_a_refund_by_itself(outside: OutsideProcess) -> None:
    payments: StripePayments = outside.payments()
    began = datetime.now(UTC) - timedelta(minutes=5)
    held = payments.authorise(
        shop="main", order_id="1", amount_minor=500, currency="EUR", method="pm_card_visa", idempotency_key="a"
    )
    outside.control("POST", "/clock/advance", {"seconds": 86_400})
    payments.capture(held.reference, idempotency_key="c")
    outside.control("POST", "/clock/advance", {"seconds": 86_400})
    payments.refund(held.reference, 100, idempotency_key="r")
    told = {line.kind: line for line in payments.ledger(began, began + timedelta(days=3))}
    charge, refund = told[LineKind.CHARGE], told[LineKind.REFUND]
    assert charge.created_at - began > timedelta(days=1)
    document = json.loads(payments.payment_document(held.reference))
    assert datetime.fromtimestamp(document["created"], UTC) == charge.created_at
    assert isinstance(document["data"]["object"]["latest_charge"], str)
    (made,) = payments.refunds(held.reference)
    assert made.created_at == refund.created_at
    assert charge.shop == "main"
