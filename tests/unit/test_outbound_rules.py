"""Who is told of what, under which id, and how long an endpoint is waited for."""

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_settings import SECRETS
from worker import config as settings
from worker.contract.ids import is_valid_part, notification_workflow_id
from worker.contract.settings import ConfigurationError
from worker.domain.dispute import Dispute, DisputeState
from worker.domain.dispute_told import of_dispute
from worker.domain.order import OrderState
from worker.domain.outbound import (
    HAPPENINGS,
    KINDS,
    LADDER,
    LONGEST_WAIT,
    UNTOLD,
    Subscription,
    Sums,
    body_of,
    message_id_of,
    next_wait,
)
from worker.domain.payment import BookEntry, EntryKind
from worker.domain.timeline import Happening, StateChange, of_money
from worker.gateways import outbound
from worker.gateways.outbound import Destination, HttpOutbound
from worker.policies import outbound_of, subscriptions_of

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
WHSEC = "whsec_bmV3LXNlY3JldC1vZi1vdXRib3VuZA=="


def change(order_id: str = "1001", state: OrderState = OrderState.PAID, at: datetime = NOW) -> StateChange:
    return StateChange(
        shop="main",
        order_id=order_id,
        from_state="authorised",
        to_state=state,
        at=at,
        actor="test",
        currency="EUR",
        total_minor=2500,
    )


def test_an_id_is_the_change_s_own_sorts_by_time_and_may_name_a_workflow() -> None:
    ids = [message_id_of(change(str(n), state)) for n in range(50) for state in OrderState]
    assert len(set(ids)) == len(ids)
    assert message_id_of(change()) == message_id_of(change())
    assert message_id_of(change("b")) < message_id_of(change("a", at=NOW + timedelta(seconds=1)))
    assert all(is_valid_part(one) and len(one) <= 64 for one in ids)
    assert notification_workflow_id("erp", ids[0]) == f"notify/erp/{ids[0]}"


def dispute(state: DisputeState) -> Dispute:
    return Dispute(
        provider="stripe",
        reference="dp_1",
        payment_reference="pi_1",
        amount_minor=2500,
        currency="EUR",
        state=state,
        opened_at=NOW,
        reason="fraudulent",
    )


def test_everything_a_timeline_tells_is_sent_or_left_out_for_a_reason() -> None:
    sent = {kind.partition(".")[0] if kind.startswith(Happening.DISPUTE) else kind for kind in HAPPENINGS}
    assert sent & set(UNTOLD) == set()
    assert sent | set(UNTOLD) == set(Happening), "a new kind of entry: say whether shops are told of it"
    assert {f"{Happening.DISPUTE}.{state}" for state in DisputeState} <= set(KINDS)
    assert all(len(kind) <= 32 for kind in KINDS), "as wide as its column"


def test_disputes_and_refunds_are_told_once_each_by_their_facts() -> None:
    refund = BookEntry(
        shop="main",
        order_id="1001",
        provider="stripe",
        kind=EntryKind.REFUND,
        reference="re_1",
        payment_reference="pi_1",
        amount_minor=-700,
        currency="EUR",
        occurred_at=NOW,
    )
    facts = [*(of_dispute("main", "1001", dispute(state), NOW) for state in DisputeState), of_money(refund)]
    everybody, somebody = (
        Subscription(name="a", shop="main"),
        Subscription(name="b", shop="main", kinds=frozenset({"dispute.lost"})),
    )
    assert all(everybody.wants(fact) for fact in facts)
    assert [fact.kind for fact in facts if somebody.wants(fact)] == ["dispute.lost"]
    assert len({message_id_of(fact) for fact in facts}) == len(facts)
    document = json.loads(body_of(facts[-1], Sums(captured_minor=2500, refunded_minor=700)))
    assert (document["type"], document["data"]) == (
        "money.refunded",
        {
            "order_id": "1001",
            "shop": "main",
            "fact": "money:stripe:refund:re_1",
            "currency": "EUR",
            "amount_minor": -700,
            "captured_minor": 2500,
            "refunded_minor": 700,
        },
    )
    assert "fraudulent" not in body_of(facts[0], Sums(captured_minor=2500, refunded_minor=0))
    captured = replace(refund, kind=EntryKind.CAPTURE, amount_minor=2500)
    assert not everybody.wants(of_money(captured)), "order.paid tells it"


def test_what_is_sent_names_itself() -> None:
    document = json.loads(body_of(change(), Sums(captured_minor=2500, refunded_minor=0)))
    assert (document["id"], document["type"]) == (message_id_of(change()), "order.paid")
    assert document["timestamp"] == "2026-11-28T09:30:00+00:00"


@given(st.integers(1, 30), st.none() | st.timedeltas(timedelta(days=-3), timedelta(days=30)))
def test_waits_follow_the_ladder_and_an_endpoint_may_ask_for_more_but_not_for_ever(
    failed: int, asked: timedelta | None
) -> None:
    wait = next_wait(LADDER, failed, asked)
    if failed > len(LADDER):
        assert wait is None
    else:
        assert wait is not None
        assert LADDER[failed - 1] <= wait <= LONGEST_WAIT
        assert wait == LADDER[failed - 1] or wait == min(asked or wait, LONGEST_WAIT)


@pytest.mark.parametrize("text", ["7", "0", "Sat, 28 Nov 2099 09:30:00 GMT"])
def test_a_retry_after_is_read(text: str) -> None:
    found = outbound._asked_wait(text)
    assert found is not None
    assert found >= timedelta(0)


@given(st.text(max_size=40))
def test_a_retry_after_that_is_none_asks_for_nothing_and_breaks_nothing(text: str) -> None:
    found = outbound._asked_wait(text)
    assert found is None or isinstance(found, timedelta)


async def test_a_name_is_resolved_once_and_judged_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(name: str, port: int, **_: Any) -> list[Any]:
        asked.append(name)
        # A name that is inside when it is judged and would be outside the next time, or the other way round.
        address = "10.0.0.1" if len(asked) == 1 else "93.184.216.34"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    gateway = HttpOutbound({"erp": Destination(url="https://erp.example/in", secrets=(WHSEC,))}, timeout_seconds=1)
    reply = await gateway.post("erp", "msg_1", "{}")
    assert "set outbound.erp.inside" in reply.problem
    assert asked == ["erp.example"], "resolved once"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("ORDERS_"):
            monkeypatch.delenv(name)
    for name, value in {"ORDERS_ENV": "production", **SECRETS}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_committed_settings_tell_nobody() -> None:
    assert settings.SubscriptionConfig().retry_seconds == tuple(round(wait.total_seconds()) for wait in LADDER)


def test_subscriptions_come_from_the_settings_and_one_that_is_off_is_told_nothing(
    variables: pytest.MonkeyPatch,
) -> None:
    variables.setenv("ORDERS_OUTBOUND__ERP__SHOP", "main")
    variables.setenv("ORDERS_OUTBOUND__ERP__URL", "https://erp.shop.example/in")
    variables.setenv("ORDERS_OUTBOUND__ERP__SECRETS", f'["{WHSEC}"]')
    variables.setenv("ORDERS_OUTBOUND__ERP__KINDS", '["order.paid"]')
    config = settings.load()
    assert subscriptions_of(config) == {"erp": Subscription(name="erp", shop="main", kinds=frozenset({"order.paid"}))}
    assert WHSEC not in repr(config)
    outbound_of(config)
    variables.setenv("ORDERS_OUTBOUND__ERP__ENABLED", "false")
    assert subscriptions_of(settings.load()) == {}


def test_every_problem_of_the_subscriptions_is_told_at_once(variables: pytest.MonkeyPatch) -> None:
    whole = {"shop": "main", "url": "https://a.example", "secrets": [WHSEC]}
    told = {
        "nowhere": {**whole, "url": ""},
        "unsigned": {**whole, "secrets": []},
        "misread": {**whole, "secrets": ["whsec_not base64"]},
        "deaf": {**whole, "kinds": ["order.lost"]},
        "hasty": {**whole, "retry_seconds": [0]},
        "a/b": whole,
        "sound": whole,
    }
    variables.setenv("ORDERS_OUTBOUND", json.dumps(told))
    with pytest.raises(ConfigurationError) as caught:
        subscriptions_of(settings.load())
    assert "not base64" not in str(caught.value).replace("the secret is not base64", ""), "no secret is shown"
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "outbound.a/b",
        "outbound.deaf",
        "outbound.hasty",
        "outbound.misread.secrets",
        "outbound.nowhere",
        "outbound.unsigned",
    ]
