"""Requests are read strictly: integers stay integers, unknown fields are refused, nothing is echoed."""

import contextlib
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.fields import Fields
from functions.order_requests import read_order
from functions.orders import amount_text
from functions.problems import Unprocessable
from functions.reconciliations import read_reconcile, window_name
from functions.users import _EMAIL
from worker.contract.orders import OrderLine, PaymentMode
from worker.contract.reconciliation import Window
from worker.domain.money import format_minor

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "order_id": "1001",
    "currency": "EUR",
    "total_minor": 12345,
    "customer_id": "cust-7",
    "payment_mode": "charge",
    "payment_method": "pm_card_visa",
    "lines": [{"sku": "MUG 1", "quantity": 2, "unit_price_minor": 6000}],
    "shipping_minor": 345,
    "placed_at": "2026-11-22T09:00:00+02:00",
}


def order_with(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ORDER, **changes}.items() if value != "absent"}


def order_problems(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Unprocessable) as caught:
        read_order(Fields(body), "main", NOW)
    return {field.path: field.problem for field in caught.value.fields}


def test_a_sound_order_is_read_as_it_stands() -> None:
    order = read_order(Fields(ORDER), "main", NOW)
    assert (order.shop, order.order_id, order.currency, order.total_minor) == ("main", "1001", "EUR", 12345)
    assert order.lines == (OrderLine(sku="MUG 1", quantity=2, unit_price_minor=6000),)
    assert order.payment_mode is PaymentMode.CHARGE
    assert order.placed_at == "2026-11-22T07:00:00+00:00"
    assert (order.shipping_minor, order.discount_minor, order.origin) == (345, 0, "api")


def test_tax_that_comes_on_top_of_the_prices_is_an_amount_of_the_order() -> None:
    assert read_order(Fields(order_with(tax_minor=190, total_minor=12535)), "main", NOW).tax_minor == 190
    assert order_problems(order_with(tax_minor=-1)).keys() == {"tax_minor"}


def test_a_field_that_is_not_known_is_told_with_those_that_are() -> None:
    problem = order_problems(order_with(tax_total_minor=190))[""]
    assert "tax_minor" in problem
    assert "tax_total_minor" not in problem, "nothing of what was sent is repeated"


def test_without_a_time_the_order_was_placed_now() -> None:
    assert read_order(Fields(order_with(placed_at="absent")), "main", NOW).placed_at == NOW.isoformat()


@pytest.mark.parametrize("value", [12345.0, "12345", True, None, 0, -1, 10**12 + 1, [1], {}])
def test_a_total_is_an_integer_within_bounds(value: Any) -> None:
    assert set(order_problems(order_with(total_minor=value))) == {"total_minor"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"currency": "EUX"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"currency": 978}, "currency"),
        ({"order_id": "a/b"}, "order_id"),
        ({"order_id": 1001}, "order_id"),
        ({"order_id": "x" * 129}, "order_id"),
        ({"customer_id": "two words"}, "customer_id"),
        ({"customer_id": "absent"}, "customer_id"),
        ({"payment_mode": "barter"}, "payment_mode"),
        ({"payment_method": "4242424242424242"}, "payment_method"),
        ({"payment_method": "absent"}, "payment_method"),
        ({"payment_mode": "collected_by_shop"}, "payment_method"),
        ({"shipping_minor": -1}, "shipping_minor"),
        ({"placed_at": "2026-11-22T09:00:00"}, "placed_at"),
        ({"placed_at": "2026-13-22T09:00:00Z"}, "placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "placed_at"),
        ({"placed_at": 1795380000}, "placed_at"),
        ({"lines": []}, "lines"),
        ({"lines": {}}, "lines"),
        ({"lines": ORDER["lines"] * 501}, "lines"),
        ({"lines": [7]}, "lines[0]"),
        ({"lines": [{**ORDER["lines"][0], "quantity": 0}]}, "lines[0].quantity"),
        ({"lines": [ORDER["lines"][0], {**ORDER["lines"][0], "sku": "\ud800"}]}, "lines[1].sku"),
        ({"lines": [{**ORDER["lines"][0], "colour": "red"}]}, "lines[0]"),
        ({"shop": "a/b"}, "shop"),
        ({"colour": "red"}, ""),
    ],
)
def test_each_broken_field_is_named(changes: dict[str, Any], path: str) -> None:
    assert path in order_problems(order_with(**changes))


def test_all_problems_are_told_at_once_and_bounded() -> None:
    told = order_problems(order_with(total_minor="x", currency="?", lines=[{}] * 30))
    assert {"total_minor", "currency"} <= set(told)
    assert len(told) <= 20


def test_problems_never_repeat_the_input() -> None:
    body = order_with(order_id="4111 1111", customer_id="jane doe", payment_method="4242424242424242")
    told = str(order_problems({**body, "jane@example.com": 1}))
    for given_text in ("4111", "jane", "4242"):
        assert given_text not in told


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(changes=st.dictionaries(st.sampled_from([*ORDER, "discount_minor", "other"]), _JSON, max_size=5))
def test_any_json_is_either_an_order_or_a_list_of_problems(changes: dict[str, Any]) -> None:
    with contextlib.suppress(Unprocessable):
        order = read_order(Fields({**ORDER, **changes}), "main", NOW)
        assert 1 <= order.total_minor <= 10**12
        assert all(line.quantity >= 1 for line in order.lines)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(12345, "EUR", "EUR 123.45"), (5, "EUR", "EUR 0.05"), (500, "JPY", "JPY 500"), (1234, "KWD", "KWD 1.234")],
)
def test_amounts_for_people(minor: int, currency: str, text: str) -> None:
    assert amount_text(minor, currency) == text
    assert text == f"{currency} {format_minor(minor, currency).replace(',', '')}"


class TestReconciliations:
    BODY: dict[str, Any] = {  # noqa: RUF012
        "provider": "stripe",
        "window": {"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T01:00:00+01:00"},
    }

    def problems(self, **changes: Any) -> set[str]:
        with pytest.raises(Unprocessable) as caught:
            read_reconcile(Fields({**self.BODY, **changes}), "main", "demo", NOW)
        return {field.path for field in caught.value.fields}

    def test_a_closed_window_is_read_as_utc(self) -> None:
        asked = read_reconcile(Fields(self.BODY), "main", "demo", NOW)
        assert asked.window == Window(start="2026-11-21T00:00:00+00:00", end="2026-11-22T00:00:00+00:00")
        assert (asked.repair, asked.requested_by) == (True, "demo")
        assert window_name(asked.window) == "20261121T000000Z..20261122T000000Z"

    @pytest.mark.parametrize(
        ("window", "path"),
        [
            ({"start": "2026-11-21T00:00:00Z", "end": "2026-11-21T00:00:00Z"}, "window.end"),
            ({"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T08:00:01Z"}, "window.end"),
            ({"start": "2026-10-01T00:00:00Z", "end": "2026-11-22T00:00:00Z"}, "window.end"),
            ({"start": "yesterday", "end": "2026-11-22T00:00:00Z"}, "window.start"),
            ({"start": "2026-11-21T00:00:00.5Z", "end": "2026-11-22T00:00:00Z"}, "window.start"),
            ({"end": "2026-11-22T00:00:00Z"}, "window.start"),
            ({**BODY["window"], "zone": "CET"}, "window"),
            (None, "window"),
            ("last week", "window"),
        ],
    )
    def test_windows_that_cannot_be_reconciled(self, window: Any, path: str) -> None:
        assert self.problems(window=window) == {path}

    def test_a_window_may_end_now(self) -> None:
        window = {"start": "2026-11-22T07:00:00Z", "end": "2026-11-22T08:00:00Z"}
        assert read_reconcile(Fields({**self.BODY, "window": window}), "main", "demo", NOW)

    @pytest.mark.parametrize("mode", ["full", "light", "close"])
    def test_a_mode_may_be_asked_for(self, mode: str) -> None:
        assert read_reconcile(Fields({**self.BODY, "mode": mode}), "main", "demo", NOW).mode == mode
        assert read_reconcile(Fields(self.BODY), "main", "demo", NOW).mode == "full"

    def test_other_modes_and_dry_runs_are_refused(self) -> None:
        assert self.problems(mode="quick") == {"mode"}
        assert self.problems(dry_run=True) == {""}, "an unknown field"

    def test_repair_is_a_flag(self) -> None:
        assert self.problems(repair="yes") == {"repair"}


@pytest.mark.parametrize("address", ["jane@example.com", "j.d+tag@sub.example.co", "a@localhost"])
def test_addresses(address: str) -> None:
    assert _EMAIL.fullmatch(address)


@pytest.mark.parametrize(
    "address", ["", "jane", "@x", "a b@x.y", "a@x.y\n", "a@x..y", "a@@x", "a@x.y,b@x.y", "<a@x.y>", "a@" + "x" * 260]
)
def test_what_is_no_address(address: str) -> None:
    assert not _EMAIL.fullmatch(address)


def test_text_has_no_control_characters() -> None:
    for text in ("line\nbreak", "\x00", "\ud800"):
        fields = Fields({"reason": text})
        fields.text("reason", 500)
        assert [field.path for field in fields.problems] == ["reason"]
    assert re.fullmatch(".*", Fields({"reason": "zu groß 😀"}).text("reason", 500))
