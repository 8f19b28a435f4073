"""Orders that leave in parts, as tests of the office let them: by a policy, piece by piece, and closed."""

from collections.abc import Callable

from tests.integration.office import Office
from worker.contract.orders import OrderEvent, OrderEventKind, ParcelLine, PaymentMode
from worker.domain.capture import CapturePolicy
from worker.domain.order import OrderState
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.remainder import Remainder
from worker.services.reversal import nothing

ONE = [{"sku": "MUG", "quantity": 1}]
"""Half of the office's order of 2500 for two mugs."""


def by(office: Office, policy: CapturePolicy) -> None:
    """Let the shop capture by a policy."""
    payments = office.outside.payments(several_for=["main"] if policy is CapturePolicy.EACH_PARCEL else [])
    office.orders._payments = payments
    office.shipped = CaptureOnShipment(office.database, payments, office.clock, {"main": policy})
    office.remainder = Remainder(office.database, payments, office.books, office.shipped, office.clock)


def held(office: Office, order_id: str) -> str:
    """Place an order whose money is held, and ask for its parcel; return the parcel's id."""
    office.place(order_id, mode=PaymentMode.AUTHORISE)
    assert office.authorise(order_id).state == OrderState.AUTHORISED
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    return parcel.shipment_id


def left(office: Office, order_id: str, document: dict[str, object]) -> str:
    """Tell the order of a parcel as the warehouse's event would; return the outcome."""
    lines = document["lines"]
    assert isinstance(lines, list)
    event = OrderEvent(
        event_id=f"shipped-{document['id']}",
        kind=OrderEventKind.SHIPPED,
        occurred_at=str(document["shipped_at"]),
        reference=str(document["id"]),
        contents=tuple(ParcelLine(quantity=line["quantity"], sku=line["sku"]) for line in lines),
        rest=str(document.get("rest") or ""),
    )
    return office.orders.apply("main", order_id, event).answer.outcome


def half(office: Office, parcel: str) -> dict[str, object]:
    """Let one of the two mugs leave."""
    found: dict[str, object] = office.outside.control("POST", "/warehouse/ship", {"id": parcel, "lines": ONE})
    return found


def rest(office: Office, first: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = office.outside.control("POST", "/warehouse/ship", {"id": first["rest"], "lines": ONE})
    return found


def close(
    office: Office, order_id: str, to: OrderState = OrderState.COMPLETED, stop: Callable[[], object] = nothing
) -> OrderState:
    """Close the rest; what `stop` does not stop leaves all the same."""
    key = f"order/main/{order_id}:rest"
    status = office.remainder.close("main", order_id, to=to, reason="cancelled", key=key, stop=stop)
    assert status is not None
    return OrderState(status.state)
