"""The activity that ends an order which waits for a person."""

from temporalio import activity

from worker.contract.orders import OrderAnswer, ResolveOrder
from worker.services.resolution import Resolution


class ResolutionActivities:
    """One step, which may be repeated."""

    def __init__(self, resolution: Resolution) -> None:
        self._resolution = resolution

    @activity.defn
    def resolve_order(self, request: ResolveOrder) -> OrderAnswer:
        """Ask the provider, book its word, and end the order as its goods and money say."""
        return self._resolution.resolve(request)
