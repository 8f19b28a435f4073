"""The payment provider: Stripe, through its official library. Amounts are integer minor units throughout.

The library must not retry (Temporal does) and every call that moves money carries our idempotency key.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import stripe

from worker.domain.dispute import Dispute
from worker.domain.errors import NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payouts import PayoutSums
from worker.domain.payment import Payment, PaymentState, Refund
from worker.gateways.stripe_books import StripeBooks
from worker.gateways.stripe_disputes import dispute_of
from worker.gateways.stripe_errors import translated
from worker.gateways.stripe_intents import method_of, problem_of, several_of
from worker.gateways.stripe_transport import TracedRequests

PAGE = 100
_INTENTS = "/v1/payment_intents"
_WITH_METHOD: Any = {"expand": ["latest_charge"]}
"""Only the charge tells how a payment was made."""
_SEVERAL: Any = {"card": {"request_multicapture": "if_available"}}
_STATES = {
    "requires_action": PaymentState.REQUIRES_ACTION,
    "requires_confirmation": PaymentState.REQUIRES_ACTION,
    "requires_capture": PaymentState.AUTHORISED,
    "succeeded": PaymentState.CAPTURED,
    "canceled": PaymentState.CANCELLED,
    "requires_payment_method": PaymentState.DECLINED,
    "processing": PaymentState.PROCESSING,
}


class StripePayments:
    """Implements `PaymentGateway`."""

    def __init__(
        self,
        *,
        api_base: str,
        api_key: str,
        timeout_seconds: int,
        name: str = "stripe",
        several_for: Collection[str] = (),
    ) -> None:
        """Of the shops in `several_for`, ask for payments that can be captured in several parts (multicapture)."""
        self.name = name
        self._several_for = frozenset(several_for)
        # Telemetry would send timings of one request with the next, to no use here.
        stripe.enable_telemetry = False
        self._http = TracedRequests(name, api_base, timeout=timeout_seconds)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base},
            max_network_retries=0,
            http_client=self._http,
        )
        self._client = self._stripe.v1
        self._books = StripeBooks(self._client, name)

    def authorise(
        self, *, shop: str, order_id: str, amount_minor: int, currency: str, method: str, idempotency_key: str
    ) -> Payment:
        """Authorise without capturing; a wish to see the customer first is a state, not an error."""
        with _unknown_is_refused(), translated(f"authorise {shop}/{order_id}"):
            intent = self._posted(
                "",
                idempotency_key,
                {
                    "amount": amount_minor,
                    "currency": currency.lower(),
                    "payment_method": method,
                    # No redirects: nobody sits at a browser here; such methods ask for the customer instead.
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "capture_method": "manual",
                    "confirm": True,
                    "metadata": {"shop": shop, "order_id": order_id},
                    "payment_method_options": _SEVERAL if shop in self._several_for else {},
                },
            )
        return self._payment(intent)

    def capture(self, reference: str, *, idempotency_key: str) -> Payment:
        """Capture the whole authorisation; capturing a captured payment returns it as it is."""
        with translated(f"capture {reference}"), _other_amount_waits(reference):
            try:
                intent = self._posted(f"{_named(reference)}/capture", idempotency_key, _WITH_METHOD)
            except stripe.InvalidRequestError as problem:
                return self._if_now(reference, PaymentState.CAPTURED, problem)
        return self._payment(intent)

    def capture_part(self, reference: str, amount_minor: int, *, final: bool, idempotency_key: str) -> Payment:
        """Capture so much more. Raises ProviderRejected for more than is held, and without multicapture if not `final`.

        A key that was used for another amount is ProviderUnavailable: what became of that capture is to be looked at first.
        """
        with translated(f"capture a part of {reference}"), _other_amount_waits(reference):
            params = _part_of(amount_minor, final=final)
            intent = self._posted(f"{_named(reference)}/capture", idempotency_key, params)
        return self._payment(intent)

    def release(self, reference: str, *, idempotency_key: str) -> Payment:
        """Let go of the rest of a payment that was captured in part, or void one that was not captured at all.

        A final capture of 0 is Stripe's way to end a multicapture ("Release uncaptured funds"): the payment `succeeded` with
        what was captured before. Of one that nothing was captured of, 0 is refused: such a one is cancelled.
        """
        payment = self.retrieve(reference)
        if payment.state is PaymentState.AUTHORISED and payment.captured_minor == 0:
            return self.cancel(reference, idempotency_key=idempotency_key)
        if payment.state is not PaymentState.AUTHORISED:
            return payment
        return self.capture_part(reference, 0, final=True, idempotency_key=idempotency_key)

    def cancel(self, reference: str, *, idempotency_key: str) -> Payment:
        """Void the authorisation; a payment that is over already is returned as it is."""
        with translated(f"cancel {reference}"):
            try:
                intent = self._posted(f"{_named(reference)}/cancel", idempotency_key)
            except stripe.InvalidRequestError:
                return self.retrieve(reference)
        return self._payment(intent)

    def refund(self, reference: str, amount_minor: int, *, idempotency_key: str) -> Refund:
        """Refund part or all of a captured payment. Raises ProviderRejected when it refuses."""
        with translated(f"refund {reference}"):
            made = self._client.refunds.create(
                params={"payment_intent": reference, "amount": amount_minor},
                options={"idempotency_key": idempotency_key},
            )
        if made.status in {"failed", "canceled"}:
            raise ProviderRejected(f"refund {made.id} of {reference} is {made.status}")
        return _refund(made, reference)

    def retrieve(self, reference: str) -> Payment:
        """Return what the provider says now."""
        with translated(f"read {reference}"):
            intent = self._stripe.raw_request("get", f"{_INTENTS}{_named(reference)}", **_WITH_METHOD).data
        return self._payment(intent)

    def find(self, *, shop: str, order_id: str, since: datetime) -> list[Payment]:
        """Return the payments that carry the order in their metadata, oldest first."""
        with translated(f"look for payments of {shop}/{order_id}"):
            listed = self._client.payment_intents.list(
                params={"created": {"gte": int(since.timestamp())}, "limit": PAGE}
            )
            found = [
                intent
                for intent in listed.auto_paging_iter()
                if _metadata(intent, "order_id") == order_id and _metadata(intent, "shop") == shop
            ]
        return [self._payment(intent) for intent in reversed(found)]

    def refunds(self, reference: str) -> list[Refund]:
        """Return every refund the provider made on a payment, oldest first, failed ones left out."""
        with translated(f"read refunds of {reference}"):
            listed = self._client.refunds.list(params={"payment_intent": reference, "limit": PAGE})
            found = [item for item in listed.auto_paging_iter() if item.status not in {"failed", "canceled"}]
        return [_refund(item, reference) for item in reversed(found)]

    def dispute(self, reference: str) -> Dispute:
        """Return a dispute as it stands, with the money it moved. Raises NotFound."""
        with translated(f"read dispute {reference}"):
            found = self._client.disputes.retrieve(reference)
        return dispute_of(self.name, _plain(found))

    def payment_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a captured payment. Raises NotFound."""
        with translated(f"read {reference}"):
            intent = self._client.payment_intents.retrieve(
                reference, params={"expand": ["latest_charge.balance_transaction"]}
            )
        found = _plain(intent)
        event = {
            "id": f"evt_for_{intent.id}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "created": _moved(found) or intent.created,
            "data": {"object": {**found, "latest_charge": _id_of(found.get("latest_charge"))}},
        }
        return json.dumps(event, separators=(",", ":"))

    def refund_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a payment that was given back. Raises NotFound."""
        with translated(f"read {reference}"):
            found = _plain(self._client.payment_intents.retrieve(reference, params={"expand": ["latest_charge"]}))
        charge = found.get("latest_charge")
        if not isinstance(charge, dict) or not charge.get("amount_refunded"):
            raise NotFound(f"nothing of {reference} was given back")
        return _event("charge.refunded", charge, found, charge["created"])

    def dispute_document(self, reference: str) -> str:
        """Return the event JSON the provider would send for a payment's latest dispute. Raises NotFound."""
        with translated(f"read disputes of {reference}"):
            listed = self._client.disputes.list(params={"payment_intent": reference, "limit": 1}).data
            if not listed:
                raise NotFound(f"{reference} is not disputed")
            intent = self._client.payment_intents.retrieve(reference)
        dispute = _plain(listed[0])
        over = dispute["status"] in {"won", "lost", "warning_closed"}
        moved = [dispute["created"], *(each["created"] for each in dispute.get("balance_transactions") or ())]
        topic = "charge.dispute.closed" if over else "charge.dispute.created"
        return _event(topic, dispute, _plain(intent), max(moved))

    def ledger(self, start: datetime, end: datetime, after: str = "") -> Iterator[LedgerLine]:
        """Stream the ledger lines of [start, end), newest first. Raises SourceUnreadable when it breaks off."""
        return self._books.ledger(start, end, after)

    def payouts(self, start: datetime, end: datetime) -> Iterator[PayoutSums]:
        """Stream the payouts due at the bank in [start, end), without sums. Raises SourceUnreadable."""
        return self._books.payouts(start, end)

    def payout_lines(self, payout_id: str) -> Iterator[LedgerLine]:
        """Stream the lines that an automatic payout pays out, its own among them. Raises SourceUnreadable."""
        return self._books.payout_lines(payout_id)

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._http.close()

    def _posted(self, path: str, key: str, params: Any = MappingProxyType({})) -> Any:
        """Return what a call that moves money leads to, as plain dictionaries.

        The library's own methods make an object of each part of an answer, which costs more than all else in a call.
        """
        return self._stripe.raw_request("post", f"{_INTENTS}{path}", idempotency_key=key, **params).data

    def _payment(self, intent: Any) -> Payment:
        """Return the payment of an intent, be it plain dictionaries or an object of the library."""
        status = intent["status"]
        # Also of one that is still held, or was let go, after a part was captured.
        received = intent["amount_received"] if status in {"succeeded", "requires_capture", "canceled"} else 0
        return Payment(
            provider=self.name,
            reference=intent["id"],
            amount_minor=intent["amount"],
            currency=intent["currency"].upper(),
            state=_STATES[status],
            captured_minor=received,
            detail=problem_of(intent),
            method=method_of(intent),
            several=several_of(intent),
        )

    def _if_now(self, reference: str, wanted: PaymentState, problem: Exception) -> Payment:
        payment = self.retrieve(reference)
        if payment.state is not wanted:
            raise problem
        return payment


def _named(reference: str) -> str:
    """Return the path of one payment."""
    return f"/{quote(reference, safe='')}"


def _part_of(amount_minor: int, *, final: bool) -> Any:
    """Return the parameters of a capture. That it is the last one is Stripe's default, and needs no multicapture.

    Nothing more is captured of a multicapture alone, and Stripe documents that with `final_capture` said.
    """
    last = {} if final and amount_minor else {"final_capture": final}
    return {**_WITH_METHOD, "amount_to_capture": amount_minor, **last}


@contextmanager
def _other_amount_waits(reference: str) -> Iterator[None]:
    """Take a key that was used for another amount for no refusal: the money is held, and an earlier call may yet take it."""
    try:
        yield
    except stripe.IdempotencyError:
        raise ProviderUnavailable(f"a capture of another amount of {reference} is not decided yet") from None


@contextmanager
def _unknown_is_refused() -> Iterator[None]:
    """What a new payment names and the provider does not know (its method) will not turn up by waiting."""
    try:
        yield
    except NotFound as problem:
        raise ProviderRejected(str(problem)) from None


def _event(topic: str, thing: dict[str, Any], intent: dict[str, Any], created: int) -> str:
    """Return an event about what belongs to a payment; the payment's metadata name the order."""
    metadata = {**(intent.get("metadata") or {}), **(thing.get("metadata") or {})}
    event = {
        "id": f"evt_for_{thing['id']}",
        "object": "event",
        "type": topic,
        "created": created,
        "data": {"object": {**thing, "metadata": metadata}},
    }
    return json.dumps(event, separators=(",", ":"))


def _moved(intent: dict[str, Any]) -> int | None:
    """Return when the money of a payment moved: a payment is made, and authorised, long before it is captured."""
    charge = intent.get("latest_charge")
    movement = charge.get("balance_transaction") if isinstance(charge, dict) else None
    return int(movement["created"]) if isinstance(movement, dict) else None


def _id_of(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) else value


def _metadata(intent: Any, key: str) -> str:
    return str(intent.metadata[key]) if intent.metadata and key in intent.metadata else ""


def _refund(item: Any, payment_reference: str) -> Refund:
    return Refund(
        reference=item.id,
        payment_reference=payment_reference,
        amount_minor=item.amount,
        currency=item.currency.upper(),
        created_at=datetime.fromtimestamp(item.created, UTC),
    )


def _plain(item: Any) -> Any:
    """Turn a library object into plain dictionaries."""
    return json.loads(str(item))
