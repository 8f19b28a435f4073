"""The shop's Admin REST API (Shopify). Prices are decimal texts, ids are kept as text, pages follow the Link header."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from worker.domain.errors import (
    InvalidInput,
    NotFound,
    OrdersError,
    ProviderRejected,
    ProviderUnavailable,
    SourceUnreadable,
)
from worker.domain.ledger import ShopOrder
from worker.domain.money import parse_major
from worker.gateways.http import JsonClient
from worker.services.ports import ShopPayment

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
            except (ProviderUnavailable, ProviderRejected, NotFound, InvalidInput) as problem:
                raise SourceUnreadable(str(problem)) from problem
            except (KeyError, TypeError, AttributeError) as problem:
                raise SourceUnreadable("the shop's list of orders has another shape") from problem
            following = _NEXT.search(answer.headers.get("Link", ""))
            url, params = (following.group(1), None) if following else (None, None)

    def payments(self, order_id: str) -> list[ShopPayment]:
        """Return the successful sales and captures of an order, oldest first."""
        answer = self._client.request("GET", f"{API}/orders/{order_id}/transactions.json")
        try:
            found = [
                ShopPayment(
                    reference=str(item["authorization"]),
                    amount_minor=parse_major(str(item["amount"]), item["currency"]),
                    currency=item["currency"],
                    at=_time(item["processed_at"]),
                )
                for item in self._client.document(answer)["transactions"]
                if item["kind"] in {"sale", "capture"} and item["status"] == "success" and item.get("authorization")
            ]
        except (KeyError, TypeError, ValueError) as problem:
            raise ProviderRejected("the shop's transactions have another shape") from problem
        return sorted(found, key=lambda paid: (paid.at, paid.reference))

    def order_document(self, order_id: str) -> str:
        """Return the order's JSON as the shop's webhooks carry it. Raises NotFound."""
        answer = self._client.request("GET", f"{API}/orders/{order_id}.json")
        document = self._client.document(answer)
        if not isinstance(document, dict) or "order" not in document:
            raise ProviderRejected("the shop's order has another shape")
        return json.dumps(document["order"], separators=(",", ":"))


def _order(item: dict[str, Any]) -> ShopOrder:
    try:
        return ShopOrder(
            order_id=str(item["id"]),
            total_minor=parse_major(item["total_price"], item["currency"]),
            currency=item["currency"],
            paid=item["financial_status"] in PAID,
            cancelled=item["cancelled_at"] is not None,
            created_at=_time(item["created_at"]),
        )
    except OrdersError as problem:
        raise InvalidInput(f"order {item.get('id')}: {problem}") from problem


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
