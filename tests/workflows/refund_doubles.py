"""Activities of refunds under the real names and with the real signatures, over the order book of other doubles."""

from dataclasses import replace

from temporalio import activity

from tests.workflows.doubles import OrderDoubles
from worker.activities.refunds import PlannedRefund, RefundWish
from worker.contract.orders import OrderStatus
from worker.domain.errors import ProviderRejected
from worker.domain.refund import Held, allot, check
from worker.services.order_messages import status_of
from worker.services.refunds import RefundPlan


class RefundDoubles:
    """Steps of a refund; `made` holds the amount given back by idempotency key."""

    def __init__(self, orders: OrderDoubles) -> None:
        self.made: dict[str, int] = {}
        self.refusing = False
        self._book = orders.book
        self._conduct = orders.conduct

    @activity.defn
    async def plan_refund(self, wish: RefundWish) -> RefundPlan:
        async with self._conduct.step("plan_refund", wish):
            order = self._book.orders[wish.order_id]
            left = order.captured_minor - order.refunded_minor
            check(order.state, left, wish.amount_minor)
            amount = left if wish.amount_minor is None else wish.amount_minor
            held = Held(payment_reference="pi", left_minor=left)
            return RefundPlan(parts=allot([held], amount), left_minor=left - amount)

    @activity.defn
    async def make_refund(self, planned: PlannedRefund) -> OrderStatus:
        async with self._conduct.step("make_refund", planned):
            if self.refusing:
                raise ProviderRejected("the charge is disputed")
            order = self._book.orders[planned.order_id]
            if planned.key not in self.made:
                amount = self.made[planned.key] = planned.plan.amount_minor
                self._book.taken[planned.order_id] -= amount
                order = replace(order, refunded_minor=order.refunded_minor + amount)
                self._book.orders[planned.order_id] = order
            return status_of(order)
