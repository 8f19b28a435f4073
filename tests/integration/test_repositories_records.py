from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert

from tests.integration.own_database import at_once, migrated_database
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.domain.ledger import LedgerLine, LineKind, Shipment, ShipmentState
from worker.domain.user import User, UserState
from worker.repositories.database import MysqlDatabase
from worker.repositories.paging import PAGE
from worker.repositories.schema import STATEMENT_LINES
from worker.services.ports import InboxEntry, RejectedRow, StatementFile, StatementScope

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def database(engine: Engine) -> MysqlDatabase:
    """Shared by the tests of this file: each uses ids of its own."""
    return MysqlDatabase(engine)


def parcel(shipment_id: str, order_id: str) -> Shipment:
    return Shipment(shipment_id=shipment_id, order_id=order_id, state=ShipmentState.REQUESTED, requested_at=NOW)


def test_a_parcel_is_inserted_then_updated(database: MysqlDatabase) -> None:
    first, earlier = parcel("p1", "1"), replace(parcel("p0", "1"), requested_at=NOW - timedelta(seconds=1))
    shipped = replace(first, state=ShipmentState.SHIPPED, shipped_at=NOW, tracking="T-1")
    database.transact(lambda tx: tx.shipments.save("main", first))
    database.transact(lambda tx: tx.shipments.save("main", earlier))
    database.transact(lambda tx: tx.shipments.save("main", shipped))
    database.transact(lambda tx: tx.shipments.save("other", parcel("p1", "7")))
    assert database.transact(lambda tx: tx.shipments.of_order("main", "1")) == [earlier, shipped]
    assert database.transact(lambda tx: tx.shipments.of_order("main", "7")) == []


def test_a_parcel_never_changes_its_order(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.shipments.save("main", parcel("p2", "2")))
    with pytest.raises(Conflict, match="belongs to order 2"):
        database.transact(lambda tx: tx.shipments.save("main", replace(parcel("p2", "3"), tracking="X")))
    assert database.transact(lambda tx: tx.shipments.of_order("main", "2")) == [parcel("p2", "2")]


def received(event_id: str, run_id: str = "run-1", **changes: str) -> InboxEntry:
    entry = InboxEntry(
        source="stripe",
        event_id=event_id,
        topic="charge.refunded",
        origin="webhook",
        body_sha256="0" * 64,
        received_at=NOW,
        workflow_id=f"event/stripe/{event_id}",
        run_id=run_id,
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def test_the_first_to_open_an_event_owns_it(database: MysqlDatabase) -> None:
    first, second = received("evt-1"), received("evt-1", "run-2", origin="replay")
    assert database.transact(lambda tx: tx.inbox.open(first)) == first
    assert database.transact(lambda tx: tx.inbox.open(second)) == first
    assert database.transact(lambda tx: tx.inbox.open(replace(second, source="shopify"))).run_id == "run-2"


def test_of_eight_openers_at_once_all_see_one_owner(database: MysqlDatabase) -> None:
    owners = at_once(8, lambda n: database.transact(lambda tx: tx.inbox.open(received("evt-race", f"run-{n}"))).run_id)
    assert len(set(owners)) == 1


def test_a_closed_event_says_what_became_of_it(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.inbox.open(received("evt-2")))
    database.transact(lambda tx: tx.inbox.close("stripe", "evt-2", "applied", "order/main/1", NOW))
    database.transact(lambda tx: tx.inbox.close("stripe", "evt-2", "applied", "order/main/1", NOW))
    closed = database.transact(lambda tx: tx.inbox.open(received("evt-2", "run-9")))
    assert closed == received("evt-2", outcome="applied", detail="order/main/1")
    with pytest.raises(NotFound, match="stripe/evt-none"):
        database.transact(lambda tx: tx.inbox.close("stripe", "evt-none", "applied", "", NOW))


def test_recent_events_newest_first_and_filtered(database: MysqlDatabase) -> None:
    for number in range(4):
        entry = replace(
            received(f"recent-{number}", source="s1" if number % 2 else "s2"),
            received_at=NOW + timedelta(days=1, seconds=number),
            outcome="late" if number < 2 else "ignored",
        )
        database.transact(lambda tx, entry=entry: tx.inbox.open(entry))  # type: ignore[misc]

    def ids(source: str | None, outcome: str | None, limit: int) -> list[str]:
        found = database.transact(lambda tx: tx.inbox.recent(source=source, outcome=outcome, limit=limit))
        return [entry.event_id for entry in found]

    assert ids(None, None, 2) == ["recent-3", "recent-2"]
    assert ids("s1", None, 9) == ["recent-3", "recent-1"]
    assert ids(None, "late", 9) == ["recent-1", "recent-0"]
    assert ids("s2", "late", 9) == ["recent-0"]


def test_a_user_is_added_once_and_moved_when_expected(database: MysqlDatabase) -> None:
    user = User(user_id="u1", email="a@shop.example", state=UserState.PENDING, registered_at=NOW)
    later = NOW + timedelta(hours=1, microseconds=5)
    assert database.transact(lambda tx: tx.users.add(user))
    assert not database.transact(lambda tx: tx.users.add(replace(user, email="b@shop.example")))
    assert database.transact(lambda tx: tx.users.get("u1")) == user
    assert database.transact(lambda tx: tx.users.get("U1")) is None
    assert database.transact(lambda tx: tx.users.move("u1", UserState.PENDING, UserState.ACTIVE, later))
    active = replace(user, state=UserState.ACTIVE, confirmed_at=later)
    assert database.transact(lambda tx: tx.users.get("u1")) == active
    assert not database.transact(lambda tx: tx.users.move("u1", UserState.PENDING, UserState.EXPIRED, later))
    assert not database.transact(lambda tx: tx.users.move("nobody", UserState.PENDING, UserState.EXPIRED, later))
    assert database.transact(lambda tx: tx.users.get("u1")) == active


def test_an_expired_user_was_never_confirmed(database: MysqlDatabase) -> None:
    user = User(user_id="u2", email="a@shop.example", state=UserState.PENDING, registered_at=NOW)
    database.transact(lambda tx: tx.users.add(user))
    assert database.transact(lambda tx: tx.users.move("u2", UserState.PENDING, UserState.EXPIRED, NOW))
    assert database.transact(lambda tx: tx.users.get("u2")) == replace(user, state=UserState.EXPIRED)


def test_of_a_confirmation_and_an_expiry_at_once_one_wins(database: MysqlDatabase) -> None:
    user = User(user_id="u3", email="a@shop.example", state=UserState.PENDING, registered_at=NOW)
    database.transact(lambda tx: tx.users.add(user))
    targets = [UserState.ACTIVE, UserState.EXPIRED] * 4
    won = at_once(8, lambda n: database.transact(lambda tx: tx.users.move("u3", UserState.PENDING, targets[n], NOW)))
    assert sum(won) == 1
    stored = database.transact(lambda tx: tx.users.get("u3"))
    assert stored is not None
    assert stored.state is targets[won.index(True)]


def test_an_address_stays_out_of_errors(database: MysqlDatabase) -> None:
    user = User(user_id="u4", email="a" * 400 + "@shop.example", state=UserState.PENDING, registered_at=NOW)
    with pytest.raises(InvalidInput) as refusal:
        database.transact(lambda tx: tx.users.add(user))
    shown: BaseException | None = refusal.value
    while shown is not None:
        assert "shop.example" not in str(shown)
        shown = shown.__cause__ or shown.__context__


FILE = StatementFile(
    sha256="a" * 64,
    shop="main",
    provider="adyen",
    format="adyen",
    name="settlement_2026_11.csv",
    imported_at=NOW,
    rows=3,
    rejected=2,
    first_at=NOW - timedelta(days=1),
    last_at=None,
    checks={"total": "the file's own total agrees", "läuft": "ja"},
    scope=StatementScope.PAYOUTS,
)


def line(number: int) -> LedgerLine:
    return LedgerLine(
        line_id=f"txn_{number}",
        provider="adyen",
        kind=LineKind.REFUND,
        currency="EUR",
        gross_minor=-number,
        fee_minor=3,
        net_minor=-number - 3,
        created_at=NOW + timedelta(microseconds=number),
        payment_reference=f"pi_{number}",
        order_id=f"{number}",
        source_id="re",
        payout_id="po",
        type_text="Refunded",
        method="card",
        country="NL",
        customer_currency="USD",
        customer_minor=-number,
        payout_at=NOW if number % 2 else None,
    )


def test_a_statement_file_is_stored_whole_and_once(database: MysqlDatabase) -> None:
    rejects = [RejectedRow(line=9, column="amount", reason="not a number"), RejectedRow(line=2, column="", reason="?")]
    assert database.transact(lambda tx: tx.statements.add(FILE, rejects))
    assert not database.transact(lambda tx: tx.statements.add(replace(FILE, name="again.csv"), []))
    assert database.transact(lambda tx: tx.statements.get(FILE.shop, FILE.sha256)) == FILE
    assert database.transact(lambda tx: list(tx.statements.lines(FILE.shop, FILE.sha256))) == []
    assert database.transact(lambda tx: tx.statements.rejects(FILE.shop, FILE.sha256)) == rejects


def test_lines_that_a_release_without_a_lake_stored_are_read(database: MysqlDatabase, engine: Engine) -> None:
    # Several pages, in an order that no column has, with a line that occurs twice.
    file = replace(FILE, sha256="b" * 64)
    lines = [line(number * 7919 % 4999) for number in range(2 * PAGE + 10)] + [line(1), line(1)]
    database.transact(lambda tx: tx.statements.add(file, []))
    with engine.begin() as connection:
        rows = [{"sha256": file.sha256, "position": at} | asdict(one) for at, one in enumerate(lines)]
        for row in rows:
            del row["shop"]
        connection.execute(insert(STATEMENT_LINES), rows)
    assert database.transact(lambda tx: list(tx.statements.lines(file.shop, file.sha256))) == lines


def test_naive_times_are_refused(database: MysqlDatabase) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.shipments.save("main", replace(parcel("n", "n"), requested_at=naive)))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.inbox.open(replace(received("n"), received_at=naive)))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.users.move("u1", UserState.ACTIVE, UserState.EXPIRED, naive))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.statements.add(replace(FILE, sha256="c", imported_at=naive), []))
