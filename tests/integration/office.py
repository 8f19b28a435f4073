"""The use cases as one worker wires them, on a real database and the simulated outside world, with a clock to move."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.integration.outside_process import OutsideProcess
from tests.unit.lake_books import lake_in
from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEvent, OrderLine, OrderStatus, PaymentMode, PlaceOrder
from worker.contract.reconciliation import Reconcile
from worker.contract.shipping import ShipTo
from worker.domain.finding import Repair
from worker.domain.ledger import Shipment
from worker.domain.matching.rules import Rules
from worker.domain.order import Order, OrderState
from worker.domain.payment import BookEntry, Payment
from worker.domain.repair_policy import AttemptOutcome, RepairPolicy
from worker.domain.stock import Unknown
from worker.domain.window import Span
from worker.repositories.database import MysqlDatabase
from worker.repositories.transaction import NO_STOCK
from worker.services.asking import Asking
from worker.services.bookkeeping import Bookkeeping
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.events import EventService
from worker.services.expiry import Expiry
from worker.services.inquiry import Answer, Inquiry
from worker.services.lost_messages import LostMessages, Sources
from worker.services.orders import OrderService
from worker.services.ports import Run
from worker.services.reconciliation import Graces, ReconciliationService
from worker.services.remainder import Remainder
from worker.services.repair import Claim, RepairService
from worker.services.resolution import Resolution
from worker.services.retries import NewMethod, Retried, Retries
from worker.services.reversal import Reversal
from worker.services.translation.route import Route

NOW = timedelta(0)


class MovedClock:
    """Real time and an offset that the simulator shares."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Office:
    """Every service, and short words for what tests do with them."""

    def __init__(
        self,
        engine: Engine,
        outside: OutsideProcess,
        stocked: Mapping[str, Unknown] = NO_STOCK,
        rules: Mapping[str, Rules] | None = None,
    ) -> None:
        self.outside = outside
        self.engine = engine
        self.database = MysqlDatabase(engine, stocked=stocked)
        at = datetime.fromisoformat(outside.control("GET", "/clock")["now"])
        self.clock = MovedClock(at - datetime.now(UTC))
        payments, shop = outside.payments(), outside.shop()
        self.provider = payments
        warehouse = outside.warehouse()
        self.books = Bookkeeping(self.database, payments, shop, self.clock)
        self.orders = OrderService(self.database, payments, warehouse, self.books, self.clock)
        self.asking = Asking(self.database, payments, self.orders, self.clock)
        self.expiry = Expiry(self.database, payments, self.orders, self.clock)
        self.retries = Retries(self.database, payments, self.clock)
        self.shipped = CaptureOnShipment(self.database, payments, self.clock)
        self.remainder = Remainder(self.database, payments, self.books, self.shipped, self.clock)
        self.resolution = Resolution(self.database, payments, self.books, self.clock)
        self.reversal = Reversal(self.database, payments, self.books, self.clock)
        self.events = EventService(self.database, self.books, self.reversal, warehouse, self.clock)
        # It goes with the office: nothing of one test's runs is there for the next.
        folder = Path(tempfile.mkdtemp(prefix="office-lake-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.lake_folder = folder
        self.lake = lake_in(folder)
        graces = Graces(payment=NOW, shipment=NOW, order=NOW, lookback=timedelta(hours=1), rules=rules or {})
        self.reconciliation = ReconciliationService(
            self.database, payments, shop, warehouse, self.clock, graces, self.lake
        )
        self.messages = LostMessages(self.database, payments, shop, warehouse, self.clock, Sources())
        self.inquiry = Inquiry(self.database, payments, warehouse, self.clock)
        self.repair = self.repairing()

    def advance(self, span: timedelta) -> None:
        """Move both clocks forward."""
        self.outside.control("POST", "/clock/advance", {"seconds": span.total_seconds()})
        self.clock.offset += span

    # ---- orders -----------------------------------------------------------------------------------------------

    def placing(
        self,
        order_id: str,
        *,
        method: str | None = "pm_card_visa",
        mode: PaymentMode = PaymentMode.CHARGE,
        placed_at: datetime | None = None,
        currency: str = "EUR",
        ship_to: ShipTo | None = None,
    ) -> PlaceOrder:
        """Describe an order of 2500 minor units, which we charge unless another `mode` is given."""
        return PlaceOrder(
            shop="main",
            order_id=order_id,
            currency=currency,
            total_minor=2500,
            lines=(OrderLine(sku="MUG", quantity=2, unit_price_minor=1250),),
            customer_id="c1",
            payment_mode=mode,
            payment_method=method,
            placed_at=(placed_at or self.clock.now()).isoformat(),
            ship_to=ship_to,
        )

    def place(self, order_id: str, **made: Any) -> OrderStatus:
        """Record the order that `placing` describes."""
        return self.orders.record(self.placing(order_id, **made))

    def authorise(self, order_id: str, *, may_retry: bool = False) -> OrderStatus:
        return self.orders.authorise("main", order_id, f"order/main/{order_id}:authorise", may_retry=may_retry)

    def retry(self, order_id: str, method: str, request_id: str = "r-1", asked_at: str = "") -> Retried:
        """Try another payment method."""
        return self.retries.retry(
            NewMethod(
                shop="main",
                order_id=order_id,
                method=method,
                key=f"order/main/{order_id}:retry:{request_id}",
                request_id=request_id,
                requested_by="shop-app",
                asked_at=asked_at or self.clock.now().isoformat(),
            )
        )

    def capture_shipped(self, order_id: str) -> OrderStatus:
        return self.shipped.capture("main", order_id, f"order/main/{order_id}:capture")

    def capture(self, order_id: str) -> OrderStatus:
        return self.orders.capture("main", order_id, f"order/main/{order_id}:capture")

    def fulfil(self, order_id: str) -> OrderStatus:
        return self.orders.request_fulfilment("main", order_id, f"order/main/{order_id}:fulfil")

    def pay(self, order_id: str) -> Payment:
        """Take an order to `paid`; return its payment."""
        self.place(order_id)
        self.authorise(order_id)
        assert self.capture(order_id).state == OrderState.PAID
        (payment,) = self.payments_of(order_id)
        return payment

    def complete(self, order_id: str) -> None:
        """Take an order through to `completed`."""
        self.pay(order_id)
        self.fulfil(order_id)
        self.ship(order_id)

    def ship(self, order_id: str) -> None:
        """Let the warehouse ship, and apply its event."""
        (parcel,) = self.parcels_of(order_id)
        shipped = self.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
        event = OrderEvent(
            event_id=f"shipped-{order_id}",
            kind="shipped",  # type: ignore[arg-type]  # the enumeration's value, as it arrives from Temporal
            occurred_at=shipped["shipped_at"],
            reference=parcel.shipment_id,
        )
        assert self.orders.apply("main", order_id, event).status.state == OrderState.COMPLETED

    def reverse(self, order_id: str, to: OrderState = OrderState.CANCELLED) -> OrderStatus:
        key = f"order/main/{order_id}:reverse"
        status = self.reversal.reverse("main", order_id, to=to, reason="test", key=key)
        assert status is not None
        return status

    def order(self, order_id: str) -> Order:
        found = self.database.transact(lambda tx: tx.orders.get("main", order_id))
        assert found is not None
        return found

    def payments_of(self, order_id: str) -> list[Payment]:
        return self.database.transact(lambda tx: tx.payments.of_order("main", order_id))

    def parcels_of(self, order_id: str) -> list[Shipment]:
        return self.database.transact(lambda tx: tx.shipments.of_order("main", order_id))

    def entries_of(self, order_id: str) -> list[BookEntry]:
        return self.database.transact(lambda tx: tx.payments.entries_of_order("main", order_id))

    def booked(self, order_id: str) -> list[int]:
        """Return the amounts of the book entries, largest first."""
        return sorted((entry.amount_minor for entry in self.entries_of(order_id)), reverse=True)

    def path(self, order_id: str) -> list[str]:
        """Return the states the order went through."""
        return [step.to_state for step in self.database.transact(lambda tx: tx.orders.trail("main", order_id))]

    # ---- events -----------------------------------------------------------------------------------------------

    def deliver(self, event: ProviderEvent, run: str = "run-1") -> str:
        """Do what the event's and the order's workflows do with one event; return what became of it."""
        route = self.events.receive(event, f"event/{event.source}/{event.event_id}", run)
        if route is None:
            return "duplicate"
        return self.follow(route)

    def follow(self, route: Route) -> str:
        if route.place is not None and self.database.transact(lambda tx: tx.orders.get("main", route.order_id)) is None:
            self.orders.record(route.place)
            if route.event is None:
                return "applied"
        if route.event is None:
            return "ignored"
        if self.events.is_over("main", route.order_id):
            return self.events.late("main", route.order_id, route.event)
        return self.orders.apply("main", route.order_id, route.event).answer.outcome

    # ---- repair -----------------------------------------------------------------------------------------------

    def repairing(self, **policies: RepairPolicy) -> RepairService:
        """Return a repair service under policies, named by repair."""
        named = {Repair(name): policy for name, policy in policies.items()}
        return RepairService(self.database, self.messages, self.inquiry, self.clock, named)

    def repaired(self, run_id: str, service: RepairService | None = None) -> int:
        """Do what the repair activity and the event's workflow do; return how many messages were delivered again."""
        repair = service or self.repair
        claims = (repair.claim(break_id, run_id) for break_id in repair.due("main", "stripe", run_id))
        return sum(self.carried_out(claim, repair) for claim in claims if claim is not None)

    def carried_out(self, claim: Claim, service: RepairService | None = None) -> bool:
        """Make one attempt; return whether anything was delivered."""
        repair = service or self.repair
        answer = repair.carry_out(claim)
        if isinstance(answer, ProviderEvent):
            self.deliver(answer, f"run-of-{answer.event_id}")
            answer = Answer(outcome=AttemptOutcome.DELIVERED, detail=answer.topic)
        repair.finished(claim, answer)
        return answer.outcome is AttemptOutcome.DELIVERED

    # ---- reconciliation ---------------------------------------------------------------------------------------

    def span(self, start: datetime) -> Span:
        """Return the window from `start` up to a minute from now, which then has passed."""
        self.advance(timedelta(minutes=1))
        return Span(start.replace(microsecond=0), self.clock.now().replace(microsecond=0))

    def reconcile(
        self, span: Span, run_id: str, *, give_up: bool = False, repair: bool = True, requested_by: str = "test"
    ) -> Run:
        request = Reconcile(shop="main", provider="stripe", repair=repair, requested_by=requested_by)
        return self.reconciliation.run(
            request, span, run_id=run_id, workflow_id=f"w-{run_id}", give_up=give_up, progress=lambda _: None
        )
