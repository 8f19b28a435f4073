"""One world in which an activity is done, and the books of everybody in it.

Books are compared by content: ids that another company draws, times and numbers of rows differ between two worlds in
which the same happened.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table, delete, literal, select, text, union_all
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.integration.hook_receiver import HookReceiver
from tests.integration.office import Office
from worker.activities.orders import Delivery, Step
from worker.app import Application
from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, order_workflow_id
from worker.contract.orders import OrderEvent, OrderEventKind, OrderLine, PaymentMode, PlaceOrder
from worker.domain.order import TERMINAL, OrderState
from worker.repositories.schema import METADATA
from worker.repositories.times import UtcDateTime

_numbers = count(1)
_DRAWN = re.compile(r"\b(?:[a-z]+_)(?:[0-9]+|[0-9A-Za-z]*[0-9][0-9A-Za-z]*)\b|\b[0-9a-f]{16,64}\b")
"""Ids: `pi_12`, `ful_3`, digests."""
_RANDOM = frozenset({"wrapped", "inputs", "result_sha256"})
"""Columns of random bytes, and digests over times."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?")
ASKS_BACK = "pm_card_authenticationRequired"


def name_of(function: Callable[..., Any]) -> str:
    """Return the name under which an activity is registered."""
    definition = activity._Definition.must_from_callable(function)
    assert definition.name is not None
    return definition.name


def filled(connection: Connection) -> dict[str, Table]:
    """Return the tables that have rows: asking each of forty for them would take most of the time."""
    tables = METADATA.tables
    asked = [
        select(literal(name)).where(select(literal(1)).select_from(table).exists()) for name, table in tables.items()
    ]
    return {name: tables[name] for name in connection.execute(union_all(*asked)).scalars()}


@dataclass
class Scene:
    """One world. `name` is in every id of it, and in no other world's."""

    office: Office
    application: Application
    client: Client
    receiver: HookReceiver
    name: str = field(default_factory=lambda: f"scene{next(_numbers)}x")
    _begun: datetime = field(init=False)

    @property
    def email(self) -> str:
        return f"{self.name}@buyer.example"

    @property
    def key(self) -> str:
        return order_workflow_id("main", self.name)

    def order(self, *, mode: PaymentMode = PaymentMode.CHARGE, method: str = "pm_card_visa") -> PlaceOrder:
        return PlaceOrder(
            shop="main",
            order_id=self.name,
            currency="EUR",
            total_minor=2500,
            lines=(OrderLine(sku="MUG", quantity=2, unit_price_minor=1250),),
            customer_id="c1",
            payment_mode=mode,
            payment_method=method if mode is PaymentMode.CHARGE else None,
            placed_at=self.office.clock.now().isoformat(),
        )

    def step(self, name: str = "") -> Step:
        return Step(shop="main", order_id=self.name, key=f"{self.key}:{name}" if name else "")

    def event(self, kind: OrderEventKind, reference: str) -> Delivery:
        now = self.office.clock.now().isoformat()
        event = OrderEvent(event_id=f"evt-{self.name}", kind=kind, occurred_at=now, reference=reference)
        return Delivery(shop="main", order_id=self.name, event=event)

    def captured_by_webhook(self) -> ProviderEvent:
        (payment,) = self.office.payments_of(self.name)
        return ProviderEvent(
            source="stripe",
            dialect="stripe",
            shop="main",
            event_id=f"evt-{self.name}",
            topic="payment_intent.succeeded",
            body=self.office.provider.payment_document(payment.reference),
            received_at=self.office.clock.now().isoformat(),
        )

    def begin(self) -> None:
        """Empty the books, leave the past behind, and have the endpoint take everything."""
        # Who looks for payments looks for those since a while ago: to read what worlds before this one had paid was two
        # fifths of what all of them cost.
        self.office.advance(timedelta(hours=1))
        self._begun = self.office.clock.now() - timedelta(seconds=5)
        with self.office.engine.begin() as connection:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
            for table in filled(connection).values():
                connection.execute(delete(table))
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))
        self.receiver.faults.clear()

    def activity(self, name: str) -> Callable[..., Any]:
        """Return a registered activity, to be called as the worker calls it."""
        return next(one for one in self.activities() if name_of(one) == name)

    def activities(self) -> list[Callable[..., Any]]:
        return [one for _, activities in self.application.plan.values() for one in activities]

    def mails(self) -> list[dict[str, Any]]:
        return list(self.office.outside.control("GET", f"/mail?to={self.email}")["data"])

    async def settled(self) -> None:
        """Wait until an order that is worked on waits for somebody, or is over."""

        def state() -> OrderState | None:
            order = self.office.database.transact(lambda tx: tx.orders.get("main", self.name))
            return order.state if order is not None else None

        async with asyncio.timeout(60):
            while await asyncio.to_thread(state) not in {OrderState.FULFILLING, *TERMINAL}:
                await asyncio.sleep(0.02)

    async def books(self) -> dict[str, Any]:
        """Return what everybody holds: our tables, the provider, the warehouse, the mailbox, the endpoint, Temporal."""
        outside = self.office.outside
        payments = self.office.provider
        intents = payments.find(shop="main", order_id=self.name, since=self._begun)
        sent = [message_id for message_id, document in self._hooks() if self.name in document]
        found = {
            **self._tables(),
            "payments": [(one.state, one.amount_minor, one.captured_minor) for one in intents],
            "refunds": [refund.amount_minor for one in intents for refund in payments.refunds(one.reference)],
            "charged": outside.charges(self.name),
            "parcels": [parcel["status"] for parcel in self._fulfilments()],
            # Mails and messages come at least once under one id: the second of an id is no second one for its reader.
            "mails": sorted({mail["message_id"] for mail in self.mails()}),
            "messages": len(set(sent)),
            "processes": [status async for status in self._processes()],
        }
        return {name: self._plain(content) for name, content in found.items()}

    def _fulfilments(self) -> list[dict[str, Any]]:
        found = self.office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{self.name}")
        return list(found["data"])

    def _hooks(self) -> list[tuple[str, str]]:
        return [(headers["webhook-id"], body.decode()) for headers, body in list(self.receiver.got)]

    def _tables(self) -> dict[str, list[Any]]:
        with self.office.engine.connect() as connection:
            return {
                name: sorted(
                    str(
                        {
                            column.name: (value is not None) if isinstance(column.type, UtcDateTime) else value
                            for column, value in zip(table.columns, row, strict=True)
                            if column.autoincrement is not True and column.name not in _RANDOM
                        }
                    )
                    for row in connection.execute(select(table)).all()
                )
                for name, table in filled(connection).items()
            }

    async def _processes(self) -> Any:
        with self.office.engine.connect() as connection:
            attempts = connection.execute(select(METADATA.tables["repair_attempts"].c.event_id)).scalars().all()
        for event_id in attempts:
            try:
                found = await self.client.get_workflow_handle(event_workflow_id("stripe", event_id)).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            yield found.workflow_type

    def _plain(self, content: Any) -> Any:
        if isinstance(content, dict):
            return {key: self._plain(value) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return sorted(str(self._plain(value)) for value in content)
        text = str(content).replace(self.name, "scene")
        return _DRAWN.sub("id", _TIME.sub("time", text))
