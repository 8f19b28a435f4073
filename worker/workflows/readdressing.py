"""Other shipping addresses for an order whose parcel was not asked for: each request takes effect once.

`turn` is held by whoever changes the address, and by the order when it asks for the parcel: a change that was accepted
is in the request to the warehouse, and one that comes later is refused. No address is kept here, only what tells one
from another.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.readdressing import NewShipTo, ReaddressingActivities
    from worker.contract.orders import OrderAnswer, OrderStatus, ReaddressOrder
    from worker.contract.shipping import problems_of
    from worker.domain.errors import Conflict, InvalidInput
    from worker.domain.order import OrderState
    from worker.domain.readdressing import check
    from worker.workflows.policies import OUTSIDE

KEPT = 20
"""Answered requests that are remembered: far more than anybody moves while one order waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readdressed:
    """A request that took effect, without its address."""

    request_id: str
    fingerprint: str
    answer: OrderAnswer


class Readdressing:
    """The changes of one order's address.

    `asked_for` says that the warehouse was asked for the parcel; `asked_once_paid` that it is, or was, as soon as the
    books say that the order is paid, by a step of which it is not known yet what came of it.
    """

    def __init__(self, shop: str, order_id: str, made: Iterable[Readdressed] = ()) -> None:
        self.turn = asyncio.Lock()
        self.asked_for = False
        self.asked_once_paid = False
        self._shop = shop
        self._order_id = order_id
        self._made = {one.request_id: one for one in made}

    def allow(self, request: ReaddressOrder, status: OrderStatus) -> None:
        """Raise an ApplicationError of type `conflict` or `invalid_input` when the address cannot be changed."""
        known = self._made.get(request.request_id)
        if known is not None:
            if known.fingerprint != request.ship_to.fingerprint:
                raise ApplicationError("this request id was used with another address", type=Conflict.code)
            return
        if problems := problems_of(request.ship_to):
            words = "; ".join(f"ship_to.{name} {problem}" for name, problem in problems)
            raise ApplicationError(words, type=InvalidInput.code)
        try:
            check(OrderState(status.state), asked_for=self.asked_for)
        except Conflict as refusal:
            raise ApplicationError(str(refusal), type=refusal.code) from None

    def given(self, request: ReaddressOrder) -> OrderAnswer | None:
        """Return the answer to a request that took effect before, marked as a duplicate."""
        known = self._made.get(request.request_id)
        return replace(known.answer, outcome="duplicate") if known else None

    def made(self) -> list[Readdressed]:
        """Return the latest requests that took effect."""
        return list(self._made.values())[-KEPT:]

    async def give(self, request: ReaddressOrder) -> tuple[OrderAnswer, OrderStatus]:
        """Put the address in force; the caller holds `turn`. Raises ApplicationError with the code of a refusal."""
        try:
            # No local one: while MySQL is away, the order hears of everything else all the same.
            status = await workflow.execute_activity_method(
                ReaddressingActivities.change_shipping_address,
                NewShipTo(
                    shop=self._shop, order_id=self._order_id, request=request, asked_once_paid=self.asked_once_paid
                ),
                summary=f"another address, asked for by {request.requested_by}"[:180],
                **OUTSIDE,
            )
        except ActivityError as problem:
            if not isinstance(problem.cause, ApplicationError):
                raise
            raise ApplicationError(problem.cause.message, type=problem.cause.type) from None
        answer = OrderAnswer(outcome="applied", state=status.state)
        self._made[request.request_id] = Readdressed(
            request_id=request.request_id, fingerprint=request.ship_to.fingerprint, answer=answer
        )
        return answer, status
