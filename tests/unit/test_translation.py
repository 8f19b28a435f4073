"""Webhook bodies become orders and events, or a reason, or InvalidInput with a path; never anything else."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.webhook_bodies import CREATED, parcel, shop_order, stripe_charge, stripe_intent
from worker.contract.events import ProviderEvent
from worker.contract.ids import is_valid_part
from worker.contract.orders import OrderEventKind, OrderLine, PaymentMode
from worker.contract.shipping import ShipTo
from worker.domain.errors import InvalidInput
from worker.domain.order import broken_rules
from worker.services.bookkeeping import DISPUTES
from worker.services.events import DIALECTS, EventService
from worker.services.order_messages import order_of
from worker.services.translation import shopify, stripe, warehouse
from worker.services.translation.route import Route

TOPICS = {
    "shopify": sorted(shopify.TOPICS),
    "stripe": sorted(topic for topic in stripe.TOPICS if not topic.startswith("charge.dispute")),
    "warehouse": sorted(warehouse.TOPICS),
}
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "shopify": lambda _: shop_order(),
    "stripe": lambda topic: stripe_charge() if topic.startswith("charge") else stripe_intent(),
    "warehouse": parcel,
}
CASES = [(dialect, topic) for dialect, topics in TOPICS.items() for topic in topics]


def translated(dialect: str, topic: str, body: Any, *, origin: str = "webhook") -> Route:
    """Translate as the service does, from JSON text."""
    event = ProviderEvent(
        source=dialect,
        dialect=dialect,
        shop="main",
        event_id="evt-1",
        topic=topic,
        body=body if isinstance(body, str) else json.dumps(body),
        received_at="2026-11-22T17:00:00+00:00",
        origin=origin,
    )
    return EventService.translate(None, event)  # type: ignore[arg-type]  # translating uses nothing of the service


def refused(dialect: str, topic: str, body: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        translated(dialect, topic, body)
    return str(caught.value)


def test_a_shop_order_becomes_an_order_with_every_cent_in_its_place() -> None:
    route = translated("shopify", "orders/create", shop_order(), origin="repair")
    place = route.place
    assert place is not None
    assert route.event is None
    assert (route.shop, route.order_id) == (place.shop, place.order_id) == ("main", "820982911946154508")
    assert place.lines == (
        OrderLine(sku="MUG", quantity=2, unit_price_minor=1250),
        OrderLine(sku="variant-808950810", quantity=1, unit_price_minor=999),
    )
    amounts = (place.total_minor, place.shipping_minor, place.tax_minor, place.discount_minor)
    assert amounts == (4288, 490, 499, 200)
    assert (place.currency, place.customer_id, place.origin) == ("EUR", "207119551", "repair")
    assert (place.payment_mode, place.payment_method) == (PaymentMode.COLLECTED_BY_SHOP, None)
    assert place.placed_at == "2026-11-22T16:00:00+00:00"
    assert broken_rules(order_of(place)) == ()


SHIPPED_TO = {
    "name": "Jane  Doe",
    "company": "Bread & Co",
    "address1": " Bakery Lane 3\n",
    "address2": None,
    "city": "Ghent",
    "zip": "9000",
    "province": "Flanders",
    "province_code": None,
    "country_code": "be",
    "latitude": 51.05,
    "phone": "+32 9 000 00 00",
}


def test_a_parcel_goes_where_the_shop_says() -> None:
    place = translated("shopify", "orders/create", shop_order(shipping_address=SHIPPED_TO)).place
    assert place is not None
    assert place.ship_to == ShipTo(
        recipient="Jane Doe",
        lines=("Bread & Co", "Bakery Lane 3"),
        city="Ghent",
        country="BE",
        postal_code="9000",
        region="Flanders",
    )
    assert "Jane" not in repr(place), "what is printed by accident says nothing of it"


@pytest.mark.parametrize(
    ("change", "recipient"),
    [
        ({"name": None, "first_name": "Jane", "last_name": "Doe"}, "Jane Doe"),
        ({"name": "", "first_name": None}, "Bread & Co"),
        ({"name": None, "company": " "}, None),
        ({"address1": ""}, "Jane Doe"),
        ({"address1": "", "company": ""}, None),
        ({"city": None}, None),
        ({"country_code": "ZZ"}, None),
        ({"zip": "9" * 33}, None),
    ],
)
def test_an_address_that_is_not_whole_loses_no_order(change: dict[str, Any], recipient: str | None) -> None:
    place = translated("shopify", "orders/create", shop_order(shipping_address=SHIPPED_TO | change)).place
    assert place is not None
    assert (place.ship_to.recipient if place.ship_to else None) == recipient


def test_a_changed_order_says_where_its_parcel_goes_and_brings_no_order() -> None:
    """An order from before we were there must not be placed anew because somebody edits it."""
    body = shop_order(shipping_address=SHIPPED_TO, updated_at="2026-11-22T19:00:00+01:00")
    route = translated("shopify", "orders/updated", body)
    assert (route.place, route.event, route.order_id) == (None, None, "820982911946154508")
    assert route.address is not None
    assert (route.address.request.ship_to.city, route.address.request.request_id) == ("Ghent", "evt-1")
    assert (route.address.placed_at, route.address.said_at) == (
        "2026-11-22T16:00:00+00:00",
        "2026-11-22T18:00:00+00:00",
    )
    assert "no address" in translated("shopify", "orders/updated", shop_order()).reason


def test_goods_that_are_not_shipped_have_no_address() -> None:
    bare: list[Any] = [None, {}]
    for nothing in bare:
        place = translated("shopify", "orders/create", shop_order(shipping_address=nothing)).place
        assert place is not None
        assert place.ship_to is None


def test_ids_beyond_floating_point_stay_exact() -> None:
    """2^53 + 1 is the first integer that a double cannot hold."""
    for number in (2**53 + 1, 2**63 - 1):
        assert translated("shopify", "orders/create", shop_order(id=number)).order_id == str(number)
    assert "too large" in refused("shopify", "orders/create", shop_order(id=2**63))


@pytest.mark.parametrize(
    ("changes", "total", "parts"),
    [
        ({"taxes_included": True, "total_price": "37.89"}, 3789, {"tax_minor": 0}),
        ({"total_tip_received": "1.50", "total_price": "44.38"}, 4438, {"shipping_minor": 640}),
        ({"total_tip_received": "0.0"}, 4288, {"shipping_minor": 490}),
        (
            {"original_total_duties_set": {"shop_money": {"amount": "3.00"}}, "total_price": "45.88"},
            4588,
            {"shipping_minor": 790},
        ),
        ({"customer": None}, 4288, {"customer_id": "guest"}),
    ],
)
def test_an_order_adds_up_whatever_it_is_made_of(changes: dict[str, Any], total: int, parts: dict[str, Any]) -> None:
    place = translated("shopify", "orders/create", shop_order(**changes)).place
    assert place is not None
    assert place.total_minor == total
    assert {name: getattr(place, name) for name in parts} == parts
    assert broken_rules(order_of(place)) == ()


def test_prices_have_the_decimals_of_their_currency() -> None:
    line = {"id": 1, "sku": "A", "quantity": 1, "price": "1234"}
    bare = {
        "line_items": [line],
        "total_shipping_price_set": None,
        "total_tax": "0",
        "total_discounts": "0",
        "total_price": "1234",
        "currency": "JPY",
    }
    place = translated("shopify", "orders/create", shop_order(**bare)).place
    assert place is not None
    assert place.total_minor == 1234
    dinar = {**bare, "currency": "KWD", "line_items": [{**line, "price": "1.234"}], "total_price": "1.234"}
    place = translated("shopify", "orders/create", shop_order(**dinar)).place
    assert place is not None
    assert place.total_minor == 1234
    assert refused("shopify", "orders/create", shop_order(**{**bare, "total_price": "12.34"})) == (
        "$.total_price: expected a decimal amount of JPY"
    )


def test_paid_and_cancelled_bring_the_order_along() -> None:
    paid = translated("shopify", "orders/paid", shop_order())
    assert paid.event is not None
    assert paid.place == translated("shopify", "orders/create", shop_order()).place
    assert (paid.event.kind, paid.event.amount_minor, paid.event.currency) == (
        OrderEventKind.PAYMENT_CAPTURED,
        4288,
        "EUR",
    )
    assert (paid.event.reference, paid.event.event_id) == ("", "evt-1"), "who took the money is read back, not believed"
    assert paid.event.occurred_at == "2026-11-22T16:00:05+00:00"
    cancelled = translated("shopify", "orders/cancelled", shop_order(cancelled_at="2026-11-22T18:00:00+01:00"))
    assert cancelled.event is not None
    assert (cancelled.event.kind, cancelled.event.occurred_at) == (
        OrderEventKind.SHOP_CANCELLED,
        "2026-11-22T17:00:00+00:00",
    )
    assert cancelled.place is not None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "$.id: missing"),
        ({"id": True}, "$.id: expected a text"),
        ({"id": 1.5}, "$.id: expected a text"),
        ({"id": "a/b"}, "the order id is not usable as an id"),
        ({"id": "x" * 200}, "the order id is not usable as an id"),
        ({"currency": "euro"}, "$.currency: expected a currency of ISO 4217"),
        ({"currency": "XXX"}, "$.currency: expected a currency of ISO 4217"),
        ({"total_price": "12,34"}, "$.total_price: expected a decimal amount of EUR"),
        ({"total_price": "1e9999"}, "$.total_price: expected a decimal amount of EUR"),
        ({"total_price": 12.34}, "$.total_price: expected a text"),
        ({"total_price": "9" * 18}, "$.total_price: the amount is too large"),
        ({"line_items": []}, "$.line_items: an order needs at least one line"),
        ({"line_items": {"a": 1}}, "$.line_items: expected a list"),
        ({"line_items": [{"price": "1.00"}]}, "$.line_items[0].quantity: expected an integer"),
        ({"line_items": [{"price": "1.00", "quantity": True}]}, "$.line_items[0].quantity: expected an integer"),
        ({"line_items": [{"price": "1.00", "quantity": 2**64}]}, "$.line_items[0].quantity: the number is too large"),
        ({"line_items": ["MUG"]}, "$.line_items[0]: expected an object"),
        ({"total_shipping_price_set": ["x"]}, "$.total_shipping_price_set: expected an object"),
        ({"customer": {"id": "\ud83d"}}, "$.customer.id: expected at most 255 characters of Unicode"),
        ({"customer": {"id": "c" * 300}}, "$.customer.id: expected at most 255 characters of Unicode"),
        ({"created_at": "yesterday"}, "$.created_at: expected an ISO 8601 time"),
        ({"created_at": "2026-11-22T17:00:00"}, "$.created_at: the time has no zone"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "$.created_at: the time is out of range"),
        ({"created_at": 1795366800}, "$.created_at: expected an ISO 8601 time"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_path(changes: dict[str, Any], problem: str) -> None:
    assert refused("shopify", "orders/create", shop_order(**changes)) == problem


def test_a_captured_payment_becomes_an_event_for_its_order() -> None:
    route = translated("stripe", "payment_intent.succeeded", stripe_intent())
    assert (route.shop, route.order_id, route.place) == ("main", "1001", None)
    assert route.event is not None
    assert route.event.kind is OrderEventKind.PAYMENT_CAPTURED
    assert (route.event.reference, route.event.amount_minor, route.event.currency) == ("pi_1", 4288, "EUR")
    assert route.event.occurred_at == "2026-11-22T16:00:00+00:00"


def test_a_failed_payment_carries_the_code_and_never_the_message() -> None:
    error = {"code": "card_declined", "message": "Ms Personal's card was declined."}
    route = translated("stripe", "payment_intent.payment_failed", stripe_intent(last_payment_error=error))
    assert route.event is not None
    assert (route.event.kind, route.event.detail) == (OrderEventKind.PAYMENT_FAILED, "card_declined")
    assert "Personal" not in repr(route)


def test_a_refund_names_the_payment_not_the_charge() -> None:
    route = translated("stripe", "charge.refunded", stripe_charge())
    assert route.event is not None
    assert (route.event.kind, route.event.reference) == (OrderEventKind.REFUNDED, "pi_1")
    assert route.event.amount_minor == 1000


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, "the payment carries no order id"),
        (None, "the payment carries no order id"),
        ({"order_id": ""}, "the payment carries no order id"),
        ({"order_id": "1001", "shop": "other"}, "the payment belongs to another shop"),
    ],
)
def test_payments_of_others_are_none_of_our_business(metadata: Any, reason: str) -> None:
    for topic in TOPICS["stripe"]:
        body = stripe_charge() if topic.startswith("charge") else stripe_intent()
        body["data"]["object"]["metadata"] = metadata
        assert translated("stripe", topic, body) == Route(reason=reason)


@pytest.mark.parametrize("created", [10**20, -(10**18), 10**15, None, "1795363200", 1.5])
def test_a_time_out_of_this_world_is_refused(created: Any) -> None:
    assert refused("stripe", "payment_intent.succeeded", stripe_intent() | {"created": created}).startswith("$.created")


def test_a_parcel_becomes_an_event_for_its_order() -> None:
    shipped = translated("warehouse", "shipment.shipped", parcel("shipment.shipped"))
    assert shipped.event is not None
    assert (shipped.shop, shipped.order_id) == ("main", "1001")
    assert (shipped.event.kind, shipped.event.reference) == (OrderEventKind.SHIPPED, "ful_1")
    assert (shipped.event.occurred_at, shipped.event.detail) == ("2026-11-22T16:59:00+00:00", "TRACK-1")
    failed = translated("warehouse", "shipment.failed", parcel("shipment.failed"))
    assert failed.event is not None
    assert (failed.event.kind, failed.event.detail) == (OrderEventKind.SHIPMENT_FAILED, "damaged")
    assert failed.event.occurred_at == CREATED


@pytest.mark.parametrize("reference", ["1001", "main/", "/1001", "", "other/1001", "main/a/b"])
def test_references_that_are_not_ours_start_nothing(reference: str) -> None:
    body = parcel("shipment.shipped")
    body["data"]["reference"] = reference
    try:
        route = translated("warehouse", "shipment.shipped", body)
    except InvalidInput:
        return
    assert route == Route(reason="the parcel belongs to another shop")
    assert reference in {"/1001", "other/1001"}


@pytest.mark.parametrize("dialect", TOPICS)
def test_other_topics_are_ignored_whatever_they_carry(dialect: str) -> None:
    for body in ({}, {"id": 1}, {"data": 7}, {"currency": 7}):
        route = translated(dialect, "customers/" + "x" * 200, body)
        assert (route.place, route.event, route.order_id) == (None, None, "")
        assert "of no concern" in route.reason
        assert len(route.reason) < 120


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("[" * 100_000, "the body is not JSON"),
        ('{"id": ' + "9" * 5000 + "}", "the body is not JSON"),
        ("null", "$: expected an object"),
        ("[]", "$: expected an object"),
        ('"text"', "$: expected an object"),
        ("7", "$: expected an object"),
    ],
)
def test_bodies_that_are_no_object_are_refused(body: str, problem: str) -> None:
    for dialect, topic in CASES:
        assert refused(dialect, topic, body) == problem


def test_a_dialect_nobody_speaks_is_refused() -> None:
    assert "is not known" in refused("klingon", "orders/create", {})


def sound(route: Route) -> None:
    """What the process relies on in every route."""
    assert (route.place is None and route.event is None) or is_valid_part(route.order_id)
    assert route.place is None or (route.place.shop, route.place.order_id) == (route.shop, route.order_id)
    if route.place is not None:
        order = order_of(route.place)
        assert order.placed_at.utcoffset() is not None
        broken_rules(order)
    json.dumps(repr(route)).encode()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(
        ["EUR", "main/1001", "1e400", "0.005", "-1", "2026-11-22T17:00:00Z", "\ud800", "9999-12-31T23:59:59-14:00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths_of(item, (*path, key))
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_body_with_anything_anywhere_raises_nothing_but_invalid_input(dialect: str, data: st.DataObject) -> None:
    """A sound body in which some places hold arbitrary JSON, or are gone."""
    topic = data.draw(st.sampled_from(TOPICS[dialect]))
    body = copy.deepcopy(BODIES[dialect](topic))
    for path in data.draw(st.lists(st.sampled_from(paths_of(body)), min_size=1, max_size=3)):
        *before, last = path
        holder: Any = body
        for step in before:
            holder = holder[step] if isinstance(holder, dict | list) and _has(holder, step) else None
        if isinstance(holder, dict | list) and _has(holder, last):
            holder[last] = data.draw(values)
    try:
        route = DIALECTS[dialect]("main", topic, "evt-1", body, "webhook")
    except InvalidInput:
        return
    if route.order_id and not is_valid_part(route.order_id):
        return  # refused one step later, by the service
    sound(route)


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(topic=st.data(), body=values)
def test_arbitrary_json_raises_nothing_but_invalid_input(dialect: str, topic: st.DataObject, body: Any) -> None:
    try:
        route = translated(dialect, topic.draw(st.sampled_from(TOPICS[dialect])), json.dumps(body))
    except InvalidInput:
        return
    sound(route)


def test_the_recorded_shop_order_reads(fixtures_dir: Path) -> None:
    """Shopify's own sample for orders/create, orders/paid and orders/cancelled."""
    text = (fixtures_dir / "webhooks/shopify/2022-04.Order.json").read_text("utf-8")
    place = translated("shopify", "orders/create", text).place
    assert place is not None
    assert (place.order_id, place.total_minor, place.currency) == ("820982911946154508", 40300, "USD")
    assert int(place.order_id) > 2**53
    assert [line.unit_price_minor for line in place.lines] == [19900, 19900]
    assert broken_rules(order_of(place)) == ()
    for topic in ("orders/paid", "orders/cancelled"):
        route = translated("shopify", topic, text)
        assert route.event is not None
        assert route.event.occurred_at == "2022-04-06T12:09:03+00:00"


@pytest.mark.parametrize(
    ("name", "metadata_first"),
    [("payment_intent.succeeded", True), ("payment_intent.succeeded", False), ("charge.refunded", True)],
)
def test_recorded_events_of_the_provider_read(fixtures_dir: Path, name: str, metadata_first: bool) -> None:
    body = json.loads((fixtures_dir / f"webhooks/stripe/{name}.json").read_text("utf-8"))
    assert translated("stripe", name, body) == Route(reason="the payment carries no order id")
    found = body["data"]["object"]
    found["metadata"] = {"shop": "main", "order_id": "1001"} if metadata_first else {"order_id": "1001"}
    if name == "charge.refunded":
        assert refused("stripe", name, body) == "$.data.object.payment_intent: missing"
        found["payment_intent"] = "pi_of_the_charge"
    event = translated("stripe", name, body).event
    assert event is not None
    assert (event.amount_minor, event.currency) == ((2000, "USD") if name != "charge.refunded" else (100, "USD"))


def test_every_recorded_event_is_read_or_ignored(fixtures_dir: Path) -> None:
    files = sorted((fixtures_dir / "webhooks/stripe").glob("*.json"))
    assert len(files) > 5
    for file in files:
        route = translated("stripe", file.stem, file.read_text("utf-8"))
        # A dispute names its payment and no order: whose it is, is looked up.
        assert route.reason or (route.event is not None and route.event.kind in DISPUTES), file.name
