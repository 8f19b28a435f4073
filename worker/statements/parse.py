"""Provider and bank statement files as normalised lines.

    reading = open_statement(name, opens)    a file of any size, which is gone through a piece at a time
    for line in reading: ...                 its lines or bank entries, once
    reading.statement                        what was read beside them, afterwards: checks, rejects, sums

    parse(name, content)                     the same with all lines at once, for a file that fits in memory

Every record below the header ends up as lines or as one reject with its line, column and reason; none is dropped.
A row that stands twice is two lines of one id: the comparison counts repeats, it must get to see them.
A file that is no known format raises InvalidStatement, and nothing raises anything else.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from operator import attrgetter
from pathlib import Path

from worker.domain.continuity import Mark
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, LedgerLine
from worker.services.ports import RejectedRow, RejectedRows, StatementScope
from worker.services.spool import Spool
from worker.statements import bank_csv, camt, paypal, paypal_settlement
from worker.statements.detection import formats, in_order, locate
from worker.statements.dialect import Dialect, Line
from worker.statements.mapped import MappedJson
from worker.statements.reader import PIECE, Opens, Record, Records, Text, cut, decode
from worker.statements.table import Body, read_table
from worker.statements.told import Told

LARGEST_DOCUMENT = 16 << 20
"""Bytes of a JSON file: such a document is in memory as a whole, at several times its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatement:
    """A statement file that was read; its lines have gone to whoever read it."""

    name: str
    format: str
    provider: str
    scope: StatementScope
    made: int
    """Lines, or entries of a bank account, that its rows became."""
    sums: Mapping[str, Mapping[str, int]]
    """What they make by kind (of entries: status) and currency, in minor units."""
    rejects: RejectedRows
    """Rows that could not be read, in the order of the file."""
    rows: int
    """Records below the header: those that became lines or entries, and the rejects."""
    checks: Mapping[str, str]
    """What was checked, and `ok`, `failed: why` or `not in the file: why`."""
    sha256: str
    first_at: datetime | None
    last_at: datetime | None
    """From when to when the file tells of."""
    marks: tuple[Mark, ...] = ()
    """What it begins and ends with, where the format tells."""

    @property
    def failed(self) -> list[str]:
        """The checks that say the file is not whole or contradicts itself; a repeated row is the comparison's to judge."""
        return [
            f"{name}: {result}"
            for name, result in self.checks.items()
            if result.startswith("failed") and not name.startswith("each ")
        ]

    @property
    def sound(self) -> bool:
        """Whether every row was read and no check failed."""
        return not self.rejects and not any(result.startswith("failed") for result in self.checks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatement(ReadStatement):
    """A statement file that was read, with all that it holds."""

    lines: tuple[LedgerLine, ...]
    entries: tuple[BankEntry, ...]
    """Entries of a bank account; a bank's file has no lines, a provider's no entries."""
    rejects: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file of which it is known what it is."""

    format: str
    provider: str
    scope: StatementScope
    body: Generator[Line, None, Body]


class Reading:
    """A statement file that is being read. One goes through its lines once; that may raise InvalidStatement."""

    def __init__(self, name: str, sha256: str, shop: str, opened: _Opened, rejects: Spool[RejectedRow]) -> None:
        self.foreign = 0
        """Lines of other shops than ours."""
        self.sha256 = sha256
        self.provider = opened.provider
        self.scope = opened.scope
        self._name = name
        self._shop = shop
        self._opened = opened
        self._rejects = rejects
        self._body: Body | None = None
        self._made = 0
        self._sums: dict[str, Counter[str]] = {}
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    def __iter__(self) -> Iterator[Line]:
        """Yield its lines, or the entries of a bank account."""
        first = last = None
        for line in self._lines():
            self._made += 1
            if isinstance(line, LedgerLine):
                of, minor, at = line.kind.value, line.net_minor, line.created_at
                if line.shop and line.shop != self._shop:
                    self.foreign += 1
            else:
                of, minor = line.status.value, line.amount_minor
                at = datetime.combine(line.booked_on, time(), UTC)
            if of not in self._sums:
                self._sums[of] = Counter()
            self._sums[of][line.currency] += minor
            if first is None or at < first:
                first = at
            if last is None or at > last:
                last = at
            yield line
        self._first_at, self._last_at = first, last

    def _lines(self) -> Iterator[Line]:
        self._body = yield from self._opened.body

    @property
    def statement(self) -> ReadStatement:
        """What was read, once all lines were."""
        body = self._body
        assert body is not None, "its lines were not read to their end"
        first, last = body.period or (self._first_at, self._last_at)
        if body.period is None and last is not None and self.scope is StatementScope.BANK:
            last += timedelta(days=1)  # an entry of a bank counts for its whole day
        return ReadStatement(
            name=self._name,
            format=self._opened.format,
            provider=self.provider,
            scope=self.scope,
            made=self._made,
            sums=self._sums,
            rejects=self._rejects,
            rows=body.rows,
            checks=body.checks,
            sha256=self.sha256,
            first_at=first,
            last_at=last,
            marks=body.marks,
        )


def open_statement(
    name: str,
    opens: Opens,
    format: str | None = None,  # noqa: A002
    *,
    shop: str = "",
    told: Told | None = None,
    own: Sequence[Dialect | MappedJson] = (),
) -> Reading:
    """Begin to read a statement file.

    `name` is what the file is called, for messages only. `format` insists on one of the known formats; without it
    the file decides. `shop` is ours: order ids that the file ascribes to another shop are left out. `told` answers
    what a file may leave open. `own` are formats described in the settings.
    Raises InvalidStatement when the file is not text, or is of no known (or not the asked-for) format.
    """
    rejects = Spool[RejectedRow](key=attrgetter("line"))
    opened = _opened(opens, format, replace(told or Told(), shop=shop), own, rejects)
    return Reading(name, _sha256(opens), shop, opened, rejects)


def opener(path: Path) -> Opens:
    """Return what opens a file on disk."""
    return lambda: path.open("rb")


def parse(
    name: str,
    content: bytes,
    format: str | None = None,  # noqa: A002
    *,
    shop: str = "",
    told: Told | None = None,
    own: Sequence[Dialect | MappedJson] = (),
) -> ParsedStatement:
    """Read a statement file with all of its lines; arguments and errors are those of `open_statement`."""
    reading = open_statement(name, lambda: io.BytesIO(content), format, shop=shop, told=told, own=own)
    lines = list(reading)
    found = reading.statement
    known = {field.name: getattr(found, field.name) for field in fields(found)}
    return ParsedStatement(
        **{**known, "rejects": tuple(found.rejects)},
        lines=tuple(line for line in lines if isinstance(line, LedgerLine)),
        entries=tuple(line for line in lines if isinstance(line, BankEntry)),
    )


def _opened(
    opens: Opens,
    wanted: str | None,
    told: Told,
    own: Sequence[Dialect | MappedJson],
    rejects: Spool[RejectedRow],
) -> _Opened:
    documents = [one for one in own if isinstance(one, MappedJson)]
    tables = in_order([one for one in own if isinstance(one, Dialect)])
    known = (*formats(tables), *(one.name for one in documents))
    if wanted is not None and wanted not in known:
        raise InvalidStatement(f"unknown format {wanted[:60]!r}; known: {', '.join(known)}")
    text = decode(opens)
    if text.first == "<" or wanted == camt.FORMAT:
        _must_be(camt.FORMAT, wanted)
        body = camt.read(_pieces(opens), rejects)
        return _Opened(camt.FORMAT, bank_csv.PROVIDER, StatementScope.BANK, body)
    if (text.first in {"{", "["} and documents) or any(wanted == one.name for one in documents):
        return _document(text, wanted, documents, told, rejects)
    records = cut(text)
    head = records.head()
    if paypal_settlement.is_one(head[0]) or wanted == paypal_settlement.FORMAT:
        _must_be(paypal_settlement.FORMAT, wanted)
        body = paypal_settlement.read(records, told, rejects)
        return _Opened(paypal_settlement.FORMAT, paypal.PROVIDER, StatementScope.LEDGER, body)
    found = locate(head, wanted, tables, known)
    below = _Below(records, found.index + 1)
    body = read_table(found.dialect, head[found.index].cells, below, told, rejects)
    return _Opened(found.dialect.name, found.dialect.provider, found.dialect.scope, body)


@dataclass(frozen=True, slots=True)
class _Below:
    """The records below a header."""

    records: Records
    begins: int

    def __iter__(self) -> Iterator[Record]:
        return islice(self.records, self.begins, None)


def _document(
    text: Text, wanted: str | None, documents: Sequence[MappedJson], told: Told, rejects: Spool[RejectedRow]
) -> _Opened:
    fitting = [one for one in documents if wanted in {None, one.name}]
    if not fitting:
        raise InvalidStatement(f"the file is JSON, not {wanted}")
    with text.open() as file:
        content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        raise InvalidStatement(
            f"the file is JSON of more than {LARGEST_DOCUMENT >> 20} MB, which is read as a whole: "
            "ask for files of fewer days, and import each"
        )
    problems = []
    for one in fitting:
        try:
            header, items = one.items_of(content)
        except InvalidStatement as problem:
            problems.append(f"{one.name}: {problem}")
            continue
        dialect = one.dialect
        body = read_table(dialect, header, items, told, rejects)
        return _Opened(dialect.name, dialect.provider, dialect.scope, body)
    raise InvalidStatement(f"the file is JSON of no known format. {'; '.join(problems)}")


def _pieces(opens: Opens) -> Iterator[bytes]:
    with opens() as file:
        while piece := file.read(PIECE):
            yield piece


def _sha256(opens: Opens) -> str:
    with opens() as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _must_be(found: str, wanted: str | None) -> None:
    if wanted not in {None, found}:
        raise InvalidStatement(f"the file is {found}, not {wanted}")
