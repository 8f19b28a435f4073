"""Inquiries: an outside system is asked again about one of our records, without delivering anything to an order.

Money that its ledger does not show may only be late; a parcel that the warehouse does not know must be asked for
again, under the first request's id, so that it is the same parcel if the request had arrived after all.
"""

from dataclasses import dataclass

from worker.contract.ids import order_workflow_id
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.finding import Break
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.money import Money
from worker.domain.order import Order, OrderState
from worker.domain.payment import EntryKind, PaymentState
from worker.domain.repair_policy import AttemptOutcome
from worker.services.parcels import note_requested
from worker.services.ports import Clock, Database, PaymentGateway, Transaction, WarehouseGateway

_WANT_A_PARCEL = frozenset({OrderState.PAID, OrderState.FULFILLING})
_MAY_HAVE_A_PARCEL = _WANT_A_PARCEL | {OrderState.SHIPPED, OrderState.COMPLETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking, in a sentence for the break's history."""

    outcome: AttemptOutcome
    detail: str


class Inquiry:
    """Asks the provider and the warehouse."""

    def __init__(self, database: Database, payments: PaymentGateway, warehouse: WarehouseGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._warehouse = warehouse
        self._clock = clock

    def money(self, item: Break) -> Answer:
        """Ask the provider what became of the payments and refunds that its ledger lacks.

        A payment or refund that it says never happened contradicts our books. Raises ProviderUnavailable.
        """
        said, against = [], False
        for reference in dict.fromkeys(fact.status for fact in item.finding.ours if fact.record == EntryKind.CAPTURE):
            try:
                payment = self._payments.retrieve(reference)
            except NotFound:
                said.append(f"{reference} is unknown to the provider")
                against = True
                continue
            captured = Money(payment.captured_minor, payment.currency)
            gone = payment.state in {PaymentState.CANCELLED, PaymentState.DECLINED}
            against = against or gone
            said.append(f"{reference} is {payment.state}" + ("" if gone else f", {captured} captured"))
        booked = [fact for fact in item.finding.ours if fact.record == EntryKind.REFUND]
        for reference in dict.fromkeys(fact.status for fact in booked):
            try:
                made = {refund.reference for refund in self._payments.refunds(reference)}
            except NotFound:
                made = set()
            missing = [fact.reference for fact in booked if fact.status == reference and fact.reference not in made]
            against = against or bool(missing)
            said += [f"refund {name} was not made or has failed" for name in missing]
        detail = "the provider says: " + ("; ".join(said[:10]) or "nothing")
        return Answer(outcome=AttemptOutcome.CONTRADICTED if against else AttemptOutcome.NOTHING, detail=detail)

    def parcel(self, item: Break) -> Answer:
        """Ask for an order's parcel again, if the warehouse has none and the order still wants it.

        Raises ProviderUnavailable.
        """
        shop, order_id = item.shop, item.finding.repair_reference
        order, address = self._database.transact(
            lambda tx: (tx.orders.get(shop, order_id), tx.shipping_addresses.of_order(shop, order_id))
        )
        if order is None or order.state not in _WANT_A_PARCEL or order.kept_minor <= 0:
            return Answer(outcome=AttemptOutcome.NOTHING, detail="the order wants no parcel any more")
        known = self._warehouse.parcels(shop, order_id)
        if known:
            return Answer(outcome=AttemptOutcome.NOTHING, detail=f"the warehouse has parcel {known[-1].shipment_id}")
        try:
            # As the order's own process asks: under one key the warehouse takes one content only.
            asked = self._warehouse.request(
                shop=shop,
                order_id=order_id,
                lines=[(line.sku, line.quantity) for line in order.lines if line.quantity],
                ship_to=address.ship_to if address else None,
                idempotency_key=f"{order_workflow_id(shop, order_id)}:fulfil",
            )
        except ProviderRejected as refusal:
            return Answer(outcome=AttemptOutcome.CONTRADICTED, detail=f"the parcel was refused: {refusal}")
        if self._noted(order, asked) in _MAY_HAVE_A_PARCEL:
            return Answer(outcome=AttemptOutcome.DELIVERED, detail=f"parcel {asked.shipment_id} was asked for")
        # The order was given up while the warehouse accepted: its own process stops only what it knows of.
        state = self._warehouse.cancel(asked.shipment_id)
        detail = f"the order was given up meanwhile; parcel {asked.shipment_id} is {state}"
        return Answer(outcome=AttemptOutcome.NOTHING, detail=detail)

    def _noted(self, order: Order, parcel: Shipment) -> OrderState:
        def work(tx: Transaction) -> OrderState:
            current = tx.orders.lock(order.shop, order.order_id)
            known = {each.shipment_id for each in tx.shipments.of_order(order.shop, order.order_id)}
            if parcel.shipment_id not in known and parcel.state is ShipmentState.REQUESTED:
                note_requested(tx, order.shop, parcel, self._clock.now(), "reconciliation")
            return current.state

        return self._database.transact(work)
