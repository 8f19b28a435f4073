"""Workflows of two releases under one name: the earlier one knows fewer kinds, modes and messages."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from temporalio import workflow

from worker.contract.names import OrderMessage, WorkflowType
from worker.contract.orders import OrderAnswer, OrderEvent, PlaceOrder, ReaddressOrder


class EarlierKind(StrEnum):
    """What was known of events."""

    SHIPPED = "shipped"


class EarlierMode(StrEnum):
    """What was known of payment."""

    CHARGE = "charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierEvent:
    """An event as it was."""

    event_id: str
    kind: EarlierKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPlace:
    """An order as it was placed."""

    order_id: str
    payment_mode: EarlierMode


class _Order:
    def __init__(self) -> None:
        self._heard: list[str] = []

    def _hear(self, event: Any) -> OrderAnswer:
        self._heard.append(event.event_id)
        return OrderAnswer(outcome="applied", state=str(len(self._heard)))


@workflow.defn(name=WorkflowType.ORDER)
class EarlierOrder(_Order):
    """The order before."""

    @workflow.run
    async def run(self, place: EarlierPlace) -> list[str]:
        await workflow.wait_condition(lambda: len(self._heard) > 1)
        return self._heard

    @workflow.update(name=OrderMessage.DELIVER_EVENT)
    async def deliver_event(self, event: EarlierEvent) -> OrderAnswer:
        return self._hear(event)


@workflow.defn(name=WorkflowType.ORDER)
class NewerOrder(_Order):
    """The order now, as far as its messages go."""

    @workflow.run
    async def run(self, place: PlaceOrder) -> list[str]:
        await workflow.wait_condition(lambda: len(self._heard) > 1)
        return self._heard

    @workflow.update(name=OrderMessage.DELIVER_EVENT)
    async def deliver_event(self, event: OrderEvent) -> OrderAnswer:
        return self._hear(event)

    @workflow.update(name=OrderMessage.CHANGE_ADDRESS)
    async def change_address(self, request: ReaddressOrder) -> OrderAnswer:
        return OrderAnswer(outcome="applied", state=request.ship_to.country)
