"""Composition root: the only place that names concrete classes.

Settings become an engine and gateways, these become services, these become activities, and a plan says which
queue's worker runs what.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client

from worker.activities.alerts import AlertActivities
from worker.activities.events import EventActivities
from worker.activities.orders import OrderActivities
from worker.activities.reconciliation import ReconciliationActivities
from worker.activities.refunds import RefundActivities
from worker.activities.users import UserActivities
from worker.config import WorkerConfig
from worker.connections import engine_of, store_of
from worker.contract.names import Queue
from worker.gateways.clock import SystemClock
from worker.gateways.mail import SmtpMail
from worker.gateways.shopify import ShopifyShop
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse
from worker.policies import alert_rules_of, notifier_of, repair_policies_of
from worker.reports.writer import ReportFiles
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import Engine
from worker.services.alerting import AlertService
from worker.services.bookkeeping import Bookkeeping
from worker.services.events import EventService
from worker.services.inquiry import Inquiry
from worker.services.lost_messages import LostMessages, Sources
from worker.services.orders import OrderService
from worker.services.reconciliation import Graces, ReconciliationService
from worker.services.refunds import Refunds
from worker.services.repair import RepairService
from worker.services.reporting import ReportingService
from worker.services.reversal import Reversal
from worker.services.users import UserService
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.worker import Duties
from worker.workflows.order import OrderWorkflow
from worker.workflows.provider_event import ProviderEventWorkflow
from worker.workflows.reconciliation import ReconciliationWorkflow
from worker.workflows.refund import RefundWorkflow
from worker.workflows.user import UserWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything one worker process is made of."""

    config: WorkerConfig
    engine: Engine
    database: MysqlDatabase
    plan: dict[Queue, Duties]


def compose(config: WorkerConfig, client: Client) -> Application:
    """Wire the application. Connects to nothing yet."""
    engine = engine_of(config.database)
    database = MysqlDatabase(engine)
    clock = SystemClock()
    payments = StripePayments(
        api_base=config.provider.api_base,
        api_key=config.provider.api_key.reveal(),
        timeout_seconds=config.provider.timeout_seconds,
        name=config.provider.name,
    )
    shop = ShopifyShop(
        api_base=config.shop.api_base,
        access_token=config.shop.access_token.reveal(),
        timeout_seconds=config.shop.timeout_seconds,
    )
    warehouse = Warehouse(
        api_base=config.warehouse.api_base,
        secret=config.warehouse.secret.reveal(),
        token=config.warehouse.token.reveal(),
        timeout_seconds=config.warehouse.timeout_seconds,
    )
    mail = SmtpMail(host=config.mail.host, port=config.mail.port, sender=config.mail.sender)
    books = Bookkeeping(database, payments, shop, clock)
    processes = TemporalProcesses(client)
    users = UserService(
        database,
        mail,
        clock,
        token_key=config.users.token_key.reveal().encode(),
        confirm_url=config.users.confirm_url,
    )
    reversal = Reversal(database, payments, books, clock)
    order_activities = OrderActivities(
        OrderService(database, payments, warehouse, books, clock),
        reversal,
        payment_window_seconds=config.orders.payment_window_seconds,
        fulfilment_sla_seconds=config.orders.fulfilment_sla_seconds,
    )
    refund_activities = RefundActivities(Refunds(database, payments, books))
    event_activities = EventActivities(
        EventService(database, books, reversal, clock), processes, patience_seconds=config.orders.event_patience_seconds
    )
    user_activities = UserActivities(
        users,
        confirmation_window_seconds=config.users.confirmation_window_seconds,
        reminder_seconds=config.users.reminder_seconds,
    )
    reconciliation_activities = ReconciliationActivities(
        ReconciliationService(database, payments, shop, warehouse, clock, graces_of(config)),
        RepairService(
            database,
            LostMessages(database, payments, shop, warehouse, clock, Sources()),
            Inquiry(database, payments, warehouse, clock),
            clock,
            repair_policies_of(config),
        ),
        ReportingService(database, ReportFiles(store_of(config))),
        processes,
    )
    alert_activities = AlertActivities(AlertService(database, notifier_of(config, mail), clock, alert_rules_of(config)))
    plan: dict[Queue, Duties] = {
        Queue.ORDERS: (
            [OrderWorkflow, RefundWorkflow],
            [
                order_activities.record_order,
                order_activities.authorise_payment,
                order_activities.capture_payment,
                order_activities.request_fulfilment,
                order_activities.stop_fulfilment,
                order_activities.apply_event,
                order_activities.expire_order,
                order_activities.reverse_payment,
                refund_activities.plan_refund,
                refund_activities.make_refund,
            ],
        ),
        Queue.EVENTS: (
            [ProviderEventWorkflow],
            [event_activities.receive_event, event_activities.deliver_event, event_activities.close_event],
        ),
        Queue.USERS: (
            [UserWorkflow],
            [
                user_activities.register_user,
                user_activities.mail_confirmation,
                user_activities.confirm_user,
                user_activities.expire_user,
            ],
        ),
        Queue.RECONCILIATION: (
            [ReconciliationWorkflow],
            [
                reconciliation_activities.plan_window,
                reconciliation_activities.compare_books,
                reconciliation_activities.repair_breaks,
                reconciliation_activities.write_report,
                alert_activities.weigh_alerts,
                alert_activities.send_notices,
            ],
        ),
    }
    return Application(config=config, engine=engine, database=database, plan=plan)


def graces_of(config: WorkerConfig) -> Graces:
    """Return the graces of the settings."""
    settings = config.reconciliation
    return Graces(
        payment=timedelta(seconds=settings.payment_grace_seconds),
        shipment=timedelta(seconds=settings.shipment_grace_seconds),
        order=timedelta(seconds=settings.order_grace_seconds),
        lookback=timedelta(seconds=settings.lookback_seconds),
    )
