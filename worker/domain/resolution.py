"""How an order that waits for a person comes to its end: by what the books say of its goods and its money.

    goods      money held           end
    left       what is due for it   completed
    not left   nothing, any more    refunded
    not left   nothing, ever        cancelled

Anything else is refused with what is missing, unless the person says that it was settled elsewhere: paid in cash, given
back by hand. What the books do not show then, reconciliation goes on to report until its break is settled, too.
"""

from worker.domain.errors import Conflict
from worker.domain.money import Money
from worker.domain.order import Order, OrderState


def resolved_state(order: Order, *, left: bool, settled_elsewhere: bool, due_minor: int | None = None) -> OrderState:
    """Return the state that an order in `needs_attention` ends in; `left` says whether its goods have left.

    `due_minor` is what is due for them where only a part has; otherwise it is the total.

    Raises Conflict for an order that does not wait for a person, or whose goods and money do not match.
    """
    if order.state is not OrderState.NEEDS_ATTENTION:
        raise Conflict(f"order {order.shop}/{order.order_id} is {order.state}: it does not wait for a person")
    kept, due = order.kept_minor, order.total_minor if due_minor is None else due_minor
    if not settled_elsewhere and left and kept < due:
        missing = Money(due - kept, order.currency)
        raise Conflict(f"the goods left and {missing} are missing: take them, or say that it was settled elsewhere")
    if not settled_elsewhere and not left and kept > 0:
        raise Conflict(
            f"nothing was sent and {Money(kept, order.currency)} are held:"
            " give them back at the provider, or say that it was settled elsewhere"
        )
    if left:
        return OrderState.COMPLETED
    return OrderState.REFUNDED if order.captured_minor else OrderState.CANCELLED
