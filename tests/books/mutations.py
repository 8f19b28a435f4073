"""Named harm to clean books, each with everything that must be found of it: class, key, amounts, weight and repair.

A mutation harms one order (or one record that belongs to no order) and says what all legs together must find. Nothing
else may be found, and mutations of different orders must not disturb each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from infra.local.books.market import TENDERS, Course
from infra.local.books.records import order_id, payout_of
from infra.local.books.story import Story, fee
from tests.books.filled import Filled
from worker.domain.finding import Finding, FindingKind, Leg, Outcome, Repair
from worker.domain.ledger import LedgerLine, LineKind, Shipment, ShipmentState
from worker.domain.matching.payouts import PayoutStatus, PayoutSums
from worker.domain.matching.rules import Tolerance
from worker.domain.payment import BookEntry, EntryKind

K, L = FindingKind, Leg
DAYS = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One finding that must be there."""

    leg: Leg
    key: str
    currency: str
    kind: FindingKind
    ours: int
    theirs: int
    risk: int
    outcome: Outcome = Outcome.BREAK
    repair: Repair = Repair.NONE

    @classmethod
    def of(cls, finding: Finding) -> "Expected":
        """Return a finding as it would have been expected."""
        return cls(
            leg=finding.leg,
            key=finding.key,
            currency=finding.currency,
            kind=finding.kind,
            ours=finding.ours_minor,
            theirs=finding.theirs_minor,
            risk=finding.at_risk_minor,
            outcome=finding.outcome,
            repair=finding.repair,
        )


Harm = Callable[[Filled, Story], list[Expected]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One way to harm an order of one of `courses`."""

    name: str
    harm: Harm
    courses: frozenset[Course] = frozenset({Course.PLAIN})
    collected: bool | None = None
    """Only orders whose money the shop collects (or only others); None: either."""

    def fits(self, story: Story) -> bool:
        """Tell whether an order may be harmed like that."""
        return story.course in self.courses and self.collected in {None, story.collected}


# ---- what a record's harm looks like ----------------------------------------------------------------------------


def about(leg: Leg, story: Story, kind: FindingKind, ours: int, theirs: int, risk: int, **more: object) -> Expected:
    """What must be found of an order in its own currency."""
    fields: dict[str, object] = {"key": f"order/{order_id(story)}", "currency": story.tender.code, **more}
    return Expected(leg=leg, kind=kind, ours=ours, theirs=theirs, risk=risk, **fields)  # type: ignore[arg-type]


REPAIRS = {
    K.MISSING_EXTERNAL: Repair.ASK_PROVIDER,
    K.REFUND_MISSING: Repair.ASK_PROVIDER,
    K.REFUND_EXCEEDS: Repair.DELIVER_REFUND,
    K.DISPUTED: Repair.DELIVER_DISPUTE,
}
"""What a break of the payments leg asks for where nothing else is told."""


def paid(story: Story, kind: FindingKind, ours: int, theirs: int, **more: object) -> Expected:
    """What must be found on the payments leg; what differs is at risk unless told otherwise."""
    breaks = more.get("outcome", Outcome.BREAK) is Outcome.BREAK
    usual = {"risk": abs(theirs - ours), "repair": REPAIRS.get(kind, Repair.NONE) if breaks else Repair.NONE}
    return about(L.PAYMENTS, story, kind, ours, theirs, **(usual | more))  # type: ignore[arg-type]


def capture(books: Filled, story: Story) -> BookEntry:
    """Our capture of the order."""
    return books.entries_of(order_id(story))[0]


def refund(books: Filled, story: Story) -> BookEntry:
    """Our refund of the order."""
    return books.entries_of(order_id(story), EntryKind.REFUND)[0]


def shown(books: Filled, story: Story, kind: LineKind = LineKind.CHARGE) -> LedgerLine:
    """The provider's line of a kind."""
    return next(line for line in books.lines_of(order_id(story)) if line.kind is kind)


def other_line(books: Filled, story: Story, kind: LineKind, minor: int, mark: str, **changes: object) -> LedgerLine:
    """A line of the order that should not be there, an hour after its charge."""
    charge = shown(books, story)
    kept = fee_of(kind, minor, charge.currency)
    at = charge.created_at + timedelta(hours=1)
    fields: dict[str, Any] = {
        "order_id": order_id(story),
        "type_text": str(kind),
        "source_id": f"xx_{mark}_{story.mark}",
    }
    return replace(
        charge,
        line_id=f"txn_{mark}_{story.mark}",
        kind=kind,
        gross_minor=minor,
        fee_minor=kept,
        net_minor=minor - kept,
        created_at=at,
        payout_id=payout_of(charge.currency, int(at.timestamp())),
        **(fields | changes),
    )


def regrossed(line: LedgerLine, minor: int) -> LedgerLine:
    """The line with another amount, and the fee that belongs to it."""
    kept = fee_of(line.kind, minor, line.currency)
    return replace(line, gross_minor=minor, fee_minor=kept, net_minor=minor - kept)


def fee_of(kind: LineKind, minor: int, currency: str) -> int:
    """What the provider keeps of a line that should not be there: it charges for charges."""
    return fee(minor, next(t for t in TENDERS if t.code == currency)) if kind is LineKind.CHARGE else 0


# ---- payments: our books against the provider's ledger ------------------------------------------------------------


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
    return [paid(story, K.DISPUTED, story.total, 2 * story.total, risk=0, outcome=Outcome.WARNING)]


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
    books.swap_line(line, replace(line, created_at=books.plan.start - 2 * DAYS))
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


# ---- orders: the shop's list against ours -------------------------------------------------------------------------


def order_never_heard_of(books: Filled, story: Story) -> list[Expected]:
    name, mine = order_id(story), books.books
    mine.own = [order for order in mine.own if order.order_id != name]
    mine.parcels = [parcel for parcel in mine.parcels if parcel.order_id != name]
    mine.entries = [entry for entry in mine.entries if entry.order_id != name]
    mine.order_of_payment = {payment: order for payment, order in mine.order_of_payment.items() if order != name}
    found = paid(story, K.MISSING_INTERNAL, 0, story.total, repair=Repair.DELIVER_PAYMENT)
    if not story.named:
        found = replace(found, key=f"payment/pi_{story.mark}1", repair=Repair.NONE)
    return [
        found,
        about(L.ORDERS, story, K.MISSING_INTERNAL, 0, story.total, story.total, repair=Repair.START_ORDER),
    ]


def order_gone_from_the_shop(books: Filled, story: Story) -> list[Expected]:
    books.books.shop = [order for order in books.books.shop if order.order_id != order_id(story)]
    return [about(L.ORDERS, story, K.MISSING_EXTERNAL, story.total, 0, story.total)]


def order_edited_in_the_shop(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), total_minor=story.total + story.part)
    return [about(L.ORDERS, story, K.AMOUNT_OVER, story.total, story.total + story.part, story.part)]


def order_cheaper_in_the_shop(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), total_minor=story.total - story.part)
    return [about(L.ORDERS, story, K.AMOUNT_UNDER, story.total, story.total - story.part, story.part)]


def order_in_another_currency(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), currency="NOK")
    return [about(L.ORDERS, story, K.CURRENCY_MISMATCH, story.total, 0, story.total)]


def order_listed_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.shop += [order for order in books.books.shop if order.order_id == order_id(story)]
    return [about(L.ORDERS, story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total, story.total)]


def order_held_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.own += [order for order in books.books.own if order.order_id == order_id(story)]
    return [about(L.ORDERS, story, K.DUPLICATE_INTERNAL, 2 * story.total, story.total, story.total)]


def status(story: Story, risk: int, repair: Repair = Repair.NONE) -> Expected:
    """What must be found where shop and books tell different stories of one order."""
    return about(L.ORDERS, story, K.STATUS_MISMATCH, story.total, story.total, risk, repair=repair)


def cancelled_after_it_was_sent(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), cancelled=True)
    return [status(story, story.total)]


def cancellation_lost(books: Filled, story: Story) -> list[Expected]:
    name = order_id(story)
    books.change_listed(name, cancelled=True)
    books.change_own(name, state="fulfilling", shipped_at=None)
    books.books.parcels = [parcel for parcel in books.books.parcels if parcel.order_id != name]
    unshipped = about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total, repair=Repair.REQUEST_FULFILMENT)
    return [status(story, story.total, Repair.DELIVER_CANCELLATION), unshipped]


def payment_message_lost(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), paid=True)
    books.change_own(order_id(story), state="awaiting_payment")
    return [status(story, story.total, Repair.DELIVER_PAYMENT)]


def paid_when_it_was_over(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), paid=True)
    return [status(story, story.total)]


def never_paid_in_the_shop(books: Filled, story: Story) -> list[Expected]:
    books.change_listed(order_id(story), paid=False)
    return [status(story, story.total)]


def waits_for_a_person(books: Filled, story: Story) -> list[Expected]:
    name = order_id(story)
    books.change_own(name, state="needs_attention", shipped_at=None)
    books.books.parcels = [parcel for parcel in books.books.parcels if parcel.order_id != name]
    return [about(L.ORDERS, story, K.NEEDS_ATTENTION, story.total, story.total, story.total)]


# ---- shipments: our orders against the warehouse's parcels ------------------------------------------------------------


def sent(books: Filled, story: Story, **changes: object) -> Shipment:
    """A parcel of the order that should not be there."""
    parcel = next((one for one in books.books.parcels if one.order_id == order_id(story)), None)
    if parcel is None:
        at = books.plan.start + DAYS
        parcel = Shipment(
            shipment_id=f"shp_{story.mark}", order_id=order_id(story), state=ShipmentState.SHIPPED, requested_at=at,
            shipped_at=at,
        )  # fmt: skip
    return replace(parcel, **changes)  # type: ignore[arg-type]


def without_parcel(books: Filled, story: Story) -> None:
    """Take the order's parcel away."""
    books.books.parcels = [parcel for parcel in books.books.parcels if parcel.order_id != order_id(story)]


def shipped_unpaid(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    return [about(L.SHIPMENTS, story, K.SHIPPED_UNPAID, 0, story.total, story.total)]


def paid_unshipped(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="paid", shipped_at=None)
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total, repair=Repair.REQUEST_FULFILMENT)]


def paid_and_not_shipped_yet(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="paid", shipped_at=None, updated_at=books.plan.end - timedelta(hours=1))
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total, outcome=Outcome.PENDING)]


def ended_with_the_money(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    books.change_own(order_id(story), state="cancelled", shipped_at=None)
    return [about(L.SHIPMENTS, story, K.PAID_UNSHIPPED, 0, 0, story.total)]


def parcel_lost(books: Filled, story: Story) -> list[Expected]:
    without_parcel(books, story)
    return [about(L.SHIPMENTS, story, K.MISSING_EXTERNAL, story.total, 0, story.total)]


def shipped_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story, shipment_id=f"shp_{story.mark}x"))
    return [about(L.SHIPMENTS, story, K.DUPLICATE_EXTERNAL, story.total, 2 * story.total, story.total)]


def parcel_listed_twice(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    found = about(L.SHIPMENTS, story, K.DUPLICATE_EXTERNAL, story.total, story.total, 0)
    return [replace(found, outcome=Outcome.WARNING)]


def parcel_of_nobody(books: Filled, story: Story) -> list[Expected]:
    name = f"stranger-{story.mark}"
    books.books.parcels.append(sent(books, story, shipment_id=f"shp_{name}", order_id=name))
    return [about(L.SHIPMENTS, story, K.MISSING_INTERNAL, 0, 0, 0, key=f"order/{name}", currency="XXX")]


def parcel_message_lost(books: Filled, story: Story) -> list[Expected]:
    books.change_own(order_id(story), state="fulfilling", shipped_at=None)
    found = about(L.SHIPMENTS, story, K.STATUS_MISMATCH, 0, story.total, story.total)
    return [replace(found, repair=Repair.DELIVER_SHIPMENT)]


def shipped_after_the_refund(books: Filled, story: Story) -> list[Expected]:
    books.books.parcels.append(sent(books, story))
    return [about(L.SHIPMENTS, story, K.STATUS_MISMATCH, 0, story.total, story.total)]


def dispute_after_it_was_sent(books: Filled, story: Story) -> list[Expected]:
    """Goods and money are both gone; the money is at risk once."""
    books.books.lines.append(other_line(books, story, LineKind.DISPUTE, -story.total, "dispute"))
    gone = about(L.SHIPMENTS, story, K.REVERSED_AFTER_FULFILMENT, story.total, story.total, 0)
    return [paid(story, K.DISPUTED, story.total, 0), replace(gone, outcome=Outcome.WARNING)]


# ---- what the rules of the provider allow ------------------------------------------------------------------------------


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


# ---- payouts and the bank --------------------------------------------------------------------------------------------------


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


_PARTLY = frozenset({Course.REFUNDED_IN_PART})
_NOBODY = frozenset({Course.EXPIRED})

MUTATIONS: tuple[Mutation, ...] = (
    *(
        Mutation(name=harm.__name__, harm=harm)
        for harm in (
            our_capture_dropped, our_capture_dropped_just_now, their_line_dropped, their_line_dropped_just_now,
            their_amount_less, their_amount_more, our_amount_more, our_amount_less, their_currency_changed,
            their_line_repeated, their_charge_listed_under_two_lines, charged_twice, charged_again_with_another_amount,
            booked_twice, booked_as_two_payments, booked_a_payment_nobody_made, refund_unknown, dispute_after_it_was_sent, fee_changed,
            payment_of_nobody, line_of_unknown_type, adjustment, fee_listed_twice, line_moved_within_the_window,
            line_moved_after_the_window, line_moved_before_all_books, waits_for_a_person, paid_unshipped,
            paid_and_not_shipped_yet, parcel_lost, shipped_twice, parcel_listed_twice, parcel_of_nobody,
            parcel_message_lost,
        )
    ),
    *(
        Mutation(name=harm.__name__, harm=harm, courses=_PARTLY)
        for harm in (
            refund_lost, refund_failed_later, refund_too_small, refund_too_large, refund_listed_twice,
            refund_booked_twice, second_capture_reversed_and_refund_lost,
        )
    ),
    *(
        Mutation(name=harm.__name__, harm=harm, collected=True)
        for harm in (
            order_never_heard_of, order_gone_from_the_shop, order_edited_in_the_shop, order_cheaper_in_the_shop,
            order_in_another_currency, order_listed_twice, order_held_twice, cancelled_after_it_was_sent,
            cancellation_lost, never_paid_in_the_shop,
        )
    ),
    *(
        Mutation(name=harm.__name__, harm=harm, courses=_NOBODY, collected=True)
        for harm in (payment_message_lost, paid_when_it_was_over)
    ),
    Mutation(name="shipped_unpaid", harm=shipped_unpaid, courses=_NOBODY),
    Mutation(name="ended_with_the_money", harm=ended_with_the_money, collected=False),
    Mutation(name="half_of_a_split_payment_lost", harm=half_of_a_split_payment_lost, courses=frozenset({Course.SPLIT})),
    Mutation(
        name="dispute_came_back_from_before",
        harm=dispute_came_back_from_before,
        courses=frozenset({Course.DISPUTE_WON}),
    ),
    Mutation(
        name="shipped_after_the_refund", harm=shipped_after_the_refund, courses=frozenset({Course.GIVEN_BACK})
    ),
)  # fmt: skip

ALONE: tuple[Mutation, ...] = (
    *(
        Mutation(name=harm.__name__, harm=harm)
        for harm in (
            amount_within_tolerance, payout_short, payout_failed, payout_failed_that_the_bank_booked, payout_by_hand,
            payout_missing_at_bank, bank_booked_less, bank_booked_twice, bank_booked_another_currency,
            bank_booked_two_payouts_at_once_and_less, bank_booked_what_nobody_paid_out,
        )
    ),
    Mutation(name="refund_within_tolerance", harm=refund_within_tolerance, courses=_PARTLY),
)  # fmt: skip
"""Those that harm what several orders share (a payout, a rule), and so are not mixed with others."""
