"""Payments as the provider last stated them, and our book entries, in MySQL.

A payment belongs to one order for good. A movement of money is booked once: the unique key over provider, kind and
reference decides, whoever tries.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, bindparam, func, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.mysql import insert

from worker.domain.errors import Conflict, InvalidInput
from worker.domain.payment import COMES_IN, BookEntry, EntryKind, Payment, PaymentState
from worker.domain.timeline import of_money, of_payment
from worker.repositories.entry_blocks import entry_blocks
from worker.repositories.held_orders import HeldOrders
from worker.repositories.insertion import insert_once
from worker.repositories.outbound import MysqlOutboundStore
from worker.repositories.paging import chunked, paged
from worker.repositories.schema import BOOK_ENTRIES, PAYMENTS
from worker.repositories.timeline import MysqlTimelineStore
from worker.services.ports.lake import EntryBlock

_ADD = plain_insert(PAYMENTS)
_INSERT = insert(PAYMENTS)
# Neither the owner nor the first sight of a payment is ever rewritten. What was refunded only grows: a payment that is saved
# after another capture does not know of it.
_SAVE = _INSERT.on_duplicate_key_update(
    {
        name: _INSERT.inserted[name]
        for name in (
            "amount_minor",
            "currency",
            "state",
            "captured_minor",
            "detail",
            "updated_at",
        )
    }
    | {"refunded_minor": func.greatest(PAYMENTS.c.refunded_minor, _INSERT.inserted.refunded_minor)}
)
_OWNER = select(PAYMENTS.c.shop, PAYMENTS.c.order_id).where(
    PAYMENTS.c.provider == bindparam("of_provider"), PAYMENTS.c.reference == bindparam("of_reference")
)
_OF_ORDER = (
    select(PAYMENTS)
    .where(PAYMENTS.c.shop == bindparam("of_shop"), PAYMENTS.c.order_id == bindparam("of_order"))
    .order_by(PAYMENTS.c.first_seen_at, PAYMENTS.c.reference)
)
_POST = plain_insert(BOOK_ENTRIES)
_ENTRIES_OF_ORDER = (
    select(BOOK_ENTRIES)
    .where(BOOK_ENTRIES.c.shop == bindparam("of_shop"), BOOK_ENTRIES.c.order_id == bindparam("of_order"))
    .order_by(BOOK_ENTRIES.c.occurred_at, BOOK_ENTRIES.c.entry_id)
)


class MysqlPaymentStore:
    """Implements `PaymentStore`."""

    def __init__(
        self, connection: Connection, timeline: MysqlTimelineStore, outbound: MysqlOutboundStore, held: HeldOrders
    ) -> None:
        self._connection = connection
        self._timeline = timeline
        self._outbound = outbound
        self._held = held
        self._owner_of: dict[tuple[str, str], tuple[str, str]] = {}
        """Whose the payments are that were read or written in this transaction: they stay theirs."""
        self._unwritten: dict[tuple[str, str], dict[str, Any]] = {}

    def save(self, shop: str, order_id: str, payment: Payment, at: datetime) -> None:
        """Insert or update the payment by (provider, reference). Raises Conflict when it is another order's.

        It is written before it is read, or right before the commit: once, however often it is saved until then.
        """
        values = {
            "provider": payment.provider,
            "reference": payment.reference,
            "shop": shop,
            "order_id": order_id,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "state": payment.state.value,
            "captured_minor": payment.captured_minor,
            "refunded_minor": payment.refunded_minor,
            "detail": payment.detail,
            "first_seen_at": at,
            "updated_at": at,
        }
        paid = (payment.provider, payment.reference)
        if (earlier := self._unwritten.get(paid)) is not None:
            _check_owner(payment.reference, (earlier["shop"], earlier["order_id"]), (shop, order_id))
            values["first_seen_at"] = earlier["first_seen_at"]
            values["refunded_minor"] = max(earlier["refunded_minor"], payment.refunded_minor)
        self._unwritten[paid] = values
        if (told := of_payment(shop, order_id, payment, at)) is not None:
            self._timeline.add(told)

    def write(self) -> None:
        """Write the payments that were saved. Raises Conflict as `save` does."""
        unwritten, self._unwritten = self._unwritten, {}
        for paid, values in unwritten.items():
            owner = (values["shop"], values["order_id"])
            # What was not read here is new, as a rule: then that it can be inserted says whose it is.
            if paid not in self._owner_of and insert_once(self._connection, _ADD, values):
                self._owner_of[paid] = owner
                continue
            self._connection.execute(_SAVE, values)
            if paid not in self._owner_of:
                row = self._connection.execute(_OWNER, {"of_provider": paid[0], "of_reference": paid[1]}).one()
                self._owner_of[paid] = (row.shop, row.order_id)
            _check_owner(paid[1], self._owner_of[paid], owner)

    def of_order(self, shop: str, order_id: str) -> list[Payment]:
        """Return the payments of an order, oldest first."""
        self.write()
        rows = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        found = [
            Payment(
                provider=row.provider,
                reference=row.reference,
                amount_minor=row.amount_minor,
                currency=row.currency,
                state=PaymentState(row.state),
                captured_minor=row.captured_minor,
                refunded_minor=row.refunded_minor,
                detail=row.detail,
            )
            for row in rows
        ]
        self._owner_of |= {(each.provider, each.reference): (shop, order_id) for each in found}
        return found

    def order_of_payment(self, shop: str, provider: str, references: Sequence[str]) -> dict[str, str]:
        """Map payment references to order ids; unknown references are absent.

        A payment is known when money was booked under it, and also when it was only saved. The book comes first: what
        is compared is what it holds.
        """
        self.write()
        booked = self._owners(BOOK_ENTRIES.c.payment_reference, shop, provider, references)
        unbooked = [reference for reference in references if reference not in booked]
        return self._owners(PAYMENTS.c.reference, shop, provider, unbooked) | booked

    def post(self, entry: BookEntry) -> bool:
        """Append a book entry; return False when (provider, kind, reference) is already booked.

        Raises InvalidInput for a capture (or a dispute's reversal) below zero, a refund (or a dispute) above it.
        """
        if entry.amount_minor < 0 if entry.kind in COMES_IN else entry.amount_minor > 0:
            raise InvalidInput(f"{entry.kind} {entry.reference}: {entry.amount_minor} has the wrong sign")
        values = {
            "provider": entry.provider,
            "kind": entry.kind.value,
            "reference": entry.reference,
            "payment_reference": entry.payment_reference,
            "shop": entry.shop,
            "order_id": entry.order_id,
            "amount_minor": entry.amount_minor,
            "currency": entry.currency,
            "occurred_at": entry.occurred_at,
            "method": entry.method,
        }
        if not insert_once(self._connection, _POST, values):
            return False
        if held := self._held.get((entry.shop, entry.order_id)):
            held.booked(entry)
        told = of_money(entry)
        self._timeline.add(told)
        self._outbound.changed(told)
        return True

    def entries_of_order(self, shop: str, order_id: str) -> list[BookEntry]:
        """Return the book entries of an order, oldest first."""
        rows = self._connection.execute(_ENTRIES_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        return [_entry(row) for row in rows]

    def entries(self, shop: str, provider: str, start: datetime, end: datetime) -> Iterator[BookEntry]:
        """Stream the book entries of [start, end), ordered by time and reference."""
        table = BOOK_ENTRIES.c
        statement = select(BOOK_ENTRIES).where(
            table.shop == shop, table.provider == provider, table.occurred_at >= start, table.occurred_at < end
        )
        return map(_entry, paged(self._connection, statement, [table.occurred_at, table.reference, table.kind]))

    def entry_blocks(self, shop: str, provider: str, start: datetime, end: datetime) -> Iterator[EntryBlock]:
        """Stream the book entries of [start, end) in blocks of text, unordered, for engines that read columns."""
        return entry_blocks(self._connection, shop, provider, start, end)

    def _owners(self, column: Column[Any], shop: str, provider: str, references: Sequence[str]) -> dict[str, str]:
        table = column.table.c
        owners: dict[str, str] = {}
        for some in chunked(references):
            statement = select(column.label("payment"), table.order_id).where(
                table.provider == provider, column.in_(some), table.shop == shop
            )
            owners |= {row.payment: row.order_id for row in self._connection.execute(statement)}
        return owners


def _check_owner(reference: str, owner: tuple[str, str], named: tuple[str, str]) -> None:
    if owner != named:
        raise Conflict(f"payment {reference} belongs to order {'/'.join(owner)}, not to {'/'.join(named)}")


def _entry(row: Row[Any]) -> BookEntry:
    return BookEntry(
        shop=row.shop,
        order_id=row.order_id,
        provider=row.provider,
        kind=EntryKind(row.kind),
        reference=row.reference,
        payment_reference=row.payment_reference,
        amount_minor=row.amount_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
        method=row.method,
    )
