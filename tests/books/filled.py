"""Made books as the lists that the rules compare, one order's records beside the next."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from infra.local.books.market import FEE_BASIS_POINTS, TENDERS
from infra.local.books.plan import Plan
from infra.local.books.records import Payouts, Records, records
from infra.local.books.story import Story
from tests.unit.matching_books import Books
from worker.domain.finding import Finding, FindingKind, Outcome, Statement, Verdict
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.bank import BankCredit, match_bank
from worker.domain.matching.bridge import statements
from worker.domain.matching.disputed import disputes
from worker.domain.matching.orders import match_orders
from worker.domain.matching.payments import match_payments
from worker.domain.matching.payouts import PayoutSums, match_payouts, payout_sums
from worker.domain.matching.rules import FeeSchedule, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.shipments import match_shipments
from worker.domain.matching.verdict import verdict
from worker.domain.payment import BookEntry, EntryKind
from worker.domain.window import Span


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the rules say of books."""

    findings: tuple[Finding, ...]
    statements: tuple[Statement, ...]
    verdict: Verdict

    @property
    def exceptions(self) -> list[Finding]:
        """The findings that are not matches."""
        return [finding for finding in self.findings if finding.outcome is not Outcome.MATCHED]

    @property
    def told(self) -> list[Finding]:
        """The findings that are not plain matches: what a rule allows is told as well."""
        return [finding for finding in self.findings if finding.kind is not FindingKind.MATCHED]


def _as_it_is(credit: BankCredit) -> list[BankCredit]:
    return [credit]


@dataclass
class Filled:
    """Books of a plan; a mutation changes them order by order."""

    plan: Plan
    books: Books
    stories: dict[str, Story] = field(default_factory=dict)
    """By order id."""
    payout_harm: dict[str, int] = field(default_factory=dict)
    """By payout: how much more (or less) was paid out than its lines make."""
    payout_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By payout: what is different about it."""
    bank_harm: Callable[[BankCredit], list[BankCredit]] = _as_it_is
    """What became of a booking of the bank."""
    bank_more: list[BankCredit] = field(default_factory=list)
    """Bookings that no payout stands behind."""
    rules: Rules = field(default_factory=lambda: agreed())  # noqa: PLW0108 - it is defined further down

    def entries_of(self, order_id: str, kind: EntryKind = EntryKind.CAPTURE) -> list[BookEntry]:
        """What we booked of an order."""
        return [e for e in self.books.entries if e.order_id == order_id and e.kind is kind]

    def lines_of(self, order_id: str) -> list[LedgerLine]:
        """What the provider shows of an order."""
        mark = self.stories[order_id].mark
        return [line for line in self.books.lines if mark in line.payment_reference]

    def swap_entry(self, old: BookEntry, *new: BookEntry) -> None:
        """Replace one entry by others; what our order holds follows, as it does in the database."""
        at = self.books.entries.index(old)
        self.books.entries[at : at + 1] = new
        entries = [e for e in self.books.entries if e.order_id == old.order_id]

        def held(kind: EntryKind, currency: str) -> int:
            return abs(sum(e.amount_minor for e in entries if e.kind is kind and e.currency == currency))

        self.books.own = [
            replace(
                order,
                captured_minor=held(EntryKind.CAPTURE, order.currency),
                refunded_minor=held(EntryKind.REFUND, order.currency),
            )
            if order.order_id == old.order_id
            else order
            for order in self.books.own
        ]

    def swap_line(self, old: LedgerLine, *new: LedgerLine) -> None:
        """Replace one line of the provider by others."""
        at = self.books.lines.index(old)
        self.books.lines[at : at + 1] = new

    def change_own(self, order_id: str, **changes: object) -> None:
        """Change our order."""
        self.books.own = [
            replace(order, **changes) if order.order_id == order_id else order  # type: ignore[arg-type]
            for order in self.books.own
        ]

    def change_listed(self, order_id: str, **changes: object) -> None:
        """Change the order as the shop lists it."""
        self.books.shop = [
            replace(order, **changes) if order.order_id == order_id else order  # type: ignore[arg-type]
            for order in self.books.shop
        ]

    def copy(self) -> "Filled":
        """Return books that can be harmed without harming these: records never change, lists do."""
        books = Books(
            entries=list(self.books.entries),
            lines=list(self.books.lines),
            own=list(self.books.own),
            shop=list(self.books.shop),
            parcels=list(self.books.parcels),
            order_of_payment=dict(self.books.order_of_payment),
        )
        return Filled(plan=self.plan, books=books, stories=self.stories)

    def pay_out(self) -> None:
        """Make the payouts' lines anew: whatever is wrong with its items, the provider pays out what they make."""
        lines = [line for line in self.books.lines if line.kind is not LineKind.PAYOUT]
        payouts = Payouts(self.plan)
        payouts.seen(line for line in lines if line.payout_id)
        harm = self.payout_harm
        self.books.lines = lines + [
            replace(line, gross_minor=line.gross_minor - more, net_minor=line.net_minor - more)
            for line in payouts.lines()
            for more in (harm.get(line.payout_id, 0),)
        ]

    def judged(self, scope: Scope | None = None) -> Judgement:
        """Compare all legs, as a run does. A leg or rule that is new has its place here."""
        self.pay_out()
        scope, rules, books = scope or self.plan.scope(), self.rules, self.books
        payments = match_payments(books.entries, books.lines, books.order_of_payment, scope, rules)
        payouts = self.payouts()
        at_bank = match_bank(payouts, self.booked(payouts), Span(self.plan.start, self.plan.end), scope, rules)
        arrived = {(one.key, one.currency) for one in at_bank if one.kind is FindingKind.MATCHED}
        findings = (
            *payments,
            *match_orders(books.shop, books.own, scope),
            *match_shipments(books.own, books.parcels, scope, rules, disputes(payments)),
            *match_payouts(payouts, scope, rules, arrived),
            *at_bank,
        )
        bridges = statements(books.entries, books.lines, payments, books.order_of_payment, scope, rules)
        return Judgement(findings=findings, statements=bridges, verdict=verdict(findings, bridges, ()))

    def payouts(self) -> list[PayoutSums]:
        """The provider's payouts, with what was changed about them."""
        return [replace(one, **self.payout_changes.get(one.payout_id, {})) for one in payout_sums(self.books.lines)]

    def booked(self, payouts: list[PayoutSums]) -> list[BankCredit]:
        """What the bank booked: each payout once, hours after it arrived, but for what was changed about it."""
        booked = [
            BankCredit(
                credit_id=f"b-{one.payout_id}-{one.currency}",
                amount_minor=one.amount_minor,
                currency=one.currency,
                booked_at=one.arrives_at + timedelta(hours=10),
                references=(f"STRIPE {one.payout_id}",),
            )
            for one in payouts
        ]
        return [changed for credit in booked for changed in self.bank_harm(credit)] + self.bank_more


def agreed() -> Rules:
    """The rules that the books are made by: the fees are as agreed, to the coin."""
    return Rules(
        provider="stripe",
        fees=tuple(
            FeeSchedule(
                currency=tender.code,
                basis_points=FEE_BASIS_POINTS,
                fixed_minor=tender.fixed_fee,
                variance_minor=tender.step - 1,
            )
            for tender in TENDERS
        ),
    )


def filled(plan: Plan) -> Filled:
    """Return clean books of a plan, payouts included."""
    books, payouts, told = Books(), Payouts(plan), {}
    for made in records(plan):
        _add(books, made)
        payouts.seen(made.lines)
        told[made.own.order_id] = made.story
    books.lines += payouts.lines()
    return Filled(plan=plan, books=books, stories=told)


def _add(books: Books, made: Records) -> None:
    books.own.append(made.own)
    books.entries += made.entries
    books.lines += made.lines
    books.order_of_payment |= {entry.payment_reference: entry.order_id for entry in made.entries}
    if made.listed is not None:
        books.shop.append(made.listed)
    if made.parcel is not None:
        books.parcels.append(made.parcel)
