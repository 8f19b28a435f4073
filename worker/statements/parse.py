"""Provider and bank statement files as normalised lines. No I/O: bytes in, lines, rejects and checks out.

    parse(name, content)  ->  ParsedStatement

Every record below the header ends up as lines or as one reject with its line, column and reason; none is dropped.
A row that stands twice is two lines of one id: the comparison counts repeats, it must get to see them.
A file that is no known format raises InvalidStatement, and nothing raises anything else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.domain.continuity import Mark
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, LedgerLine
from worker.services.ports import RejectedRow, StatementScope
from worker.statements import camt, paypal_settlement
from worker.statements.detection import formats, in_order, locate
from worker.statements.dialect import Dialect
from worker.statements.mapped import MappedJson
from worker.statements.reader import cut, decode
from worker.statements.table import Body, read_table
from worker.statements.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatement:
    """A statement file, read."""

    name: str
    format: str
    provider: str
    scope: StatementScope
    lines: tuple[LedgerLine, ...]
    entries: tuple[BankEntry, ...]
    """Entries of a bank account; a bank's file has no lines, a provider's no entries."""
    rejects: tuple[RejectedRow, ...]
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


def parse(
    name: str,
    content: bytes,
    format: str | None = None,  # noqa: A002
    *,
    shop: str = "",
    told: Told | None = None,
    own: Sequence[Dialect | MappedJson] = (),
) -> ParsedStatement:
    """Read a statement file.

    `name` is what the file is called, for messages only. `format` insists on one of the known formats; without it
    the file decides. `shop` is ours: order ids that the file ascribes to another shop are left out. `told` answers
    what a file may leave open. `own` are formats described in the settings.
    Raises InvalidStatement when the file is not text, or is of no known (or not the asked-for) format.
    """
    body = _body(content, format, replace(told or Told(), shop=shop), own)
    first, last = body.times or (None, None)
    return ParsedStatement(
        name=name,
        format=body.format,
        provider=body.provider,
        scope=body.scope,
        lines=body.lines,
        entries=body.entries,
        rejects=body.rejects,
        rows=body.rows,
        checks=body.checks,
        sha256=hashlib.sha256(content).hexdigest(),
        first_at=first,
        last_at=last,
        marks=body.marks,
    )


def _body(content: bytes, wanted: str | None, told: Told, own: Sequence[Dialect | MappedJson]) -> Body:
    documents = [one for one in own if isinstance(one, MappedJson)]
    tables = in_order([one for one in own if isinstance(one, Dialect)])
    known = (*formats(tables), *(one.name for one in documents))
    if wanted is not None and wanted not in known:
        raise InvalidStatement(f"unknown format {wanted[:60]!r}; known: {', '.join(known)}")
    text, encoding = decode(content)
    start = text.lstrip()[:1]
    if start == "<" or wanted == camt.FORMAT:
        _must_be(camt.FORMAT, wanted)
        return camt.read(content)
    if (start in {"{", "["} and documents) or any(wanted == one.name for one in documents):
        return _document(text, wanted, documents, told)
    records = cut(text, encoding).records
    if paypal_settlement.is_one(records) or wanted == paypal_settlement.FORMAT:
        _must_be(paypal_settlement.FORMAT, wanted)
        return paypal_settlement.read(records, told)
    found = locate(records, wanted, tables, known)
    return read_table(found.dialect, records[found.index].cells, records[found.index + 1 :], told)


def _document(text: str, wanted: str | None, documents: Sequence[MappedJson], told: Told) -> Body:
    fitting = [one for one in documents if wanted in {None, one.name}]
    if not fitting:
        raise InvalidStatement(f"the file is JSON, not {wanted}")
    problems = []
    for one in fitting:
        try:
            return one.read(text, told)
        except InvalidStatement as problem:
            problems.append(f"{one.name}: {problem}")
    raise InvalidStatement(f"the file is JSON of no known format. {'; '.join(problems)}")


def _must_be(found: str, wanted: str | None) -> None:
    if wanted not in {None, found}:
        raise InvalidStatement(f"the file is {found}, not {wanted}")
