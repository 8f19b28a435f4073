"""Workflow ids are idempotency keys: two facts never share one, and a fact always has the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.ids import (
    event_workflow_id,
    fingerprint,
    is_valid_part,
    order_workflow_id,
    reconciliation_workflow_id,
    user_workflow_id,
)

parts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:#@+-]{0,30}", fullmatch=True)
ids = st.one_of(
    st.builds(order_workflow_id, parts, parts),
    st.builds(user_workflow_id, parts),
    st.builds(event_workflow_id, parts, parts),
    st.builds(reconciliation_workflow_id, parts, parts, parts),
)


def test_ids_read_as_documented() -> None:
    assert order_workflow_id("main", "450789469") == "order/main/450789469"
    assert user_workflow_id("u1") == "user/u1"
    assert event_workflow_id("stripe", "evt_1") == "event/stripe/evt_1"
    window = "20261122T160000Z..20261122T170000Z"
    assert reconciliation_workflow_id("main", "stripe", window) == f"reconcile/main/stripe/{window}"


@given(st.lists(st.tuples(parts, parts), min_size=2, max_size=2, unique=True))
def test_different_orders_never_share_an_id(orders: list[tuple[str, str]]) -> None:
    (shop, order), (other_shop, other_order) = orders
    assert order_workflow_id(shop, order) != order_workflow_id(other_shop, other_order)


@given(ids)
def test_an_id_says_what_it_names(workflow_id: str) -> None:
    kind, *rest = workflow_id.split("/")
    assert len(rest) == {"order": 2, "user": 1, "event": 2, "reconcile": 3}[kind]
    assert all(is_valid_part(part) for part in rest)
    assert len(workflow_id) < 1000, "the Temporal server's limit"


@given(st.text(max_size=200))
def test_what_is_no_part_is_refused_everywhere(text: str) -> None:
    if is_valid_part(text):
        assert order_workflow_id("main", text) == f"order/main/{text}"
        return
    for shop, order_id in (("main", text), (text, "1")):
        with pytest.raises(ValueError, match="not usable in a workflow id"):
            order_workflow_id(shop, order_id)


@pytest.mark.parametrize(
    "text", ["", "a/b", "a b", " a", "a\n", "ä", "-a", ".", "../x", "a" * 129, "a\x00", "%2F", "a?b", "#1", "\uff11"]
)
def test_separators_spaces_and_other_scripts_are_no_parts(text: str) -> None:
    assert not is_valid_part(text)


@pytest.mark.parametrize("text", ["a", "9", "A#1001", "a" * 128, "450789469", "evt_1:x@y+z.w-#"])
def test_ids_of_the_outside_world_are_parts(text: str) -> None:
    assert is_valid_part(text)


@given(st.binary(), st.binary())
def test_fingerprints_tell_bodies_apart(one: bytes, other: bytes) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)
    assert len(fingerprint(one)) == 64
