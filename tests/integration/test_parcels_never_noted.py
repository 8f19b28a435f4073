"""A parcel that the warehouse accepted and our books never noted: none leaves for an order whose money goes back."""

from itertools import count

import pytest

from tests.integration.leaving import ONE, half, left
from tests.integration.office import Office
from worker.contract.orders import PaymentMode
from worker.contract.shipping import ShipTo
from worker.domain.errors import DatabaseUnavailable, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState

_numbers = count(1)
MODES = [PaymentMode.CHARGE, PaymentMode.AUTHORISE]
HOME = ShipTo(recipient="Jane Doe", lines=("Dock 7",), city="Lille", country="FR")


@pytest.fixture
def order_id() -> str:
    return f"unheard-{next(_numbers)}"


def bring(office: Office, order_id: str, mode: PaymentMode) -> None:
    """Bring an order to where its parcel is asked for."""
    office.place(order_id, mode=mode, ship_to=HOME)
    office.authorise(order_id)
    if mode is PaymentMode.CHARGE:
        office.capture(order_id)


def accepted_and_forgotten(office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ask for the parcel and die before it is noted; return its id."""
    real = office.orders._warehouse.request

    def dead(_: object) -> None:
        raise DatabaseUnavailable("the worker died here")

    def request_and_die(**named: object) -> object:
        parcel = real(**named)  # type: ignore[arg-type]  # handed on as it came
        monkeypatch.setattr(office.database, "transact", dead)
        return parcel

    with monkeypatch.context() as patched:
        patched.setattr(office.orders._warehouse, "request", request_and_die)
        with pytest.raises(DatabaseUnavailable):
            office.fulfil(order_id)
    monkeypatch.undo()
    assert office.parcels_of(order_id) == []
    (parcel,) = at_the_warehouse(office, order_id)
    return str(parcel["id"])


def at_the_warehouse(office: Office, order_id: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")[
        "data"
    ]
    return found


def given_up(office: Office, order_id: str) -> OrderState:
    """End the order as its process does when it is ended early."""
    office.orders.stop_fulfilment("main", order_id)
    office.capture_shipped(order_id)
    if office.order(order_id).state is not OrderState.COMPLETED:
        office.reverse(order_id)
    return office.order(order_id).state


@pytest.mark.parametrize("mode", MODES)
def test_it_is_stopped_before_the_money_goes_back(
    office: Office, order_id: str, mode: PaymentMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(office, order_id, mode)
    parcel = accepted_and_forgotten(office, order_id, monkeypatch)
    assert given_up(office, order_id) is OrderState.CANCELLED
    assert [each["status"] for each in at_the_warehouse(office, order_id)] == ["cancelled"]
    assert office.outside.charges(order_id)[1] == 0
    (known,) = office.parcels_of(order_id)
    assert (known.shipment_id, known.state) == (parcel, ShipmentState.FAILED)


@pytest.mark.parametrize("mode", MODES)
def test_once_it_has_left_the_money_stays_and_the_order_is_completed(
    office: Office, order_id: str, mode: PaymentMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(office, order_id, mode)
    parcel = accepted_and_forgotten(office, order_id, monkeypatch)
    office.outside.control("POST", "/warehouse/ship", {"id": parcel})
    assert given_up(office, order_id) is OrderState.COMPLETED
    assert office.outside.charges(order_id)[1] == 2500
    assert office.booked(order_id) == [2500]
    (known,) = office.parcels_of(order_id)
    assert known.state is ShipmentState.SHIPPED


def test_nothing_is_given_back_while_the_warehouse_does_not_say_which_there_are(
    office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(office, order_id, PaymentMode.CHARGE)
    accepted_and_forgotten(office, order_id, monkeypatch)
    for kind in ("reset_before", "wrong_body"):
        office.outside.fault("GET /warehouse/v1/fulfilments", kind)
        with pytest.raises(ProviderUnavailable):
            office.orders.stop_fulfilment("main", order_id)
        office.outside.heal()
    assert given_up(office, order_id) is OrderState.CANCELLED
    assert [each["status"] for each in at_the_warehouse(office, order_id)] == ["cancelled"]


def test_the_rest_that_was_announced_in_a_word_nobody_heard_is_stopped_too(office: Office, order_id: str) -> None:
    bring(office, order_id, PaymentMode.CHARGE)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id, "lines": ONE})
    status = office.orders.stop_fulfilment("main", order_id)
    assert (status.state, status.fulfilment) == ("fulfilling", "partially_fulfilled")
    assert [each["status"] for each in at_the_warehouse(office, order_id)] == ["shipped", "cancelled"]


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_one_that_is_refused_under_another_address_does_not_leave_for_the_old_one(
    office: Office, order_id: str, mode: PaymentMode, monkeypatch: pytest.MonkeyPatch, *, left: bool
) -> None:
    bring(office, order_id, mode)
    parcel = accepted_and_forgotten(office, order_id, monkeypatch)
    if left:
        office.outside.control("POST", "/warehouse/ship", {"id": parcel})
    moved = ShipTo(recipient="Jane Doe", lines=("2nd floor",), city="Lille", country="FR")
    now = office.clock.now()
    office.database.transact(lambda tx: tx.shipping_addresses.save("main", order_id, "c1", moved, now))
    if left:
        office.fulfil(order_id)
        office.capture_shipped(order_id)
        assert office.order(order_id).state is OrderState.COMPLETED
    else:
        with pytest.raises(ProviderRejected):
            office.fulfil(order_id)
        assert [each["status"] for each in at_the_warehouse(office, order_id)] == ["cancelled"]


def test_a_parcel_that_the_warehouse_alone_gave_up_is_no_news(office: Office, order_id: str) -> None:
    bring(office, order_id, PaymentMode.CHARGE)
    office.outside.fault("POST /warehouse/v1/fulfilments", "reset_after")
    with pytest.raises(ProviderUnavailable):
        office.fulfil(order_id)
    (parcel,) = at_the_warehouse(office, order_id)
    office.outside.control("POST", "/warehouse/fail", {"id": parcel["id"]})
    assert given_up(office, order_id) is OrderState.CANCELLED
    assert office.parcels_of(order_id) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_rest_that_another_process_notes_while_the_order_is_stopped_does_not_leave(
    office: Office, order_id: str, mode: PaymentMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of a first parcel names its rest when that parcel is being stopped, and is taken in before it was found gone."""
    bring(office, order_id, mode)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    gone = half(office, parcel.shipment_id)
    real = office.orders._warehouse.cancel

    def told_first(shipment_id: str) -> ShipmentState:
        if not any(each.shipment_id == gone["rest"] for each in office.parcels_of(order_id)):
            assert left(office, order_id, gone) == "applied"
        return real(shipment_id)

    monkeypatch.setattr(office.orders._warehouse, "cancel", told_first)
    office.orders.stop_fulfilment("main", order_id)
    assert {each["id"]: each["status"] for each in at_the_warehouse(office, order_id)} == {
        parcel.shipment_id: "shipped",
        gone["rest"]: "cancelled",
    }
    assert {each.shipment_id: each.state for each in office.parcels_of(order_id)} == {
        parcel.shipment_id: ShipmentState.SHIPPED,
        gone["rest"]: ShipmentState.FAILED,
    }
