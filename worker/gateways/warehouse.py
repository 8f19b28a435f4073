"""The warehouse's API. Requests are signed as Standard Webhooks; lists are read with a token, page by page."""

import base64
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from worker.contract.shipping import ShipTo
from worker.domain.errors import (
    Conflict,
    NotFound,
    OrdersError,
    ProviderRejected,
    ProviderUnavailable,
    SourceUnreadable,
)
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.gateways.http import JsonClient

PAGE = 100
_OTHER_SHAPE = "the warehouse's list has another shape"
_STATES = {
    "accepted": ShipmentState.REQUESTED,
    "shipped": ShipmentState.SHIPPED,
    "failed": ShipmentState.FAILED,
    "cancelled": ShipmentState.FAILED,
}


class Warehouse:
    """Implements `WarehouseGateway`. `secret` is a Standard Webhooks secret (`whsec_` and base64)."""

    def __init__(self, *, api_base: str, secret: str, token: str, timeout_seconds: int) -> None:
        self._client = JsonClient(
            "the warehouse", api_base, headers={"Authorization": f"Bearer {token}"}, timeout_seconds=timeout_seconds
        )
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    def request(
        self,
        *,
        shop: str,
        order_id: str,
        lines: Sequence[tuple[str, int]],
        idempotency_key: str,
        ship_to: ShipTo | None = None,
    ) -> Shipment:
        """Ask for a parcel; the same key is the same parcel. Raises ProviderRejected, ProviderUnavailable."""
        body: dict[str, Any] = {
            "reference": f"{shop}/{order_id}",
            "lines": [{"sku": sku, "quantity": n} for sku, n in lines],
        }
        if ship_to is not None:
            body["ship_to"] = asdict(ship_to)
        try:
            answer = self._signed("/v1/fulfilments", json.dumps(body).encode(), idempotency_key)
        except (Conflict, NotFound) as problem:
            raise ProviderRejected(str(problem)) from problem
        return _shipment(self._client.document(answer))

    def cancel(self, shipment_id: str) -> ShipmentState:
        """Stop a parcel if it has not left; return its state."""
        try:
            answer = self._signed(f"{_path(shipment_id)}/cancel", b"{}", f"cancel:{shipment_id}")
        except Conflict:
            answer = self._client.request("GET", _path(shipment_id))
        return _shipment(self._client.document(answer)).state

    def contents(self, shipment_id: str) -> tuple[Packed, ...]:
        """Return what a parcel holds. Raises NotFound."""
        return _shipment(self._client.document(self._client.request("GET", _path(shipment_id)))).contents

    def parcels(self, shop: str, order_id: str) -> list[Shipment]:
        """Return every parcel that was asked for in an order's name, oldest first. Raises ProviderUnavailable."""
        reference = f"{shop}/{order_id}"
        found: list[Shipment] = []
        for page in self._pages({"reference": reference}):
            try:
                found += [_shipment(item) for item in page if item["reference"] == reference]
            except (KeyError, TypeError) as problem:
                raise ProviderUnavailable(_OTHER_SHAPE) from problem
        return found

    def shipments(self, shop: str, start: datetime, end: datetime) -> Iterator[Shipment]:
        """Stream the parcels requested in [start, end). Raises SourceUnreadable."""
        try:
            for page in self._pages({"created_from": start.isoformat(), "created_to": end.isoformat()}):
                found = [_shipment(item) for item in page if item["reference"].startswith(f"{shop}/")]
                yield from found
        except OrdersError as problem:
            raise SourceUnreadable(str(problem)) from problem
        except (KeyError, TypeError, AttributeError) as problem:
            raise SourceUnreadable(_OTHER_SHAPE) from problem

    def _pages(self, wanted: dict[str, str]) -> Iterator[list[Any]]:
        """Read a list page by page. Raises ProviderUnavailable, also for one of another shape."""
        params = {**wanted, "limit": str(PAGE)}
        while True:
            answer = self._client.document(self._client.request("GET", "/v1/fulfilments", params=params))
            try:
                page, cursor = list(answer["data"]), answer["next_cursor"]
            except (KeyError, TypeError) as problem:
                raise ProviderUnavailable(_OTHER_SHAPE) from problem
            yield page
            if not cursor:
                return
            if cursor == params.get("cursor"):
                raise ProviderUnavailable("the warehouse's list says that there is more, and begins anew")
            params["cursor"] = cursor

    def shipment_document(self, shipment_id: str) -> str:
        """Return the event JSON the warehouse would have sent for the parcel's present state. Raises NotFound."""
        item = self._client.document(self._client.request("GET", _path(shipment_id)))
        _shipment(item)
        status = item["status"]
        if status not in {"shipped", "failed"}:
            raise NotFound(f"parcel {shipment_id} is {status}: there is no event for that")
        at = item.get("shipped_at") or item.get("updated_at") or datetime.now(UTC).isoformat()
        return json.dumps({"type": f"shipment.{status}", "timestamp": at, "data": item}, separators=(",", ":"))

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._client.close()

    def _signed(self, path: str, body: bytes, key: str) -> Any:
        at = str(int(time.time()))
        signature = base64.b64encode(hmac.digest(self._key, f"{key}.{at}.".encode() + body, "sha256")).decode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature}",
        }
        return self._client.request("POST", path, content=body, headers=headers)


def _path(shipment_id: str) -> str:
    return f"/v1/fulfilments/{quote(shipment_id, safe='')}"


def _shipment(item: Any) -> Shipment:
    try:
        shipped, delivered = item.get("shipped_at"), item.get("delivered_at")
        return Shipment(
            shipment_id=item["id"],
            order_id=item["reference"].partition("/")[2],
            state=_STATES[item["status"]],
            requested_at=datetime.fromisoformat(item["created_at"]).astimezone(UTC),
            shipped_at=datetime.fromisoformat(shipped).astimezone(UTC) if shipped else None,
            tracking=item.get("tracking") or "",
            contents=tuple(
                Packed(quantity=int(each["quantity"]), line=int(each.get("line") or 0), sku=str(each.get("sku") or ""))
                for each in item.get("lines") or ()
            ),
            delivered_at=datetime.fromisoformat(delivered).astimezone(UTC) if delivered else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ProviderUnavailable("the warehouse answered with a parcel of another shape") from problem
