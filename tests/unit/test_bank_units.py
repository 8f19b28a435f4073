"""A bank counts in ISO 4217's minor units, a provider in its own: one amount of money is one amount, whoever tells it."""

from typing import Any

import pytest

from tests.unit.matching_books import CUT, SCOPE
from tests.unit.test_matching_payouts import payout
from worker.domain.finding import Finding, FindingKind, Outcome
from worker.domain.matching.bank import match_bank
from worker.domain.matching.rules import Rules
from worker.domain.money import parse_major
from worker.services.bank_books import bookings_of

AT = SCOPE.horizon_start


def held_against_bank(currency: str, provider: str, paid_out: str, booked: str) -> Finding:
    document: dict[str, Any] = {
        "span": [AT.isoformat(), CUT.isoformat()],
        "bookings": [
            {
                "credit_id": "a/1",
                "amount_minor": parse_major(booked, currency),
                "currency": currency,
                "booked_at": AT.isoformat(),
                "references": ["po_1"],
            }
        ],
    }
    span, bookings = bookings_of(document, provider)
    assert span is not None
    told = payout("po_1", parse_major(paid_out, currency, provider), currency=currency, at=AT)
    (found,) = match_bank([told], bookings, span, SCOPE, Rules(provider=provider))
    return found


@pytest.mark.parametrize("provider", ["adyen", "stripe", "paypal"])
@pytest.mark.parametrize("currency", ["CLP", "ISK", "IDR", "CVE", "MGA", "UGX", "EUR", "JPY"])
def test_a_payout_is_what_the_bank_booked_in_whichever_units_either_counts(currency: str, provider: str) -> None:
    assert held_against_bank(currency, provider, "150000", "150000").outcome is Outcome.MATCHED
    apart = held_against_bank(currency, provider, "150000", "149999")
    assert (apart.kind, apart.outcome) == (FindingKind.PAYOUT_AMOUNT_DIFFERS, Outcome.BREAK)


def test_less_than_the_provider_s_smallest_unit_is_told_all_the_same() -> None:
    assert held_against_bank("IDR", "adyen", "150000", "150000.50").kind is FindingKind.PAYOUT_AMOUNT_DIFFERS
