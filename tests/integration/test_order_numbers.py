"""Orders that were taken before numbers were kept get theirs from the shop: by a daily run, or by asking for all of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from tests.integration.office import Office
from tests.integration.test_breaks_cli import SECRETS
from tests.integration.test_repositories_orders import order
from tests.unit.statement_files import table
from worker.cli.main import cli
from worker.contract.reconciliation import Reconcile
from worker.domain.errors import SourceUnreadable
from worker.domain.payment import BookEntry, EntryKind
from worker.gateways.folder_store import FolderStore
from worker.services.order_numbers import remember
from worker.statements.importing import StatementImport

NAMES = ("Transaction Date", "Type", "Order", "Card Brand", "Payout Status", "Payout Date", "Amount", "Fee", "Net", "Checkout", "Payment Method Name", "Presentment Amount", "Presentment Currency", "Currency")  # fmt: skip


def bought(office: Office, count: int = 2) -> dict[str, str]:
    """Let the shop sell, and our books know it as a release without numbers did; return the numbers by order."""
    made = {}
    for _ in range(count):
        order_id = office.outside.buy(charge=False)
        made[order_id] = office.outside.control("GET", f"/shop/orders/{order_id}")["name"].removeprefix("#")
        old = order(order_id, placed_at=office.clock.now(), payment_mode="collected_by_shop")
        office.database.transact(lambda tx, one=old: tx.orders.add(one, office.clock.now(), "shop"))  # type: ignore[misc]
    return made


def numbers(office: Office) -> dict[str, str]:
    with office.engine.connect() as connection:
        rows = connection.execute(text("SELECT order_id, number FROM orders"))
        return dict(rows.all())


def from_file(office: Office, folder: Path, number: str, at: datetime, run_id: str) -> list[str]:
    """Take in what Shopify Payments says of an order, compare with it, and return what is told."""
    row = (f"{at:%Y-%m-%d %H:%M:%S} +0000", "charge", f"#{number}", "visa", "paid", f"{at:%Y-%m-%d}", "25.00", "0.50", "24.50", run_id, "card", "25.00", "EUR", "EUR")  # fmt: skip
    taking = StatementImport(office.database, FolderStore(folder), lambda: office.lake, "main")
    taken = taking.take("export.csv", table(NAMES, [row]), office.clock.now()).file
    request = Reconcile(shop="main", provider="shopify_payments", statement_sha256=taken.sha256)
    span = office.reconciliation.window(request, office.clock.now())
    office.reconciliation.run(request, span, run_id=run_id, workflow_id="w", give_up=False, progress=lambda _: None)
    found = office.database.transact(lambda tx: tx.runs.findings(run_id))
    return sorted(f"{one.kind} {one.key}" for one in found if one.leg == "payments")


def test_a_daily_run_fills_in_what_the_shop_calls_its_orders(office: Office, start: datetime, tmp_path: Path) -> None:
    made = bought(office)
    first, number = next(iter(made.items()))
    at = office.clock.now()
    captured = BookEntry(
        shop="main",
        order_id=first,
        provider="shopify_payments",
        kind=EntryKind.CAPTURE,
        reference="t-1",
        payment_reference="t-1",
        amount_minor=2500,
        currency="EUR",
        occurred_at=at,
        method="card",
    )
    office.database.transact(lambda tx: tx.payments.post(captured))
    kept = office.order(first)
    told = from_file(office, tmp_path, number, at, "before")
    assert told == [f"missing_external order/{first}", f"missing_internal order/{number}"]
    office.reconcile(office.span(start), "r1")
    assert numbers(office) == made
    assert office.order(first) == replace(kept, number=number), "nothing else of an order changes"
    assert from_file(office, tmp_path, number, at, "after") == []


def test_a_number_is_never_changed(office: Office, start: datetime) -> None:
    made = bought(office)
    (first, second) = made
    assert remember(office.database, "main", {first: "77", "unknown": "78"}) == 1
    office.reconcile(office.span(start), "r1")
    assert numbers(office) == {first: "77", second: made[second]}


def test_a_dry_run_remembers_nothing(office: Office, start: datetime) -> None:
    made = bought(office)
    request = Reconcile(shop="main", provider="stripe", requested_by="test")
    office.reconciliation.dry_run(request, office.span(start), run_id="dry", progress=lambda _: None)
    assert numbers(office) == dict.fromkeys(made, "")


@pytest.fixture
def typed(office: Office, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("ORDERS_DATABASE__URL", engine.url.render_as_string(hide_password=False))
    for name in SECRETS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    monkeypatch.setenv("ORDERS_SHOP__API_BASE", f"{office.outside.base}/shopify")
    monkeypatch.setenv("ORDERS_ACTOR", "kim")
    return office


def fill(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["order", "fill-numbers", "--reason", "files", *arguments])
    assert done.exit_code == code, done.output
    return done


def deeds(office: Office) -> list[tuple[str, str, str]]:
    found = office.database.transact(lambda tx: list(tx.audit.entries("main", upto=99)))
    return [(one.record.actor, one.record.action, one.record.subject) for one in found]


def test_all_old_orders_are_filled_in_by_a_person_who_looks_first(typed: Office) -> None:
    """Also those that no run reads any more."""
    made = bought(typed, 3)
    typed.advance(timedelta(days=40))
    ours = order("api-1", placed_at=typed.clock.now() - timedelta(days=20))
    typed.database.transact(lambda tx: tx.orders.add(ours, typed.clock.now(), "api"))
    looked = fill("--dry-run").output
    assert "4 orders of main without a number" in looked
    assert "3 would get the number that the shop told" in looked
    assert (set(numbers(typed).values()), deeds(typed)) == ({""}, [])
    done = fill().output
    assert "3 got the number that the shop told" in done
    assert "1 stay without" in done
    assert numbers(typed) == {**made, "api-1": ""}
    assert deeds(typed) == [("kim", "numbers filled", "shop/main")]
    assert remember(typed.database, "main", {"api-1": "9"}) == 1
    assert fill().output == "every order of main has its number\n"


def test_a_shop_that_is_silent_fills_in_nothing_and_is_told(typed: Office) -> None:
    bought(typed, 1)
    typed.outside.fault("GET /shopify/admin/api/*/orders.json", "status", status=500, times=99)
    assert isinstance(fill(code=1).exception, SourceUnreadable)
    assert set(numbers(typed).values()) == {""}
