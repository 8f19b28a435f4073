"""The whole local stack as a story sees it: buyers and senders in front, the books and the provider behind."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from temporalio.client import Client

from infra.local.blocking import BlockingStack
from infra.local.commandline import Finished
from infra.local.story.books import Books
from infra.local.story.world import World, until
from tests.pressure import Stopwatch
from worker.config import WorkerConfig
from worker.connections import reading
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.order import TERMINAL, Order, OrderState
from worker.services.ports import Database, InboxEntry, Transaction
from worker.temporal.client import connect
from worker.temporal.codec import converter_of


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the functions answered."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    seconds: float
    """How long it took, but for what this machine kept somebody waiting meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One test's hands and eyes on the shared stack."""

    stack: BlockingStack
    config: WorkerConfig
    world: World
    http: aiohttp.ClientSession
    database: Database
    client: Client
    harmed: set[str] = field(default_factory=set)
    """Orders that some test has harmed on purpose: only these may be open breaks."""

    @property
    def books(self) -> Books:
        return Books(self.database, self.client, self.config.shop.name)

    # ---- in front of the gateway --------------------------------------------------------------------------------

    async def post(
        self, path: str, document: Any = None, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST to the functions: JSON with the API key, or `body` with `headers` as they are."""
        sent = {"Authorization": f"Bearer {self.stack.api_key}"} if headers is None else dict(headers)
        content = json.dumps(document).encode() if body is None else body
        watch = Stopwatch()
        url = f"{self.stack.url('functions')}{path}"
        async with self.http.post(url, data=content, headers={"Content-Type": "application/json", **sent}) as answer:
            text = await answer.text()
            return Answer(
                status=answer.status,
                headers=dict(answer.headers),
                body=json.loads(text) if text else {},
                seconds=watch.seconds,
            )

    async def taken(
        self, path: str, document: Any = None, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST as every sender does: 503 means once more, for a busy machine may be too slow for the deadline.

        What was recorded just after its deadline is then known: 200 instead of 202.
        """
        answers: list[Answer] = []

        async def answered() -> bool:
            answers.append(await self.post(path, document, body=body, headers=headers))
            return answers[-1].status != 503

        await until(f"{path} to be taken", answered, 60)
        return answers[-1]

    async def order(self, **changes: Any) -> str:
        """Place an order through the API and return its id."""
        document = api_order(**changes)
        answer = await self.taken("/orders", document)
        assert answer.status in {200, 202}, answer
        return str(document["order_id"])

    async def buy(self, *, paid: bool = True, charge: bool = True, sku: str = "MUG-BLUE") -> str:
        """Buy in the simulated shop; its webhooks bring the order to us."""
        basket = {
            "lines": [{"sku": sku, "quantity": 2, "price_minor": 1290}],
            "currency": "EUR",
            "paid": paid,
            "charge": charge,
        }
        return str((await self.world.control("POST", "/shop/orders", basket))["order_id"])

    async def shop_document(self, order_id: str) -> bytes:
        """Return the order as the shop's own API shows it, which is also what its webhooks carry."""
        url = f"{self.stack.url('simulator')}/shopify/admin/api/2026-10/orders/{order_id}.json"
        token = self.config.shop.access_token.reveal()
        async with self.http.get(url, headers={"X-Shopify-Access-Token": token}) as answer:
            assert answer.status == 200, await answer.text()
            return json.dumps((await answer.json())["order"]).encode()

    # ---- our books ----------------------------------------------------------------------------------------------

    def read(self, order_id: str) -> Order | None:
        """Return the order as our books hold it."""
        return self.database.transact(lambda tx: tx.orders.get(self.config.shop.name, order_id))

    def inbox(self, event_id: str) -> list[InboxEntry]:
        """Return the rows of the inbox that hold an event."""
        found = self.database.transact(lambda tx: tx.inbox.recent(source=None, outcome=None, limit=100_000))
        return [entry for entry in found if entry.event_id == event_id]

    async def filed(self, event_id: str) -> str:
        """Wait until an event was dealt with and return what became of it."""
        outcome = ""

        async def done() -> bool:
            nonlocal outcome
            outcome = next((entry.outcome for entry in self.inbox(event_id)), "received")
            return outcome != "received"

        await until(f"event {event_id} to be filed", done, 60)
        return outcome

    async def runs(self, workflow_id: str) -> int:
        """Return how many runs a workflow id has had, once the server's list knows of the first."""
        found = 0

        async def listed() -> bool:
            nonlocal found
            found = (await self.client.count_workflows(f"WorkflowId = '{workflow_id}'")).count
            return found > 0

        await until(f"{workflow_id} to be listed", listed, 60)
        return found

    async def comes_to(self, order_id: str, *states: OrderState, seconds: float = 60) -> Order:
        """Wait until the order stands in one of `states` and return it; fail at once when it ends elsewhere."""
        wanted = set(states)
        seen: list[Order] = []

        async def there() -> bool:
            order = self.read(order_id)
            if order is None:
                return False
            seen[:] = [order]
            if order.state in TERMINAL and order.state not in wanted:
                raise AssertionError(f"{order_id} ended {order.state}: {order.state_reason}")
            return order.state in wanted

        try:
            await until(f"order {order_id} to be {', '.join(states)}", there, seconds)
        except TimeoutError as problem:
            raise AssertionError(f"{problem}; it is {seen[0].state if seen else 'unknown'}") from None
        return seen[0]

    async def completes(self, *order_ids: str, seconds: float = 60) -> list[Order]:
        """Wait until the orders are completed."""
        waits = (self.comes_to(order_id, OrderState.COMPLETED, seconds=seconds) for order_id in order_ids)
        return list(await asyncio.gather(*waits))

    async def closed(self, order_id: str) -> str:
        """Wait until the order's workflow has ended and return how."""
        handle = self.client.get_workflow_handle(f"order/{self.config.shop.name}/{order_id}")
        names: list[str] = []

        async def ended() -> bool:
            status = (await handle.describe()).status
            names[:] = [status.name if status else ""]
            return names != ["RUNNING"]

        await until(f"the workflow of {order_id} to end", ended, 60)
        return names[0]

    # ---- the provider, the senders, time -------------------------------------------------------------------------

    async def ledger(self, order_id: str) -> dict[str, Any]:
        """Return everything the provider's ledger holds of an order."""
        found: dict[str, Any] = await self.world.control("GET", f"/provider/ledger?order_id={order_id}")
        return found

    async def charged(self, order_id: str) -> tuple[int, int]:
        """Return how many captured charges the provider holds for an order, and what it kept of them."""
        found = await self.ledger(order_id)
        return found["captured_count"], found["net_minor"]

    async def events(self) -> dict[tuple[str, str], str]:
        """Return the newest event id of each (source, topic) that the senders had something to tell about."""
        found = (await self.world.control("GET", "/webhooks/deliveries"))["data"]
        return {(item["source"], item["topic"]): item["event_id"] for item in found}

    async def all_delivered(self) -> None:
        """Wait until no sender has anything left to send."""

        async def quiet() -> bool:
            return (await self.world.deliveries()).get("pending", 0) == 0

        await until("all webhooks to be delivered", quiet, 60)

    # ---- reconciliation and the command line -----------------------------------------------------------------------

    async def cli(self, *arguments: str, status: int = 0) -> Finished:
        """Run the command line; its exit code must be `status`."""
        done = await asyncio.to_thread(self.stack.cli, *arguments)
        assert done.status == status, f"{arguments}: exit {done.status}\n{done.out}\n{done.err}"
        return done

    async def json(self, *arguments: str, status: int = 0) -> Any:
        """Run the command line with --json and return what it printed."""
        return json.loads((await self.cli(*arguments, "--json", status=status)).out)

    async def graces_over(self) -> None:
        """Wait until what has happened so far is older than its grace: until then a difference is no break."""
        graces = self.config.reconciliation
        longest = max(graces.payment_grace_seconds, graces.order_grace_seconds)
        await passed(datetime.now(UTC) + timedelta(seconds=longest + 1))  # a window ends at a whole second

    async def result(self, workflow_id: str) -> ReconciliationResult:
        """Wait for a reconciliation's result."""
        handle = self.client.get_workflow_handle(workflow_id, result_type=ReconciliationResult)
        return await asyncio.wait_for(handle.result(), 60)

    def transact(self, work: Callable[[Transaction], Any]) -> Any:
        """Read something else from our books."""
        return self.database.transact(work)


def fresh(prefix: str = "E") -> str:
    """Return an order id that nobody has used."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def api_order(**changes: Any) -> dict[str, Any]:
    """Return the body of POST /orders for one article that we charge ourselves."""
    quantity, price = changes.pop("quantity", 3), changes.pop("price", 1111)
    line = {"sku": changes.pop("sku", "MUG-BLUE"), "quantity": quantity, "unit_price_minor": price}
    return {
        "order_id": fresh(),
        "currency": "EUR",
        "total_minor": quantity * price,
        "customer_id": "customer-e2e",
        "payment_mode": "charge",
        "payment_method": "pm_card_visa",
        "lines": [line],
    } | changes


@asynccontextmanager
async def opened(stack: BlockingStack, config: WorkerConfig, harmed: set[str]) -> AsyncIterator[Scene]:
    """Give a scene in this event loop; what a test spoils outside is mended afterwards."""
    client = await connect(config.temporal, converter_of(config.encryption))
    async with World(stack.stack) as world, aiohttp.ClientSession() as http:
        with reading(config) as database:
            yield Scene(
                stack=stack, config=config, world=world, http=http, database=database, client=client, harmed=harmed
            )
        await world.control("DELETE", "/faults")
        await world.control("DELETE", "/webhooks/faults")
        await world.control("POST", "/webhooks/release", {})
        await world.control("PUT", "/warehouse", {"ship_after_seconds": 0})


async def passed(moment: datetime) -> None:
    """Wait until a moment is over: graces are real time."""
    await asyncio.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))
