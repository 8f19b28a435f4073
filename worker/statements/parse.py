"""Provider statement files as normalised ledger lines. No I/O: bytes in, lines, rejects and checks out.

    parse(name, content)  ->  ParsedStatement

Every record below the header ends up as lines or as one reject with its line, column and reason; none is dropped.
A row that stands twice is two lines of one id: the comparison counts repeats, it must get to see them.
A file that is no known format raises InvalidStatement, and nothing raises anything else.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from worker.domain.ledger import LedgerLine
from worker.services.ports import RejectedRow
from worker.statements.cells import Cells, RowRejected
from worker.statements.detection import locate
from worker.statements.reader import read


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatement:
    """A statement file, read."""

    name: str
    format: str
    provider: str
    lines: tuple[LedgerLine, ...]
    rejects: tuple[RejectedRow, ...]
    rows: int
    """Records below the header: those that became lines, and the rejects."""
    checks: Mapping[str, str]
    """What was checked, and `ok`, `failed: why` or `not in the file: why`."""
    sha256: str

    @property
    def sound(self) -> bool:
        """Whether every row was read and no check failed."""
        return not self.rejects and not any(result.startswith("failed") for result in self.checks.values())


def parse(name: str, content: bytes, format: str | None = None, *, shop: str = "") -> ParsedStatement:  # noqa: A002
    """Read a statement file.

    `name` is what the file is called, for messages only. `format` insists on one of `detection.FORMATS`; without
    it the header decides. `shop` is ours: order ids that the file ascribes to another shop are left out.
    Raises InvalidStatement when the file is not text, or its header is of no known (or not the asked-for) format.
    """
    records = read(content).records
    found = locate(records, format)
    dialect = found.dialect
    width = len(records[found.index].cells)
    lines: list[LedgerLine] = []
    rows: list[Cells] = []
    rejects: list[RejectedRow] = []
    body = records[found.index + 1 :]
    for record in body:
        cells = Cells(found.columns, record.cells, dialect.provider)
        try:
            if len(record.cells) != width:
                raise RowRejected("", f"has {len(record.cells)} cells where the header has {width}")
            lines += dialect.lines(cells, shop)
            rows.append(cells)
        except RowRejected as reason:
            rejects.append(RejectedRow(line=record.line, column=reason.column, reason=reason.reason))
    checks = {
        "every row read": f"failed: {len(rejects)} of {len(body)} rejected" if rejects else f"ok: {len(body)} rows",
        "gross less fee is net": f"ok: on {len(rows)} rows",
    }
    return ParsedStatement(
        name=name,
        format=dialect.name,
        provider=dialect.provider,
        lines=tuple(lines),
        rejects=tuple(rejects),
        rows=len(body),
        checks=checks | dialect.checks(lines, rows),
        sha256=hashlib.sha256(content).hexdigest(),
    )
