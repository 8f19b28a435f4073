"""MySQL as the use cases see it: the stores, bound to one transaction."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from worker.services.ports.alerts import AlertStore
from worker.services.ports.audit import AuditTrail
from worker.services.ports.disputes import DisputeStore
from worker.services.ports.figures import FigureStore
from worker.services.ports.inbox import InboxStore
from worker.services.ports.orders import (
    LineStore,
    NumberStore,
    OrderStore,
    PaymentStore,
    ShipmentStore,
    ShippingAddressStore,
)
from worker.services.ports.outbound import OutboundStore
from worker.services.ports.reconciliation import BankStore, BreakStore, RunStore, StatementStore
from worker.services.ports.repairs import RepairStore
from worker.services.ports.stock import StockStore
from worker.services.ports.stuck import StuckStore
from worker.services.ports.timeline import TimelineStore
from worker.services.ports.users import AddressChangeStore, UserKeyStore, UserStore

T = TypeVar("T")


class Transaction(Protocol):
    """The stores, bound to one transaction."""

    @property
    def orders(self) -> OrderStore:
        """The orders store."""
        ...

    @property
    def lines(self) -> LineStore:
        """The cancelled pieces of orders."""
        ...

    @property
    def payments(self) -> PaymentStore:
        """The payments store."""
        ...

    @property
    def shipping_addresses(self) -> ShippingAddressStore:
        """Where parcels go."""
        ...

    @property
    def disputes(self) -> DisputeStore:
        """The disputes store."""
        ...

    @property
    def shipments(self) -> ShipmentStore:
        """The shipments store."""
        ...

    @property
    def timeline(self) -> TimelineStore:
        """The timelines of orders."""
        ...

    @property
    def numbers(self) -> NumberStore:
        """The numbers of orders that lack one."""
        ...

    @property
    def outbound(self) -> OutboundStore:
        """The outbox of webhooks."""
        ...

    @property
    def stock(self) -> StockStore:
        """Levels of stock and their movements."""
        ...

    @property
    def inbox(self) -> InboxStore:
        """The inbox store."""
        ...

    @property
    def users(self) -> UserStore:
        """The users store."""
        ...

    @property
    def address_changes(self) -> AddressChangeStore:
        """The changes of users' addresses."""
        ...

    @property
    def user_keys(self) -> UserKeyStore:
        """The store of users' own keys."""
        ...

    @property
    def runs(self) -> RunStore:
        """The runs store."""
        ...

    @property
    def breaks(self) -> BreakStore:
        """The breaks store."""
        ...

    @property
    def repairs(self) -> RepairStore:
        """The store of repair attempts."""
        ...

    @property
    def alerts(self) -> AlertStore:
        """The alerts store."""
        ...

    @property
    def statements(self) -> StatementStore:
        """The statements store."""
        ...

    @property
    def audit(self) -> AuditTrail:
        """The audit trail."""
        ...

    @property
    def stuck(self) -> StuckStore:
        """The notes about stuck steps."""
        ...

    @property
    def bank(self) -> BankStore:
        """The bank entries store."""
        ...

    @property
    def figures(self) -> FigureStore:
        """The books as numbers."""
        ...


class Database(Protocol):
    """MySQL, one transaction at a time."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and commit. Raises DatabaseUnavailable.

        `work` may run again after a deadlock (1213) or a lock wait (1205): no effect but on its stores.
        """
        ...
