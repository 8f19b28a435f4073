"""Parcels by line: what has left, what is owed, and what share of the total is due for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.capture import CapturePolicy, Claim, claim
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.domain.order import Line, Order, OrderState
from worker.domain.parcels import FULFILMENTS, Fulfilment, Goods, contents_told, due_minor, fulfilment, shipped_goods

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINES = (
    Line(sku="A", quantity=2, unit_price_minor=1000),
    Line(sku="B", quantity=1, unit_price_minor=500),
    Line(sku="A", quantity=1, unit_price_minor=900),
)


def parcel(name: str, *contents: Packed, after: int = 0, delivered: bool = False) -> Shipment:
    at = NOON + timedelta(hours=after)
    return Shipment(
        shipment_id=name,
        order_id="1",
        state=ShipmentState.SHIPPED,
        requested_at=NOON,
        shipped_at=at,
        contents=contents,
        delivered_at=at if delivered else None,
    )


def order(state: OrderState = OrderState.FULFILLING) -> Order:
    return Order(
        shop="main",
        order_id="1",
        currency="EUR",
        total_minor=3400,
        lines=LINES,
        customer_id="c",
        payment_mode="charge",
        placed_at=NOON,
        origin="api",
        state=state,
    )


def test_a_parcel_without_contents_is_all_that_is_left() -> None:
    assert shipped_goods(LINES, [parcel("p1")]).complete
    goods = shipped_goods(LINES, [parcel("p1", Packed(line=1, quantity=1)), parcel("p2", after=1)])
    assert goods.complete
    assert goods.surplus == ()


def test_a_piece_named_by_its_article_is_taken_from_the_lines_of_that_article_in_turn() -> None:
    goods = shipped_goods(LINES, [parcel("p1", Packed(sku="A", quantity=3))])
    assert goods.left == {1: 2, 3: 1}
    assert goods.owed == {2: 1}


@pytest.mark.parametrize(
    ("packed", "beyond"),
    [
        (Packed(line=1, quantity=3), Packed(line=1, quantity=1)),
        (Packed(line=9, quantity=1), Packed(line=9, quantity=1)),
        (Packed(sku="Z", quantity=2), Packed(sku="Z", quantity=2)),
        (Packed(sku="A", quantity=5), Packed(sku="A", quantity=2)),
    ],
)
def test_what_goes_beyond_the_order_is_surplus(packed: Packed, beyond: Packed) -> None:
    goods = shipped_goods(LINES, [parcel("p1", packed)])
    assert goods.surplus == (beyond,)
    assert all(pieces <= LINES[number - 1].quantity for number, pieces in goods.left.items())


def test_one_parcel_heard_of_twice_counts_once() -> None:
    once = parcel("p1", Packed(line=1, quantity=1))
    assert shipped_goods(LINES, [once, once]) == shipped_goods(LINES, [once])


def test_the_order_in_which_parcels_are_heard_of_does_not_matter() -> None:
    some = [parcel("p1", Packed(line=1, quantity=1)), parcel("p2", Packed(sku="A", quantity=2)), parcel("p3", after=-1)]
    assert len({str(shipped_goods(LINES, heard)) for heard in permutations(some)}) == 1


@pytest.mark.parametrize(
    ("parcels", "state", "expected"),
    [
        ([], OrderState.FULFILLING, Fulfilment.UNFULFILLED),
        ([parcel("p1", Packed(line=1, quantity=2))], OrderState.FULFILLING, Fulfilment.PARTIALLY_FULFILLED),
        ([parcel("p1")], OrderState.COMPLETED, Fulfilment.FULFILLED),
        # What an order that is over has not sent, it does not owe.
        ([parcel("p1", Packed(line=1, quantity=2))], OrderState.COMPLETED, Fulfilment.FULFILLED),
        (
            [parcel("p1", Packed(line=1, quantity=2), delivered=True)],
            OrderState.FULFILLING,
            Fulfilment.PARTIALLY_DELIVERED,
        ),
        (
            [parcel("p1", Packed(line=1, quantity=2), delivered=True), parcel("p2", after=1)],
            OrderState.COMPLETED,
            Fulfilment.PARTIALLY_DELIVERED,
        ),
        ([parcel("p1", Packed(line=1, quantity=2), delivered=True)], OrderState.COMPLETED, Fulfilment.DELIVERED),
        ([parcel("p1", delivered=True)], OrderState.COMPLETED, Fulfilment.DELIVERED),
    ],
)
def test_the_status_follows_from_parcels_and_lines(
    parcels: list[Shipment], state: OrderState, expected: Fulfilment
) -> None:
    assert fulfilment(order(state), parcels) is expected


CONTENTS = st.lists(
    st.builds(Packed, quantity=st.integers(1, 3), line=st.integers(1, 4))
    | st.builds(Packed, quantity=st.integers(1, 3), sku=st.sampled_from("ABZ")),
    min_size=1,
    max_size=3,
)


@given(st.lists(CONTENTS, max_size=5))
def test_each_word_of_a_parcel_leads_only_where_the_table_allows(sent: list[list[Packed]]) -> None:
    parcels: list[Shipment] = []
    before = fulfilment(order(), parcels)
    words: list[list[Shipment]] = []
    for number, contents in enumerate(sent):
        parcels = [*parcels, parcel(f"p{number}", *contents, after=number)]
        words.append(parcels)
    if not shipped_goods(LINES, parcels).complete:  # delivered only once nothing more is to leave
        words.append([*parcels, parcel("rest", after=99)])
    words += [[replace(each, delivered_at=NOON) for each in (words[-1] if words else [])]]
    for heard in words:
        now = fulfilment(order(), heard)
        assert now is before or now in FULFILMENTS[before]
        before = now


@given(
    prices=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10_000)), min_size=1, max_size=5),
    shipping=st.integers(0, 2_000),
    tax=st.integers(0, 5_000),
    discount_share=st.integers(0, 100),
    data=st.data(),
)
def test_the_shares_of_the_parcels_make_exactly_the_total(
    prices: list[tuple[int, int]], shipping: int, tax: int, discount_share: int, data: st.DataObject
) -> None:
    lines = tuple(Line(sku=str(n), quantity=many, unit_price_minor=price) for n, (many, price) in enumerate(prices))
    gross = sum(line.quantity * line.unit_price_minor for line in lines) + shipping + tax
    total = gross - gross * discount_share // 100
    pieces = [number for number, line in enumerate(lines, start=1) for _ in range(line.quantity)]
    due, left = [0], dict.fromkeys(range(1, len(lines) + 1), 0)
    for number in data.draw(st.permutations(pieces)):
        left[number] += 1
        due.append(due_minor(total, shipping, Goods(lines=lines, left=dict(left))))

    shares = [after - before for before, after in pairwise(due)]
    assert all(share >= 0 for share in shares)
    assert sum(shares) == due[-1] == total
    assert shares[0] >= min(shipping, total)


def test_what_takes_all_of_the_money_is_the_last_capture() -> None:
    """A gift is still to leave: nothing is due for it, and Stripe takes all that is held in a last capture only."""
    lines = (Line(sku="A", quantity=1, unit_price_minor=3400), Line(sku="GIFT", quantity=1, unit_price_minor=0))
    goods = Goods(lines=lines, left={1: 1}, parcels=1)
    found = claim(replace(order(), lines=lines), goods, CapturePolicy.EACH_PARCEL, several=True, closing=False)
    assert found == Claim(3400, final=True)


def test_contents_are_told_by_sku_where_the_order_is_known() -> None:
    lines = tuple(Line(sku=sku, quantity=2, unit_price_minor=100) for sku in ("TEA", "MUG", "TEA"))
    packed = (
        Packed(quantity=1, line=2),
        Packed(quantity=2, line=3),
        Packed(quantity=3, sku="CUP"),
        Packed(quantity=1, line=9),
    )
    assert contents_told(packed, lines) == "1 of MUG, 2 of TEA (line 3), 3 of CUP, 1 of line 9"
    assert contents_told(packed) == "1 of line 2, 2 of line 3, 3 of CUP, 1 of line 9"
