"""A bank counts in ISO 4217's minor units, a provider in its own, and what no statement tells of is not missing."""

from typing import Any

import pytest

from tests.unit.matching_books import CUT, SCOPE
from tests.unit.test_matching_payouts import credit, payout
from worker.domain.finding import Finding, FindingKind, Outcome
from worker.domain.matching.bank import match_bank
from worker.domain.matching.rules import Rules
from worker.domain.money import parse_major
from worker.domain.window import Span
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


@pytest.mark.parametrize(
    ("booked", "quiet", "outcome"),
    [
        (["EUR"], [], Outcome.WARNING),
        (["EUR", "USD"], [], Outcome.BREAK),
        ([], [], Outcome.BREAK),
        (["EUR"], ["EUR", "USD"], Outcome.BREAK),
        ([], ["EUR"], Outcome.WARNING),
    ],
)
def test_of_an_account_whose_statements_nobody_imports_nothing_is_known_to_be_missing(
    booked: list[str], quiet: list[str], outcome: Outcome
) -> None:
    """Dollars arrive on another account than euros; that none was looked at is told, and is no loss.

    A statement without a booking looks at its account, too.
    """
    bookings = [credit(f"c_{code}", 5, "interest", at=AT, currency=code) for code in booked]
    told = payout("po_1", 10_000, currency="USD", at=AT)
    (found,) = match_bank([told], bookings, Span(AT, CUT), SCOPE, Rules(provider="stripe"), quiet)
    assert (found.kind, found.outcome) == (FindingKind.PAYOUT_MISSING_AT_BANK, outcome)
    assert ("no statement at hand has a booking in USD" in found.cause) is (outcome is Outcome.WARNING)
