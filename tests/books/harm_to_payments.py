"""Harm to payments: our books against the provider's ledger, and what the rules of the provider allow."""

from dataclasses import replace
from datetime import timedelta

from infra.local.books.market import Course
from infra.local.books.records import order_id, payout_of
from infra.local.books.story import Story
from tests.books.filled import Filled
from tests.books.harm import PARTLY, Expected, K, L, about, capture, each, other_line, paid, refund, regrossed, shown
from worker.domain.finding import Outcome, Repair
from worker.domain.ledger import LineKind
from worker.domain.matching.rules import Tolerance


def our_capture_dropped(books: Filled, story: Story) -> list[Expected]:
    books.swap_entry(capture(books, story))
    found = paid(story, K.MISSING_INTERNAL, 0, story.total, repair=Repair.DELIVER_PAYMENT)
    return [found, about(L.SHIPMENTS, story, K.SHIPPED_UNPAID, story.total, story.total, story.total)]


def our_capture_dropped_just_now(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, replace(line, created_at=books.plan.end - timedelta(minutes=1)))
    books.swap_entry(capture(books, story))
    found = paid(story, K.MISSING_INTERNAL, 0, story.total, outcome=Outcome.PENDING)
    return [found, about(L.SHIPMENTS, story, K.SHIPPED_UNPAID, story.total, story.total, story.total)]


def their_line_dropped(books: Filled, story: Story) -> list[Expected]:
    books.swap_line(shown(books, story))
    return [paid(story, K.MISSING_EXTERNAL, story.total, 0)]


def their_line_dropped_just_now(books: Filled, story: Story) -> list[Expected]:
    entry = capture(books, story)
    books.swap_line(shown(books, story))
    books.swap_entry(entry, replace(entry, occurred_at=books.plan.end - timedelta(minutes=1)))
    return [paid(story, K.MISSING_EXTERNAL, story.total, 0, outcome=Outcome.PENDING)]


def their_amount_less(books: Filled, story: Story) -> list[Expected]:
    less = story.total - story.tender.step
    line = shown(books, story)
    books.swap_line(line, regrossed(line, less))
    return [paid(story, K.AMOUNT_UNDER, story.total, less)]


def their_amount_more(books: Filled, story: Story) -> list[Expected]:
    more = story.total + story.tender.step
    line = shown(books, story)
    books.swap_line(line, regrossed(line, more))
    return [paid(story, K.AMOUNT_OVER, story.total, more)]


def our_amount_more(books: Filled, story: Story) -> list[Expected]:
    more = story.total + story.tender.step
    entry = capture(books, story)
    books.swap_entry(entry, replace(entry, amount_minor=more))
    held = about(L.ORDERS, story, K.AMOUNT_OVER, story.total, story.total, story.tender.step)
    return [paid(story, K.AMOUNT_UNDER, more, story.total), held]


def our_amount_less(books: Filled, story: Story) -> list[Expected]:
    less = story.total - story.tender.step
    entry = capture(books, story)
    books.swap_entry(entry, replace(entry, amount_minor=less))
    held = about(L.ORDERS, story, K.AMOUNT_UNDER, story.total, story.total, story.tender.step)
    return [paid(story, K.AMOUNT_OVER, less, story.total), held]


def their_currency_changed(books: Filled, story: Story) -> list[Expected]:
    other = "USD" if story.tender.code == "EUR" else "EUR"
    line = shown(books, story)
    books.swap_line(line, replace(line, currency=other))
    return [
        paid(story, K.CURRENCY_MISMATCH, story.total, 0),
        paid(story, K.CURRENCY_MISMATCH, 0, story.total, currency=other),
    ]


def their_line_repeated(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, line, line)
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total)]


def their_charge_listed_under_two_lines(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, line, replace(line, line_id=f"{line.line_id}again"))
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total)]


def charged_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.lines.append(
        other_line(books, story, LineKind.CHARGE, story.total, "twice", payment_reference=f"pi_{story.mark}x")
    )
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total)]


def charged_again_with_another_amount(books: Filled, story: Story) -> list[Expected]:
    books.books.lines.append(
        other_line(books, story, LineKind.CHARGE, story.part, "more", payment_reference=f"pi_{story.mark}x")
    )
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, story.total + story.part)]


def booked_twice(books: Filled, story: Story) -> list[Expected]:
    entry = capture(books, story)
    books.swap_entry(entry, entry, entry)
    held = about(L.ORDERS, story, K.AMOUNT_OVER, story.total, story.total, story.total)
    return [paid(story, K.DUPLICATE_INTERNAL, 2 * story.total, story.total), held]


def booked_as_two_payments(books: Filled, story: Story) -> list[Expected]:
    entry = capture(books, story)
    again = replace(entry, reference=f"{entry.reference}x", payment_reference=f"{entry.reference}x")
    books.swap_entry(entry, entry, again)
    held = about(L.ORDERS, story, K.AMOUNT_OVER, story.total, story.total, story.total)
    return [paid(story, K.DUPLICATE_INTERNAL, 2 * story.total, story.total), held]


def booked_a_payment_nobody_made(books: Filled, story: Story) -> list[Expected]:
    entry = capture(books, story)
    again = replace(
        entry, reference=f"{entry.reference}x", payment_reference=f"{entry.reference}x", amount_minor=story.part
    )
    books.swap_entry(entry, entry, again)
    held = about(L.ORDERS, story, K.AMOUNT_OVER, story.total, story.total, story.part)
    return [paid(story, K.MISSING_EXTERNAL, story.total + story.part, story.total), held]


def half_of_a_split_payment_lost(books: Filled, story: Story) -> list[Expected]:
    entry = books.entries_of(order_id(story))[1]
    books.swap_entry(entry)
    held = about(L.ORDERS, story, K.AMOUNT_UNDER, story.total, story.total, entry.amount_minor)
    # The two halves may be equal: the message of the second is lost all the same.
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total - entry.amount_minor, story.total), held]


def refund_lost(books: Filled, story: Story) -> list[Expected]:
    books.swap_line(shown(books, story, LineKind.REFUND))
    return [paid(story, K.REFUND_MISSING, story.total - story.part, story.total)]


def refund_failed_later(books: Filled, story: Story) -> list[Expected]:
    books.books.lines.append(other_line(books, story, LineKind.REFUND_FAILURE, story.part, "failed"))
    return [paid(story, K.REFUND_MISSING, story.total - story.part, story.total)]


def refund_too_small(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story, LineKind.REFUND)
    books.swap_line(line, regrossed(line, line.gross_minor + story.tender.step))
    kept = story.total - story.part
    return [paid(story, K.REFUND_MISSING, kept, kept + story.tender.step)]


def refund_too_large(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story, LineKind.REFUND)
    books.swap_line(line, regrossed(line, line.gross_minor - story.tender.step))
    kept = story.total - story.part
    return [paid(story, K.REFUND_EXCEEDS, kept, kept - story.tender.step)]


def refund_unknown(books: Filled, story: Story) -> list[Expected]:
    books.books.lines.append(other_line(books, story, LineKind.REFUND, -story.part, "refund"))
    return [paid(story, K.REFUND_EXCEEDS, story.total, story.total - story.part)]


def refund_listed_twice(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story, LineKind.REFUND)
    books.swap_line(line, line, line)
    kept = story.total - story.part
    return [paid(story, K.DUPLICATE_EXTERNAL, kept, kept - story.part)]


def refund_booked_twice(books: Filled, story: Story) -> list[Expected]:
    entry = refund(books, story)
    books.swap_entry(entry, entry, entry)
    kept = story.total - story.part
    found = [paid(story, K.DUPLICATE_INTERNAL, kept - story.part, kept)]
    if 2 * story.part >= story.total:
        # By our books all the money went back: a rule tells that of an order that was sent, and allows it.
        gone = about(L.SHIPMENTS, story, K.REVERSED_AFTER_FULFILMENT, story.total, story.total, 0)
        found.append(replace(gone, outcome=Outcome.MATCHED))
    return found


def dispute_came_back_from_before(books: Filled, story: Story) -> list[Expected]:
    books.swap_line(shown(books, story, LineKind.DISPUTE))
    return [paid(story, K.DISPUTED, story.total, 2 * story.total)]


def payment_of_nobody(books: Filled, story: Story) -> list[Expected]:
    name = f"pi_stranger_{story.mark}"
    line = other_line(books, story, LineKind.CHARGE, story.part, "alone", payment_reference=name, order_id="")
    books.books.lines.append(line)
    return [paid(story, K.MISSING_INTERNAL, 0, story.part, key=f"payment/{name}")]


def line_of_unknown_type(books: Filled, story: Story) -> list[Expected]:
    line = other_line(books, story, LineKind.UNCLASSIFIED, -story.part, "odd", type_text="climate_contribution")
    books.books.lines.append(line)
    return [paid(story, K.UNCLASSIFIED, 0, -story.part, key=f"line/{line.line_id}", outcome=Outcome.WARNING)]


def adjustment(books: Filled, story: Story) -> list[Expected]:
    line = other_line(books, story, LineKind.ADJUSTMENT, story.part, "adjusted")
    books.books.lines.append(line)
    return [paid(story, K.UNCLASSIFIED, 0, story.part, key=f"line/{line.line_id}", outcome=Outcome.WARNING)]


def fee_listed_twice(books: Filled, story: Story) -> list[Expected]:
    line = other_line(books, story, LineKind.FEE, -story.part, "fee", payment_reference="", order_id="")
    books.books.lines += [line, line]
    found = paid(story, K.DUPLICATE_EXTERNAL, 0, 0, key=f"repeated/{line.line_id}", risk=story.part)
    return [replace(found, outcome=Outcome.WARNING)]


def line_moved_within_the_window(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, replace(line, created_at=line.created_at + timedelta(hours=30)))
    return []


def line_moved_after_the_window(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, replace(line, created_at=books.plan.end))
    return [paid(story, K.MISSING_EXTERNAL, story.total, 0)]


def line_moved_before_all_books(books: Filled, story: Story) -> list[Expected]:
    line = shown(books, story)
    books.swap_line(line, replace(line, created_at=books.plan.start - timedelta(days=2)))
    return [paid(story, K.MISSING_EXTERNAL, story.total, 0)]


def second_capture_reversed_and_refund_lost(books: Filled, story: Story) -> list[Expected]:
    """Two things wrong with one order: the worse names the finding, what is at risk adds up."""
    charge, back = shown(books, story), shown(books, story, LineKind.REFUND)
    books.swap_line(charge, charge, charge)
    books.swap_line(back)
    kept = story.total - story.part
    return [
        paid(
            story,
            K.DUPLICATE_EXTERNAL,
            kept,
            2 * story.total,
            risk=story.total + story.part,
            repair=Repair.ASK_PROVIDER,
        )
    ]


def fee_changed(books: Filled, story: Story) -> list[Expected]:
    line, more = shown(books, story), 20 * story.tender.step
    books.swap_line(line, replace(line, fee_minor=line.fee_minor + more, net_minor=line.net_minor - more))
    return [paid(story, K.FEE_VARIANCE, story.total, story.total, risk=more, outcome=Outcome.WARNING)]


def tolerant(books: Filled, story: Story) -> None:
    """Let amounts of the order's currency differ by a coin."""
    tolerance = Tolerance(absolute_minor=story.tender.step)
    books.rules = replace(books.rules, tolerances={story.tender.code: tolerance})


def amount_within_tolerance(books: Filled, story: Story) -> list[Expected]:
    tolerant(books, story)
    (found,) = their_amount_less(books, story)
    return [replace(found, kind=K.MATCHED_WITHIN_TOLERANCE, outcome=Outcome.MATCHED, risk=0, repair=Repair.NONE)]


def refund_within_tolerance(books: Filled, story: Story) -> list[Expected]:
    tolerant(books, story)
    (found,) = refund_too_large(books, story)
    return [replace(found, kind=K.MATCHED_WITHIN_TOLERANCE, outcome=Outcome.MATCHED, risk=0, repair=Repair.NONE)]


def in_parts(books: Filled, story: Story, *minors: int) -> None:
    """Let the provider show the order's charge as several payments that our books do not know."""
    books.rules = replace(books.rules, many_to_one=True)
    books.swap_line(shown(books, story), *(
        replace(
            regrossed(shown(books, story), minor),
            line_id=f"txn_part{number}_{story.mark}",
            source_id=f"ch_part{number}_{story.mark}",
            payment_reference=f"pi_part{number}_{story.mark}",
            order_id=order_id(story),
            created_at=shown(books, story).created_at + timedelta(minutes=number),
        )
        for number, minor in enumerate(minors)
    ))  # fmt: skip


def agreed_in_parts(story: Story) -> Expected:
    return paid(story, K.MATCHED_IN_PARTS, story.total, story.total, outcome=Outcome.MATCHED, risk=0)


def charged_in_parts(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total - story.part, story.part)
    return [agreed_in_parts(story)]


def charged_in_parts_one_of_them_twice(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total - story.part, story.part, story.part)
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, story.total + story.part)]


def charged_in_parts_days_apart(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total - story.part, story.part)
    line = shown(books, story)
    books.swap_line(line, replace(line, created_at=line.created_at + timedelta(hours=30)))
    # The older is kept as the one that we hold, for less than we hold; the other is a payment of its own.
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, story.total, risk=2 * (story.total - story.part))]


def charged_in_parts_one_of_them_lost(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total - story.part)
    return [paid(story, K.AMOUNT_UNDER, story.total, story.total - story.part)]


def charged_twice_where_parts_are_allowed(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total, story.total)
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total)]


def charged_in_parts_without_a_rule(books: Filled, story: Story) -> list[Expected]:
    in_parts(books, story, story.total - story.part, story.part)
    books.rules = replace(books.rules, many_to_one=False)
    return [paid(story, K.DUPLICATE_EXTERNAL, story.total, story.total, risk=2 * story.part)]


def booked_in_parts(books: Filled, story: Story) -> list[Expected]:
    books.rules = replace(books.rules, many_to_one=True)
    entry = capture(books, story)
    books.swap_entry(entry, *(
        replace(entry, reference=name, payment_reference=name, amount_minor=minor)
        for minor in (story.total - story.part, story.part)
        for name in (f"{entry.reference}part{minor}",)
    ))  # fmt: skip
    line = shown(books, story)
    books.swap_line(line, replace(line, order_id=order_id(story)))
    return [agreed_in_parts(story)]


PAYMENTS = (
    *each(
        our_capture_dropped,
        our_capture_dropped_just_now,
        their_line_dropped,
        their_line_dropped_just_now,
        their_amount_less,
        their_amount_more,
        our_amount_more,
        our_amount_less,
        their_currency_changed,
        their_line_repeated,
        their_charge_listed_under_two_lines,
        charged_twice,
        charged_again_with_another_amount,
        booked_twice,
        booked_as_two_payments,
        booked_a_payment_nobody_made,
        refund_unknown,
        fee_changed,
        payment_of_nobody,
        line_of_unknown_type,
        adjustment,
        fee_listed_twice,
        line_moved_within_the_window,
        line_moved_after_the_window,
        line_moved_before_all_books,
    ),
    *each(
        refund_lost,
        refund_failed_later,
        refund_too_small,
        refund_too_large,
        refund_listed_twice,
        refund_booked_twice,
        second_capture_reversed_and_refund_lost,
        courses=PARTLY,
    ),
    *each(half_of_a_split_payment_lost, courses=frozenset({Course.SPLIT})),
    *each(dispute_came_back_from_before, courses=frozenset({Course.DISPUTE_WON})),
)


def given_back_at_another_rate(books: Filled, story: Story) -> list[Expected]:
    """Settled in another currency, twice the amount; half as much again when a part was given back."""
    books.rules = replace(books.rules, fees=())
    other = "USD" if story.tender.code == "EUR" else "EUR"
    for line, rate in ((shown(books, story), 2), (shown(books, story, LineKind.REFUND), 3)):
        settled = replace(
            line,
            currency=other,
            gross_minor=rate * line.gross_minor,
            fee_minor=0,
            net_minor=rate * line.gross_minor,
            payout_id=payout_of(other, int(line.created_at.timestamp())),
            customer_currency=story.tender.code,
            customer_minor=abs(line.gross_minor),
        )
        books.swap_line(line, settled)
    lost = paid(story, K.FX_DIFFERENCE, -2 * story.part, -3 * story.part, outcome=Outcome.WARNING)
    return [replace(lost, key=f"fx/{story.tender.code}/{lost.key}", currency=other)]


CONVERTED = each(given_back_at_another_rate, courses=PARTLY)

IN_PARTS = each(
    charged_in_parts,
    charged_in_parts_one_of_them_twice,
    charged_in_parts_days_apart,
    charged_in_parts_one_of_them_lost,
    charged_twice_where_parts_are_allowed,
    charged_in_parts_without_a_rule,
    booked_in_parts,
)

TOLERATED = (*each(amount_within_tolerance), *each(refund_within_tolerance, courses=PARTLY))
"""These, those in parts and those converted change the rules, which hold for every order."""
