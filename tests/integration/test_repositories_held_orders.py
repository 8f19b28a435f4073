"""What a transaction says of an order that it has locked is what everybody reads once it has ended."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.own_database import migrated_database
from tests.integration.test_repositories_orders import NOW, entry, order
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.domain.order import TRANSITIONS, OrderState
from worker.domain.payment import EntryKind, Payment, PaymentState
from worker.repositories.database import MysqlDatabase
from worker.services.ports import Transaction

_numbers = count(1)
SIGNS = {EntryKind.CAPTURE: 1, EntryKind.REFUND: -1, EntryKind.DISPUTE: -1, EntryKind.DISPUTE_REVERSAL: 1}
SECONDS = st.integers(0, 1000)

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 20)),
        st.tuples(st.just("post"), st.sampled_from(list(SIGNS)), st.integers(0, 999), st.sampled_from(["EUR", "USD"])),
        st.tuples(st.just("parcel"), st.integers(0, 2), st.sampled_from(list(ShipmentState)), SECONDS),
        st.tuples(st.just("payment"), st.integers(0, 1), st.sampled_from(list(PaymentState)), st.integers(0, 999)),
        st.tuples(st.just("look")),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[MysqlDatabase]:
    with migrated_database(database_url) as engine:
        yield MysqlDatabase(engine)


def said(tx: Transaction, order_id: str) -> tuple[Any, ...]:
    return (
        tx.orders.get("main", order_id),
        tx.shipments.of_order("main", order_id),
        tx.payments.of_order("main", order_id),
        tx.orders.trail("main", order_id),
    )


def done(tx: Transaction, order_id: str, number: int, deed: tuple[Any, ...]) -> None:
    at = datetime.fromtimestamp(NOW.timestamp() + number, timezone(timedelta(hours=2)))
    match deed:
        case ("move", which):
            current = tx.orders.lock("main", order_id)
            if following := sorted(TRANSITIONS[current.state]):
                tx.orders.move(current, following[which % len(following)], at=at, actor="a person", reason=f"{number}")
        case ("post", kind, amount, currency):
            tx.payments.post(entry(order_id, kind, SIGNS[kind] * amount, f"{order_id}:{number}", currency))
        case ("parcel", which, state, seconds):
            contents = (Packed(quantity=1, line=1),) if state is ShipmentState.SHIPPED else ()
            parcel = Shipment(
                shipment_id=f"{order_id}:{which}",
                order_id=order_id,
                state=state,
                requested_at=at + timedelta(seconds=seconds),
                shipped_at=at if contents else None,
                contents=contents,
            )
            tx.shipments.save("main", parcel)
        case ("payment", which, state, amount):
            payment = Payment(
                provider="stripe",
                reference=f"{order_id}:{which}",
                amount_minor=999,
                currency="EUR",
                state=state,
                captured_minor=amount,
                refunded_minor=amount // 2,
            )
            tx.payments.save("main", order_id, payment, at)
        case _:
            said(tx, order_id)


@settings(max_examples=25, deadline=None)
@given(earlier=DEEDS, deeds=DEEDS, read_first=st.booleans())
def test_what_is_said_of_a_locked_order_is_what_all_read_afterwards(
    database: MysqlDatabase, earlier: list[tuple[Any, ...]], deeds: list[tuple[Any, ...]], read_first: bool
) -> None:
    order_id = f"held-{next(_numbers)}"
    database.transact(lambda tx: tx.orders.add(order(order_id), NOW.astimezone(UTC), "worker"))

    def work(tx: Transaction, first: int, wanted: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        if read_first:
            said(tx, order_id)  # not locked yet: nothing of this may be believed later
        tx.orders.lock("main", order_id)
        for number, deed in enumerate(wanted, start=first):
            done(tx, order_id, number, deed)
        return said(tx, order_id)

    database.transact(lambda tx: work(tx, 0, earlier))
    in_it = database.transact(lambda tx: work(tx, 100, deeds))
    afterwards = database.transact(lambda tx: said(tx, order_id))
    assert in_it == afterwards
    assert [line.to_state for line in afterwards[3]][-1] == afterwards[0].state


def test_several_moves_and_payments_of_one_transaction_all_stand(database: MysqlDatabase) -> None:
    order_id = f"held-{next(_numbers)}"
    payment = Payment(
        provider="stripe", reference=order_id, amount_minor=1, currency="EUR", state=PaymentState.AUTHORISED
    )

    def work(tx: Transaction) -> None:
        tx.orders.add(order(order_id), NOW, "worker")
        current = tx.orders.lock("main", order_id)
        for state in (OrderState.PAYING, OrderState.AUTHORISED, OrderState.PAID):
            current = tx.orders.move(current, state, at=NOW, actor="worker")
        tx.payments.save("main", order_id, payment, NOW)
        tx.payments.save("main", order_id, payment, NOW + timedelta(seconds=1))

    database.transact(work)
    assert len(database.transact(lambda tx: tx.orders.trail("main", order_id))) == 4
    assert database.transact(lambda tx: tx.payments.of_order("main", order_id)) == [payment]
