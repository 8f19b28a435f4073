"""Composition root: the only place that names concrete classes.

Settings become an engine and gateways, these become services, these become activities, and a plan says which
queue's worker runs what.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from temporalio.client import Client

from worker.activities.addresses import AddressActivities
from worker.activities.alerts import AlertActivities
from worker.activities.closing import ClosingActivities
from worker.activities.events import EventActivities
from worker.activities.journal import JournalActivities
from worker.activities.line_cancelling import LineActivities
from worker.activities.orders import OrderActivities, Waiting
from worker.activities.outbound import OutboundActivities
from worker.activities.pace import Pace
from worker.activities.readdressing import ReaddressingActivities
from worker.activities.reconciliation import ReconciliationActivities
from worker.activities.refunds import RefundActivities
from worker.activities.resolution import ResolutionActivities
from worker.activities.users import UserActivities
from worker.config import RulesConfig, WorkerConfig
from worker.connections import close_rules_of, lake_of, shop_of, store_of
from worker.contract.names import Queue
from worker.contract.settings import ConfigurationError
from worker.domain.capture import CapturePolicy
from worker.domain.errors import InvalidInput
from worker.domain.finding import Outcome
from worker.domain.matching.rules import Compared, FeeSchedule, Grace, Moved, Reference, Rules, Tolerance
from worker.gateways.clock import SystemClock
from worker.gateways.mail import SmtpMail
from worker.gateways.shopify import ShopifyShop
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse
from worker.policies import (
    alert_rules_of,
    captures_of,
    notifier_of,
    outbound_of,
    repair_policies_of,
    stocked_of,
    subscriptions_of,
)
from worker.reports.writer import ReportFiles
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import Engine
from worker.services.addresses import AddressService
from worker.services.alerting import AlertService
from worker.services.asking import Asking
from worker.services.bookkeeping import Bookkeeping
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.closing import MonthlyClose
from worker.services.events import EventService
from worker.services.expiry import Expiry
from worker.services.inquiry import Inquiry
from worker.services.journal import Journal
from worker.services.line_cancelling import LineCancelling
from worker.services.lost_messages import LostMessages, Sources
from worker.services.orders import OrderService
from worker.services.outbound import OutboundService
from worker.services.ports import Database
from worker.services.readdressing import Readdressing
from worker.services.reconciliation import Graces, ReconciliationService
from worker.services.refunds import Refunds
from worker.services.remainder import Remainder
from worker.services.repair import RepairService
from worker.services.reporting import ReportingService
from worker.services.resolution import Resolution
from worker.services.retries import Retries
from worker.services.reversal import Reversal
from worker.services.user_keys import UserKeys
from worker.services.users import UserService
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.outbox import Bell, Clerk
from worker.temporal.worker import Duties
from worker.workflows.address_change import AddressChangeWorkflow
from worker.workflows.notification import NotificationWorkflow
from worker.workflows.order import OrderWorkflow
from worker.workflows.provider_event import ProviderEventWorkflow
from worker.workflows.reconciliation import ReconciliationWorkflow
from worker.workflows.refund import RefundWorkflow
from worker.workflows.resolution import ResolutionWorkflow
from worker.workflows.user import UserWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything one worker process is made of."""

    config: WorkerConfig
    engine: Engine
    database: MysqlDatabase
    plan: dict[Queue, Duties]
    outbound: OutboundService
    clerk: Clerk


def compose(config: WorkerConfig, client: Client, engine: Engine, user_keys: UserKeys | None) -> Application:
    """Wire the application over its connections. Connects to nothing yet."""
    clock, bell, subscriptions = SystemClock(), Bell(), subscriptions_of(config)
    database = MysqlDatabase(engine, list(subscriptions.values()), bell.ring, stocked_of(config))
    payments, shop, warehouse = _outside(config)
    mail = SmtpMail(host=config.mail.host, port=config.mail.port, sender=config.mail.sender)
    books = Bookkeeping(database, payments, shop, clock)
    processes = TemporalProcesses(client)
    users = UserService(
        database,
        mail,
        clock,
        token_key=config.users.token_key.reveal().encode(),
        confirm_url=config.users.confirm_url,
        keys=user_keys,
    )
    reversal = Reversal(database, payments, books, clock)
    shipped = CaptureOnShipment(database, payments, clock, captures_of(config))
    orders = OrderService(database, payments, warehouse, books, clock)
    order_activities = OrderActivities(
        orders,
        reversal,
        Asking(database, payments, orders, clock),
        Waiting(
            retries=Retries(database, payments, clock),
            shipped=shipped,
            remainder=Remainder(database, payments, books, shipped, clock),
            expiry=Expiry(database, payments, orders, clock),
        ),
        Pace(quick_seconds=config.orders.charge_within_task_seconds, most=config.worker.activity_threads),
        payment_window_seconds=config.orders.payment_window_seconds,
        fulfilment_sla_seconds=config.orders.fulfilment_sla_seconds,
        ask_again_seconds=config.orders.ask_again_seconds,
        payment_retry_window_seconds=config.orders.payment_retry_window_seconds,
        ask_hold_seconds=config.orders.ask_hold_seconds,
    )
    refund_activities = RefundActivities(Refunds(database, payments, books, clock))
    resolution_activities = ResolutionActivities(Resolution(database, payments, books, clock))
    journal_activities = JournalActivities(Journal(database, clock))
    line_activities = LineActivities(LineCancelling(database, clock))
    readdressing_activities = ReaddressingActivities(Readdressing(database, clock))
    event_activities = EventActivities(
        EventService(database, books, reversal, warehouse, clock),
        processes,
        patience_seconds=config.orders.event_patience_seconds,
    )
    user_activities = UserActivities(
        users,
        confirmation_window_seconds=config.users.confirmation_window_seconds,
        reminder_seconds=config.users.reminder_seconds,
        resend_pause_seconds=config.users.resend_pause_seconds,
        mails_at_most=config.users.mails_at_most,
    )
    address_activities = AddressActivities(
        AddressService(
            database,
            mail,
            clock,
            token_key=config.users.token_key.reveal().encode(),
            address_url=config.users.address_url,
        ),
        window_seconds=config.users.confirmation_window_seconds,
    )
    reconciliation_activities = ReconciliationActivities(
        ReconciliationService(database, payments, shop, warehouse, clock, graces_of(config), lake_of(config)),
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
    alert_activities = AlertActivities(
        AlertService(database, notifier_of(config, mail), clock, alert_rules_of(config), close_rules_of(config))
    )
    closing_activities = ClosingActivities(MonthlyClose(database, clock, close_rules_of(config)))
    outbound = OutboundService(database, clock, subscriptions)
    outbound_activities = OutboundActivities(outbound, outbound_of(config))
    plan: dict[Queue, Duties] = {
        Queue.ORDERS: (
            [OrderWorkflow, RefundWorkflow, ResolutionWorkflow],
            [
                order_activities.record_order,
                order_activities.authorise_payment,
                order_activities.charge_and_fulfil,
                order_activities.charge_payment,
                order_activities.retry_payment,
                order_activities.capture_payment,
                order_activities.capture_shipped,
                order_activities.lapse_payment,
                order_activities.request_fulfilment,
                order_activities.request_rest,
                order_activities.stop_fulfilment,
                order_activities.apply_event,
                order_activities.ask_payment,
                order_activities.ask_after_hold,
                order_activities.expire_order,
                order_activities.reverse_payment,
                order_activities.close_rest,
                refund_activities.plan_refund,
                refund_activities.make_refund,
                resolution_activities.resolve_order,
                journal_activities.tell_of_cancellation,
                readdressing_activities.change_shipping_address,
                line_activities.look_at_lines,
                line_activities.cancel_lines,
            ],
        ),
        Queue.EVENTS: (
            [ProviderEventWorkflow],
            [event_activities.receive_event, event_activities.deliver_event, event_activities.close_event],
        ),
        Queue.USERS: (
            [UserWorkflow, AddressChangeWorkflow],
            [
                user_activities.register_user,
                user_activities.mail_confirmation,
                user_activities.confirm_user,
                user_activities.expire_user,
                address_activities.begin_address_change,
                address_activities.mail_address_token,
                address_activities.confirm_address,
                address_activities.tell_old_address,
                address_activities.expire_address_change,
            ],
        ),
        Queue.OUTBOUND: ([NotificationWorkflow], [outbound_activities.send_message]),
        Queue.RECONCILIATION: (
            [ReconciliationWorkflow],
            [
                reconciliation_activities.plan_window,
                closing_activities.claim_month,
                closing_activities.next_month,
                reconciliation_activities.compare_books,
                reconciliation_activities.gather_books,
                reconciliation_activities.sift_bucket,
                reconciliation_activities.collect_exceptions,
                reconciliation_activities.judge_piece,
                reconciliation_activities.conclude_run,
                reconciliation_activities.repair_breaks,
                reconciliation_activities.write_report,
                alert_activities.weigh_alerts,
                alert_activities.send_notices,
            ],
        ),
    }
    return Application(
        config=config,
        engine=engine,
        database=database,
        plan=plan,
        outbound=outbound,
        clerk=Clerk(outbound, processes, bell),
    )


def reconciliation_of(config: WorkerConfig, database: Database) -> ReconciliationService:
    """Wire what compares the books, for a command that does so itself."""
    payments, shop, warehouse = _outside(config)
    return ReconciliationService(database, payments, shop, warehouse, SystemClock(), graces_of(config), lake_of(config))


def _outside(config: WorkerConfig) -> tuple[StripePayments, ShopifyShop, Warehouse]:
    payments = StripePayments(
        api_base=config.provider.api_base,
        api_key=config.provider.api_key.reveal(),
        timeout_seconds=config.provider.timeout_seconds,
        name=config.provider.name,
        several_for=[shop for shop, policy in captures_of(config).items() if policy is CapturePolicy.EACH_PARCEL],
    )
    shop = shop_of(config)
    warehouse = Warehouse(
        api_base=config.warehouse.api_base,
        secret=config.warehouse.secret.reveal(),
        token=config.warehouse.token.reveal(),
        timeout_seconds=config.warehouse.timeout_seconds,
    )
    return payments, shop, warehouse


def graces_of(config: WorkerConfig) -> Graces:
    """Return the graces of the settings."""
    settings = config.reconciliation
    return Graces(
        payment=timedelta(seconds=settings.payment_grace_seconds),
        shipment=timedelta(seconds=settings.shipment_grace_seconds),
        order=timedelta(seconds=settings.order_grace_seconds),
        lookback=timedelta(seconds=settings.lookback_seconds),
        rules=rules_of(settings.rules),
    )


def rules_of(settings: Mapping[str, RulesConfig]) -> dict[str, Rules]:
    """Return the rules of each provider. Raises ConfigurationError naming every provider whose rules are wrong."""
    problems: list[str] = []
    found: dict[str, Rules] = {}
    for provider, table in settings.items():
        try:
            found[provider] = _rules(provider, table)
        except (InvalidInput, ValueError) as problem:
            problems.append(f"reconciliation.rules.{provider}: {problem}")
    if problems:
        raise ConfigurationError(problems)
    return found


def _rules(provider: str, table: RulesConfig) -> Rules:
    return Rules(
        provider=provider,
        references=tuple(Reference(name) for name in table.references),
        compared=Compared(table.compared),
        date_window=timedelta(seconds=table.date_window_seconds),
        many_to_one=table.many_to_one,
        # Keys of tables come in lower case, however they were written.
        tolerances={
            currency.upper(): Tolerance(absolute_minor=one.absolute_minor, relative_bp=one.relative_bp)
            for currency, one in table.tolerances.items()
        },
        graces=tuple(
            Grace(
                moved=Moved(one.moved) if one.moved else None,
                method=one.method,
                internal=_seconds(one.internal_seconds),
                external=_seconds(one.external_seconds),
            )
            for one in table.graces
        ),
        fees=tuple(FeeSchedule(**asdict(one)) for one in table.fees),
        fee_variance=Outcome(table.fee_variance),
        fx_difference=Outcome(table.fx_difference),
        fx_allowed_bp=table.fx_allowed_bp,
        reversed_after_fulfilment=Outcome(table.reversed_after_fulfilment),
        payouts_by=table.payouts_by,
        payout_grace=timedelta(seconds=table.payout_grace_seconds),
        payout_lookback=timedelta(seconds=table.payout_lookback_seconds),
        bank_grace=timedelta(seconds=table.bank_grace_seconds),
        bank_names=table.bank_names,
    )


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)
