"""Harm to payouts: what the provider paid out, and what the bank booked of it."""

from dataclasses import replace
from typing import Any

from infra.local.books.story import Story
from tests.books.filled import Filled
from tests.books.harm import Expected, K, L, each, shown
from worker.domain.finding import FindingKind, Leg, Outcome
from worker.domain.matching.payouts import PayoutStatus, PayoutSums


def payout(books: Filled, story: Story) -> PayoutSums:
    """The payout that the order's charge is in."""
    books.pay_out()
    name = shown(books, story).payout_id
    return next(one for one in books.payouts() if one.payout_id == name)


def of_payout(leg: Leg, one: PayoutSums, kind: FindingKind, ours: int, theirs: int) -> Expected:
    """What must be found of a payout."""
    risk = abs(theirs - ours)
    return Expected(leg=leg, key=one.key, currency=one.currency, kind=kind, ours=ours, theirs=theirs, risk=risk)


def payout_short(books: Filled, story: Story) -> list[Expected]:
    one, short = payout(books, story), story.tender.step
    books.payout_harm[one.payout_id] = -short
    return [of_payout(L.PAYOUTS, one, K.PAYOUT_INCOMPLETE, one.lines_minor, one.lines_minor - short)]


def payout_failed(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    books.payout_changes[one.payout_id] = {"status": PayoutStatus.FAILED}
    books.bank_harm = lambda credit: [] if one.payout_id in credit.credit_id else [credit]
    found = of_payout(L.PAYOUTS, one, K.PAYOUT_FAILED, one.amount_minor, one.amount_minor)
    return [replace(found, outcome=Outcome.WARNING)]


def payout_failed_that_the_bank_booked(books: Filled, story: Story) -> list[Expected]:
    (failed,) = payout_failed(books, story)
    one = payout(books, story)
    books.bank_harm = lambda credit: [credit]
    return [failed, of_payout(L.BANK, one, K.STATUS_MISMATCH, 0, one.amount_minor)]


def payout_by_hand(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    books.payout_changes[one.payout_id] = {"automatic": False, "lines_minor": 0}
    found = of_payout(L.PAYOUTS, one, K.PAYOUT_NOT_ITEMISABLE, one.amount_minor, one.amount_minor)
    return [replace(found, outcome=Outcome.MATCHED)]


def payout_in_transit_that_the_bank_lacks(books: Filled, story: Story) -> list[Expected]:
    """A list that was made while it was on its way is all there is."""
    one = payout(books, story)
    books.payout_changes[one.payout_id] = {"exported": True, "status": PayoutStatus.IN_TRANSIT}
    bank(books, one)
    waiting = of_payout(L.PAYOUTS, one, K.PAYOUT_UNDER_WAY, one.lines_minor, one.amount_minor)
    return [
        replace(waiting, outcome=Outcome.WARNING),
        of_payout(L.BANK, one, K.PAYOUT_MISSING_AT_BANK, one.amount_minor, 0),
    ]


def payout_that_no_list_has(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    books.payout_changes[one.payout_id] = {"exported": True, "listed": False, "amount_minor": 0}
    bank(books, one, {"amount_minor": one.lines_minor})
    return [of_payout(L.PAYOUTS, one, K.PAYOUT_UNLISTED, one.lines_minor, 0)]


def payout_of_a_day_that_no_list_tells_of(books: Filled, story: Story) -> list[Expected]:
    """Its lines name it, and the bank booked what they make."""
    one = payout(books, story)
    changed = {"exported": True, "listed": False, "day_told": False, "amount_minor": one.lines_minor}
    books.payout_changes[one.payout_id] = changed
    found = of_payout(L.PAYOUTS, one, K.PAYOUT_UNLISTED, one.lines_minor, one.lines_minor)
    return [replace(found, outcome=Outcome.WARNING)]


def payout_told_in_two_ways(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    books.payout_changes[one.payout_id] = {"otherwise": "a list of payouts says less", "otherwise_minor": -10}
    found = of_payout(L.PAYOUTS, one, K.PAYOUT_CONTRADICTED, one.lines_minor, one.amount_minor)
    return [replace(found, risk=10)]


def bank(books: Filled, one: PayoutSums, *changes: dict[str, Any]) -> None:
    """Let the bank book a payout otherwise: once for each of `changes`."""
    books.bank_harm = lambda credit: (
        [replace(credit, credit_id=f"{credit.credit_id}.{number}", **change) for number, change in enumerate(changes)]
        if one.payout_id in credit.credit_id
        else [credit]
    )


def payout_missing_at_bank(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    bank(books, one)
    return [of_payout(L.BANK, one, K.PAYOUT_MISSING_AT_BANK, one.amount_minor, 0)]


def bank_booked_less(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    bank(books, one, {"amount_minor": one.amount_minor - 10})
    return [of_payout(L.BANK, one, K.PAYOUT_AMOUNT_DIFFERS, one.amount_minor, one.amount_minor - 10)]


def bank_booked_twice(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    bank(books, one, {}, {})
    return [of_payout(L.BANK, one, K.DUPLICATE_EXTERNAL, one.amount_minor, 2 * one.amount_minor)]


def bank_booked_another_currency(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    bank(books, one, {"currency": "NOK"})
    return [of_payout(L.BANK, one, K.CURRENCY_MISMATCH, one.amount_minor, 0)]


def bank_booked_two_payouts_at_once_and_less(books: Filled, story: Story) -> list[Expected]:
    one = payout(books, story)
    other = next(each for each in books.payouts() if each.currency == one.currency and each != one)
    bank(books, one, {"references": (f"{one.payout_id} {other.payout_id}",), "amount_minor": one.amount_minor - 10})
    first = min(one, other, key=lambda each: each.payout_id)
    return [of_payout(L.BANK, first, K.PAYOUT_AMOUNT_DIFFERS, first.amount_minor, first.amount_minor - 10)]


def bank_booked_what_nobody_paid_out(books: Filled, story: Story) -> list[Expected]:
    (credit,) = (one for one in books.booked([payout(books, story)]))
    books.bank_more.append(replace(credit, credit_id="b-alone", references=("STRIPE PAYMENTS EUROPE",)))
    found = of_payout(L.BANK, payout(books, story), K.BANK_CREDIT_WITHOUT_PAYOUT, 0, credit.amount_minor)
    return [replace(found, key="credit/b-alone")]


PAYOUTS = each(
    payout_short,
    payout_failed,
    payout_failed_that_the_bank_booked,
    payout_by_hand,
    payout_in_transit_that_the_bank_lacks,
    payout_that_no_list_has,
    payout_of_a_day_that_no_list_tells_of,
    payout_told_in_two_ways,
    payout_missing_at_bank,
    bank_booked_less,
    bank_booked_twice,
    bank_booked_another_currency,
    bank_booked_two_payouts_at_once_and_less,
    bank_booked_what_nobody_paid_out,
)
