"""Refunds made in the shop's admin on its own payments: told by the shop, booked once, and delivered again where that was lost."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.office import Office
from tests.unit.statement_files import table
from worker.contract.events import ProviderEvent
from worker.contract.reconciliation import Reconcile
from worker.domain.finding import Break, FindingKind, Repair, RepairState
from worker.domain.order import OrderState
from worker.domain.repair_policy import RepairMode, RepairPolicy
from worker.gateways.folder_store import FolderStore
from worker.services.repair import RepairService
from worker.statements.importing import StatementImport

NAMES = ("Transaction Date", "Type", "Order", "Payout Status", "Payout Date", "Amount", "Fee", "Net", "Currency")
OWN = "shopify_payments"


def heard(office: Office, topic: str, document: str, event_id: str) -> str:
    at = office.clock.now().isoformat()
    event = ProviderEvent(
        source="shopify",
        dialect="shopify",
        shop="main",
        event_id=event_id,
        topic=topic,
        body=document,
        received_at=at,
        origin="webhook",
    )
    return office.deliver(event)


def sold(office: Office) -> str:
    """Sell for 25.00 through the shop's own payments; our books hear of it."""
    order_id = office.outside.buy(gateway=OWN)
    shop = office.outside.shop()
    assert heard(office, "orders/paid", shop.order_document(order_id), f"paid-{order_id}") == "applied"
    assert {(one.provider, one.amount_minor) for one in office.entries_of(order_id)} == {(OWN, 2500)}
    return order_id


def given_back(office: Office, order_id: str, minor: int) -> str:
    """Give money back in the shop's admin; return what its webhook would say."""
    office.outside.control("POST", f"/shop/orders/{order_id}/refund", {"amount": minor})
    shop = office.outside.shop()
    return shop.refund_document(order_id, shop.refunds(order_id)[-1].reference)


class Files:
    """Imports what Shopify Payments exports of one hour, and compares with it."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office, self.folder, self.runs = office, folder, 0
        self.begin = office.clock.now().replace(microsecond=0)

    def run(self, order_id: str, *amounts: str) -> list[Break]:
        """Return the breaks that are open afterwards."""
        self.runs += 1
        end = self.begin + timedelta(hours=1)
        sale = self.office.order(order_id).placed_at
        rows = [_row(self.begin, "adjustment", "", "-0.10"), _row(end, "adjustment", "", "0.10")]
        rows[1:1] = [
            _row(sale, "refund" if amount.startswith("-") else "charge", self.office.order(order_id).number, amount)
            for amount in amounts
        ]
        taking = StatementImport(self.office.database, FolderStore(self.folder), lambda: self.office.lake, "main")
        taken = taking.take("export.csv", table(NAMES, rows), self.office.clock.now()).file
        request = Reconcile(shop="main", provider=OWN, statement_sha256=taken.sha256)
        span = self.office.reconciliation.window(request, end)
        self.office.reconciliation.run(
            request, span, run_id=f"r{self.runs}", workflow_id="w", give_up=False, progress=lambda _: None
        )
        return self.open()

    def open(self) -> list[Break]:
        return self.office.database.transact(lambda tx: tx.breaks.open("main", OWN))

    def repaired(self, service: RepairService) -> int:
        claims = [service.claim(break_id, f"r{self.runs}") for break_id in service.due("main", OWN, f"r{self.runs}")]
        return sum(self.office.carried_out(claim, service) for claim in claims if claim is not None)


def _row(at: datetime, kind: str, number: str, amount: str) -> tuple[str, ...]:
    return (f"{at:%Y-%m-%d %H:%M:%S} +0000", kind, f"#{number}" if number else "", "pending", "", amount, "0.00", amount, "EUR")  # fmt: skip


@pytest.fixture
def files(office: Office, tmp_path: Path) -> Files:
    return Files(office, tmp_path)


def test_the_shop_tells_of_it_and_it_is_booked_once(office: Office, files: Files) -> None:
    order_id = sold(office)
    first = given_back(office, order_id, 700)
    assert heard(office, "refunds/create", first, "refund-1") == "applied"
    assert heard(office, "refunds/create", first, "refund-1-again") == "ignored", "by the shop's reference"
    second = given_back(office, order_id, 300)
    assert heard(office, "refunds/create", second, "refund-2") == "applied"
    assert office.booked(order_id) == [2500, -300, -700]
    (payment,) = office.payments_of(order_id)
    assert (payment.provider, payment.refunded_minor) == (OWN, 1000)
    assert files.run(order_id, "25.00", "-7.00", "-3.00") == []


def test_what_was_lost_is_delivered_on_the_same_way(office: Office, files: Files) -> None:
    order_id = sold(office)
    lost = given_back(office, order_id, 700)
    (item,) = files.run(order_id, "25.00", "-7.00")
    assert (item.finding.kind, item.finding.difference_minor) == (FindingKind.REFUND_EXCEEDS, -700)
    assert item.finding.repair is Repair.DELIVER_REFUND
    assert files.repaired(office.repair) == 1
    assert office.booked(order_id) == [2500, -700]
    assert heard(office, "refunds/create", lost, "refund-late") == "ignored", "its own message comes after all"
    assert files.run(order_id, "25.00", "-7.00") == []
    assert office.booked(order_id) == [2500, -700]


def test_a_payment_that_was_never_heard_of_is_delivered_too(office: Office, files: Files) -> None:
    order_id = office.outside.buy(gateway=OWN)
    shop = office.outside.shop()
    assert heard(office, "orders/create", shop.order_document(order_id), "created") == "applied"
    (item,) = files.run(order_id, "25.00")
    assert item.finding.repair is Repair.DELIVER_PAYMENT
    assert files.repaired(office.repair) == 1
    assert files.run(order_id, "25.00") == []
    assert {(one.provider, one.amount_minor) for one in office.entries_of(order_id)} == {(OWN, 2500)}


def test_an_order_that_is_cancelled_and_refunded_at_the_shop_ends_without_a_person(office: Office) -> None:
    """Whichever of the two messages comes first."""
    order_id = sold(office)
    office.outside.control("POST", f"/shop/orders/{order_id}/cancel", {"refund": True})
    shop = office.outside.shop()
    assert office.reverse(order_id).state == OrderState.CANCELLED
    assert office.booked(order_id) == [2500, -2500]
    late = shop.refund_document(order_id, shop.refunds(order_id)[-1].reference)
    heard(office, "refunds/create", late, "refund-late")
    assert office.booked(order_id) == [2500, -2500]
    kept = sold(office)
    assert office.reverse(kept).state == OrderState.NEEDS_ATTENTION, "the shop gave nothing back: a person must"


def test_nothing_is_delivered_that_the_policy_does_not_allow(office: Office, files: Files) -> None:
    order_id = sold(office)
    given_back(office, order_id, 700)
    files.run(order_id, "25.00", "-7.00")
    assert files.repaired(office.repairing(deliver_refund=RepairPolicy(mode=RepairMode.OFF))) == 0
    assert (office.booked(order_id), [one.repair_state for one in files.open()]) == ([2500], [RepairState.NONE])


def test_a_provider_without_an_api_is_not_asked_through_another_s(office: Office, files: Files) -> None:
    """A charge that its files lack is no lie of our books': the provider with the API has never heard of it."""
    sold(office)
    order_id = sold(office)
    (item,) = files.run(order_id, "25.00")
    assert (item.finding.kind, item.finding.repair) == (FindingKind.MISSING_EXTERNAL, Repair.ASK_PROVIDER)
    assert files.repaired(office.repair) == 0
    assert [one.repair_state for one in files.open()] == [RepairState.FAILED], "it waits for a person"
    told = json.dumps([one.words for one in office.database.transact(lambda tx: tx.breaks.history(item.break_id))])
    assert "only a person can ask it" in told
    assert "unknown to the provider" not in told
