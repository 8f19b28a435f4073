"""Activities of refunds on request."""

from dataclasses import dataclass

from temporalio import activity

from worker.contract.orders import OrderStatus
from worker.services.refunds import Asked, RefundPlan, Refunds


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What to give back: `amount_minor`, or all that is left; who asked, and under which id, for the timeline."""

    shop: str
    order_id: str
    amount_minor: int | None = None
    request_id: str = ""
    requested_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRefund:
    """A plan to carry out; `key` prefixes the idempotency keys of its effects outside."""

    shop: str
    order_id: str
    plan: RefundPlan
    key: str
    request_id: str = ""
    requested_by: str = ""


class RefundActivities:
    """Steps of a refund; every one may be repeated."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    @activity.defn
    def plan_refund(self, wish: RefundWish) -> RefundPlan:
        """Decide from which payments the money comes."""
        asked = Asked(request_id=wish.request_id, requested_by=wish.requested_by)
        return self._refunds.plan(wish.shop, wish.order_id, wish.amount_minor, asked)

    @activity.defn
    def make_refund(self, planned: PlannedRefund) -> OrderStatus:
        """Give the money back and book it."""
        asked = Asked(request_id=planned.request_id, requested_by=planned.requested_by)
        return self._refunds.carry_out(planned.shop, planned.order_id, planned.plan, planned.key, asked)
