"""When an order may get another shipping address: as long as no warehouse was asked for its parcel.

Afterwards it may not. A warehouse is asked for a parcel, and to stop one, but knows no change of one; to stop it and to
ask anew would race the van, and two parcels could leave for one order. Who wants it elsewhere cancels the order, which
stops the parcel, and places another. A parcel that was stopped because its money lapsed is asked for anew once the
order is paid: until then the address may change.

Of an order that leaves in several parcels the rest stays where it was asked for, too, once the first has left: the warehouse
holds one request and splits it as it packs, so what waits has no request of its own that could be stopped and asked anew,
and parts of one order at two addresses are nothing that a customer would expect of one change. Who wants the rest elsewhere
cancels the order: its rest is stopped and given back, and ordered anew.
"""

from worker.domain.errors import Conflict
from worker.domain.order import TERMINAL, OrderState

WITH_THE_WAREHOUSE = frozenset({OrderState.FULFILLING, OrderState.SHIPPED})
TOO_LATE = TERMINAL | WITH_THE_WAREHOUSE | {OrderState.REFUNDING}
ASKED_FOR = "the warehouse has been asked for the parcel: cancel the order, or let it arrive"


def check(state: OrderState, *, asked_for: bool) -> None:
    """Raise Conflict when the address can no longer be changed; `asked_for` says that a warehouse has the parcel."""
    if state in TOO_LATE - WITH_THE_WAREHOUSE:
        raise Conflict(f"the order is {state}: nothing will be shipped for it")
    if asked_for or state in WITH_THE_WAREHOUSE:
        raise Conflict(ASKED_FOR)
