"""The shop's list of orders: filters, pages, and the cursors that the Link header carries.

Rules of the real API that clients trip over and that therefore hold here: newest first; without `status` only open
orders; both time bounds inclusive; a cursor carries its filters, and repeating a filter beside it is an error.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from infra.local.simulator.shop.checkout import ORDERS
from infra.local.simulator.store import Document, Store

DEFAULT_LIMIT = 50
MAX_LIMIT = 250
_STATUSES = frozenset({"open", "closed", "cancelled", "any"})
_BOUNDS = ("created_at_min", "created_at_max", "updated_at_min", "updated_at_max")
_FILTERS = (*_BOUNDS, "status", "financial_status", "ids", "since_id")
_BESIDE_CURSOR = frozenset({"limit", "fields", "page_info"})


class BadQuery(Exception):
    """A parameter the shop refuses: its name, and why."""

    def __init__(self, parameter: str, reason: str) -> None:
        """Keep both for the answer."""
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of orders and the cursors of its neighbours (None where there is none)."""

    orders: list[Document]
    limit: int
    next: str | None
    previous: str | None


def list_orders(store: Store, query: Mapping[str, str]) -> Page:
    """Return the page that `query` asks for. Raises BadQuery."""
    limit = _limit(query.get("limit"))
    if "page_info" in query:
        for name in query:
            if name not in _BESIDE_CURSOR:
                raise BadQuery(name, f"{name} cannot be passed when page_info is present.")
        cursor = _read_cursor(query["page_info"])
        filters, beyond, forward = cursor["filters"], cursor["beyond"], cursor["forward"]
    else:
        filters, beyond, forward = {name: query[name] for name in _FILTERS if name in query}, None, True
    wanted = _condition(filters)
    try:
        found = (order for order in store.scan(ORDERS, newest_first=forward, beyond=beyond) if wanted(order))
        # One more than the page tells whether there is another page.
        orders = list(islice(found, limit + 1))
    except KeyError:
        raise BadQuery("page_info", "Invalid value.") from None
    more = len(orders) > limit
    orders = orders[:limit]
    if not forward:
        orders.reverse()
    return Page(
        orders=[_only(order, query.get("fields")) for order in orders],
        limit=limit,
        next=_cursor(orders[-1], filters, forward=True) if orders and (more or not forward) else None,
        previous=_cursor(orders[0], filters, forward=False)
        if orders and ((forward and beyond is not None) or (not forward and more))
        else None,
    )


def _condition(filters: Mapping[str, str]) -> Callable[[Document], bool]:
    status = filters.get("status", "open")
    if status not in _STATUSES:
        raise BadQuery("status", "expected open, closed, cancelled or any")
    bounds = [(name, _time(name, filters[name])) for name in _BOUNDS if name in filters]
    ids = {text.strip() for text in filters["ids"].split(",")} if "ids" in filters else None
    paid_status = filters.get("financial_status", "any")
    since = _since(filters.get("since_id"))

    def wanted(order: Document) -> bool:
        if status == "open" and (order["cancelled_at"] or order["closed_at"]):
            return False
        if status in {"closed", "cancelled"} and not order[f"{status}_at"]:
            return False
        if paid_status not in {"any", order["financial_status"]}:
            return False
        if order["id"] <= since or (ids is not None and str(order["id"]) not in ids):
            return False
        for name, bound in bounds:
            field, _, end = name.rpartition("_")
            moment = datetime.fromisoformat(order[field])
            if moment < bound if end == "min" else moment > bound:
                return False
        return True

    return wanted


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadQuery(name, "expected an ISO 8601 time (is its + sign encoded?)") from None
    if moment.tzinfo is None:
        raise BadQuery(name, "the time needs a UTC offset")
    return moment


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise BadQuery("limit", "expected a whole number from 1 to 250")
    return min(int(text), MAX_LIMIT)


def _since(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise BadQuery("since_id", "expected an id")
    return int(text)


def _only(order: Document, fields: str | None) -> Document:
    if fields is None:
        return order
    names = {name.strip() for name in fields.split(",")}
    return {name: value for name, value in order.items() if name in names}


def _cursor(order: Document, filters: Mapping[str, str], *, forward: bool) -> str:
    cursor = {"beyond": str(order["id"]), "forward": forward, "filters": dict(filters)}
    return base64.urlsafe_b64encode(json.dumps(cursor, separators=(",", ":")).encode()).decode().rstrip("=")


def _read_cursor(text: str) -> Document:
    try:
        cursor: Any = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise BadQuery("page_info", "Invalid value.") from None
    if not isinstance(cursor, dict) or set(cursor) != {"beyond", "forward", "filters"}:
        raise BadQuery("page_info", "Invalid value.")
    return cursor
