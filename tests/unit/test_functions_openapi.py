"""The OpenAPI document is what the code would write, and tells what the code does."""

import dataclasses
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions import order_requests, reconciliations
from functions.description import DOCUMENT
from functions.fields import Fields
from functions.openapi import _ANSWERS, _READERS, _VIEWS, document, written
from functions.problems import Unprocessable
from functions.routes import Auth, table
from functions.schema import schema_of
from tests.unit.test_functions_schema import _JSON, NOW, ORDER
from worker.contract.orders import OrderLine, PlaceOrder
from worker.contract.reconciliation import Reconcile
from worker.contract.shipping import ShipTo

PATHS = document()["paths"]


def operation(path: str, method: str = "post") -> dict[str, Any]:
    found: dict[str, Any] = PATHS[path][method]
    return found


def request_schema(path: str) -> dict[str, Any]:
    found: dict[str, Any] = operation(path)["requestBody"]["content"]["application/json"]["schema"]
    return found


def test_the_committed_document_is_the_one_that_would_be_written() -> None:
    assert DOCUMENT.read_bytes() == written(), "write it anew: python -m functions.openapi"


def test_it_describes_exactly_the_route_table() -> None:
    described = {(path, method.upper()) for path, methods in PATHS.items() for method in methods}
    assert described == {(route.path, route.method) for route in table()}
    for route in table():
        found = operation(route.path, route.method.lower())
        assert (found.get("security") == [{"bearer": []}]) == (route.auth is Auth.BEARER)
        assert found["summary"]
        assert f"{route.function}.{route.operation}" in _ANSWERS


def test_every_view_begins_its_docstring_with_its_route() -> None:
    for route in table():
        words = getattr(_VIEWS[route.function], route.operation).__doc__
        assert words.startswith(f"{route.method} {route.path}: "), route


def test_requests_hold_the_fields_of_the_contract() -> None:
    order = request_schema("/orders")
    assert set(order["properties"]) == {field.name for field in dataclasses.fields(PlaceOrder)} - {"origin"}
    line = order["properties"]["lines"]["items"]
    assert set(line["properties"]) == set(line["required"]) == {field.name for field in dataclasses.fields(OrderLine)}
    asked = request_schema("/reconciliations")["properties"]
    assert set(asked) <= {field.name for field in dataclasses.fields(Reconcile)}


def test_what_may_be_left_out_is_optional_and_nothing_else() -> None:
    order = request_schema("/orders")
    assert set(order["properties"]) - set(order["required"]) == {
        "order_id",
        "shop",
        "payment_method",
        "placed_at",
        "shipping_minor",
        "discount_minor",
        "tax_minor",
        "ship_to",
        "number",
    }
    ship_to = order["properties"]["ship_to"]
    assert set(ship_to["properties"]) == {field.name for field in dataclasses.fields(ShipTo)}
    assert set(ship_to["properties"]) - set(ship_to["required"]) == {"postal_code", "region"}
    assert request_schema("/orders/{order_id}/refund")["required"] == []
    assert request_schema("/users/{user_id}/confirm")["required"] == ["token"]


ORDER_SCHEMA = schema_of(lambda fields: order_requests.read_order(fields, "main", NOW, "own"))
ORDER_VALIDATOR = jsonschema_rs.Draft202012Validator(ORDER_SCHEMA)


def without_whole_floats(value: Any) -> Any:
    """JSON Schema takes 1.0 for an integer; the code, which reads money, does not."""
    if isinstance(value, dict):
        return {name: without_whole_floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_whole_floats(item) for item in value]
    return 0.5 if isinstance(value, float) else value


@settings(max_examples=300, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from([*ORDER, "shop", "discount_minor", "ship_to", "other"]), _JSON, max_size=3),
    left_out=st.sets(st.sampled_from([*ORDER])),
)
@example({"shipping_minor": 0.0}, set())
def test_what_the_schema_refuses_the_code_refuses_too(changes: dict[str, Any], left_out: set[str]) -> None:
    body = {name: value for name, value in {**ORDER, **changes}.items() if name not in left_out or name in changes}
    try:
        order_requests.read_order(Fields(body), "main", NOW, "own")
        read = True
    except Unprocessable as refusal:
        read = False
        # Rules that span fields are the only ones that the schema cannot tell.
        only_spanning = {problem.path for problem in refusal.fields} <= {"payment_method"}
    fits = ORDER_VALIDATOR.is_valid(without_whole_floats(json.loads(json.dumps(body))))
    if read:
        assert fits
    elif not only_spanning:
        assert not fits


def test_a_window_is_described_with_its_parts() -> None:
    schema = schema_of(lambda fields: reconciliations.read_reconcile(fields, "main", "x", NOW))
    assert schema["properties"]["window"]["required"] == ["start", "end"]
    assert schema["properties"]["repair"]["default"] is True
    assert schema["properties"]["mode"]["default"] == "full"
    assert {"full", "light", "close"} <= set(schema["properties"]["mode"]["enum"])


@pytest.mark.parametrize("name", sorted(_READERS))
def test_schemas_are_sound(name: str) -> None:
    jsonschema_rs.meta.validate(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema_of(_READERS[name])}
    )
