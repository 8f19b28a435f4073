"""The demo's view of the books: our database, the running workflows, and the provider's own count of charges."""

from collections import Counter

from temporalio.client import Client

from infra.local.story.world import World
from worker.contract.names import WorkflowType
from worker.domain.finding import Break
from worker.domain.order import TERMINAL, Order, OrderState
from worker.services.ports import Database, Run


class Books:
    """Reads what the system recorded."""

    def __init__(self, database: Database, client: Client, shop: str) -> None:
        self._database = database
        self._client = client
        self._shop = shop

    def orders(self) -> dict[str, Order]:
        """Return every order in our books, by id."""
        found = self._database.transact(lambda tx: tx.orders.recent(self._shop, state=None, limit=100_000))
        return {order.order_id: order for order in found}

    def settled(self, order_ids: list[str], *, waiting: frozenset[OrderState] = frozenset()) -> bool:
        """Tell whether all these orders are in our books and over (or in one of the `waiting` states)."""
        orders = self.orders()
        done = TERMINAL | waiting
        return all(order_id in orders and orders[order_id].state in done for order_id in order_ids)

    def states(self) -> Counter[str]:
        """Return how many orders stand in each state."""
        return Counter(str(order.state) for order in self.orders().values())

    def run(self, run_id: str) -> Run:
        """Return a stored run."""
        found = self._database.transact(lambda tx: tx.runs.get(run_id))
        assert found is not None
        return found

    def breaks(self, status: str) -> list[Break]:
        """Return breaks of a status (`open`, `resolved`)."""
        return self._database.transact(lambda tx: tx.breaks.listed(self._shop, status=status, limit=1000))

    def inbox(self, outcome: str | None = None) -> int:
        """Return how many events were received, optionally of one outcome."""
        return len(self._database.transact(lambda tx: tx.inbox.recent(source=None, outcome=outcome, limit=100_000)))

    async def runs_of_events(self) -> tuple[int, int]:
        """Return how many event workflows ran, and how many distinct events they had."""
        ids = [
            found.id async for found in self._client.list_workflows(f"WorkflowType = '{WorkflowType.PROVIDER_EVENT}'")
        ]
        return len(ids), len(set(ids))


async def charged_more_than_once(world: World) -> list[str]:
    """Return the orders for which the provider holds more than one captured charge."""
    return sorted(order for order, (charges, _) in (await world.charges_by_order()).items() if charges > 1)
