"""A month of a shop that has files and no API: statements, a list of payouts and a bank's statement of made sales."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from tests.integration.bank_files import Booking, camt
from tests.unit.statement_files import table
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry, EntryKind

DAY = timedelta(days=1)
FIRST = date(2026, 9, 1)
PAYOUTS = 8
"""One on each day from the fourth; what is sold on a day is paid out three days later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A charge or (negative) a refund of an order, and in which payout it is."""

    order: str
    minor: int
    fee: int
    at: datetime
    payout: str
    kind: str = "charge"

    @property
    def net(self) -> int:
        return self.minor - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payout as the list has it."""

    name: str
    on: date
    minor: int
    status: str = "paid"


@dataclass
class Month:
    """What is written into the files; a harm changes it."""

    sales: list[Sale] = field(default_factory=list)
    listed: list[Paid] = field(default_factory=list)
    booked: list[Booking] = field(default_factory=list)
    provider: str = "stripe"

    def swap(self, name: str, *new: Paid) -> Paid:
        """Replace a payout of the list; return what it was."""
        at = next(number for number, one in enumerate(self.listed) if one.name == name)
        before = self.listed[at]
        self.listed[at : at + 1] = new
        return before

    def entries(self, shop: str) -> list[BookEntry]:
        """What we booked of the sales, before any harm."""
        return [
            BookEntry(
                shop=shop,
                order_id=one.order,
                provider=self.provider,
                kind=EntryKind.CAPTURE if one.minor > 0 else EntryKind.REFUND,
                reference=f"{shop}-{one.kind}-{one.order}",
                payment_reference=f"{shop}-charge-{one.order}",
                amount_minor=one.minor,
                currency="EUR",
                occurred_at=one.at,
                method="card",
            )
            for one in self.sales
            if one.order
        ]

    def statement(self, shop: str, sales: Sequence[Sale] | None = None) -> bytes:
        """The provider's statement, of all sales or of some."""
        return _WRITERS[self.provider][0](self, shop, self.sales if sales is None else sales)

    def list_of_payouts(self, payouts: Sequence[Paid] | None = None) -> bytes:
        """The provider's list of its payouts, of all or of some."""
        return _WRITERS[self.provider][1](self, self.listed if payouts is None else payouts)

    def bank(self) -> bytes:
        """The bank's statement, which covers the month and ten days."""
        return camt(FIRST, FIRST + 24 * DAY, self.booked)


def month(provider: str) -> Month:
    """Return a month of which everything agrees: sales of days, a refund, a fee, all paid out and booked by the bank."""
    made = Month(provider=provider)
    for number in range(PAYOUTS + 3):
        at = datetime.combine(FIRST + number * DAY, time(9, number), UTC)
        payout = _name(provider, number)
        for each in range(3):
            minor = 5_000 + 700 * each + 11 * number
            order = f"{number + 1}0{each}"
            made.sales.append(Sale(order=order, minor=minor, fee=minor // 50 + 25, at=at, payout=payout))
        if number % 3 == 1:
            back = replace(made.sales[-1], minor=-1_000, fee=0, at=at + timedelta(hours=5), kind="refund")
            made.sales.append(back)
        if number % 4 == 2:
            made.sales.append(
                Sale(order="", minor=-250, fee=0, at=at + timedelta(hours=6), payout=payout, kind="fee"),
            )
        if number < PAYOUTS:
            net = sum(one.net for one in made.sales if one.payout == payout)
            on = FIRST + (number + 3) * DAY
            made.listed.append(Paid(name=payout, on=on, minor=net))
            made.booked.append(Booking(on=on + DAY, minor=net, text=f"payout {payout}", payer=_PAYERS[provider]))
    return made


def _name(provider: str, number: int) -> str:
    return f"po_{number:02d}" if provider == "stripe" else str(148_156_000_000 + number)


def _stripe(made: Month, shop: str, sales: Sequence[Sale]) -> bytes:
    names = ("automatic_payout_id", "automatic_payout_effective_at_utc", "balance_transaction_id", "created_utc")
    more = ("currency", "gross", "fee", "net", "reporting_category", "source_id", "payment_intent_id")
    rows = []
    for number, one in enumerate(sales):
        open_ = one.payout not in {_name("stripe", at) for at in range(PAYOUTS)}
        payment = f"{shop}-charge-{one.order}" if one.order else ""
        rows.append(
            (
                "" if open_ else one.payout,
                "" if open_ else f"{one.at.date() + 3 * DAY} 00:00:00",
                f"txn_{one.at:%d}_{one.kind}_{one.order or number}",
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                "eur",
                _amount(one.minor),
                _amount(one.fee),
                _amount(one.net),
                one.kind,
                f"{shop}-refund-{one.order}" if one.kind == "refund" else payment,
                payment,
            )
        )
    return table((*names, *more), rows)


def _stripe_payouts(_made: Month, payouts: Sequence[Paid]) -> bytes:
    rows = []
    for one in payouts:
        row = (one.name, f"{one.on} 00:00:00", "eur", f"txn_{one.name}", _amount(-one.minor), "0.00")
        end = (_amount(-one.minor), "payout", f"{one.on} 00:00:00", one.status)
        rows.append((*row, *end))
        if one.status in {"failed", "canceled"}:
            back = (_amount(one.minor), "payout_reversal", f"{one.on} 00:00:00", one.status)
            rows.append((*row[:3], f"txn_{one.name}_back", _amount(one.minor), "0.00", *back))
    names = ("payout_id", "effective_at", "currency", "balance_transaction_id", "gross", "fee", "net")
    return table((*names, "reporting_category", "payout_expected_arrival_date", "payout_status"), rows)


def _shopify(made: Month, _shop: str, sales: Sequence[Sale]) -> bytes:
    names = ("Transaction Date", "Type", "Order", "Payout Status", "Payout Date", "Payout ID", "Amount", "Fee", "Net")
    known = {_name("shopify_payments", number) for number in range(PAYOUTS)}
    status = {one.name: one.status for one in made.listed}
    rows = []
    for one in sales:
        paid = one.payout in known
        rows.append(
            (
                f"{one.at:%Y-%m-%d %H:%M:%S} +0000",
                "adjustment" if one.kind == "fee" and not one.order else one.kind,
                f"#{one.order}" if one.order else "",
                status.get(one.payout, "paid") if paid else "pending",
                f"{one.at.date() + 3 * DAY}" if paid else "",
                one.payout if paid else "",
                _amount(one.minor),
                _amount(one.fee),
                _amount(one.net),
                f"#9{one.order}" if one.order else "",
                "card",
                "EUR",
            )
        )
    return table((*names, "Checkout", "Payment Method Name", "Currency"), rows)


def _shopify_payouts(_made: Month, payouts: Sequence[Paid]) -> bytes:
    names = ("Payout Date", "Status", "Charges", "Refunds", "Adjustments", "Reserved Funds", "Fees", "Retried Amount")
    rows = [
        (f"{one.on}", one.status, _amount(one.minor), "0.00", "0.00", "0.00", "0.00", "0.00", _amount(one.minor), "EUR")
        for one in payouts
    ]
    return table((*names, "Total", "Currency"), rows)


def _amount(minor: int) -> str:
    return format_minor(minor, "EUR").replace(",", "")


_PAYERS = {"stripe": "Stripe Technology Europe", "shopify_payments": "Shopify International"}
_WRITERS: dict[str, tuple[Callable[..., bytes], Callable[..., bytes]]] = {
    "stripe": (_stripe, _stripe_payouts),
    "shopify_payments": (_shopify, _shopify_payouts),
}
