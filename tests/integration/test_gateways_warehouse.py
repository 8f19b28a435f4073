"""The warehouse's and the mail's gateways against the simulator: one parcel a key, whole lists, bounded patience."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.freeports import free_port
from tests.integration.outside_process import PATIENT, QUICK, OutsideProcess
from worker.contract.shipping import ShipTo
from worker.domain.errors import InvalidInput, NotFound, ProviderRejected, ProviderUnavailable, SourceUnreadable
from worker.domain.ledger import Shipment, ShipmentState
from worker.gateways import warehouse as gateway
from worker.gateways.warehouse import Warehouse
from worker.services.translation.warehouse import translate

ASK = "POST /warehouse/v1/fulfilments"
LIST = "GET /warehouse/v1/fulfilments"
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def world(outside_process: OutsideProcess) -> OutsideProcess:
    outside_process.begin_again()
    return outside_process


@pytest.fixture
def outside(world: OutsideProcess) -> Iterator[OutsideProcess]:
    yield world
    world.heal()


@pytest.fixture
def warehouse(outside: OutsideProcess) -> Warehouse:
    return outside.warehouse()


def ask(warehouse: Warehouse, order_id: str, *, sku: str = "MUG", key: str = "") -> Shipment:
    return warehouse.request(
        shop="main", order_id=order_id, lines=[(sku, 2), ("GIFT", 1)], idempotency_key=key or f"{order_id}:fulfil"
    )


def recent(warehouse: Warehouse, shop: str = "main") -> dict[str, Shipment]:
    now = datetime.now(UTC)
    found = list(warehouse.shipments(shop, now - MINUTE, now + MINUTE))
    assert len({parcel.shipment_id for parcel in found}) == len(found)
    return {parcel.shipment_id: parcel for parcel in found}


def test_a_parcel_is_asked_for_once(outside: OutsideProcess, warehouse: Warehouse, order_id: str) -> None:
    parcel = ask(warehouse, order_id)
    assert (parcel.order_id, parcel.state, parcel.shipped_at) == (order_id, ShipmentState.REQUESTED, None)
    assert parcel.requested_at.tzinfo is UTC
    assert ask(warehouse, order_id) == parcel
    (kept,) = outside.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")["data"]
    assert kept["id"] == parcel.shipment_id
    assert kept["lines"] == [{"sku": "MUG", "quantity": 2}, {"sku": "GIFT", "quantity": 1}]


def test_a_parcel_is_asked_for_with_its_address_which_no_list_repeats(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str
) -> None:
    ship_to = ShipTo(recipient="Jane Doe", lines=("Dock 7", "2nd floor"), city="Lille", country="FR")
    for _ in range(2):
        parcel = warehouse.request(
            shop="main", order_id=order_id, lines=[("MUG", 1)], idempotency_key=f"{order_id}:fulfil", ship_to=ship_to
        )
    ask(warehouse, order_id, key=f"{order_id}:again")
    sent = outside.control("GET", f"/warehouse/addresses?reference=main/{order_id}")["data"]
    assert sent == [{**asdict(ship_to), "lines": ["Dock 7", "2nd floor"]}, None]
    outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    assert "Jane" not in warehouse.shipment_document(parcel.shipment_id)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "wrong_body"])
def test_a_lost_answer_is_asked_for_again_and_sends_one_parcel(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str, kind: str
) -> None:
    quick = outside.warehouse(timeout=QUICK)
    outside.fault(ASK, kind, seconds=PATIENT)
    with pytest.raises(ProviderUnavailable):
        ask(quick, order_id)
    parcel = ask(warehouse, order_id)
    assert outside.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")["count"] == 1
    assert parcel.state is ShipmentState.REQUESTED


def test_a_key_for_another_parcel_is_refused_for_good(warehouse: Warehouse, order_id: str) -> None:
    ask(warehouse, order_id)
    with pytest.raises(ProviderRejected):
        ask(warehouse, f"{order_id}-b", key=f"{order_id}:fulfil")
    with pytest.raises(ProviderRejected):
        warehouse.request(shop="main", order_id=order_id, lines=[], idempotency_key="no lines")


def test_a_parcel_is_stopped_unless_it_has_left(outside: OutsideProcess, warehouse: Warehouse, order_id: str) -> None:
    waiting = ask(warehouse, order_id)
    assert [warehouse.cancel(waiting.shipment_id) for _ in range(2)] == [ShipmentState.FAILED] * 2
    gone = ask(warehouse, f"{order_id}-b")
    outside.control("POST", "/warehouse/ship", {"id": gone.shipment_id})
    assert [warehouse.cancel(gone.shipment_id) for _ in range(2)] == [ShipmentState.SHIPPED] * 2
    broken = ask(warehouse, f"{order_id}-c")
    outside.control("POST", "/warehouse/fail", {"id": broken.shipment_id})
    assert warehouse.cancel(broken.shipment_id) is ShipmentState.FAILED
    with pytest.raises(NotFound):
        warehouse.cancel("ful_unknown")


@pytest.mark.parametrize("page", [1, 2, 100])
def test_every_page_of_parcels_is_read(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(gateway, "PAGE", page)
    mine = {ask(warehouse, f"{order_id}-{page}-{n}").shipment_id for n in range(3)}
    other = warehouse.request(shop="main2", order_id=order_id, lines=[("A", 1)], idempotency_key=f"{order_id}:{page}")
    assert mine <= set(recent(warehouse))
    assert other.shipment_id not in recent(warehouse), "a shop whose name begins alike is another shop"
    assert other.shipment_id in recent(warehouse, "main2")


def test_a_list_is_half_open_and_tells_when_parcels_left(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str
) -> None:
    parcel = ask(warehouse, order_id)
    outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    shipped = recent(warehouse)[parcel.shipment_id]
    assert shipped.state is ShipmentState.SHIPPED
    assert shipped.shipped_at is not None
    assert shipped.shipped_at >= parcel.requested_at
    assert shipped.tracking
    at, tick = parcel.requested_at, timedelta(microseconds=1)
    assert shipped in list(warehouse.shipments("main", at, at + tick))
    assert shipped not in list(warehouse.shipments("main", at - tick, at))
    assert shipped not in list(warehouse.shipments("main", at + tick, at + MINUTE))


def test_the_document_of_a_parcel_translates_like_its_webhook(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str
) -> None:
    parcel = ask(warehouse, order_id)
    with pytest.raises(NotFound, match="accepted"):
        warehouse.shipment_document(parcel.shipment_id)
    outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    document = json.loads(warehouse.shipment_document(parcel.shipment_id))
    event = translate("main", document["type"], "evt", document, "repair").event
    assert event is not None
    assert (event.kind, event.reference) == ("shipped", parcel.shipment_id)
    failed = ask(warehouse, f"{order_id}-b")
    outside.control("POST", "/warehouse/fail", {"id": failed.shipment_id, "reason": "dropped"})
    document = json.loads(warehouse.shipment_document(failed.shipment_id))
    event = translate("main", document["type"], "evt", document, "repair").event
    assert event is not None
    assert (event.kind, event.detail) == ("shipment_failed", "dropped")
    with pytest.raises(NotFound):
        warehouse.shipment_document("../v1/fulfilments")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("reset_before", {}),
        ("wrong_body", {}),
        ("wrong_body", {"body": {"data": [{"reference": "main/1"}], "next_cursor": None}}),
        ("wrong_body", {"body": {"data": None, "next_cursor": None}}),
        ("wrong_body", {"body": {"data": []}}),
        *(("status", {"status": code}) for code in (400, 401, 404, 409, 429, 500)),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_no_list(
    outside: OutsideProcess,
    warehouse: Warehouse,
    order_id: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    more: dict[str, object],
) -> None:
    monkeypatch.setattr(gateway, "PAGE", 1)
    for number in range(2):
        ask(warehouse, f"{order_id}-{number}")
    outside.fault(LIST, kind, after=1, **more)
    with pytest.raises(SourceUnreadable):
        recent(warehouse)
    assert recent(warehouse)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
def test_trouble_that_passes_can_be_tried_again(
    outside: OutsideProcess, warehouse: Warehouse, order_id: str, status: int
) -> None:
    """Also refused credentials: a mistyped secret must not refund every order."""
    outside.fault(ASK, "status", status=status)
    with pytest.raises(ProviderUnavailable):
        ask(warehouse, order_id)
    assert ask(warehouse, order_id).state is ShipmentState.REQUESTED


def test_a_wrong_secret_can_be_mended(outside: OutsideProcess, order_id: str) -> None:
    with pytest.raises(ProviderUnavailable, match="401"):
        ask(outside.warehouse(secret="whsec_d3Jvbmc="), order_id)
    assert ask(outside.warehouse(), order_id).order_id == order_id


def test_nobody_there_is_unavailable(outside: OutsideProcess) -> None:
    nobody = outside.warehouse(base=f"http://127.0.0.1:{free_port()}", timeout=QUICK)
    for call in (lambda: ask(nobody, "1"), lambda: nobody.cancel("1"), lambda: nobody.shipment_document("1")):
        with pytest.raises(ProviderUnavailable):
            call()
    with pytest.raises(SourceUnreadable):
        recent(nobody)


def test_a_mail_arrives_with_the_id_it_was_given(outside: OutsideProcess, order_id: str) -> None:
    to = f"jo+{order_id}@shop.example"
    for _ in range(2):
        outside.mail().send(to=to, subject="Grüße", text="Schöne Grüße\nJo", message_id="<1@orders>")
    both = outside.control("GET", f"/mail?to={to.replace('+', '%2B')}")["data"]
    assert [mail["message_id"] for mail in both] == ["<1@orders>"] * 2, "readers fold what has the same id"
    assert (both[0]["subject"], both[0]["text"].split()) == ("Grüße", ["Schöne", "Grüße", "Jo"])
    assert both[0]["from"] == "orders@shop.example"


def test_a_relay_that_is_busy_or_gone_can_be_tried_again(outside: OutsideProcess) -> None:
    letter = {"to": "personal@shop.example", "subject": "s", "text": "t", "message_id": "<2@orders>"}
    outside.control("PUT", "/mail", {"refuse": 1})
    for mail in (outside.mail(), outside.mail(port=free_port())):
        with pytest.raises(ProviderUnavailable) as caught:
            mail.send(**letter)
        assert "personal" not in str(caught.value), "addresses stand in no error"
    outside.mail().send(**letter)


def test_an_address_cannot_write_headers(outside: OutsideProcess) -> None:
    with pytest.raises(InvalidInput):
        outside.mail().send(to="a@shop.example\nBcc: all@shop.example", subject="s", text="t", message_id="<3@orders>")
