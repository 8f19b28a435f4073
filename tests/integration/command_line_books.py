"""A small shop's books with something of everything, all ids and times fixed: what the command line's captures show."""

from dataclasses import replace
from datetime import timedelta

from tests.integration.test_repositories_orders import entry, order
from tests.integration.test_repositories_records import FILE, received
from tests.unit.reports_sample import BREAKS, END, FINDINGS, HISTORY, LOST, RESOLVED, RUN, STATEMENTS, worded
from worker.domain.alert import Alert, AlertState, Concern
from worker.domain.finding import SettledAs, Settlement
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import OrderState
from worker.domain.outbound import Endpoint
from worker.domain.payment import EntryKind, Payment, PaymentState
from worker.domain.repair_policy import Attempt, AttemptOutcome
from worker.domain.stock import Movement, MovementKind
from worker.services.ports import BreakAction, Notice, RejectedRow, Run, Transaction

MINUTE = timedelta(minutes=1)
EARLIER = replace(
    RUN,
    run_id="r-20261122-13",
    window_start=RUN.window_start - 60 * MINUTE,
    window_end=RUN.window_start,
    workflow_id="reconcile/main/stripe-2026-11-22T13:00:00Z",
    started_at=RUN.started_at - 60 * MINUTE,
    finished_at=END - 59 * MINUTE,
    verdict="reconciled",
    counts={"matched": 88, "pending": 0, "breaks_open": 0},
    report="reports/r-20261122-13/report.html",
)


def fill(tx: Transaction) -> None:
    """Write the books."""
    _orders(tx)
    _reconciliation(tx)
    _alerts(tx)
    tx.inbox.open(replace(received("evt_1"), received_at=END))
    tx.inbox.close("stripe", "evt_1", "applied", "order 1001", END + MINUTE)
    tx.inbox.open(replace(received("evt_2"), received_at=END - MINUTE, topic="charge.dispute.created"))
    tx.inbox.close("stripe", "evt_2", "unmatched", "no order of ours has this payment", END)
    tx.outbound.set_endpoint(
        Endpoint(subscription="erp", disabled_at=END, changed_by="orders", reason="it answered 410")
    )
    for number, (sku, pieces) in enumerate((("MUG-BLUE", 120), ("POSTER-A2", 4))):
        tx.stock.book(
            Movement(
                shop="main",
                sku=sku,
                key=f"counted:{number}",
                kind=MovementKind.COUNTED,
                at=END,
                actor="alice",
                available_change=pieces,
                reason="stock-take",
            )
        )
    wrong = [
        RejectedRow(line=4, column="fee", reason="is no decimal amount"),
        RejectedRow(line=9, column="", reason="has 3 cells instead of 8"),
    ]
    tx.statements.add(FILE, wrong)


def _orders(tx: Transaction) -> None:
    def moved(order_id: str, *states: OrderState, reason: str = "") -> None:
        found = tx.orders.lock("main", order_id)
        for number, state in enumerate(states, 1):
            last = state is states[-1]
            found = tx.orders.move(
                found, state, at=END + number * MINUTE, actor="workflow", reason=reason if last else ""
            )

    paid = order(placed_at=END)
    tx.orders.add(paid, END, "api")
    payment = Payment(
        provider="stripe",
        reference="pi_1001",
        amount_minor=12345,
        currency="EUR",
        state=PaymentState.CAPTURED,
        captured_minor=12345,
        refunded_minor=2345,
    )
    moved("1001", OrderState.PAYING, OrderState.AUTHORISED, OrderState.PAID, OrderState.FULFILLING)
    tx.payments.save("main", "1001", payment, END + 2 * MINUTE)
    tx.payments.post(replace(entry("1001", EntryKind.CAPTURE, 12345, "pi_1001"), occurred_at=END + 3 * MINUTE))
    tx.payments.post(replace(entry("1001", EntryKind.REFUND, -2345, "re_1001"), occurred_at=END + 9 * MINUTE))
    parcel = Shipment(
        shipment_id="p-1001", order_id="1001", state=ShipmentState.REQUESTED, requested_at=END + 4 * MINUTE
    )
    tx.shipments.save("main", parcel)
    tx.orders.add(order(LOST.order_id, placed_at=END - 5 * MINUTE, total_minor=12990), END - 5 * MINUTE, "webhook")
    moved(LOST.order_id, OrderState.AWAITING_PAYMENT)
    yen = order("1003", currency="JPY", total_minor=184000, placed_at=END - 9 * MINUTE)
    tx.orders.add(yen, END - 9 * MINUTE, "api")
    moved("1003", OrderState.PAYING, OrderState.DECLINED, reason="the payment provider declined: insufficient_funds")


def _reconciliation(tx: Transaction) -> None:
    for run in (EARLIER, replace(RUN, report="reports/r-20261122-14/report.html")):
        tx.runs.begin(replace(run, finished_at=None, verdict="", counts=None, report=""))
        _finish(tx, run)
        tx.runs.set_report(run.run_id, run.report)
    for item in (*BREAKS, *RESOLVED):
        actions = HISTORY.get(
            item.break_id, [BreakAction(at=END, actor="reconciliation", action="found", run_id=RUN.run_id)]
        )
        for action in actions:
            tx.breaks.save(item, action)
    attempt = Attempt(
        break_id=BREAKS[0].break_id,
        number=1,
        round=1,
        repair=LOST.repair,
        run_id=RUN.run_id,
        event_id="evt_of_repair",
        claimed_at=END + MINUTE,
        next_at=END + 6 * MINUTE,
    )
    tx.repairs.claim(attempt)
    tx.repairs.finish(
        replace(attempt, outcome=AttemptOutcome.DELIVERED, detail="payment_intent.succeeded", finished_at=END + MINUTE)
    )
    decision = Settlement(how=SettledAs.RESOLVED, by="alice", at=END + MINUTE, reason="the customer was asked")
    told = BreakAction(at=END + MINUTE, actor="alice", action="resolved", run_id="", reason="the customer was asked")
    settled = replace(RESOLVED[1], settlement=decision, owner="alice", resolved_at=told.at, resolution=told.reason)
    tx.breaks.save(settled, told)


def _finish(tx: Transaction, run: Run) -> None:
    newest = run.run_id == RUN.run_id
    tx.runs.finish(run, STATEMENTS if newest else [], map(worded, FINDINGS) if newest else [])


def _alerts(tx: Transaction) -> None:
    concern = Concern(
        subjects=5,
        run_id=RUN.run_id,
        verdict="breaks",
        at_risk={"EUR": 21490, "JPY": 184000},
        top=(
            {
                "break_id": BREAKS[0].break_id,
                "kind": "missing_internal",
                "leg": "payments",
                "repair": "requested",
                "currency": "EUR",
                "at_risk_minor": 12990,
                "since": END.isoformat(),
            },
        ),
        reasons=("5 breaks are open",),
    )
    alert = Alert(
        alert_id="alert_main_stripe_open_breaks_1",
        rule="open_breaks",
        shop="main",
        provider="stripe",
        state=AlertState.OPEN,
        opened_at=END,
        last_seen_at=END + MINUTE,
        concern=concern,
        last_notified_at=END,
        notices=1,
    )
    notice = Notice(
        notice_id="notice_1",
        endpoint="ops",
        alert_id=alert.alert_id,
        document={"type": "reconciliation.alert.opened", "timestamp": END.isoformat(), "data": {}},
        created_at=END,
    )
    tx.alerts.save(alert, [notice])
