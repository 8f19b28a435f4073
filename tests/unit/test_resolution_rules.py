"""How an order that waits for a person ends, for all amounts: never with goods and money on the same side unsaid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_order_states import an_order
from worker.domain.errors import Conflict
from worker.domain.order import OrderState
from worker.domain.resolution import resolved_state

TOTAL = an_order().total_minor


@given(captured=st.integers(0, 2 * TOTAL), share=st.integers(0, 100), left=st.booleans(), elsewhere=st.booleans())
def test_goods_and_money_match_or_a_person_says_that_they_do(
    captured: int, share: int, left: bool, elsewhere: bool
) -> None:
    refunded = captured * share // 100
    order = an_order(state=OrderState.NEEDS_ATTENTION, captured_minor=captured, refunded_minor=refunded)
    kept = captured - refunded
    match = kept >= TOTAL if left else kept == 0
    if not match and not elsewhere:
        with pytest.raises(Conflict):
            resolved_state(order, left=left, settled_elsewhere=False)
        return
    ended = resolved_state(order, left=left, settled_elsewhere=elsewhere)
    expected = OrderState.COMPLETED if left else OrderState.REFUNDED if captured else OrderState.CANCELLED
    assert ended is expected
    assert order.moved(ended).state is ended


@pytest.mark.parametrize("state", sorted(set(OrderState) - {OrderState.NEEDS_ATTENTION}))
def test_only_what_waits_for_a_person_is_a_persons_to_end(state: OrderState) -> None:
    with pytest.raises(Conflict, match=f"is {state}"):
        resolved_state(an_order(state=state), left=True, settled_elsewhere=True)
