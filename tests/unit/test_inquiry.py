"""The provider asked again: what it confirms may only be late, what it denies is for a person."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.unit.reports_sample import LOST, followed
from worker.domain.errors import NotFound, ProviderUnavailable
from worker.domain.finding import Break, BreakStatus, Fact
from worker.domain.payment import Payment, PaymentState, Refund
from worker.domain.repair_policy import AttemptOutcome
from worker.services.inquiry import Inquiry

AT = datetime(2026, 11, 22, 14, tzinfo=UTC)


class Provider:
    """Knows one payment, `pi_1`, and one refund of it, `re_1`."""

    def __init__(self, state: PaymentState = PaymentState.CAPTURED, *, away: bool = False) -> None:
        self._state, self._away = state, away

    def retrieve(self, reference: str) -> Payment:
        if self._away:
            raise ProviderUnavailable("503")
        if reference != "pi_1":
            raise NotFound(reference)
        kept = 2500 if self._state is PaymentState.CAPTURED else 0
        return Payment(
            provider="stripe",
            reference=reference,
            amount_minor=2500,
            currency="EUR",
            state=self._state,
            captured_minor=kept,
        )

    def refunds(self, reference: str) -> list[Refund]:
        return [Refund(reference="re_1", payment_reference=reference, amount_minor=700, currency="EUR", created_at=AT)]


def lacking(*facts: tuple[str, str, str]) -> Break:
    """Return a break over records of ours: what it is, its reference, its payment."""
    ours = tuple(
        Fact(record=record, reference=reference, amount_minor=1, currency="EUR", at=AT, status=payment)
        for record, reference, payment in facts
    )
    return followed(replace(LOST, ours=ours, theirs=()), BreakStatus.NEW, age=AT - AT)


def asked(provider: Provider, item: Break) -> tuple[AttemptOutcome, str]:
    answer = Inquiry(cast("Any", None), cast("Any", provider), cast("Any", None), cast("Any", None)).money(item)
    return answer.outcome, answer.detail


CAPTURE = ("capture", "pi_1", "pi_1")


@pytest.mark.parametrize(
    ("state", "facts", "outcome", "said"),
    [
        (PaymentState.CAPTURED, [CAPTURE], AttemptOutcome.NOTHING, "pi_1 is captured, EUR 25.00 captured"),
        (PaymentState.PROCESSING, [CAPTURE], AttemptOutcome.NOTHING, "pi_1 is processing"),
        (PaymentState.CANCELLED, [CAPTURE], AttemptOutcome.CONTRADICTED, "pi_1 is cancelled"),
        (PaymentState.CAPTURED, [("capture", "pi_2", "pi_2")], AttemptOutcome.CONTRADICTED, "pi_2 is unknown"),
        (PaymentState.CAPTURED, [("refund", "re_1", "pi_1")], AttemptOutcome.NOTHING, "nothing"),
        (PaymentState.CAPTURED, [("refund", "re_9", "pi_1")], AttemptOutcome.CONTRADICTED, "re_9 was not made"),
        (
            PaymentState.CAPTURED,
            [CAPTURE, ("refund", "re_9", "pi_1")],
            AttemptOutcome.CONTRADICTED,
            "pi_1 is captured, EUR 25.00 captured; refund re_9",
        ),
    ],
)
def test_what_the_provider_denies_is_for_a_person(
    state: PaymentState, facts: list[tuple[str, str, str]], outcome: AttemptOutcome, said: str
) -> None:
    answered, detail = asked(Provider(state), lacking(*facts))
    assert answered is outcome
    assert said in detail


def test_a_provider_that_is_away_says_neither() -> None:
    with pytest.raises(ProviderUnavailable):
        asked(Provider(away=True), lacking(CAPTURE))
