"""From a story to the records of all books: ours, the provider's, the shop's and the warehouse's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from infra.local.books.market import (
    CANCELLED_IN_SHOP,
    STATES,
    WITHOUT_GOODS,
    WITHOUT_MONEY,
    Course,
)
from infra.local.books.plan import DAY, Plan
from infra.local.books.story import HOUR, Story, fee, stories
from worker.domain.ledger import LedgerLine, LineKind, OwnOrder, Shipment, ShipmentState, ShopOrder
from worker.domain.order import OrderState
from worker.domain.payment import BookEntry, EntryKind

PAYOUT_DAYS = 2
"""What the provider books on a day is paid out this many days later, at midnight UTC."""
FAILED_AFTER, WON_AFTER, AGAIN_AFTER = 9 * HOUR, 12 * HOUR, 7 * HOUR
SECOND_PAYMENT, VOIDED_AFTER = 45, HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Everything the books hold of one order."""

    story: Story
    own: OwnOrder
    entries: tuple[BookEntry, ...]
    lines: tuple[LedgerLine, ...]
    listed: ShopOrder | None
    parcel: Shipment | None


def records(plan: Plan) -> Iterator[Records]:
    """Return the records of every order, order by order; nothing is kept, so memory stays flat for any size."""
    return (of_story(plan, told) for told in stories(plan))


def order_id(story: Story) -> str:
    """Return the shop's number of an order."""
    return str(1_000_000_000 + story.number)


def of_story(plan: Plan, story: Story) -> Records:
    """Return the records of one order."""
    entries = tuple(_entries(plan, story))
    listed, parcel = None, None
    course = story.course
    if story.collected:
        listed = ShopOrder(
            order_id=order_id(story),
            total_minor=story.total,
            currency=story.tender.code,
            paid=course not in WITHOUT_MONEY,
            cancelled=course in CANCELLED_IN_SHOP,
            created_at=_at(story.placed),
            updated_at=_at(story.over),
        )
    if course not in WITHOUT_GOODS:
        parcel = Shipment(
            shipment_id=f"shp_{story.mark}",
            order_id=order_id(story),
            state=ShipmentState.SHIPPED,
            requested_at=_at(story.requested),
            shipped_at=_at(story.shipped),
            tracking=f"T{story.mark[:12]}",
        )
    own = OwnOrder(
        order_id=order_id(story),
        state=STATES.get(course, OrderState.COMPLETED),
        total_minor=story.total,
        currency=story.tender.code,
        payment_mode="collected_by_shop" if story.collected else "charge",
        captured_minor=sum(entry.amount_minor for entry in entries if entry.kind is EntryKind.CAPTURE),
        refunded_minor=-sum(entry.amount_minor for entry in entries if entry.kind is EntryKind.REFUND),
        placed_at=_at(story.placed),
        updated_at=_at(story.over),
        shipped_at=parcel.shipped_at if parcel else None,
        requested_at=parcel.requested_at if parcel else None,
    )
    return Records(
        story=story, own=own, entries=entries, lines=tuple(_lines(plan, story)), listed=listed, parcel=parcel
    )


def _entries(plan: Plan, story: Story) -> Iterator[BookEntry]:
    def booked(kind: EntryKind, reference: str, payment: str, minor: int, at: int) -> BookEntry:
        return BookEntry(
            shop=plan.shop,
            order_id=order_id(story),
            provider=plan.provider,
            kind=kind,
            reference=reference,
            payment_reference=payment,
            amount_minor=minor,
            currency=story.tender.code,
            occurred_at=_at(at + story.lag),
        )

    mark, course, total, part = story.mark, story.course, story.total, story.part
    if course in WITHOUT_MONEY:
        return
    first = part if course is Course.SPLIT else total
    yield booked(EntryKind.CAPTURE, f"pi_{mark}1", f"pi_{mark}1", first, story.charged)
    if course is Course.SPLIT:
        yield booked(EntryKind.CAPTURE, f"pi_{mark}2", f"pi_{mark}2", total - part, story.charged + SECOND_PAYMENT)
    if course in {Course.REFUNDED_IN_PART, Course.REFUNDED_TWICE}:
        yield booked(EntryKind.REFUND, f"re_{mark}1", f"pi_{mark}1", -part, story.refunded)
    if course is Course.REFUNDED_TWICE:
        yield booked(EntryKind.REFUND, f"re_{mark}2", f"pi_{mark}1", part - total, story.refunded + AGAIN_AFTER)
    if course in {Course.GIVEN_BACK, Course.RETURNED}:
        yield booked(EntryKind.REFUND, f"re_{mark}1", f"pi_{mark}1", -total, story.refunded)


def _lines(plan: Plan, story: Story) -> Iterator[LedgerLine]:
    mark, course, total, part, rest = story.mark, story.course, story.total, story.part, story.rest
    tender = story.tender

    def shown(
        kind: LineKind, position: int, source: str, minor: int, at: int, *, kept: int = 0, payment: str = "1"
    ) -> LedgerLine:
        return LedgerLine(
            line_id=f"txn_{mark}{position}",
            provider=plan.provider,
            kind=kind,
            currency=tender.code,
            gross_minor=minor,
            fee_minor=kept,
            net_minor=minor - kept,
            created_at=_at(at),
            payment_reference=f"pi_{mark}{payment}",
            order_id=order_id(story) if story.named else "",
            source_id=f"{source}_{mark}{payment if source == 'ch' else position}",
            payout_id=payout_of(tender.code, at),
            type_text=kind,
            shop=plan.shop,
        )

    if course in WITHOUT_MONEY:
        return
    first = {Course.SPLIT: part, Course.PARTIAL_CAPTURE: total + rest}.get(course, total)
    yield shown(LineKind.CHARGE, 0, "ch", first, story.charged, kept=fee(first, tender))
    if course is Course.SPLIT:
        second = total - part
        at = story.charged + SECOND_PAYMENT
        yield shown(LineKind.CHARGE, 3, "ch", second, at, kept=fee(second, tender), payment="2")
    if course is Course.PARTIAL_CAPTURE:
        back = fee(total, tender) - fee(total + rest, tender)
        yield shown(LineKind.PARTIAL_CAPTURE_REVERSAL, 4, "re", -rest, story.charged, kept=back)
    if course in {Course.REFUNDED_IN_PART, Course.REFUNDED_TWICE, Course.REFUND_FAILED}:
        yield shown(LineKind.REFUND, 1, "re", -part, story.refunded)
    if course is Course.REFUNDED_TWICE:
        yield shown(LineKind.REFUND, 2, "re", part - total, story.refunded + AGAIN_AFTER)
    if course in {Course.GIVEN_BACK, Course.RETURNED}:
        yield shown(LineKind.REFUND, 1, "re", -total, story.refunded)
    if course is Course.REFUND_FAILED:
        yield shown(LineKind.REFUND_FAILURE, 5, "re", part, story.refunded + FAILED_AFTER)
    if course is Course.DISPUTE_WON:
        yield shown(LineKind.DISPUTE, 6, "dp", -total, story.refunded, kept=tender.dispute_fee)
        yield shown(LineKind.DISPUTE_REVERSAL, 7, "dp", total, story.refunded + WON_AFTER)
    if course is Course.CHARGED_TWICE_AND_VOIDED:
        at = story.charged + SECOND_PAYMENT
        yield shown(LineKind.CHARGE, 3, "ch", total, at, kept=fee(total, tender), payment="2")
        yield shown(LineKind.REFUND, 8, "re", -total, at + VOIDED_AFTER, payment="2")


def payout_of(currency: str, at: int) -> str:
    """Return the payout that a line of this second belongs to."""
    day = datetime.fromtimestamp((at // DAY + PAYOUT_DAYS) * DAY, UTC)
    return f"po_{currency}_{day:%Y%m%d}"


@dataclass(slots=True)
class Payouts:
    """Sums up the lines that pass by: per payout one number, whatever the size of the books."""

    plan: Plan
    _net: dict[tuple[str, str], int] = field(default_factory=dict)

    def seen(self, lines: Iterable[LedgerLine]) -> None:
        """Count lines in."""
        for line in lines:
            key = (line.payout_id, line.currency)
            self._net[key] = self._net.get(key, 0) + line.net_minor

    def lines(self) -> Iterator[LedgerLine]:
        """Return the payouts' own lines, which close each of them to zero."""
        for (payout_id, currency), net in sorted(self._net.items()):
            made = datetime.strptime(payout_id[-8:], "%Y%m%d").replace(tzinfo=UTC)
            yield LedgerLine(
                line_id=f"txn_{payout_id}",
                provider=self.plan.provider,
                kind=LineKind.PAYOUT,
                currency=currency,
                gross_minor=-net,
                fee_minor=0,
                net_minor=-net,
                created_at=made,
                source_id=payout_id,
                payout_id=payout_id,
                type_text=LineKind.PAYOUT,
            )


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
