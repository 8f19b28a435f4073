"""The shop's Admin REST API (Shopify). Prices are decimal texts, ids are kept as text, pages follow the Link header."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from worker.domain.errors import InvalidInput, NotFound, OrdersError, ProviderRejected, SourceUnreadable
from worker.domain.ledger import ShopOrder
from worker.gateways.http import JsonClient
from worker.services.ports import ShopPayment, ShopRefund
from worker.services.translation.document import Document
from worker.services.translation.shopify import number_of

API = "/admin/api/2026-10"
PAGE = 250
PAID = frozenset({"paid", "partially_refunded", "refunded"})
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class ShopifyShop:
    """Implements `ShopGateway`."""

    def __init__(self, *, api_base: str, access_token: str, timeout_seconds: int) -> None:
        self._client = JsonClient(
            "the shop", api_base, headers={"X-Shopify-Access-Token": access_token}, timeout_seconds=timeout_seconds
        )

    def orders(self, start: datetime, end: datetime) -> Iterator[ShopOrder]:
        """Stream the orders updated since `start` and created before `end`. Raises SourceUnreadable."""
        params: dict[str, str] | None = {
            "status": "any",
            "updated_at_min": start.isoformat(),
            "created_at_max": end.isoformat(),
            "limit": str(PAGE),
        }
        url: str | None = f"{API}/orders.json"
        while url is not None:
            try:
                answer = self._client.request("GET", url, params=params)
                page = self._client.document(answer)["orders"]
                yield from (_order(item) for item in page)
            except OrdersError as problem:
                raise SourceUnreadable(str(problem)) from problem
            except (KeyError, TypeError) as problem:
                raise SourceUnreadable("the shop's list of orders has another shape") from problem
            following = _NEXT.search(answer.headers.get("Link", ""))
            url, params = (following.group(1), None) if following else (None, None)

    def payments(self, order_id: str) -> list[ShopPayment]:
        """Return the successful sales and captures of an order, oldest first."""
        with _of_known_shape("transactions"):
            found = [
                _payment(item)
                for item in self._steps(order_id)
                if item["kind"] in {"sale", "capture"} and item["status"] == "success" and item.get("authorization")
            ]
        return sorted(found, key=lambda paid: (paid.at, paid.reference))

    def refunds(self, order_id: str) -> list[ShopRefund]:
        """Return what went back of an order's money, oldest first."""
        with _of_known_shape("transactions"):
            steps = self._steps(order_id)
            taken = {item["id"]: str(item.get("authorization") or "") for item in steps if item["kind"] != "refund"}
            found = [
                _refund(item, taken.get(item.get("parent_id"), ""))
                for item in steps
                if (item["kind"], item["status"]) == ("refund", "success")
            ]
        return sorted(found, key=lambda back: (back.at, back.reference))

    def refund_document(self, order_id: str, reference: str) -> str:
        """Return the JSON of the refund that a step belongs to, as the shop's webhooks carry it. Raises NotFound."""
        answer = self._client.request("GET", f"{API}/orders/{quote(order_id, safe='')}/refunds.json")
        with _of_known_shape("refunds"):
            for refund in self._client.document(answer)["refunds"]:
                if reference in {str(step["id"]) for step in refund["transactions"]}:
                    return json.dumps(refund, separators=(",", ":"))
        raise NotFound(f"the shop has no refund of order {order_id} with step {reference}")

    def _steps(self, order_id: str) -> list[Any]:
        answer = self._client.request("GET", f"{API}/orders/{quote(order_id, safe='')}/transactions.json")
        return list(self._client.document(answer)["transactions"])

    def order_document(self, order_id: str) -> str:
        """Return the order's JSON as the shop's webhooks carry it. Raises NotFound."""
        answer = self._client.request("GET", f"{API}/orders/{quote(order_id, safe='')}.json")
        document = self._client.document(answer)
        if not isinstance(document, dict) or "order" not in document:
            raise ProviderRejected("the shop's order has another shape")
        return json.dumps(document["order"], separators=(",", ":"))

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._client.close()


def _order(item: Any) -> ShopOrder:
    try:
        order = Document(item)
        currency = order.currency("currency")
        return ShopOrder(
            order_id=order.text("id"),
            total_minor=order.amount("total_price", currency),
            currency=currency,
            paid=order.text("financial_status", "") in PAID,
            cancelled=order.text("cancelled_at", "") != "",
            created_at=datetime.fromisoformat(order.time("created_at")),
            updated_at=datetime.fromisoformat(order.time("updated_at")) if order.text("updated_at", "") else None,
            number=number_of(order),
        )
    except InvalidInput as problem:
        name = item.get("id") if isinstance(item, dict) else "?"
        raise InvalidInput(f"order {name}: {problem}") from problem


@contextmanager
def _of_known_shape(what: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, InvalidInput) as problem:
        raise ProviderRejected(f"the shop's {what} have another shape") from problem


def _refund(item: Any, payment_reference: str) -> ShopRefund:
    step = Document(item)
    currency = step.currency("currency")
    return ShopRefund(
        reference=step.text("id"),
        payment_reference=payment_reference,
        amount_minor=step.amount("amount", currency),
        currency=currency,
        at=datetime.fromisoformat(step.time("processed_at")),
        gateway=step.text("gateway", ""),
    )


def _payment(item: Any) -> ShopPayment:
    step = Document(item)
    currency = step.currency("currency")
    return ShopPayment(
        reference=step.text("authorization"),
        amount_minor=step.amount("amount", currency),
        currency=currency,
        at=datetime.fromisoformat(step.time("processed_at")),
        gateway=step.text("gateway", ""),
    )
