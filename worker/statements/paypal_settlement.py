"""PayPal's settlement report (STL) from its SFTP server: records of several kinds in one delimited file.

RH report, FH file and SH section header; CH names the columns of the SB rows (one a transaction); SF sums a section
up per currency, SC counts its rows; RF, RC and FF do so for report and file. Amounts are unsigned integers of a
hundredth of the major unit in every currency, the yen too; a column of its own says CR (to the account) or DR, for the
amount and for the fee apart. T-codes tell the kind. Times carry their offset.
Source: PayPal documentation, "Settlement Report Specification"; real files.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import exponent, format_minor
from worker.services.ports import RejectedRow
from worker.services.spool import Spool
from worker.statements.cells import Cells, RowRejected
from worker.statements.dialect import Dialect, FileCheck, Line, row_by_row
from worker.statements.paypal import PROVIDER
from worker.statements.paypal_words import kind_of
from worker.statements.reader import Record
from worker.statements.self_checks import Once
from worker.statements.table import Body, every_row, read_table
from worker.statements.told import Told

FORMAT = "paypal_settlement"
_PASSED_OVER = {"RH", "FH", "SH", "RF", "RC", "FF", "FC"}
_TOTALS = ("gross credits", "gross debits", "fee credits", "fee debits")


def is_one(first: Record) -> bool:
    """Whether a file is a settlement report: its first record is a report header."""
    return first.cells[0].strip() == "RH"


class Section(FileCheck):
    """One section: what it says of itself, and what its rows make."""

    def __init__(self, header: Record, strange: Spool[RejectedRow]) -> None:
        """`strange` takes the records that are of no known type."""
        self.header = header.cells
        self.following: Record | None = None
        """The header of the section that comes next, once this one was read."""
        self._strange = strange
        self._rows = 0
        self._said: dict[str, Record] = {}
        self._count: Record | None = None
        self._sums: dict[str, Counter[str]] = {}

    def body(self, records: Iterator[Record]) -> Iterator[Record]:
        """Yield its rows, and keep what else stands in it."""
        for record in records:
            code = record.cells[0].strip().upper()
            if code == "SB":
                self._rows += 1
                yield record
            elif code == "CH":
                self.following = record
                return
            elif code == "SF":
                if len(record.cells) > 5:
                    self._said[record.cells[1].strip().upper()] = record
            elif code == "SC":
                self._count = record
            elif code not in _PASSED_OVER:
                self._strange.add(_unknown(record, code))

    def add(self, row: Cells, lines: Sequence[Line]) -> None:  # noqa: ARG002 - a check of lines
        """Sum up by currency."""
        for line in lines:
            if not isinstance(line, LedgerLine):
                continue
            of = self._sums.setdefault(line.currency, Counter())
            apart = line.line_id.endswith("-fee") and line.kind is LineKind.FEE
            gross, fee = (0, -line.net_minor) if apart else (line.gross_minor, line.fee_minor)
            of["gross credits" if gross >= 0 else "gross debits"] += abs(gross)
            of["fee debits" if fee >= 0 else "fee credits"] += abs(fee)
            of["net"] += line.net_minor

    def checks(self) -> dict[str, str]:
        """Say whether its rows make its sums, and are as many as it counts."""
        checks = {}
        for currency in sorted(self._sums.keys() | self._said.keys()):
            if currency not in self._said:
                checks[f"totals {currency}"] = "not in the file: no SF record of this currency"
                continue
            checks |= _sum_checks(self._said[currency].cells, currency, self._sums.get(currency, Counter()))
        if self._count is None:
            checks["number of rows"] = "failed: no SC record closes the section: the file is cut off"
        else:
            counted = self._count.cells[1].strip() if len(self._count.cells) > 1 else ""
            right = counted == str(self._rows)
            checks["number of rows"] = "ok" if right else f"failed: SC says {counted[:20]!r}, there are {self._rows}"
        return checks


def read(records: Iterable[Record], told: Told, rejects: Spool[RejectedRow]) -> Generator[Line, None, Body]:
    """Yield the lines of a settlement report. Raises InvalidStatement when it has no columns."""
    left, strange = iter(records), Spool[RejectedRow]()
    following = _columns(left, strange)
    if following is None:
        raise InvalidStatement(f"a {FORMAT} without columns (no CH record): the file is cut off, or is another report")
    once = Once("transaction")
    rows, of_sections = 0, []
    while following is not None:
        section = Section(following, strange)
        body = yield from read_table(_DIALECT, section.header, section.body(left), told, rejects, (once, section))
        rows += body.rows
        of_sections.append(section.checks())
        following = section.following
    rows += len(strange)
    rejects.extend(strange)
    checks = {"every row read": every_row(len(rejects), f"{rows} rows", rows)} | once.checks()
    for number, found in enumerate(of_sections, start=1):
        prefix = f"section {number} " if len(of_sections) > 1 else ""
        checks |= {prefix + name: result for name, result in found.items()}
    return Body(rows=rows, checks=checks)


def _columns(records: Iterator[Record], strange: Spool[RejectedRow]) -> Record | None:
    """Return the record that names the columns of the first section."""
    for record in records:
        code = record.cells[0].strip().upper()
        if code == "CH":
            return record
        if code not in _PASSED_OVER and code not in {"SF", "SC"}:
            strange.add(_unknown(record, code))
    return None


def _unknown(record: Record, code: str) -> RejectedRow:
    reason = "stands before the columns" if code == "SB" else f"is of no known record type: {code[:10]!r}"
    return RejectedRow(line=record.line, column="", reason=reason)


def _lines(row: Cells, _shop: str) -> list[LedgerLine]:
    """Read one SB row; a fee in another currency than its payment becomes a line of its own. Raises RowRejected."""
    currency = row.currency("gross transaction currency")
    gross = _signed(row, "gross transaction amount", "transaction debit or credit", currency)
    fee_currency = row.currency("fee currency") if row.text("fee currency") else currency
    fee = -_signed(row, "fee amount", "fee debit or credit", fee_currency) if row.text("fee amount") else 0
    code = row.required("transaction event code").upper()
    kind = kind_of(code, "", gross)
    transaction, other = row.required("transaction id"), row.identifier("paypal reference id")
    completed = "transaction completion date"
    at = row.moment(completed if row.text(completed) else "transaction initiation date")
    here = fee if fee_currency == currency else 0
    line = LedgerLine(
        line_id=transaction,
        provider=PROVIDER,
        kind=kind,
        currency=currency,
        gross_minor=gross,
        fee_minor=here,
        net_minor=gross - here,
        created_at=at,
        payment_reference=transaction if kind is LineKind.CHARGE else other,
        order_id=row.identifier("invoice id") or row.identifier("custom field"),
        source_id=transaction,
        payout_id=transaction if kind is LineKind.PAYOUT else "",
        type_text=code,
        method="paypal" if kind is LineKind.CHARGE else "",
        payout_at=at if kind is LineKind.PAYOUT else None,
    )
    if here == fee:
        return [line]
    apart = replace(line, line_id=f"{transaction}-fee", kind=LineKind.FEE, currency=fee_currency, method="")
    return [line, replace(apart, gross_minor=-fee, fee_minor=0, net_minor=-fee, payment_reference=transaction)]


def _signed(row: Cells, column: str, side: str, currency: str) -> int:
    text, direction = row.text(column), row.text(side).upper()
    minor = _minor(text, currency)
    if minor is None:
        raise RowRejected(column, f"is no unsigned amount in hundredths of {currency}: {text[:40]!r}")
    if direction not in {"CR", "DR"} and (minor or direction):
        raise RowRejected(side, f"is neither CR nor DR: {direction[:10]!r}")
    return -minor if direction == "DR" else minor


def _minor(text: str, currency: str) -> int | None:
    """Return hundredths of the major unit as minor units; None where there is no such amount."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    whole, rest = divmod(int(text) * 10 ** exponent(currency, PROVIDER), 100)
    return None if rest else whole


def _sum_checks(cells: Sequence[str], currency: str, sums: Counter[str]) -> dict[str, str]:
    wrong = []
    for name, text in zip(_TOTALS, cells[2:6], strict=False):
        minor = _minor(text.strip(), currency)
        if minor != sums[name]:
            wrong.append(
                f"{name} say {text.strip()[:20]!r}, the rows make {format_minor(sums[name], currency, PROVIDER)}"
            )
    totals = f"failed: {'; '.join(wrong)}" if wrong else "ok: credits, debits and fees"
    moved = [_moved(cells[at : at + 4], currency) for at in (6, 14)]
    if None in moved:
        balances = "not in the file: no balances in the SF record"
    elif sums["net"] in moved:
        balances = f"ok: moved by {format_minor(sums['net'], currency, PROVIDER)}, as the rows did"
    else:
        balances = f"failed: moved otherwise than the rows, which make {format_minor(sums['net'], currency, PROVIDER)}"
    return {f"totals {currency}": totals, f"balance {currency}": balances}


def _moved(cells: Sequence[str], currency: str) -> int | None:
    """Return by how much a balance moved from beginning to end; cells are two pairs of CR/DR and amount."""
    if len(cells) < 4:
        return None
    begin, end = (_minor(cells[at].strip(), currency) for at in (1, 3))
    if begin is None or end is None:
        return None
    sides = [-1 if cells[at].strip().upper() == "DR" else 1 for at in (0, 2)]
    return sides[1] * end - sides[0] * begin


_DIALECT = Dialect(
    name=FORMAT,
    provider=PROVIDER,
    needs=(),
    optional=(),
    begin=row_by_row(_lines),
    checked="",
)
