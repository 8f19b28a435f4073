"""Disputes of orders: read from the provider, written into the books, whatever event told of them and whenever it came.

An event is only a trigger, as with all money: what a dispute is, and which money it moved, its owner says. So events may
come twice, late, or in any order.
"""

from worker.domain.dispute import Dispute, entries_of
from worker.domain.errors import NotFound, ProviderRejected
from worker.services.ports import Clock, Database, PaymentGateway, Transaction


class Disputes:
    """Books the movements of disputes."""

    def __init__(self, database: Database, payments: PaymentGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._clock = clock

    def take_in(self, shop: str, order_id: str, reference: str) -> bool:
        """Write down a dispute of an order as it stands now, with its money; return whether anything was new.

        Raises ProviderRejected when the provider knows no such dispute, NotFound when we know no such order.
        """
        try:
            dispute = self._payments.dispute(reference)
        except NotFound as problem:
            raise ProviderRejected(str(problem)) from None
        return self._database.transact(lambda tx: self._write(tx, shop, order_id, dispute))

    def _write(self, tx: Transaction, shop: str, order_id: str, dispute: Dispute) -> bool:
        tx.orders.lock(shop, order_id)
        known = {each.reference: each.state for each in tx.disputes.of_order(shop, order_id)}
        new = known.get(dispute.reference) is not dispute.state
        if new:
            tx.disputes.save(shop, order_id, dispute, self._clock.now())
        posted = [tx.payments.post(entry) for entry in entries_of(shop, order_id, dispute)]
        return new or any(posted)
