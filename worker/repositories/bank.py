"""Entries of bank accounts, in MySQL: each once, however many overlapping files hold it.

The account and the entry's id are the key. An entry that was pending is taken over from the file in which it is booked.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, String, and_, func, literal_column, select
from sqlalchemy.dialects.mysql import insert

from worker.domain.ledger import BankEntry, BankStatus
from worker.domain.window import Span
from worker.repositories.paging import chunked, paged
from worker.repositories.schema import BANK_ENTRIES, STATEMENT_FILES
from worker.repositories.statement_keys import key_of
from worker.services.ports import StatementScope

_C = BANK_ENTRIES.c
_ADD = insert(BANK_ENTRIES)
_TOLD = (
    "sha256",
    "amount_minor",
    "currency",
    "booked_on",
    "value_on",
    "refers_to",
    "text",
    "counterparty",
    "reversal",
    "status",
)
"""What a file tells of an entry. The status comes last: MySQL assigns from left to right, and the others look at it."""
_PENDING = literal_column(f"'{BankStatus.PENDING.value}'", String())
_BOOKED = literal_column(f"'{BankStatus.BOOKED.value}'", String())
"""Written out: the driver puts many rows into one statement, and takes no parameters behind them."""
_BOOKED_NOW = and_(_C.status == _PENDING, _ADD.inserted.status == _BOOKED)
_KEEP = _ADD.on_duplicate_key_update([(name, func.IF(_BOOKED_NOW, _ADD.inserted[name], _C[name])) for name in _TOLD])


class MysqlBankStore:
    """Implements `BankStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, shop: str, sha256: str, entries: Sequence[BankEntry]) -> int:
        """Store what a file holds and return how many entries are known from it: new ones, and pending ones now booked."""
        key = key_of(self._connection, shop, sha256)
        # In the order of the key: two files of one account that are stored at once wait for each other, and no more.
        for some in chunked(sorted(entries, key=lambda one: (one.account, one.entry_id))):
            self._connection.execute(_KEEP, [_values(shop, key, entry) for entry in some])
        counted = select(func.count()).select_from(BANK_ENTRIES).where(_C.sha256 == key)
        return self._connection.execute(counted).scalar_one()

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
