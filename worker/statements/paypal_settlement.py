"""PayPal's settlement report (STL) from its SFTP server: records of several kinds in one delimited file.

RH report, FH file and SH section header; CH names the columns of the SB rows (one a transaction); SF sums a section
up per currency, SC counts its rows; RF, RC and FF do so for report and file. Amounts are unsigned integers of a
hundredth of the major unit in every currency, the yen too; a column of its own says CR (to the account) or DR, for the
amount and for the fee apart. T-codes tell the kind. Times carry their offset.
Source: PayPal documentation, "Settlement Report Specification"; real files.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import exponent, format_minor
from worker.services.ports import RejectedRow, StatementScope
from worker.statements.cells import Cells, RowRejected
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.paypal import PROVIDER
from worker.statements.paypal_words import kind_of
from worker.statements.reader import Record
from worker.statements.self_checks import once
from worker.statements.table import Body, read_table
from worker.statements.told import Told

FORMAT = "paypal_settlement"
_PASSED_OVER = {"RH", "FH", "SH", "RF", "RC", "FF", "FC"}
_TOTALS = ("gross credits", "gross debits", "fee credits", "fee debits")


@dataclass(slots=True)
class Section:
    """One section: its columns, its rows, what it says of itself."""

    header: tuple[str, ...]
    body: list[Record] = field(default_factory=list)
    sums: list[Record] = field(default_factory=list)
    count: Record | None = None


def is_one(records: Sequence[Record]) -> bool:
    """Whether a file is a settlement report: its first record is a report header."""
    return bool(records) and records[0].cells[0].strip() == "RH"


def read(records: Sequence[Record], told: Told) -> Body:
    """Read a settlement report. Raises InvalidStatement when it has no columns."""
    sections, rejects = _sections(records)
    if not sections:
        raise InvalidStatement(f"a {FORMAT} without columns (no CH record): the file is cut off, or is another report")
    lines: list[LedgerLine] = []
    checks: dict[str, str] = {}
    rows = len(rejects)
    for number, section in enumerate(sections, start=1):
        body = read_table(_DIALECT, section.header, section.body, told)
        lines += body.lines
        rejects += body.rejects
        rows += body.rows
        prefix = f"section {number} " if len(sections) > 1 else ""
        checks |= {prefix + name: result for name, result in _section_checks(section, body.lines).items()}
    read_all = f"failed: {len(rejects)} of {rows} rejected" if rejects else f"ok: {rows} rows"
    return Body(
        format=FORMAT,
        provider=PROVIDER,
        scope=StatementScope.LEDGER,
        lines=tuple(lines),
        entries=(),
        rejects=tuple(sorted(rejects, key=lambda row: row.line)),
        rows=rows,
        checks={"every row read": read_all} | once("transaction", lines) | checks,
    )


def _sections(records: Sequence[Record]) -> tuple[list[Section], list[RejectedRow]]:
    sections: list[Section] = []
    rejects = []
    for record in records:
        code = record.cells[0].strip().upper()
        if code == "CH":
            sections.append(Section(record.cells))
        elif code in {"SB", "SF", "SC"} and sections:
            section = sections[-1]
            if code == "SB":
                section.body.append(record)
            elif code == "SF":
                section.sums.append(record)
            else:
                section.count = record
        elif code == "SB" or (code not in _PASSED_OVER and code not in {"SF", "SC"}):
            reason = "stands before the columns" if code == "SB" else f"is of no known record type: {code[:10]!r}"
            rejects.append(RejectedRow(line=record.line, column="", reason=reason))
    return sections, rejects


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


def _section_checks(section: Section, lines: Sequence[LedgerLine]) -> dict[str, str]:
    checks = {}
    sums: dict[str, Counter[str]] = {}
    for line in lines:
        of = sums.setdefault(line.currency, Counter())
        apart = line.line_id.endswith("-fee") and line.kind is LineKind.FEE
        gross, fee = (0, -line.net_minor) if apart else (line.gross_minor, line.fee_minor)
        of["gross credits" if gross >= 0 else "gross debits"] += abs(gross)
        of["fee debits" if fee >= 0 else "fee credits"] += abs(fee)
        of["net"] += line.net_minor
    said = {record.cells[1].strip().upper(): record for record in section.sums if len(record.cells) > 5}
    for currency in sorted(sums.keys() | said.keys()):
        if currency not in said:
            checks[f"totals {currency}"] = "not in the file: no SF record of this currency"
            continue
        checks |= _sum_checks(said[currency].cells, currency, sums.get(currency, Counter()))
    if section.count is None:
        checks["number of rows"] = "failed: no SC record closes the section: the file is cut off"
    else:
        counted = section.count.cells[1].strip() if len(section.count.cells) > 1 else ""
        right = counted == str(len(section.body))
        checks["number of rows"] = "ok" if right else f"failed: SC says {counted[:20]!r}, there are {len(section.body)}"
    return checks


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
    checks=lambda _read, _rows: {},
    checked="",
)
