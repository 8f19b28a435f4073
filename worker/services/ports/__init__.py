"""Ports: what the use cases need from the outside, written down as Protocols.

`repositories/` and `gateways/` implement them, `app.py` wires them, tests may give fakes. All times are
timezone-aware UTC, all amounts integer minor units. Methods raise errors of `domain/errors.py` only.
"""

from worker.services.ports.alerts import AlertStore, Notice, Notifier
from worker.services.ports.audit import AuditTrail
from worker.services.ports.database import Database, Transaction
from worker.services.ports.figures import FigureStore
from worker.services.ports.gateways import (
    Clock,
    MailGateway,
    ObjectStore,
    PaymentGateway,
    ShopGateway,
    ShopPayment,
    ShopRefund,
    WarehouseGateway,
)
from worker.services.ports.inbox import InboxEntry, InboxStore
from worker.services.ports.orders import CancelledLines, LineStore, OrderStore, PaymentStore, ShipmentStore, Unnumbered
from worker.services.ports.outbound import OutboundGateway, OutboundStore, Reply
from worker.services.ports.processes import Processes
from worker.services.ports.reconciliation import (
    API,
    AT_RISK,
    BankStore,
    BreakAction,
    BreakStore,
    RejectedRow,
    RejectedRows,
    Run,
    RunStore,
    StatementFile,
    StatementScope,
    StatementStore,
    source_of,
)
from worker.services.ports.repairs import RepairStore
from worker.services.ports.reports import ReportWriter
from worker.services.ports.stock import Contradiction, StockStore
from worker.services.ports.stuck import StuckStore
from worker.services.ports.timeline import TimelineStore
from worker.services.ports.users import UserStore

__all__ = [
    "API",
    "AT_RISK",
    "AlertStore",
    "AuditTrail",
    "BankStore",
    "BreakAction",
    "BreakStore",
    "CancelledLines",
    "Clock",
    "Contradiction",
    "Database",
    "FigureStore",
    "InboxEntry",
    "InboxStore",
    "LineStore",
    "MailGateway",
    "Notice",
    "Notifier",
    "ObjectStore",
    "OrderStore",
    "OutboundGateway",
    "OutboundStore",
    "PaymentGateway",
    "PaymentStore",
    "Processes",
    "RejectedRow",
    "RejectedRows",
    "RepairStore",
    "Reply",
    "ReportWriter",
    "Run",
    "RunStore",
    "ShipmentStore",
    "ShopGateway",
    "ShopPayment",
    "ShopRefund",
    "StatementFile",
    "StatementScope",
    "StatementStore",
    "StockStore",
    "StuckStore",
    "TimelineStore",
    "Transaction",
    "Unnumbered",
    "UserStore",
    "WarehouseGateway",
    "source_of",
]
