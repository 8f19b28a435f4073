"""A walk: a script lived through on the running shop, and what must be true of it at the end.

The walk remembers what it did and nothing else: which orders were accepted, and which books it tampered with. At the
end every order must be in our books and over, charged once, paid back where it did not ship, and the open breaks of
its orders must be those it has caused, each with its class and amounts.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from infra.local.story.shelf import FAILING_SKU
from tests.chaos.script import Step
from tests.e2e.scene import Answer, Scene, api_order
from worker.domain.finding import FindingKind, Leg
from worker.domain.order import OrderState

PATIENCE = 90
"""Seconds for which a client repeats a request that was not answered clearly."""
_UNCLEAR = frozenset({429, 500, 502, 503, 504})


@dataclass(kw_only=True)
class Sold:
    """One order that was accepted, and what was done to it."""

    order_id: str
    total: int
    currency: str
    document: dict[str, Any] = field(default_factory=dict)
    """What was posted; empty for orders that were bought in the shop."""
    declined: bool = False
    cancelled: bool = False
    touched: bool = False
    """Refunded or cancelled by a client, whatever came of it: not to be tampered with."""


@dataclass(frozen=True, kw_only=True)
class Harm:
    """What one act of tampering must be found as."""

    leg: Leg
    kind: FindingKind
    ours: int
    theirs: int


@dataclass(kw_only=True)
class Walk:
    """One walk on a stage that other walks may share; `stopping` keeps them from stopping a part at the same time."""

    scene: Scene
    stopping: asyncio.Lock
    sold: dict[str, Sold] = field(default_factory=dict)
    harm: dict[str, Harm] = field(default_factory=dict)
    """By order id: an order is tampered with at most once."""
    runs: list[str] = field(default_factory=list)
    """Workflow ids of the reconciliations it asked for."""
    faults: int = 0
    log: list[str] = field(default_factory=list)

    async def through(self, steps: list[Step]) -> None:
        """Live through a script."""
        for step in steps:
            act: Callable[..., Awaitable[str]] = getattr(self, step.name)
            self.log.append(f"{step.name} {step.wish}: {await act(**step.wish)}")

    # ---- orders -----------------------------------------------------------------------------------------------------

    async def order(self, currency: str, quantity: int, price: int, **changes: Any) -> str:
        order_id = f"W-{uuid.uuid4().hex[:12]}"
        document = api_order(order_id=order_id, currency=currency, quantity=quantity, price=price, **changes)
        answer = await self._asked("/orders", document)
        assert answer.status in {200, 202}, (answer.status, answer.body)
        self.sold[order_id] = Sold(
            order_id=order_id, total=quantity * price, currency=currency, document=document, touched=bool(changes)
        )
        return order_id

    async def decline(self, **wish: Any) -> str:
        order_id = await self.order(**wish, payment_method="pm_card_chargeDeclinedInsufficientFunds")
        self.sold[order_id].declined = True
        return order_id

    async def hold(self, **wish: Any) -> str:
        """Place an order whose money is held until its parcel has left."""
        order_id = await self.order(**wish, payment_mode="authorise")
        self.sold[order_id].touched = False
        return order_id

    async def unshippable(self, **wish: Any) -> str:
        return await self.order(**wish, sku=FAILING_SKU)

    async def buy(self, currency: str, quantity: int, price: int) -> str:
        basket = {
            "lines": [{"sku": "MUG-BLUE", "quantity": quantity, "price_minor": price}],
            "currency": currency,
            "paid": True,
            "charge": True,
        }
        order_id = str((await self.scene.world.control("POST", "/shop/orders", basket))["order_id"])
        self.sold[order_id] = Sold(order_id=order_id, total=quantity * price, currency=currency)
        return order_id

    async def repeat(self, which: int) -> str:
        """Send an order again, as a client does that heard no answer."""
        posted = self._one(which, lambda sold: bool(sold.document))
        if posted is None:
            return "nothing to repeat"
        answer = await self._asked("/orders", posted.document)
        assert answer.status in {200, 202}, (answer.status, answer.body)
        return posted.order_id

    async def cancel(self, which: int) -> str:
        victim = self._one(which, lambda sold: bool(sold.document) and not sold.touched)
        if victim is None:
            return "nothing to cancel"
        victim.touched = True
        answer = await self._asked(f"/orders/{victim.order_id}/cancel", {"request_id": "walk", "reason": "walked"})
        victim.cancelled = answer.status == 202 and answer.body.get("outcome") == "applied"
        return f"{victim.order_id} {answer.status} {answer.body.get('outcome', answer.body.get('code'))}"

    async def refund(self, which: int, share: int) -> str:
        victim = self._one(which, lambda sold: bool(sold.document))
        if victim is None:
            return "nothing to refund"
        victim.touched = True
        amount = max(victim.total * share // 100 // 10, 1) * 10
        wish = {"request_id": f"walk-{len(self.log)}", "amount_minor": min(amount, victim.total)}
        answer = await self._asked(f"/orders/{victim.order_id}/refund", wish)
        return f"{victim.order_id} {answer.status} {answer.body.get('code', '')}"

    # ---- what goes wrong ----------------------------------------------------------------------------------------------

    async def spoil_webhook(self, **rule: Any) -> str:
        self.faults += 1
        await self.scene.world.control("PUT", "/webhooks/faults", rule)
        return "set"

    async def spoil_call(self, **rule: Any) -> str:
        self.faults += 1
        await self.scene.world.control("PUT", "/faults", rule)
        return "set"

    async def kill_worker(self, which: int) -> str:
        return await self._stopped("worker", self.scene.stack.kill, which)

    async def restart_worker(self, which: int) -> str:
        return await self._stopped("worker", self.scene.stack.stop, which)

    async def kill_database(self, which: int) -> str:
        return await self._stopped("mariadb", self.scene.stack.kill, which)

    async def kill_functions(self, which: int) -> str:
        return await self._stopped("functions", self.scene.stack.kill, which)

    async def freeze_temporal(self, which: int) -> str:
        async with self.stopping:
            self.faults += 1
            await asyncio.to_thread(self.scene.stack.pause, "temporal")
            await asyncio.sleep(which % 20 / 10)
            await asyncio.to_thread(self.scene.stack.resume, "temporal")
        return "thawed"

    async def _stopped(self, member: str, how: Callable[[str], Any], which: int) -> str:
        async with self.stopping:
            self.faults += 1
            await asyncio.to_thread(how, member)
            await asyncio.sleep(which % 10 / 10)
            await asyncio.to_thread(self.scene.stack.start, member)
        return "up again"

    async def wait(self, tenths: int) -> str:
        await asyncio.sleep(tenths / 10)
        return ""

    # ---- tampering ------------------------------------------------------------------------------------------------------

    async def tamper_provider(self, which: int, action: str) -> str:
        victim = self._completed(which, lambda _: True)
        if victim is None:
            return "nobody to harm"
        total = victim.total
        amounts = {"change_amount": total - 10, "refund_silently": 10}
        wish: dict[str, Any] = {"action": action, "order_id": victim.order_id}
        wish |= {"amount": amounts[action]} if action in amounts else {}
        kind, theirs = {
            "drop_charge": (FindingKind.MISSING_EXTERNAL, 0),
            "change_amount": (FindingKind.AMOUNT_UNDER, total - 10),
            "refund_silently": (FindingKind.REFUND_EXCEEDS, total - 10),
            "charge_twice": (FindingKind.DUPLICATE_EXTERNAL, 2 * total),
        }[action]
        self._harmed(victim.order_id, Harm(leg=Leg.PAYMENTS, kind=kind, ours=total, theirs=theirs))
        await self.scene.world.control("POST", "/provider/tamper", wish)
        return victim.order_id

    @property
    def lasting(self) -> dict[str, Harm]:
        """The harm that no repair can undo; a refund that nobody told of is booked, since the provider did make it."""
        return {name: harm for name, harm in self.harm.items() if harm.kind is not FindingKind.REFUND_EXCEEDS}

    async def tamper_shop(self, which: int) -> str:
        victim = self._completed(which, lambda sold: not sold.document)
        if victim is None:
            return "nobody to harm"
        total = victim.total
        self._harmed(
            victim.order_id, Harm(leg=Leg.ORDERS, kind=FindingKind.AMOUNT_OVER, ours=total, theirs=total + 100)
        )
        wish = {"action": "change_total", "order_id": victim.order_id, "amount": total + 100}
        await self.scene.world.control("POST", "/shop/tamper", wish)
        return victim.order_id

    async def tamper_warehouse(self, which: int, action: str) -> str:
        if action == "ship_without_order":
            order_id = f"stranger-{uuid.uuid4().hex[:10]}"
            harm = Harm(leg=Leg.SHIPMENTS, kind=FindingKind.MISSING_INTERNAL, ours=0, theirs=0)
        elif action == "ship_unpaid":
            refused = self._one(which, lambda sold: sold.declined)
            if refused is None or (order := self.scene.read(refused.order_id)) is None:
                return "nobody to harm"
            if order.state is not OrderState.DECLINED:
                return "not declined yet"
            order_id = refused.order_id
            harm = Harm(leg=Leg.SHIPMENTS, kind=FindingKind.SHIPPED_UNPAID, ours=0, theirs=refused.total)
        else:
            victim = self._completed(which, lambda _: True)
            if victim is None:
                return "nobody to harm"
            order_id = victim.order_id
            harm = Harm(leg=Leg.SHIPMENTS, kind=FindingKind.MISSING_EXTERNAL, ours=victim.total, theirs=0)
        self._harmed(order_id, harm)
        await self.scene.world.control("POST", "/warehouse/tamper", {"action": action, "reference": f"main/{order_id}"})
        return order_id

    def _harmed(self, order_id: str, harm: Harm) -> None:
        self.faults += 1
        self.harm[order_id] = harm
        self.scene.harmed.add(order_id)

    # ---- reconciliation -----------------------------------------------------------------------------------------------

    async def reconcile(self, times: int) -> str:
        """Ask for runs with repair while everything goes on; nobody waits for them here."""
        from tests.chaos.ending import window  # noqa: PLC0415 - the ending looks back on walks

        for _ in range(times):
            wish = {"provider": "stripe", "window": window(), "repair": True}
            answer = await self._asked("/reconciliations", wish)
            assert answer.status in {200, 202}, (answer.status, answer.body)
            self.runs.append(str(answer.body["workflow_id"]))
        return ", ".join(self.runs[-times:])

    # ---- hands ------------------------------------------------------------------------------------------------------------

    async def _asked(self, path: str, document: dict[str, Any]) -> Answer:
        """Ask as a decent client does: again, with the same body, until there is a clear answer."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    answer = await self.scene.post(path, document)
                except (aiohttp.ClientError, TimeoutError, OSError):
                    await asyncio.sleep(0.3)
                    continue
                if answer.status not in _UNCLEAR:
                    return answer
                await asyncio.sleep(0.3)

    def _one(self, which: int, fits: Callable[[Sold], bool]) -> Sold | None:
        """Return the order that a step means, of those that fit and are not tampered with."""
        fitting = [sold for sold in self.sold.values() if sold.order_id not in self.harm and fits(sold)]
        return fitting[which % len(fitting)] if fitting else None

    def _completed(self, which: int, fits: Callable[[Sold], bool]) -> Sold | None:
        """Return a completed order that nobody asked to give money back for."""
        try:
            found = self._one(which, lambda sold: not sold.touched and fits(sold) and self._is_completed(sold.order_id))
        except Exception:  # the database may be down on purpose
            return None
        return found

    def _is_completed(self, order_id: str) -> bool:
        order = self.scene.read(order_id)
        return order is not None and order.state is OrderState.COMPLETED
