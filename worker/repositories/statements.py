"""Imported statement files, in MySQL: what each is, what was checked, which rows could not be read.

A file is stored once for a shop: statement_keys.py says by which key. Its lines are in the lake; those of files that a
release without one imported are read from here.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from worker.domain.continuity import Mark
from worker.domain.ledger import LedgerLine, LineKind
from worker.repositories.insertion import insert_once
from worker.repositories.paging import PAGE, chunked, paged
from worker.repositories.schema import STATEMENT_FILES, STATEMENT_LINES, STATEMENT_REJECTS
from worker.repositories.statement_keys import key_of, keys_of
from worker.services.ports import RejectedRow, RejectedRows, StatementFile, StatementScope

_ADD = insert(STATEMENT_FILES)
_ADD_REJECT = insert(STATEMENT_REJECTS)
_GET = select(STATEMENT_FILES).where(STATEMENT_FILES.c.sha256 == bindparam("of_file"))
_OWNER = select(STATEMENT_FILES.c.shop).where(STATEMENT_FILES.c.sha256 == bindparam("of_file"))


class MysqlStatementStore:
    """Implements `StatementStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, file: StatementFile, rejects: RejectedRows) -> bool:
        """Store what is known of the file; return False when the shop has this very file (SHA-256) already."""
        first, further = keys_of(file.shop, file.sha256)
        values: dict[str, Any] = {
            "sha256": first,
            "content_sha256": file.sha256,
            "shop": file.shop,
            "provider": file.provider,
            "file_format": file.format,
            "name": file.name,
            "imported_at": file.imported_at,
            "row_count": file.rows,
            "rejected_count": file.rejected,
            "first_at": file.first_at,
            "last_at": file.last_at,
            "checks": dict(file.checks),
            "scope": file.scope.value,
            "marks": [_mark_values(mark) for mark in file.marks],
        }
        if not insert_once(self._connection, _ADD, values):
            if self._connection.execute(_OWNER, {"of_file": first}).scalar_one_or_none() in {file.shop, None}:
                return False
            values["sha256"] = further
            if not insert_once(self._connection, _ADD, values):
                return False
        for start, rejected in enumerate(chunked(rejects, PAGE)):
            rows = [_reject_values(values["sha256"], start * PAGE + index, row) for index, row in enumerate(rejected)]
            self._connection.execute(_ADD_REJECT, rows)
        return True

    def get(self, shop: str, sha256: str) -> StatementFile | None:
        """Return the shop's file or None."""
        row = self._connection.execute(_GET, {"of_file": key_of(self._connection, shop, sha256)}).one_or_none()
        return None if row is None else _file(row)

    def recent(self, shop: str, limit: int) -> list[StatementFile]:
        """Return the files imported last, newest first."""
        files = STATEMENT_FILES.c
        newest = (
            select(STATEMENT_FILES).where(files.shop == shop).order_by(files.imported_at.desc(), files.sha256.desc())
        )
        return [_file(row) for row in self._connection.execute(newest.limit(limit))]

    def telling(
        self, shop: str, provider: str, scope: StatementScope, start: datetime, end: datetime
    ) -> list[StatementFile]:
        """Return the files of one scope that tell of a time in [start, end], as they were imported, the newest last."""
        files = STATEMENT_FILES.c
        wanted = (
            select(STATEMENT_FILES)
            .where(files.shop == shop, files.scope == scope.value, files.provider == provider)
            .where(files.last_at >= start, files.first_at <= end)
            .order_by(files.imported_at, files.sha256)
        )
        return [_file(row) for row in self._connection.execute(wanted)]

    def marks(self, shop: str, provider: str | None = None) -> dict[str, StatementFile]:
        """Return the files that say what they begin and end with, by SHA-256, of one provider or of all."""
        files = STATEMENT_FILES.c
        wanted = select(STATEMENT_FILES).where(files.shop == shop, func.json_length(files.marks) > 0)
        if provider is not None:
            wanted = wanted.where(files.provider == provider)
        found = map(_file, self._connection.execute(wanted.order_by(files.imported_at, files.sha256)))
        return {file.sha256: file for file in found}

    def lines(self, shop: str, sha256: str) -> Iterator[LedgerLine]:
        """Stream the lines of a file that was imported before there was a lake, in file order."""
        of_file = STATEMENT_LINES.c.sha256 == key_of(self._connection, shop, sha256)
        statement = select(STATEMENT_LINES).where(of_file)
        return map(_line, paged(self._connection, statement, [STATEMENT_LINES.c.position]))

    def rejects(self, shop: str, sha256: str) -> list[RejectedRow]:
        """Return the rejected rows in file order."""
        of_file = STATEMENT_REJECTS.c.sha256 == key_of(self._connection, shop, sha256)
        statement = select(STATEMENT_REJECTS).where(of_file)
        rows = paged(self._connection, statement, [STATEMENT_REJECTS.c.position])
        return [RejectedRow(line=row.line_number, column=row.column_name, reason=row.reason) for row in rows]


def _file(row: Row[Any]) -> StatementFile:
    return StatementFile(
        sha256=row.content_sha256 or row.sha256,
        shop=row.shop,
        provider=row.provider,
        format=row.file_format,
        name=row.name,
        imported_at=row.imported_at,
        rows=row.row_count,
        rejected=row.rejected_count,
        first_at=row.first_at,
        last_at=row.last_at,
        checks=row.checks,
        scope=StatementScope(row.scope),
        marks=tuple(_mark(one) for one in row.marks or ()),
    )


def _mark_values(mark: Mark) -> dict[str, Any]:
    return {**asdict(mark), "first_at": mark.first_at.isoformat(), "last_at": mark.last_at.isoformat()}


def _mark(values: dict[str, Any]) -> Mark:
    times = {name: datetime.fromisoformat(values[name]) for name in ("first_at", "last_at")}
    return Mark(**{**values, **times})


def _reject_values(sha256: str, position: int, row: RejectedRow) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "position": position,
        "line_number": row.line,
        "column_name": row.column,
        "reason": row.reason,
    }


def _line(row: Row[Any]) -> LedgerLine:
    return LedgerLine(
        line_id=row.line_id,
        provider=row.provider,
        kind=LineKind(row.kind),
        currency=row.currency,
        gross_minor=row.gross_minor,
        fee_minor=row.fee_minor,
        net_minor=row.net_minor,
        created_at=row.created_at,
        payment_reference=row.payment_reference,
        order_id=row.order_id,
        source_id=row.source_id,
        payout_id=row.payout_id,
        type_text=row.type_text,
        method=row.method,
        country=row.country,
        customer_currency=row.customer_currency,
        customer_minor=row.customer_minor,
        payout_at=row.payout_at,
    )
