"""Lists that say there is more and tell nothing new: they are not read for ever, and do not look whole."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from worker.domain.errors import SourceUnreadable
from worker.gateways.stripe_books import StripeBooks
from worker.gateways.warehouse import Warehouse

START, END = datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
PAYOUT = {"id": "po_1", "currency": "eur", "amount": 1, "status": "paid", "arrival_date": 1, "automatic": True}


class Page:
    """A page of Stripe's library."""

    has_more = True

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self.data = [json.dumps(item) for item in data]


class Client:
    """Gives the same page whatever is asked for."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.payouts = self

    def list(self, params: dict[str, Any]) -> Page:
        del params
        return self._page


@pytest.mark.parametrize("page", [[], [PAYOUT]])
def test_a_provider_s_list_that_does_not_get_on_is_not_the_whole(page: list[dict[str, Any]]) -> None:
    told = StripeBooks(Client(Page(page)), "stripe").payouts(START, END)
    with pytest.raises(SourceUnreadable, match="says that there is more"):
        _at_most(told, 10)


def test_a_warehouse_s_list_that_begins_anew_is_not_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = Warehouse(api_base="http://warehouse", secret="whsec_AAAA", token="t", timeout_seconds=1)
    answer = httpx2.Response(200, json={"data": [], "next_cursor": "again"})
    monkeypatch.setattr(warehouse._client, "request", lambda *_args, **_options: answer)
    with pytest.raises(SourceUnreadable, match="says that there is more"):
        _at_most(warehouse.shipments("main", START, END), 10)


def _at_most(told: Iterator[object], number: int) -> None:
    for count, _ in enumerate(told):
        assert count < number, "it has no end"
