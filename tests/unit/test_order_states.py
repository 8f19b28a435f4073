"""The states of an order: a table without a way back, and the rules an order must keep before it may start."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.domain.errors import Conflict
from worker.domain.order import (
    MAX_LINES,
    MAX_MINOR,
    TERMINAL,
    TRANSITIONS,
    Line,
    Order,
    OrderState,
    broken_rules,
    may_follow,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def an_order(**changes: Any) -> Order:
    sound = Order(
        shop="main",
        order_id="1001",
        currency="EUR",
        total_minor=3039,
        lines=(
            Line(sku="MUG", quantity=2, unit_price_minor=1250),
            Line(sku="GIFT", quantity=1, unit_price_minor=0),
        ),
        customer_id="c1",
        payment_mode="charge",
        placed_at=NOON,
        origin="api",
        shipping_minor=490,
        discount_minor=200,
        tax_minor=249,
        payment_method="pm_card_visa",
    )
    return replace(sound, **changes)


class OrderLife(RuleBasedStateMachine):
    """An order pushed at random towards any state: it goes where the table leads, and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.order = an_order()
        self.path = [OrderState.RECEIVED]

    @rule(to=st.sampled_from(OrderState), reason=st.text(max_size=20))
    def push(self, to: OrderState, reason: str) -> None:
        before = self.order
        try:
            after = before.moved(to, reason)
        except Conflict:
            assert to not in TRANSITIONS[before.state]
            return
        assert to in TRANSITIONS[before.state]
        assert (after.state, after.state_reason) == (to, reason)
        assert replace(after, state=before.state, state_reason=before.state_reason) == before, "only the state moves"
        self.order = after
        self.path.append(to)

    @precondition(lambda self: self.order.state in TERMINAL - {OrderState.NEEDS_ATTENTION})
    @rule(to=st.sampled_from(OrderState))
    def nothing_follows_the_end(self, to: OrderState) -> None:
        with pytest.raises(Conflict, match=f"is {self.order.state} and cannot become {to}"):
            self.order.moved(to)

    @invariant()
    def never_twice_in_one_state(self) -> None:
        assert len(set(self.path)) == len(self.path)

    @invariant()
    def the_past_never_follows_the_present(self) -> None:
        assert all(may_follow(earlier, self.order.state) for earlier in self.path)
        assert not any(may_follow(self.order.state, earlier) for earlier in self.path[:-1])


TestOrderLife = OrderLife.TestCase
TestOrderLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_every_state_is_in_the_table_and_reachable() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    assert {state for state in OrderState if may_follow(OrderState.RECEIVED, state)} == set(OrderState)


def test_every_order_can_come_to_an_end() -> None:
    assert {state.value for state in TERMINAL} == {
        "completed",
        "rejected",
        "declined",
        "expired",
        "cancelled",
        "refunded",
        "needs_attention",
    }
    assert all(any(may_follow(state, end) for end in TERMINAL) for state in OrderState)


def test_following_is_a_partial_order() -> None:
    states = list(OrderState)
    assert all(may_follow(state, state) for state in states)
    assert all(not (may_follow(a, b) and may_follow(b, a)) for a, b in product(states, states) if a is not b)
    assert all(may_follow(a, c) for a, b, c in product(states, states, states) if may_follow(a, b) and may_follow(b, c))


def test_captured_money_cannot_end_unspoken_of() -> None:
    """From where money is certainly captured, the ends are a shipped order, money given back, or a person."""
    ends = {end.value for end in TERMINAL if may_follow(OrderState.PAID, end)}
    assert ends == {"completed", "cancelled", "refunded", "needs_attention"}
    assert OrderState.CANCELLED not in TRANSITIONS[OrderState.PAID], "not without refunding first"
    assert OrderState.REFUNDING not in TRANSITIONS[OrderState.SHIPPED]


def test_the_sound_order_breaks_no_rule() -> None:
    assert broken_rules(an_order()) == ()


def of_total(minor: int) -> dict[str, object]:
    return {
        "total_minor": minor,
        "lines": (Line(sku="A", quantity=1, unit_price_minor=minor),),
        "shipping_minor": 0,
        "tax_minor": 0,
        "discount_minor": 0,
    }


WAYS: dict[str, tuple[dict[str, object], str]] = {
    "no lines": ({"lines": (), "total_minor": 539}, "at least one line"),
    "too many lines": (
        {"lines": (Line(sku="A", quantity=1, unit_price_minor=1),) * (MAX_LINES + 1), "total_minor": MAX_LINES + 540},
        f"at most {MAX_LINES} lines",
    ),
    "quantity 0": (
        {"lines": (Line(sku="A", quantity=1, unit_price_minor=2500), Line(sku="B", quantity=0, unit_price_minor=9))},
        "line 2: quantity",
    ),
    "quantity -1": (
        {
            "lines": (
                Line(sku="A", quantity=2, unit_price_minor=2500),
                Line(sku="B", quantity=-1, unit_price_minor=2500),
            )
        },
        "line 2: quantity",
    ),
    "negative price": (
        {"lines": (Line(sku="A", quantity=1, unit_price_minor=2600), Line(sku="B", quantity=1, unit_price_minor=-100))},
        "line 2: unit price",
    ),
    "negative shipping": ({"shipping_minor": -1, "total_minor": 2548}, "must not be negative"),
    "negative discount": ({"discount_minor": -1, "total_minor": 3240}, "must not be negative"),
    "negative tax": ({"tax_minor": -1, "total_minor": 2789}, "must not be negative"),
    "total too high": ({"total_minor": 3040}, "total is 3040 but"),
    "total too low": ({"total_minor": 3038}, "total is 3038 but"),
    "nothing to pay": (of_total(0), "more than 0"),
    "a discount above everything": ({"discount_minor": 4000, "total_minor": -761}, "more than 0"),
    "above the limit": (of_total(MAX_MINOR + 1), "10^12"),
    "charged without a method": ({"payment_method": None}, "payment_method"),
    "charged with an empty method": ({"payment_method": ""}, "payment_method"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_broken_rule_is_found_and_no_other(way: str) -> None:
    changes, expected = WAYS[way]
    (reason,) = broken_rules(an_order(**changes))
    assert expected in reason


def test_the_limits_themselves_are_allowed() -> None:
    assert broken_rules(an_order(**of_total(MAX_MINOR))) == ()
    assert broken_rules(an_order(**of_total(1))) == ()
    lines = (Line(sku="A", quantity=1, unit_price_minor=1),) * MAX_LINES
    assert broken_rules(an_order(lines=lines, total_minor=MAX_LINES + 539)) == ()
    assert broken_rules(an_order(payment_mode="collected_by_shop", payment_method=None)) == ()


def test_all_broken_rules_are_told_at_once() -> None:
    assert len(broken_rules(an_order(lines=(), tax_minor=-1, total_minor=0, payment_method=None))) == 5


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 5000))
def test_the_financial_status_is_what_the_amounts_say(captured: int, refunded: int, total: int) -> None:
    refunded = min(refunded, captured)
    status = an_order(captured_minor=captured, refunded_minor=refunded, total_minor=total).financial_status
    checks: dict[str, Callable[[], bool]] = {
        "unpaid": lambda: captured == 0,
        "refunded": lambda: captured == refunded > 0,
        "overcharged": lambda: captured - refunded > total,
        "partially_refunded": lambda: 0 < refunded < captured and captured - refunded <= total,
        "paid": lambda: refunded == 0 and captured == total,
        "partially_paid": lambda: refunded == 0 and 0 < captured < total,
    }
    assert [name for name, holds in checks.items() if holds()] == [status]
