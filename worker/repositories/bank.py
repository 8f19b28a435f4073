"""Entries of bank accounts, in MySQL: each once, however many overlapping files hold it.

The account and the entry's id are the key. An entry that was pending is taken over from the file in which it is booked.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from worker.domain.ledger import BankEntry, BankStatus
from worker.domain.window import Span
from worker.repositories.insertion import insert_once
from worker.repositories.paging import paged
from worker.repositories.schema import BANK_ENTRIES, STATEMENT_FILES
from worker.services.ports import StatementScope

_C = BANK_ENTRIES.c
_ADD = insert(BANK_ENTRIES)
_BOOK = update(BANK_ENTRIES).where(
    _C.shop == bindparam("of_shop"),
    _C.account == bindparam("of_account"),
    _C.entry_id == bindparam("of_entry"),
    _C.status == BankStatus.PENDING.value,
)


class MysqlBankStore:
    """Implements `BankStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, shop: str, sha256: str, entries: Sequence[BankEntry]) -> int:
        """Store what a file holds and return how many entries were new."""
        new = 0
        # In the order of the key: two files of one account that are stored at once wait for each other, and no more.
        for entry in sorted(entries, key=lambda one: (one.account, one.entry_id)):
            values = _values(shop, sha256, entry)
            if insert_once(self._connection, _ADD, values):
                new += 1
            elif entry.status is BankStatus.BOOKED:
                told = {name: value for name, value in values.items() if name not in {"shop", "account", "entry_id"}}
                which = {"of_shop": shop, "of_account": entry.account, "of_entry": entry.entry_id}
                self._connection.execute(_BOOK.values(told), which)
        return new

    def entries(self, shop: str, start: date, end: date) -> Iterator[BankEntry]:
        """Stream the entries booked in [start, end), by day, account and id: all accounts, currencies and statuses."""
        wanted = select(BANK_ENTRIES).where(_C.shop == shop, _C.booked_on >= start, _C.booked_on < end)
        return map(_entry, paged(self._connection, wanted, [_C.booked_on, _C.account, _C.entry_id]))

    def covered(self, shop: str, start: datetime, end: datetime) -> list[Span]:
        """Return the spans of time that bank files tell of and that touch [start, end), by their end."""
        files = STATEMENT_FILES.c
        wanted = (
            select(files.first_at, files.last_at)
            .where(files.shop == shop, files.scope == StatementScope.BANK.value, files.last_at > start)
            .where(files.first_at < end)
            .order_by(files.last_at, files.first_at)
        )
        return [
            Span(row.first_at, row.last_at) for row in self._connection.execute(wanted) if row.first_at < row.last_at
        ]


def _values(shop: str, sha256: str, entry: BankEntry) -> dict[str, Any]:
    return {
        "shop": shop,
        "account": entry.account,
        "entry_id": entry.entry_id,
        "sha256": sha256,
        "amount_minor": entry.amount_minor,
        "currency": entry.currency,
        "booked_on": entry.booked_on,
        "value_on": entry.value_on,
        "status": entry.status.value,
        "refers_to": list(entry.references),
        "text": entry.text,
        "counterparty": entry.counterparty,
        "reversal": entry.reversal,
    }


def _entry(row: Row[Any]) -> BankEntry:
    return BankEntry(
        account=row.account,
        entry_id=row.entry_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        booked_on=row.booked_on,
        value_on=row.value_on,
        status=BankStatus(row.status),
        references=tuple(row.refers_to),
        text=row.text,
        counterparty=row.counterparty,
        reversal=row.reversal,
    )
