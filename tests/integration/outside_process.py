"""The outside world as a process of its own, with our gateways pointed at it and its control API at hand."""

import asyncio
import sqlite3
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from infra.local.blocking import BlockingStack
from infra.local.environment import for_worker
from infra.local.outside import introduce
from infra.local.simulator.app import DATABASE
from infra.local.stack import Stack
from worker.gateways.mail import SmtpMail
from worker.gateways.shopify import ShopifyShop
from worker.gateways.stripe_payments import StripePayments
from worker.gateways.warehouse import Warehouse

Gateway = TypeVar("Gateway", StripePayments, ShopifyShop, Warehouse)

PATIENT, QUICK = 60, 1
"""Time-outs in seconds: for calls that answer, however busy the machine is, and for calls that are meant not to."""
HANGS = 0.3
"""Seconds after which a call that hangs is cut off, so that who is patient learns soon that it has no answer."""


class OutsideProcess:
    """`with OutsideProcess(folder) as outside:` gateways and faults; one simulator for as long as it lasts."""

    def __init__(self, folder: Path) -> None:
        self._running = BlockingStack(Stack(folder, members=["simulator"]))

    def __enter__(self) -> Self:
        self._running.__enter__()
        self.base = self._running.url("simulator")
        self._made: list[StripePayments | ShopifyShop | Warehouse] = []
        self._control = httpx2.Client(timeout=60)
        self._settle()
        return self

    def begin_again(self) -> None:
        """Have it as a new one: no books, the real time. A process less to start costs a second of CPU less.

        Counters and the salt of ids stay: no id ever comes twice.
        """
        self._close_gateways()
        self.heal()
        store = self._running.stack.layout.data("simulator") / DATABASE
        with closing(sqlite3.connect(store, timeout=60)) as database, database:
            database.execute("DELETE FROM documents")
            database.execute("DELETE FROM facts WHERE name <> 'salt'")
        self.control("POST", "/clock/set", {"now": datetime.now(UTC).isoformat()})
        asyncio.run(introduce(self._running.stack.layout))
        self._settle()

    def _settle(self) -> None:
        self.control("PUT", "/warehouse", {"ship_after_seconds": None})
        self.control("PUT", "/provider/settings", {"automatic_payouts": False})

    def _close_gateways(self) -> None:
        while self._made:
            self._made.pop().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_gateways()
        self._control.close()
        self._running.__exit__(kind, error, trace)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a worker that has this outside world."""
        return for_worker(self._running.stack.layout)

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """Call the simulator's control API."""
        answer = self._control.request(method, f"{self.base}/_sim{path}", json=document)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def fault(self, route: str, kind: str, **more: Any) -> None:
        """Spoil the next call to a route (`POST /stripe/v1/refunds`), or as many as `times` says."""
        hangs = {"seconds": HANGS} if kind.startswith("timeout") else {}
        self.control("PUT", "/faults", {"route": route, "kind": kind, **hangs, **more})

    def heal(self) -> None:
        """Remove every fault."""
        self.control("DELETE", "/faults")

    def charges(self, order_id: str) -> list[int]:
        """Return how often money was captured for an order, and what the provider still holds of it."""
        return list(self.control("GET", "/provider/charges_by_order").get(order_id, [0, 0]))

    def buy(self, price_minor: int = 1250, **basket: Any) -> str:
        """Buy in the shop (two of something); return the order's id."""
        lines = [{"sku": "MUG", "quantity": 2, "price_minor": price_minor}]
        placed = self.control("POST", "/shop/orders", {"lines": lines, "paid": True, **basket})
        return str(placed["order_id"])

    def payments(
        self,
        *,
        timeout: int = PATIENT,
        base: str | None = None,
        key: str = "sk_test_any",
        several_for: Collection[str] = (),
    ) -> StripePayments:
        url = base or f"{self.base}/stripe"
        made = StripePayments(api_base=url, api_key=key, timeout_seconds=timeout, several_for=several_for)
        return self._kept(made)

    def shop(self, *, timeout: int = PATIENT, base: str | None = None, token: str | None = None) -> ShopifyShop:
        url = base or f"{self.base}/shopify"
        return self._kept(ShopifyShop(api_base=url, access_token=token or "shpat_any", timeout_seconds=timeout))

    def warehouse(self, *, timeout: int = PATIENT, base: str | None = None, secret: str | None = None) -> Warehouse:
        own = self._running.stack.layout.credentials.warehouse_secret if secret is None else secret
        url = base or f"{self.base}/warehouse"
        return self._kept(Warehouse(api_base=url, secret=own, token="wh_any", timeout_seconds=timeout))

    def _kept(self, gateway: Gateway) -> Gateway:
        self._made.append(gateway)
        return gateway

    def mail(self, *, port: int | None = None) -> SmtpMail:
        own = self._running.stack.layout.ports["smtp"]
        return SmtpMail(host="127.0.0.1", port=own if port is None else port, sender="orders@shop.example")
