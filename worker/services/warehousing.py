"""What is asked of the warehouse for an order: its parcel, and to stop what has not left.

As with every use case of orders (worker.services.orders) each step may be repeated, and no call outside is made within a
transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.contract.orders import OrderEvent, OrderStatus
from worker.contract.shipping import ShipTo
from worker.domain.errors import NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import Order, OrderState
from worker.domain.parcels import shipped_goods
from worker.services.order_messages import status_of
from worker.services.parcels import (
    has_left,
    known_order,
    note_requested,
    note_stopped,
    standing,
    take_out,
    unheard,
    waiting_for_rest,
)
from worker.services.ports import Clock, Database, Transaction, WarehouseGateway

ACTOR = "order workflow"
_WITH_THE_WAREHOUSE = frozenset({OrderState.PAID, OrderState.FULFILLING, OrderState.LAPSED, OrderState.NEEDS_ATTENTION})
"""States in which the warehouse may have been asked for a parcel that is not to leave any more."""
_WITH_PARCEL = frozenset({OrderState.PAID, OrderState.FULFILLING})
"""States in which a parcel that was asked for is wanted."""


class Warehousing:
    """The warehouse's part in the order process."""

    def __init__(self, database: Database, warehouse: WarehouseGateway, clock: Clock) -> None:
        self._database = database
        self._warehouse = warehouse
        self._clock = clock

    def request_fulfilment(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Ask the warehouse for the parcel, unless one is under way. Raises ProviderRejected when it refuses for good."""
        found = self._found(shop, order_id)
        order = found.order
        if order.state is not OrderState.PAID and not held_for_parcel(order):
            return status_of(order)
        known = [parcel for parcel in found.parcels if parcel.state is not ShipmentState.FAILED]
        whole = [(line.sku, line.quantity) for line in order.lines if line.quantity]
        try:
            parcel = known[-1] if known else self._asked(found, whole, idempotency_key)
        except ProviderRejected:
            # It may hold one of an earlier try, whose answer was lost, and refuse the same key for another address. None
            # must leave for what is given back now; one that has left is the answer.
            status = self.stop_fulfilment(shop, order_id)
            if not self._database.transact(lambda tx: has_left(tx, order)):
                raise
            return status
        return status_of(self._noted(order, parcel))

    def request_rest(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Ask the warehouse for what of an order has not left, where the parcel that was to bring it was stopped.

        Asked for are pieces: of a line of which some have left, the others. Raises ProviderRejected as above.
        """
        found = self._found(shop, order_id)
        order, owed = found.order, shipped_goods(found.order.lines, found.parcels).owed
        if owed and (order.state in {OrderState.PAID, OrderState.FULFILLING} or held_for_parcel(order)):
            waiting = [parcel for parcel in found.parcels if parcel.state is ShipmentState.REQUESTED]
            rest = [(order.lines[number - 1].sku, pieces) for number, pieces in sorted(owed.items())]
            self._noted(order, waiting[-1] if waiting else self._asked(found, rest, idempotency_key))
        return self._database.transact(lambda tx: standing(tx, shop, order_id))

    def stop_fulfilment(self, shop: str, order_id: str) -> OrderStatus:
        """Stop the parcels that have not left. Once all have left, that completes the order instead, when it is paid for.

        The warehouse is asked which there are: it may have accepted one of which our books know nothing, for whoever asked
        died before it could be noted. Raises ProviderUnavailable while the warehouse has neither stopped it nor sent it off.
        """
        order = self._order(shop, order_id)
        if order.state not in _WITH_THE_WAREHOUSE and not held_for_parcel(order):
            return status_of(order)
        noted = self._database.transact(lambda tx: tx.shipments.of_order(shop, order_id))
        for parcel in noted:
            self._stop_or_note(shop, order_id, parcel)
        for parcel in self._not_among(noted, shop, order_id):
            self._stop_or_note(shop, order_id, parcel)
        return self._database.transact(lambda tx: standing(tx, shop, order_id))

    def _not_among(self, noted: Sequence[Shipment], shop: str, order_id: str) -> list[Shipment]:
        """Return parcels that the warehouse holds for the order, or sent, and that were not `noted`; our books have them then.

        Another process may have noted one meanwhile, to stop it in its turn: it is not relied on, for it may stand still.
        """
        dealt_with = {each.shipment_id for each in noted}
        there = [each for each in self._warehouse.parcels(shop, order_id) if each.state is not ShipmentState.FAILED]
        more = [each for each in there if each.shipment_id not in dealt_with]

        def work(tx: Transaction) -> list[Shipment]:
            tx.orders.lock(shop, order_id)
            known = {each.shipment_id: each for each in tx.shipments.of_order(shop, order_id)}
            found = []
            for each in more:
                if each.shipment_id not in known:
                    unheard_of = replace(each, state=ShipmentState.REQUESTED, shipped_at=None, contents=())
                    note_requested(tx, shop, unheard_of, self._clock.now(), ACTOR)
                    known[each.shipment_id] = unheard_of
                found.append(known[each.shipment_id])
            return found

        return self._database.transact(work) if more else []

    def _stop_or_note(self, shop: str, order_id: str, parcel: Shipment) -> None:
        if parcel.state is not ShipmentState.SHIPPED and self._stop(shop, parcel) is ShipmentState.SHIPPED:
            self._note_unheard(shop, order_id, parcel)

    def _asked(self, found: "_Found", lines: list[tuple[str, int]], key: str) -> Shipment:
        order = found.order
        return self._warehouse.request(
            shop=order.shop, order_id=order.order_id, lines=lines, ship_to=found.ship_to, idempotency_key=key
        )

    def _noted(self, order: Order, parcel: Shipment) -> Order:
        """Note a parcel that was asked for; return the order, which the warehouse has then."""
        shop, order_id = order.shop, order.order_id

        def work(tx: Transaction) -> tuple[Order, bool]:
            current = tx.orders.lock(shop, order_id)
            known = {each.shipment_id: each.state for each in tx.shipments.of_order(shop, order_id)}
            if parcel.shipment_id not in known:
                note_requested(tx, shop, parcel, self._clock.now(), ACTOR)
            # Also where it was completed: its rest was closed while the warehouse accepted the parcel with it.
            wanted = current.state in _WITH_PARCEL or held_for_parcel(current)
            waits = known.get(parcel.shipment_id, ShipmentState.REQUESTED) is ShipmentState.REQUESTED
            return waiting_for_rest(tx, current, self._clock.now(), ACTOR), waits and not wanted

        recorded, given_up = self._database.transact(work)
        if given_up:
            self._stop(shop, parcel)
        return recorded

    def _found(self, shop: str, order_id: str) -> "_Found":
        def work(tx: Transaction) -> _Found:
            order, parcels = known_order(tx, shop, order_id), tx.shipments.of_order(shop, order_id)
            address = tx.shipping_addresses.of_order(shop, order_id)
            return _Found(order=order, parcels=parcels, ship_to=address.ship_to if address else None)

        return self._database.transact(work)

    def _stop(self, shop: str, parcel: Shipment) -> ShipmentState:
        """Keep a parcel from leaving and note it; return where it stands."""
        try:
            state = self._warehouse.cancel(parcel.shipment_id)
        except NotFound:
            state = ShipmentState.FAILED  # what the warehouse does not know will not leave it
        if state is ShipmentState.REQUESTED:
            raise ProviderUnavailable(f"the warehouse has not stopped parcel {parcel.shipment_id} yet")
        if state is ShipmentState.FAILED:
            self._database.transact(lambda tx: note_stopped(tx, shop, parcel, self._clock.now(), ACTOR))
        return state

    def _note_unheard(self, shop: str, order_id: str, parcel: Shipment) -> None:
        """Note a parcel that had left before it could be stopped as if its event had come now."""
        event = unheard(parcel, self._warehouse.contents(parcel.shipment_id), self._clock.now())
        self._database.transact(lambda tx: self._shipped(tx, shop, order_id, event))

    def _shipped(self, tx: Transaction, shop: str, order_id: str, event: OrderEvent) -> bool:
        order = tx.orders.lock(shop, order_id)
        return take_out(tx, order, event, self._clock.now(), ACTOR, held=held_for_parcel(order))

    def _order(self, shop: str, order_id: str) -> Order:
        return self._database.transact(lambda tx: known_order(tx, shop, order_id))

    def _move(self, tx: Transaction, order: Order, to: OrderState, reason: str = "") -> Order:
        return tx.orders.move(order, to, at=self._clock.now(), actor=ACTOR, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An order, its parcels, and where they go."""

    order: Order
    parcels: list[Shipment]
    ship_to: ShipTo | None


def held_for_parcel(order: Order) -> bool:
    """Tell whether the money is held, and taken when the parcel leaves."""
    return order.captured_on_shipment and order.state is OrderState.AUTHORISED
