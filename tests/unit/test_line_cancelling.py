"""What cancelled pieces are worth: shares that make the whole again, whatever is cancelled in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.domain.errors import Conflict, InvalidInput
from worker.domain.line_cancelling import check_pieces, check_state, cut_of, shared_out, to_give_back, without
from worker.domain.order import Line, Order, OrderState, broken_rules

AT = datetime(2026, 11, 28, tzinfo=UTC)


def an_order(
    *lines: tuple[int, int],
    shipping: int = 0,
    discount: int = 0,
    tax: int = 0,
    state: OrderState = OrderState.FULFILLING,
) -> Order:
    """Return an order of (quantity, price) lines."""
    goods = sum(quantity * price for quantity, price in lines)
    return Order(
        shop="main",
        order_id="1",
        currency="EUR",
        total_minor=goods + shipping + tax - discount,
        lines=tuple(
            Line(sku=f"S{at}", quantity=quantity, unit_price_minor=price) for at, (quantity, price) in enumerate(lines)
        ),
        customer_id="c",
        payment_mode="charge",
        placed_at=AT,
        origin="api",
        shipping_minor=shipping,
        discount_minor=discount,
        tax_minor=tax,
        payment_method="pm_card_visa",
        state=state,
    )


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_shares_make_the_amount_and_none_is_a_unit_off(amount: int, weights: list[int]) -> None:
    parts = shared_out(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0
    of_all = sum(weights)
    if of_all:
        assert all(abs(part * of_all - amount * weight) < of_all for part, weight in zip(parts, weights, strict=True))
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if not weight)


@st.composite
def orders_and_cuts(draw: st.DrawFn) -> tuple[Order, list[dict[int, int]]]:
    lines = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10_000)), min_size=1, max_size=6))
    goods = sum(quantity * price for quantity, price in lines)
    shipping, tax = draw(st.integers(0, 2_000)), draw(st.integers(0, 5_000))
    discount = draw(st.integers(0, goods + shipping + tax))
    order = an_order(*lines, shipping=shipping, tax=tax, discount=discount)
    left = {number: line.quantity for number, line in enumerate(order.lines, start=1)}
    cuts = []
    for _ in range(draw(st.integers(1, 3))):
        wanted = {number: draw(st.integers(0, pieces)) for number, pieces in left.items()}
        wanted = {number: pieces for number, pieces in wanted.items() if pieces}
        left = {number: pieces - wanted.get(number, 0) for number, pieces in left.items()}
        if wanted:
            cuts.append(wanted)
    return order, cuts


@given(orders_and_cuts())
def test_what_is_cancelled_and_what_stays_make_the_order(made: tuple[Order, list[dict[int, int]]]) -> None:
    order, wishes = made
    assume(order.total_minor > 0)
    whole, taken_off = order, 0
    for wanted in wishes:
        try:
            cut = cut_of(order, wanted)
        except Conflict:
            break
        assert cut.amount_minor >= 0
        order, taken_off = without(order, cut), taken_off + cut.amount_minor
        assert order.total_minor + taken_off == whole.total_minor
        assert order.shipping_minor == whole.shipping_minor
        assert min(order.tax_minor, order.discount_minor) >= 0
        sound = replace(order, lines=tuple(line for line in order.lines if line.quantity))
        assert not [rule for rule in broken_rules(sound) if "least one line" not in rule]


def test_a_line_takes_its_shares_of_tax_and_discount_along() -> None:
    order = an_order((2, 1000), (1, 3000), shipping=500, tax=1000, discount=333)
    cut = cut_of(order, {2: 1})
    assert (cut.tax_minor, cut.discount_minor, cut.amount_minor) == (600, 200, 3000 + 600 - 200)
    rest = without(order, cut)
    assert (rest.total_minor, rest.tax_minor, rest.discount_minor) == (6167 - 3400, 400, 133)
    assert [line.quantity for line in rest.lines] == [2, 0], "lines keep their numbers"


def test_given_back_is_what_is_held_beyond_the_rest_and_never_more_than_was_cancelled() -> None:
    order = an_order((2, 1250))
    cut = cut_of(order, {1: 1})
    rest = without(order, cut)
    assert to_give_back(replace(rest, captured_minor=2500), cut) == 1250
    assert to_give_back(replace(rest, captured_minor=2500, refunded_minor=500), cut) == 750
    assert to_give_back(replace(rest, captured_minor=9000), cut) == 1250, "what was overcharged is another matter"
    assert to_give_back(rest, cut) == 0, "held, and less of it is captured later"


@pytest.mark.parametrize(
    ("wanted", "kind", "said"),
    [
        ({}, InvalidInput, "which lines"),
        ({3: 1}, InvalidInput, "lines 1 to 2"),
        ({0: 1}, InvalidInput, "lines 1 to 2"),
        ({1: 0}, InvalidInput, "at least 1"),
        ({1: 3, 2: 1}, Conflict, "only 1 of line 1, 0 of line 2 can still"),
    ],
)
def test_what_cannot_be_cancelled_says_why(wanted: dict[int, int], kind: type[Exception], said: str) -> None:
    order = an_order((2, 1250), (1, 100))
    with pytest.raises(kind, match=said):
        check_pieces(order.lines, {1: 1}, wanted)


@pytest.mark.parametrize("state", sorted(set(OrderState) - {OrderState.FULFILLING, OrderState.LAPSED}))
def test_only_what_waits_for_its_goods_or_its_rest_can_lose_lines(state: OrderState) -> None:
    with pytest.raises(Conflict):
        check_state(an_order((2, 1250), state=state))
    with pytest.raises(Conflict, match="the shop collects"):
        check_state(replace(an_order((2, 1250)), payment_mode="collected_by_shop"))
    check_state(replace(an_order((2, 1250), state=OrderState.AUTHORISED), payment_mode="authorise"))


def test_a_rest_that_costs_nothing_is_no_rest() -> None:
    with pytest.raises(Conflict, match="cancel the order"):
        cut_of(an_order((1, 1250), (1, 0)), {1: 1})
