"""Harm to orders: the shop's list against ours."""

from dataclasses import replace

from infra.local.books.market import Course
from infra.local.books.records import order_id
from infra.local.books.story import Story
from tests.books.filled import Filled
from tests.books.harm import Expected, K, L, about, each, paid
from worker.domain.finding import Repair


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


ORDERS = (
    *each(waits_for_a_person),
    *each(
        order_never_heard_of,
        order_gone_from_the_shop,
        order_edited_in_the_shop,
        order_cheaper_in_the_shop,
        order_in_another_currency,
        order_listed_twice,
        order_held_twice,
        cancelled_after_it_was_sent,
        cancellation_lost,
        never_paid_in_the_shop,
        collected=True,
    ),
    *each(payment_message_lost, paid_when_it_was_over, courses=frozenset({Course.EXPIRED}), collected=True),
)
