"""Activity of the change of an order's shipping address."""

from dataclasses import dataclass

from temporalio import activity

from worker.contract.orders import OrderStatus, ReaddressOrder
from worker.services.readdressing import Readdressing


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShipTo:
    """Another shipping address for one order.

    `asked_once_paid` says that a step is under way that asks the warehouse as soon as the order is paid.
    """

    shop: str
    order_id: str
    request: ReaddressOrder
    asked_once_paid: bool = False


class ReaddressingActivities:
    """The step of OrderWorkflow; it may be repeated."""

    def __init__(self, readdressing: Readdressing) -> None:
        self._readdressing = readdressing

    @activity.defn
    def change_shipping_address(self, new: NewShipTo) -> OrderStatus:
        """Put another shipping address in force."""
        return self._readdressing.change(new.shop, new.order_id, new.request, asked_once_paid=new.asked_once_paid)
