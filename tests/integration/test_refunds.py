"""Refunds on request, on a real database and at the simulated provider: made once, booked once, reconciled."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from tests.integration.office import Office
from worker.domain.errors import Conflict, DatabaseUnavailable, InvalidInput, NotFound, ProviderUnavailable
from worker.domain.finding import FindingKind, Outcome
from worker.domain.order import OrderState
from worker.services.refunds import RefundPlan, Refunds

REFUNDS = "POST /stripe/v1/refunds"
_numbers = count(1)


@pytest.fixture
def office(one_office: Office) -> Office:
    return one_office


@pytest.fixture
def refunds(office: Office) -> Refunds:
    return Refunds(office.database, office.outside.payments(), office.books, office.clock)


def give(refunds: Refunds, order_id: str, amount_minor: int | None, request_id: str = "r-1") -> RefundPlan:
    plan = refunds.plan("main", order_id, amount_minor)
    refunds.carry_out("main", order_id, plan, f"refund/main/{order_id}/{request_id}")
    return plan


def test_parts_are_refunded_until_nothing_is_left(office: Office, refunds: Refunds, order_id: str) -> None:
    office.complete(order_id)
    assert give(refunds, order_id, 500, "r-1").left_minor == 2000
    assert give(refunds, order_id, 500, "r-2").left_minor == 1500
    assert give(refunds, order_id, None, "r-3").amount_minor == 1500
    assert office.booked(order_id) == [2500, -500, -500, -1500]
    assert office.outside.charges(order_id) == [1, 0]
    assert office.order(order_id).state is OrderState.COMPLETED
    with pytest.raises(Conflict):
        refunds.plan("main", order_id, None)


@pytest.mark.parametrize("amount", [0, -1, 2501])
def test_more_than_is_left_is_refused(office: Office, refunds: Refunds, order_id: str, amount: int) -> None:
    office.pay(order_id)
    with pytest.raises(InvalidInput):
        refunds.plan("main", order_id, amount)


def test_before_capture_and_without_an_order_there_is_nothing(office: Office, refunds: Refunds, order_id: str) -> None:
    with pytest.raises(NotFound) as unknown:
        refunds.plan("main", order_id, None)
    assert not unknown.value.retryable
    office.place(order_id)
    office.authorise(order_id)
    with pytest.raises(Conflict):
        refunds.plan("main", order_id, None)


@pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "wrong_body", "reset_before"])
def test_a_lost_answer_is_no_second_refund(office: Office, refunds: Refunds, order_id: str, fault: str) -> None:
    office.pay(order_id)
    plan, key = refunds.plan("main", order_id, 500), f"refund/main/{order_id}/r-1"
    office.outside.fault(REFUNDS, fault)
    with pytest.raises(ProviderUnavailable):
        refunds.carry_out("main", order_id, plan, key)
    for _ in range(2):
        assert refunds.carry_out("main", order_id, plan, key).refunded_minor == 500
    assert office.outside.charges(order_id) == [1, 2000]
    assert office.booked(order_id) == [2500, -500]


def test_a_plan_is_carried_out_once_though_the_provider_forgot_the_key(
    office: Office, refunds: Refunds, order_id: str
) -> None:
    """Stripe keeps idempotency keys for a day; an outage may last longer."""
    office.pay(order_id)
    plan = refunds.plan("main", order_id, 500)
    for key in ("kept", "forgotten"):
        refunds.carry_out("main", order_id, plan, f"refund/main/{order_id}/{key}")
    assert office.outside.charges(order_id) == [1, 2000]


def test_dying_before_the_record_refunds_once(
    office: Office, refunds: Refunds, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.pay(order_id)
    plan, key = refunds.plan("main", order_id, 500), f"refund/main/{order_id}/r-1"

    def dead(_work: Any) -> Any:
        raise DatabaseUnavailable("the worker died here")

    with monkeypatch.context() as patched:
        patched.setattr(office.database, "transact", dead)
        with pytest.raises(DatabaseUnavailable):
            refunds.carry_out("main", order_id, plan, key)
    assert office.booked(order_id) == [2500]
    assert refunds.carry_out("main", order_id, plan, key).refunded_minor == 500
    assert office.booked(order_id) == [2500, -500]
    assert office.outside.charges(order_id) == [1, 2000]


def test_what_somebody_refunded_at_the_provider_is_seen_and_booked(
    office: Office, refunds: Refunds, order_id: str
) -> None:
    payment = office.pay(order_id)
    office.outside.payments().refund(payment.reference, 2000, idempotency_key=f"dashboard-{order_id}")
    with pytest.raises(InvalidInput):
        refunds.plan("main", order_id, 501)
    assert give(refunds, order_id, None).amount_minor == 500
    assert office.booked(order_id) == [2500, -500, -2000]


def test_a_reversal_after_a_refund_gives_back_the_rest(office: Office, refunds: Refunds, order_id: str) -> None:
    office.pay(order_id)
    give(refunds, order_id, 500)
    assert office.reverse(order_id).state == OrderState.CANCELLED
    assert office.booked(order_id) == [2500, -500, -2000]
    assert office.outside.charges(order_id) == [1, 0]


def test_refunds_are_no_difference_for_reconciliation(office: Office, refunds: Refunds) -> None:
    start = office.clock.now() - timedelta(seconds=1)
    part, whole = f"refunded-{next(_numbers)}", f"refunded-{next(_numbers)}"
    for order_id, amount in ((part, 500), (whole, None)):
        office.complete(order_id)
        give(refunds, order_id, amount)
    run = office.reconcile(office.span(start), "refunds")
    findings = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    told = [(found.order_id, found.kind, found.cause) for found in findings if found.order_id in {part, whole}]
    # Goods that came back after they left are told, and agree.
    agreed = [found.outcome for found in findings if found.kind is FindingKind.REVERSED_AFTER_FULFILMENT]
    assert set(agreed) == {Outcome.MATCHED}
    told = [one for one in told if one[1] is not FindingKind.REVERSED_AFTER_FULFILMENT]
    assert (run.incomplete_because, told) == ((), [])
    assert run.counts is not None
    assert run.counts["matched"] >= 4
