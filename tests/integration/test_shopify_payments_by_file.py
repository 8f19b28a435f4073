"""A shop on Shopify Payments, whose export names orders by their numbers: compared with what we booked, in the ordinary way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from tests.integration.bank_files import Booking, camt
from tests.integration.month_of_files import Month, month
from tests.integration.own_database import emptied
from tests.integration.test_payout_files import LATER, FilesAlone
from tests.integration.test_repositories_orders import order
from tests.unit.statement_files import table
from worker.contract.orders import OrderEvent, OrderEventKind
from worker.domain.finding import FindingKind, Leg, Outcome, Verdict
from worker.domain.payment import BookEntry, EntryKind
from worker.repositories.database import MysqlDatabase
from worker.services.bookkeeping import Bookkeeping
from worker.services.ports import Clock, PaymentGateway, ShopGateway, ShopPayment
from worker.statements.parse import parse

K = FindingKind


def id_of(number: str) -> str:
    return f"8209829119{number}"


class Numbered(Month):
    """Our books know the orders by their ids; the shop's customers, and its export, by their numbers."""

    def entries(self, shop: str) -> list[BookEntry]:
        return [replace(one, order_id=id_of(one.order_id)) for one in super().entries(shop)]


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> FilesAlone:
    emptied(engine)
    plain = month("shopify_payments")
    made = Numbered(sales=plain.sales, listed=plain.listed, booked=plain.booked, provider=plain.provider)
    opened = FilesAlone(MysqlDatabase(engine), tmp_path, made)
    for number in sorted({one.order for one in made.sales if one.order}):
        sold = order(id_of(number), number=number)
        opened.database.transact(lambda tx, one=sold: tx.orders.add(one, LATER, "shop"))  # type: ignore[misc]
    return opened


def payments_told(shop: FilesAlone) -> list[tuple[str, FindingKind, Outcome, int]]:
    run = shop.run(shop.take_all())
    told = [one for one in shop.told(run) if one[2] is not K.UNCLASSIFIED]
    assert {leg for leg, *_ in told} <= {Leg.PAYMENTS}
    return [tuple(rest) for _, *rest in told]  # type: ignore[misc]


def test_an_order_is_found_by_its_number(shop: FilesAlone) -> None:
    run = shop.run(shop.take_all())
    assert [one for one in shop.told(run) if one[2] is not K.UNCLASSIFIED] == []
    assert (run.counts or {})["matched"] >= 33


def charged_less(made: Month) -> tuple[str, FindingKind, int]:
    sale = made.sales[0]
    made.sales[0] = replace(sale, minor=sale.minor - 10)
    return sale.order, K.AMOUNT_UNDER, -10


def charged_twice(made: Month) -> tuple[str, FindingKind, int]:
    sale = made.sales[0]
    made.sales.insert(1, replace(sale, at=sale.at + timedelta(minutes=2)))
    return sale.order, K.DUPLICATE_EXTERNAL, sale.minor


def charge_is_lacking(made: Month) -> tuple[str, FindingKind, int]:
    sale = made.sales.pop(0)
    return sale.order, K.MISSING_EXTERNAL, -sale.minor


def refunded_more(made: Month) -> tuple[str, FindingKind, int]:
    sale = made.sales[0]
    back = replace(sale, minor=-700, fee=0, at=sale.at + timedelta(hours=1), kind="refund")
    made.sales.insert(3, back)
    return sale.order, K.REFUND_EXCEEDS, -700


def charged_back(made: Month) -> tuple[str, FindingKind, int]:
    sale = made.sales[0]
    back = replace(sale, minor=-sale.minor, fee=1_500, at=sale.at + timedelta(hours=1), kind="chargeback")
    made.sales.insert(3, back)
    return sale.order, K.DISPUTED, -sale.minor


@pytest.mark.parametrize(
    "harm", [charged_less, charged_twice, charge_is_lacking, refunded_more, charged_back], ids=lambda one: one.__name__
)
def test_what_the_export_says_otherwise_is_found(
    shop: FilesAlone, harm: Callable[[Month], tuple[str, FindingKind, int]]
) -> None:
    made = shop.made
    number, kind, apart = harm(made)
    # The provider paid out what its lines make: it is the order that differs, and nothing else.
    for at, paid in enumerate(made.listed):
        net = sum(one.net for one in made.sales if one.payout == paid.name)
        made.listed[at] = replace(paid, minor=net)
        made.booked[at] = replace(made.booked[at], minor=net)
    assert payments_told(shop) == [(f"order/{id_of(number)}", kind, Outcome.BREAK, apart)]


def test_a_number_that_two_orders_bear_or_that_is_an_id_names_nobody(shop: FilesAlone) -> None:
    def known(*numbers: str) -> dict[str, str]:
        return shop.database.transact(lambda tx: tx.orders.by_number(shop.shop, numbers))

    assert known("100", "101", "none") == {"100": id_of("100"), "101": id_of("101")}
    for again in (order("77", number="100"), order("101", number="x")):
        shop.database.transact(lambda tx, one=again: tx.orders.add(one, LATER, "shop"))  # type: ignore[misc]
    assert known("100", "101") == {}


def test_what_the_shop_s_own_payments_took_is_booked_as_theirs(shop: FilesAlone) -> None:
    class Listing:
        """The shop's list of what it took for an order, and a provider that is never asked."""

        name = "stripe"

        def payments(self, _order_id: str) -> list[ShopPayment]:
            own = ShopPayment(
                reference="ch_own", amount_minor=900, currency="EUR", at=LATER, gateway="shopify_payments"
            )
            return [own, replace(own, reference="pi_other", amount_minor=100, gateway="stripe")]

    shop.database.transact(
        lambda tx: tx.orders.add(order("55", payment_mode="collected_by_shop", number="1055"), LATER, "shop")
    )
    listing = Listing()
    books = Bookkeeping(
        shop.database, cast("PaymentGateway", listing), cast("ShopGateway", listing), cast("Clock", shop)
    )
    event = OrderEvent(event_id="e", kind=OrderEventKind.PAYMENT_CAPTURED, occurred_at=LATER.isoformat())
    assert books.captures("main", "55", event)
    entries = shop.database.transact(lambda tx: tx.payments.entries_of_order("main", "55"))
    assert {(one.provider, one.reference, one.amount_minor) for one in entries} == {
        ("shopify_payments", "ch_own", 900),
        ("stripe", "pi_other", 100),
    }


def test_the_six_real_rows_with_their_payout_and_its_booking(
    engine: Engine, tmp_path: Path, fixtures_dir: Path
) -> None:
    emptied(engine)
    real = (fixtures_dir / "statements" / "shopify" / "payment_transactions_export.csv").read_bytes()
    shop = FilesAlone(MysqlDatabase(engine), tmp_path, Month(provider="shopify_payments"))
    taken = shop.take("export.csv", real)
    for line in parse("export.csv", real).lines:
        booked = BookEntry(
            shop=shop.shop,
            order_id=line.order_id,
            provider="shopify_payments",
            kind=EntryKind.CAPTURE if line.gross_minor > 0 else EntryKind.REFUND,
            reference=f"ref-{line.line_id}",
            payment_reference=f"ref-{line.source_id}",
            amount_minor=line.gross_minor,
            currency=line.currency,
            occurred_at=line.created_at,
        )
        shop.database.transact(lambda tx, one=booked: tx.payments.post(one))  # type: ignore[misc]
    names = ("Payout Date", "Status", "Charges", "Refunds", "Fees", "Total", "Currency", "Bank Reference")
    row = ("2026-09-01", "paid", "4763.37", "-1598.70", "-188.75", "2975.92", "AED", "REF-9")
    shop.take("payouts.csv", table(names, [row]))
    booking = Booking(on=datetime(2026, 9, 2).date(), minor=297_592, text="REF-9 shopify", payer="Shopify")
    bank = camt(booking.on - timedelta(days=20), booking.on + timedelta(days=9), [booking]).replace(b"EUR", b"AED")
    shop.take("bank.xml", bank)
    run = shop.run(taken.file.sha256)
    assert (run.verdict, shop.told(run)) == (Verdict.RECONCILED, [])
    (payout,) = shop.lake.gathered(run.inputs).payouts()
    assert (payout.payout_id, payout.amount_minor, payout.lines_minor) == ("148156579998", 297_592, 297_592)
