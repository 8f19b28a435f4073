"""The provider, the shop and the warehouse in memory, with the promises and the bad habits of the real ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.contract.shipping import ShipTo
from worker.domain.dispute import Dispute
from worker.domain.errors import NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import LedgerLine, Packed, Shipment, ShipmentState, ShopOrder
from worker.domain.matching.payouts import PayoutSums
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState, Refund
from worker.services.ports import ShopPayment, ShopRefund


@dataclass
class Clock:
    """Stands at `at`."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass
class Payments:
    """Implements PaymentGateway. The first answer under an idempotency key is the only one."""

    name: str = "stripe"
    intents: dict[str, Payment] = field(default_factory=dict)
    made: dict[str, Refund] = field(default_factory=dict)
    answers: dict[str, PaymentState] = field(default_factory=dict)
    refusing_refunds: Exception | None = None
    refusing_captures: Exception | None = None
    losing_answers: int = 0
    """So many of the next calls have their effect and no answer."""
    looked_since: datetime | None = None
    _by_key: dict[str, Payment | Refund] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Money taken and not given back."""
        taken = sum(payment.captured_minor for payment in self.intents.values())
        return taken - sum(refund.amount_minor for refund in self.made.values())

    @property
    def refunds_made(self) -> int:
        return len(self.made)

    def collect(self, amount: int) -> str:
        """Let somebody else (the shop) take money."""
        return self._new(amount, PaymentState.CAPTURED).reference

    def give_back_behind_our_back(self, reference: str, amount: int) -> None:
        self._refund(reference, amount)

    def forget_keys(self) -> None:
        self._by_key.clear()

    def authorise(
        self, *, shop: str, order_id: str, amount_minor: int, currency: str, method: str, idempotency_key: str
    ) -> Payment:
        if idempotency_key not in self._by_key:
            state = self.answers.get("authorise", PaymentState.AUTHORISED)
            self._by_key[idempotency_key] = self._new(amount_minor, state)
        return self._answer(idempotency_key)

    def capture(self, reference: str, *, idempotency_key: str) -> Payment:
        if self.refusing_captures is not None:
            raise self.refusing_captures
        if idempotency_key not in self._by_key:
            held = self.intents[reference]
            state = self.answers.get("capture", PaymentState.CAPTURED)
            taken = held.amount_minor if state is PaymentState.CAPTURED else 0
            self.intents[reference] = replace(held, state=state, captured_minor=taken)
            self._by_key[idempotency_key] = self.intents[reference]
        return self._answer(idempotency_key)

    def capture_part(self, reference: str, amount_minor: int, *, final: bool, idempotency_key: str) -> Payment:
        if idempotency_key not in self._by_key:
            held = self.intents[reference]
            if held.state is not PaymentState.AUTHORISED or (not final and not held.several):
                raise ProviderRejected("one capture")
            taken = held.captured_minor + amount_minor
            state = PaymentState.CAPTURED if final or taken == held.amount_minor else held.state
            self.intents[reference] = replace(held, state=state, captured_minor=taken)
            self._by_key[idempotency_key] = self.intents[reference]
        return self._answer(idempotency_key)

    def release(self, reference: str, *, idempotency_key: str) -> Payment:
        held = self.retrieve(reference)
        if not held.captured_minor:
            return self.cancel(reference, idempotency_key=idempotency_key)
        return self.capture_part(reference, 0, final=True, idempotency_key=idempotency_key)

    def cancel(self, reference: str, *, idempotency_key: str) -> Payment:
        held = self.retrieve(reference)
        if held.state in IN_FLIGHT - {PaymentState.PROCESSING}:
            self.intents[reference] = replace(held, state=PaymentState.CANCELLED)
        return self.intents[reference]

    def refund(self, reference: str, amount_minor: int, *, idempotency_key: str) -> Refund:
        if self.refusing_refunds is not None:
            raise self.refusing_refunds
        if idempotency_key not in self._by_key:
            self._by_key[idempotency_key] = self._refund(reference, amount_minor)
        if self.losing_answers:
            self.losing_answers -= 1
            raise ProviderUnavailable("the answer was lost")
        found = self._by_key[idempotency_key]
        assert isinstance(found, Refund)
        return found

    def retrieve(self, reference: str) -> Payment:
        if reference not in self.intents:
            raise NotFound(f"{reference} is unknown")
        return self.intents[reference]

    def find(self, *, shop: str, order_id: str, since: datetime) -> list[Payment]:
        self.looked_since = since
        return list(self.intents.values())

    def refunds(self, reference: str) -> list[Refund]:
        self.retrieve(reference)
        return [refund for refund in self.made.values() if refund.payment_reference == reference]

    def dispute(self, reference: str) -> Dispute:
        raise NotFound(f"{reference} is unknown")

    def payment_document(self, reference: str) -> str:
        raise NotImplementedError

    def refund_document(self, reference: str) -> str:
        return self.payment_document(reference)

    def dispute_document(self, reference: str) -> str:
        return self.payment_document(reference)

    def ledger(self, start: datetime, end: datetime, after: str = "") -> Iterator[LedgerLine]:
        raise NotImplementedError

    def payouts(self, start: datetime, end: datetime) -> Iterator[PayoutSums]:
        raise NotImplementedError

    def payout_lines(self, payout_id: str) -> Iterator[LedgerLine]:
        raise NotImplementedError

    def _new(self, amount: int, state: PaymentState) -> Payment:
        reference = f"pi_{len(self.intents) + 1}"
        self.intents[reference] = Payment(
            provider=self.name,
            reference=reference,
            amount_minor=amount,
            currency="EUR",
            state=state,
            captured_minor=amount if state is PaymentState.CAPTURED else 0,
        )
        return self.intents[reference]

    def _refund(self, reference: str, amount: int) -> Refund:
        given_back = sum(refund.amount_minor for refund in self.refunds(reference))
        if amount > self.intents[reference].captured_minor - given_back:
            raise ProviderRejected("more than was captured")
        made = Refund(
            reference=f"re_{len(self.made) + 1}", payment_reference=reference, amount_minor=amount, currency="EUR"
        )
        self.made[made.reference] = made
        return made

    def _answer(self, key: str) -> Payment:
        if self.losing_answers:
            self.losing_answers -= 1
            raise ProviderUnavailable("the answer was lost")
        found = self._by_key[key]
        assert isinstance(found, Payment)
        return found


@dataclass
class Shop:
    """Implements ShopGateway; `listed` is what it says it collected."""

    listed: list[ShopPayment] = field(default_factory=list)

    def orders(self, start: datetime, end: datetime) -> Iterator[ShopOrder]:
        raise NotImplementedError

    def payments(self, order_id: str) -> list[ShopPayment]:
        return self.listed

    def refunds(self, order_id: str) -> list[ShopRefund]:
        return []

    def refund_document(self, order_id: str, reference: str) -> str:
        raise NotImplementedError

    def order_document(self, order_id: str) -> str:
        raise NotImplementedError


@dataclass
class Warehouse:
    """Implements WarehouseGateway; `answer` is what it says to a cancellation."""

    at: datetime
    answer: ShipmentState | Exception = ShipmentState.FAILED
    cancelled: list[str] = field(default_factory=list)

    def request(
        self,
        *,
        shop: str,
        order_id: str,
        lines: Sequence[tuple[str, int]],
        idempotency_key: str,
        ship_to: ShipTo | None = None,
    ) -> Shipment:
        return Shipment(shipment_id="ful_1", order_id=order_id, state=ShipmentState.REQUESTED, requested_at=self.at)

    def cancel(self, shipment_id: str) -> ShipmentState:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.cancelled.append(shipment_id)
        return self.answer

    def parcels(self, shop: str, order_id: str) -> list[Shipment]:
        return []

    def shipments(self, shop: str, start: datetime, end: datetime) -> Iterator[Shipment]:
        raise NotImplementedError

    def contents(self, shipment_id: str) -> tuple[Packed, ...]:
        return ()

    def shipment_document(self, shipment_id: str) -> str:
        raise NotImplementedError
