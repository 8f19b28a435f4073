"""The shop's gateway against the simulated shop: whole lists or an error, exact ids, money by its decimals."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.freeports import free_port
from tests.integration.outside_process import PATIENT, QUICK, OutsideProcess
from worker.domain.errors import NotFound, ProviderRejected, ProviderUnavailable, SourceUnreadable
from worker.domain.ledger import ShopOrder
from worker.gateways import shopify
from worker.gateways.shopify import ShopifyShop
from worker.services.translation.shopify import translate

LIST = "GET /shopify/admin/api/*/orders.json"
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
def shop(outside: OutsideProcess) -> ShopifyShop:
    return outside.shop()


def recent(shop: ShopifyShop, *, start: datetime | None = None, end: datetime | None = None) -> dict[str, ShopOrder]:
    now = datetime.now(UTC)
    found = list(shop.orders(start or now - MINUTE, end or now + MINUTE))
    assert len({order.order_id for order in found}) == len(found), "no order twice"
    return {order.order_id: order for order in found}


@pytest.mark.parametrize("page", [1, 3, 250])
def test_every_page_is_read(
    outside: OutsideProcess, shop: ShopifyShop, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(shopify, "PAGE", page)
    bought = {outside.buy(charge=False) for _ in range(4)}
    assert bought <= set(recent(shop))


def test_orders_read_as_they_stand(outside: OutsideProcess, shop: ShopifyShop) -> None:
    paid = outside.buy(1250)
    unpaid = outside.buy(700, paid=False)
    yen = outside.buy(500, currency="JPY", paid=False)
    cancelled = outside.buy(100)
    outside.control("POST", f"/shop/orders/{cancelled}/cancel", {"refund": True})
    found = recent(shop)
    assert (found[paid].total_minor, found[paid].currency, found[paid].paid) == (2500, "EUR", True)
    assert (found[unpaid].total_minor, found[unpaid].paid, found[unpaid].cancelled) == (1400, False, False)
    assert (found[yen].total_minor, found[yen].currency) == (1000, "JPY")
    assert (found[cancelled].paid, found[cancelled].cancelled) == (True, True), "refunded means it had been paid"
    assert all(int(order_id) > 2**53 for order_id in (paid, unpaid, yen))
    assert all(order.created_at.tzinfo is UTC for order in found.values())


def test_an_order_changed_in_the_window_is_in_it_and_one_created_after_is_not(
    outside: OutsideProcess, shop: ShopifyShop
) -> None:
    outside.buy(charge=False)
    order_id = outside.buy(paid=False)
    outside.control("POST", "/clock/advance", {"seconds": 7200})
    later = datetime.now(UTC) + timedelta(seconds=7200)
    assert order_id not in recent(shop, start=later - MINUTE, end=later + MINUTE)
    outside.control("POST", f"/shop/orders/{order_id}/pay", {"charge": False})
    assert recent(shop, start=later - MINUTE, end=later + MINUTE)[order_id].paid
    assert order_id in recent(shop, start=later - 3 * timedelta(hours=1), end=later)
    assert order_id not in recent(shop, start=later - 9 * timedelta(hours=1), end=later - 5 * timedelta(hours=1))


def test_collected_money_names_the_providers_payment(outside: OutsideProcess, shop: ShopifyShop) -> None:
    order_id = outside.buy(1250)
    (paid,) = shop.payments(order_id)
    assert (paid.amount_minor, paid.currency) == (2500, "EUR")
    provider = outside.payments().retrieve(paid.reference)
    assert (provider.captured_minor, provider.amount_minor) == (2500, 2500)
    assert shop.payments(outside.buy(paid=False)) == []
    assert shop.payments(outside.buy(charge=False)) == [], "paid at the counter: no provider's reference"
    declined = outside.buy(payment_method="pm_card_chargeDeclined")
    assert shop.payments(declined) == []


def test_a_refund_is_no_payment(outside: OutsideProcess, shop: ShopifyShop) -> None:
    order_id = outside.buy(1250)
    outside.control("POST", f"/shop/orders/{order_id}/refund", {"amount": 300})
    assert [paid.amount_minor for paid in shop.payments(order_id)] == [2500]


def test_the_document_of_an_order_translates_like_its_webhook(outside: OutsideProcess, shop: ShopifyShop) -> None:
    order_id = outside.buy(1250, shipping_minor=490, discount_minor=200)
    document = shop.order_document(order_id)
    route = translate("main", "orders/create", "evt", json.loads(document), "repair")
    assert route.place is not None
    assert (route.order_id, route.place.total_minor) == (order_id, 2790)


@pytest.mark.parametrize("order_id", ["1", "no-such-order", "x#y", "../shop", "a?b=c"])
def test_unknown_orders_are_not_found_whatever_their_id_looks_like(shop: ShopifyShop, order_id: str) -> None:
    with pytest.raises(NotFound):
        shop.order_document(order_id)
    with pytest.raises(NotFound):
        shop.payments(order_id)


def test_an_id_cannot_lead_to_another_order(outside: OutsideProcess, shop: ShopifyShop) -> None:
    order_id = outside.buy(1250)
    for crooked in (f"{order_id}#x", f"{order_id}.json#", f"{order_id}?fields=id"):
        with pytest.raises(NotFound):
            shop.payments(crooked)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("reset_before", {}),
        ("wrong_body", {}),
        ("wrong_body", {"body": {"something": "else"}}),
        ("wrong_body", {"body": {"orders": [{"id": 1}]}}),
        ("wrong_body", {"body": {"orders": ["x"]}}),
        ("wrong_body", {"body": {"orders": None}}),
        *(("status", {"status": code}) for code in (302, 400, 401, 404, 409, 429, 500)),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_no_list(
    outside: OutsideProcess, shop: ShopifyShop, monkeypatch: pytest.MonkeyPatch, kind: str, more: dict[str, object]
) -> None:
    monkeypatch.setattr(shopify, "PAGE", 1)
    for _ in range(2):
        outside.buy(charge=False)
    outside.fault(LIST, kind, after=1, **more)
    with pytest.raises(SourceUnreadable):
        recent(shop)
    assert recent(shop)


@pytest.mark.parametrize(
    "changes",
    [
        {"total_price": "1,5"},
        {"total_price": None},
        {"total_price": 7.5},
        {"currency": None},
        {"created_at": "yesterday"},
        {"created_at": None},
    ],
)
def test_one_unreadable_order_makes_the_list_unreadable(
    outside: OutsideProcess, shop: ShopifyShop, changes: dict[str, object]
) -> None:
    sound = {
        "id": 1,
        "total_price": "1.00",
        "currency": "EUR",
        "financial_status": "paid",
        "cancelled_at": None,
        "created_at": "2026-11-22T17:00:00+01:00",
        "updated_at": "2026-11-22T17:00:05+01:00",
    }
    outside.fault(LIST, "wrong_body", body={"orders": [sound]})
    (order,) = recent(shop).values()
    assert order.created_at == datetime(2026, 11, 22, 16, tzinfo=UTC)
    outside.fault(LIST, "wrong_body", body={"orders": [{**sound, **changes}]})
    with pytest.raises(SourceUnreadable):
        recent(shop)


@pytest.mark.parametrize(
    "body",
    [
        {"transactions": [{"kind": "sale"}]},
        {"transactions": [{"kind": "sale", "status": "success", "authorization": "pi_1", "amount": "1"}]},
        {"transactions": ["x"]},
        {},
        [],
    ],
)
def test_transactions_of_another_shape_are_refused(outside: OutsideProcess, shop: ShopifyShop, body: object) -> None:
    order_id = outside.buy(paid=False)
    outside.fault("GET /shopify/admin/api/*/transactions.json", "wrong_body", body=body)
    with pytest.raises(ProviderRejected, match="another shape"):
        shop.payments(order_id)


def test_silence_is_unavailable(outside: OutsideProcess) -> None:
    quick = outside.shop(timeout=QUICK)
    outside.fault("GET /shopify/admin/api/*/orders/1.json", "timeout_before", seconds=PATIENT)
    with pytest.raises(ProviderUnavailable):
        quick.order_document("1")
    nobody = outside.shop(base=f"http://127.0.0.1:{free_port()}", timeout=QUICK)
    with pytest.raises(ProviderUnavailable):
        nobody.payments("1")
    with pytest.raises(SourceUnreadable):
        recent(nobody)


def test_a_wrong_token_can_be_mended(outside: OutsideProcess) -> None:
    outside.control("PUT", "/shop", {"access_token": "shpat_any"})
    order_id = outside.buy(charge=False)
    with pytest.raises(ProviderUnavailable) as caught:
        outside.shop(token="shpat_wrong_visible").order_document(order_id)
    assert "visible" not in str(caught.value)
    assert outside.shop().order_document(order_id)
