"""The timeline of an order: everything that happened is one entry, with the change it tells of or not at all."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, delete

from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.own_database import at_once
from tests.integration.test_breaks_cli import SECRETS, orders
from worker.contract.events import ProviderEvent
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.order import OrderState
from worker.domain.timeline import Happening, TimelineEntry, of_request
from worker.repositories.schema import ORDER_ENTRIES
from worker.services.events import About
from worker.services.journal import LONGEST_NOTE, Journal
from worker.services.ports import Transaction
from worker.services.refunds import Asked, Refunds


@pytest.fixture(scope="module")
def office(engine: Engine, outside: OutsideProcess) -> Office:
    return Office(engine, outside)


@pytest.fixture
def journal(office: Office) -> Journal:
    return Journal(office.database, office.clock)


@pytest.fixture
def command_line(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE__URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ORDERS_ACTOR", "alice")
    for name in SECRETS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)


def kinds(journal: Journal, order_id: str) -> list[str]:
    return [entry.kind for entry in journal.timeline("main", order_id)]


def entry(journal: Journal, order_id: str, kind: str) -> TimelineEntry:
    (found,) = [entry for entry in journal.timeline("main", order_id) if entry.kind == kind]
    return found


SOLD = [
    "order.received",
    "order.paying",
    "payment.authorised",
    "order.authorised",
    "money.captured",
    "order.paid",
    "parcel.requested",
    "order.fulfilling",
    "parcel.shipped",
    "order.shipped",
    "order.completed",
]


def test_a_sale_is_told_from_its_first_word_to_its_last_and_each_thing_once(
    office: Office, journal: Journal, order_id: str
) -> None:
    office.complete(order_id)
    told = journal.timeline("main", order_id)
    assert sorted(entry.kind for entry in told) == sorted(SOLD)
    assert [entry.kind for entry in told if entry.kind.startswith("order.")] == [
        kind for kind in SOLD if kind.startswith("order.")
    ]
    assert not any(entry.derived for entry in told)
    captured = entry(journal, order_id, "money.captured")
    assert (captured.amount_minor, captured.currency, captured.actor) == (2500, "EUR", "stripe")
    assert entry(journal, order_id, "order.received").amount_minor == 2500
    assert entry(journal, order_id, "parcel.shipped").actor == "warehouse"
    # Every step once more, as a worker does that was killed after the effect.
    office.place(order_id)
    office.authorise(order_id)
    office.capture(order_id)
    office.fulfil(order_id)
    assert journal.timeline("main", order_id) == told


def test_a_sale_that_is_taken_back_tells_of_parcel_and_money(office: Office, journal: Journal, order_id: str) -> None:
    office.pay(order_id)
    office.fulfil(order_id)
    office.orders.stop_fulfilment("main", order_id)
    office.reverse(order_id)
    office.reverse(order_id)
    told = kinds(journal, order_id)
    assert told[-4:] == ["parcel.stopped", "order.refunding", "money.refunded", "order.cancelled"]
    assert len(told) == len(set(told))
    assert entry(journal, order_id, "money.refunded").amount_minor == -2500


def test_a_refund_is_asked_for_made_or_refused(office: Office, journal: Journal, order_id: str) -> None:
    refunds = Refunds(office.database, office.outside.payments(), office.books, office.clock)
    office.pay(order_id)
    asked = Asked(request_id="r-1", requested_by="shop-app")
    plan = refunds.plan("main", order_id, 700, asked)
    for _ in range(2):
        refunds.carry_out("main", order_id, plan, f"refund/main/{order_id}/r-1", asked)
    for _ in range(2):
        with pytest.raises(InvalidInput):
            refunds.plan("main", order_id, 9000, Asked(request_id="r-2", requested_by="shop-app"))
    told = [(entry.kind, entry.amount_minor, entry.actor) for entry in journal.timeline("main", order_id)][-4:]
    assert told == [
        ("refund.requested", 700, "shop-app"),
        ("money.refunded", -700, "stripe"),
        ("refund.requested", 9000, "shop-app"),
        ("refund.refused", None, "shop-app"),
    ]


def test_events_are_told_with_the_filing_of_each(office: Office, journal: Journal, order_id: str) -> None:
    office.place(order_id)
    for outcome in ("applied", "ignored", "ignored"):
        event_id = f"evt-{order_id}-{outcome}"
        event = ProviderEvent(
            source="stripe",
            dialect="stripe",
            shop="main",
            event_id=event_id,
            topic="payment_intent.succeeded",
            body="{}",
            received_at=office.clock.now().isoformat(),
        )
        office.database.transact(lambda tx, event=event: tx.inbox.open(office_entry(event)))  # type: ignore[misc]
        about = About(shop="main", order_id=order_id, topic=event.topic, origin=event.origin)
        office.events.close("stripe", event_id, outcome, "", about)
    assert kinds(journal, order_id)[-2:] == ["event.applied", "event.ignored"]
    with pytest.raises(NotFound):
        office.events.close("stripe", "never-opened", "applied", "", about)
    assert len(kinds(journal, order_id)) == 4, "no entry without its filing"


def office_entry(event: ProviderEvent) -> Any:
    from worker.services.ports import InboxEntry  # noqa: PLC0415

    return InboxEntry(
        source=event.source,
        event_id=event.event_id,
        topic=event.topic,
        origin=event.origin,
        body_sha256="0" * 64,
        received_at=datetime.fromisoformat(event.received_at),
        workflow_id=f"event/{event.event_id}",
        run_id="r",
    )


def test_what_is_rolled_back_is_not_told(office: Office, journal: Journal, order_id: str) -> None:
    office.place(order_id)

    def work(tx: Transaction) -> None:
        order = tx.orders.lock("main", order_id)
        tx.orders.move(order, OrderState.CANCELLED, at=office.clock.now(), actor="test")
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        office.database.transact(work)
    assert kinds(journal, order_id) == ["order.received", "order.paying"]


def test_eight_workers_tell_of_one_request_once(office: Office, journal: Journal, order_id: str) -> None:
    office.place(order_id)
    asked = of_request(Happening.CANCELLATION_REQUESTED, "main", order_id, "r-1", actor="bob", at=office.clock.now())
    at_once(8, lambda _: office.database.transact(lambda tx: tx.timeline.add(asked)))
    assert kinds(journal, order_id)[2:] == ["cancellation.requested"]


def test_entries_hold_nobody_s_words_but_a_note_s(
    office: Office, journal: Journal, order_id: str, engine: Engine
) -> None:
    office.pay(order_id)
    key = f"order/main/{order_id}:reverse"
    office.reversal.reverse("main", order_id, to=OrderState.CANCELLED, reason="Jane Doe, 0151 123456, moved", key=key)
    journal.cancellation("main", order_id, "r-9", by="shop-app", applied=True)
    journal.note("main", order_id, "called about the delay", actor="bob")
    with engine.connect() as connection:
        rows = connection.execute(ORDER_ENTRIES.select().where(ORDER_ENTRIES.c.order_id == order_id)).all()
    texts = " ".join(str(value) for row in rows for value in row)
    assert "Jane" not in texts
    assert "c1" not in {value for row in rows for value in row}, "the customer's id"
    assert [row.note for row in rows if row.note] == ["called about the delay"]


def test_an_order_from_before_there_were_entries_shows_what_the_books_tell(
    office: Office, journal: Journal, order_id: str, engine: Engine, command_line: None
) -> None:
    office.complete(order_id)
    with engine.begin() as connection:
        connection.execute(delete(ORDER_ENTRIES).where(ORDER_ENTRIES.c.order_id == order_id))
    journal.note("main", order_id, "looked at it again", actor="bob")
    told = journal.timeline("main", order_id)
    assert all(entry.derived for entry in told[:-1])
    unknown = {"payment.authorised", "parcel.requested"}
    assert sorted(entry.kind for entry in told[:-1]) == sorted(set(SOLD) - unknown)
    shown = orders("order", "timeline", order_id)
    assert "kept no timeline" in shown.stderr
    assert "looked at it again" in shown.stdout


def test_the_command_line_tells_the_timeline_and_takes_notes(office: Office, order_id: str, command_line: None) -> None:
    office.pay(order_id)
    office.reverse(order_id)
    orders("order", "note", order_id, "  asked [the] bank  ", "--actor", "bob")
    told = json.loads(orders("order", "timeline", order_id, "--json").stdout)
    assert (told[-1]["kind"], told[-1]["note"], told[-1]["actor"]) == ("note", "asked [the] bank", "bob")
    (paid,) = [one for one in told if one["kind"] == "money.captured"]
    assert (paid["amount_minor"], paid["currency"]) == (2500, "EUR")
    (cancelled,) = [one for one in told if one["kind"] == "order.cancelled"]
    assert (cancelled["reason"], "test" in cancelled["sentence"]) == ("test", False)
    table = orders("order", "timeline", order_id).stdout
    assert "asked [the] bank" in table
    assert "EUR -25.00" in table
    assert "the order is cancelled: test" in table
    orders_of_day = json.loads(orders("order", "list", "--state", "cancelled", "--json").stdout)
    assert order_id in {one["order_id"] for one in orders_of_day}
    later = orders("order", "list", "--since", "2099-01-01T00:00:00Z", "--json").stdout
    assert json.loads(later) == []
    assert json.loads(orders("order", "list", "--needs-attention", "--json").stdout) == []
    assert json.loads(orders("order", "list", "--shop", "elsewhere", "--json").stdout) == []
    orders("order", "list", "--needs-attention", "--state", "paid", code=2)


def test_a_note_needs_an_order_and_words(office: Office, journal: Journal, order_id: str) -> None:
    with pytest.raises(NotFound, match="orders order list"):
        journal.note("main", "nobody", "hello", actor="bob")
    with pytest.raises(NotFound):
        journal.timeline("main", "nobody")
    office.place(order_id)
    for words in ("", "  ", "x" * (LONGEST_NOTE + 1)):
        with pytest.raises(InvalidInput):
            journal.note("main", order_id, words, actor="bob")
