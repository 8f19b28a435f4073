"""The stores bound to one transaction, each made when it is first asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

from sqlalchemy import Connection

from worker.domain.outbound import Subscription
from worker.domain.stock import Unknown
from worker.repositories.address_changes import MysqlAddressChangeStore
from worker.repositories.alerts import MysqlAlertStore
from worker.repositories.audit import MysqlAuditTrail
from worker.repositories.bank import MysqlBankStore
from worker.repositories.breaks import MysqlBreakStore
from worker.repositories.cancelled_lines import MysqlLineStore
from worker.repositories.disputes import MysqlDisputeStore
from worker.repositories.figures import MysqlFigureStore
from worker.repositories.held_orders import HeldOrders
from worker.repositories.inbox import MysqlInboxStore
from worker.repositories.order_numbers import MysqlNumberStore
from worker.repositories.orders import MysqlOrderStore
from worker.repositories.outbound import MysqlOutboundStore
from worker.repositories.payments import MysqlPaymentStore
from worker.repositories.repairs import MysqlRepairStore
from worker.repositories.runs import MysqlRunStore
from worker.repositories.shipments import MysqlShipmentStore
from worker.repositories.shipping_addresses import MysqlShippingAddressStore
from worker.repositories.statements import MysqlStatementStore
from worker.repositories.stock import MysqlStockStore
from worker.repositories.stuck import MysqlStuckStore
from worker.repositories.timeline import MysqlTimelineStore
from worker.repositories.user_keys import MysqlUserKeyStore
from worker.repositories.users import MysqlUserStore

NO_STOCK: Mapping[str, Unknown] = MappingProxyType({})


class MysqlTransaction:
    """Implements `Transaction`. Not to be used after its unit of work has ended."""

    def __init__(
        self,
        connection: Connection,
        subscriptions: Sequence[Subscription] = (),
        stocked: Mapping[str, Unknown] = NO_STOCK,
    ) -> None:
        self._connection = connection
        self._subscriptions = subscriptions
        self._stocked = stocked
        self._held = HeldOrders()

    @cached_property
    def orders(self) -> MysqlOrderStore:
        """The orders store."""
        return MysqlOrderStore(self._connection, self.timeline, self.outbound, self.stock, self._held)

    @cached_property
    def numbers(self) -> MysqlNumberStore:
        """The numbers of orders that lack one."""
        return MysqlNumberStore(self._connection)

    @cached_property
    def lines(self) -> MysqlLineStore:
        """The cancelled pieces of orders."""
        return MysqlLineStore(self._connection, self._held)

    @cached_property
    def payments(self) -> MysqlPaymentStore:
        """The payments store."""
        return MysqlPaymentStore(self._connection, self.timeline, self.outbound, self._held)

    @cached_property
    def disputes(self) -> MysqlDisputeStore:
        """The disputes store."""
        return MysqlDisputeStore(self._connection, self.timeline, self.outbound)

    @cached_property
    def shipments(self) -> MysqlShipmentStore:
        """The shipments store."""
        return MysqlShipmentStore(self._connection, self._held)

    @cached_property
    def shipping_addresses(self) -> MysqlShippingAddressStore:
        """Where parcels go."""
        return MysqlShippingAddressStore(self._connection)

    @cached_property
    def timeline(self) -> MysqlTimelineStore:
        """The timelines of orders."""
        return MysqlTimelineStore(self._connection)

    @cached_property
    def outbound(self) -> MysqlOutboundStore:
        """The outbox of webhooks."""
        return MysqlOutboundStore(self._connection, self._subscriptions, self._held)

    @cached_property
    def stock(self) -> MysqlStockStore:
        """Levels of stock and their movements."""
        return MysqlStockStore(self._connection, self._stocked)

    @cached_property
    def inbox(self) -> MysqlInboxStore:
        """The inbox store."""
        return MysqlInboxStore(self._connection)

    @cached_property
    def users(self) -> MysqlUserStore:
        """The users store."""
        return MysqlUserStore(self._connection)

    @cached_property
    def address_changes(self) -> MysqlAddressChangeStore:
        """The changes of users' addresses."""
        return MysqlAddressChangeStore(self._connection)

    @cached_property
    def user_keys(self) -> MysqlUserKeyStore:
        """The store of users' own keys."""
        return MysqlUserKeyStore(self._connection)

    @cached_property
    def runs(self) -> MysqlRunStore:
        """The runs store."""
        return MysqlRunStore(self._connection)

    @cached_property
    def breaks(self) -> MysqlBreakStore:
        """The breaks store."""
        return MysqlBreakStore(self._connection, self.audit)

    @cached_property
    def statements(self) -> MysqlStatementStore:
        """The statements store."""
        return MysqlStatementStore(self._connection)

    @cached_property
    def audit(self) -> MysqlAuditTrail:
        """The audit trail."""
        return MysqlAuditTrail(self._connection)

    def seal(self) -> None:
        """Write what was gathered: moves, payments, timelines, webhooks to send, then the audit trail, which locks its end.

        The last thing before a commit.
        """
        if "orders" in self.__dict__:
            self.orders.write()
        if "payments" in self.__dict__:
            self.payments.write()
        if "timeline" in self.__dict__:
            self.timeline.write()
        if "outbound" in self.__dict__:
            self.outbound.write()
        if "audit" in self.__dict__:
            self.audit.seal()

    @property
    def has_mail(self) -> bool:
        """Whether there are messages to send, once this is committed."""
        return "outbound" in self.__dict__ and self.outbound.wrote

    @cached_property
    def repairs(self) -> MysqlRepairStore:
        """The store of repair attempts."""
        return MysqlRepairStore(self._connection)

    @cached_property
    def alerts(self) -> MysqlAlertStore:
        """The alerts store."""
        return MysqlAlertStore(self._connection)

    @cached_property
    def stuck(self) -> MysqlStuckStore:
        """The notes about stuck steps."""
        return MysqlStuckStore(self._connection)

    @cached_property
    def bank(self) -> MysqlBankStore:
        """The bank entries store."""
        return MysqlBankStore(self._connection)

    @cached_property
    def figures(self) -> MysqlFigureStore:
        """The books as numbers."""
        return MysqlFigureStore(self._connection)
