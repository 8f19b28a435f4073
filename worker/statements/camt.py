"""CAMT.053 (ISO 20022): a bank's statement of an account, versions 02, 04 and 08, told by local names alone.

An entry is what the account's balance moved by, so that a batch booked in one sum is one entry with the references of
all its transactions. Amounts are decimals in major units; CdtDbtInd says which way the money went, also for a reversal
(which is marked besides). Only booked entries are in the balances: opening balance and booked entries must make the
closing one. An entry is named by the bank's reference, else by its content; equal ones of one day are numbered.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from worker.domain.continuity import Mark
from worker.domain.errors import InvalidInput, InvalidStatement
from worker.domain.ledger import BankEntry, BankStatus
from worker.domain.money import format_minor, parse_major
from worker.services.ports import RejectedRow
from worker.services.spool import Spool
from worker.statements.bank_csv import MOST_ENTRIES, TOO_MANY, masked, named, numbered
from worker.statements.cells import FIRST_YEAR, LAST_YEAR, LONGEST, LONGEST_TEXT, RowRejected, passage, shown
from worker.statements.dialect import Line
from worker.statements.table import Body, every_row
from worker.statements.xml import Node, parse

FORMAT = "camt053"
_ROOT = "BkToCstmrStmt"
_STATUS = {"BOOK": BankStatus.BOOKED, "PDNG": BankStatus.PENDING, "INFO": BankStatus.INFORMATION}
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T.*|Z|[+-]\d{2}:\d{2})?", re.ASCII)
_REFERENCES = (
    ("Refs", "EndToEndId"),
    ("Refs", "AcctSvcrRef"),
    ("Refs", "InstrId"),
    ("Refs", "TxId"),
    ("Refs", "PmtInfId"),
    ("Refs", "MndtId"),
    ("RmtInf", "Strd", "CdtrRefInf", "Ref"),
)
_NO_REFERENCE = {"", "NOTPROVIDED", "NONREF"}


class _Entries:
    """The entries of one statement, and those that could not be read."""

    def __init__(self) -> None:
        self.count = 0
        self.good: list[BankEntry] = []
        self.rejects: list[RejectedRow] = []
        self._seen: Counter[str] = Counter()

    def take(self, node: Node) -> None:
        """Read an entry; whose account it is of may only be told behind it."""
        self.count += 1
        try:
            self.good.append(_entry(node, "", self._seen))
        except RowRejected as reason:
            self.rejects.append(RejectedRow(line=node.line, column=reason.column, reason=reason.reason))


def read(pieces: Iterable[bytes], rejects: Spool[RejectedRow]) -> Generator[Line, None, Body]:
    """Yield the entries of a file that comes in pieces. Raises InvalidStatement when it is not CAMT.053."""
    found: defaultdict[int, _Entries] = defaultdict(_Entries)
    count = 0

    def take(statement: Node, node: Node) -> None:
        nonlocal count
        count += 1
        if count > MOST_ENTRIES:
            raise InvalidStatement(TOO_MANY)
        found[id(statement)].take(node)

    root = parse(pieces, (_ROOT, "Stmt", "Ntry"), take)
    body = root if root.name == _ROOT else root.first(_ROOT)
    if body is None:
        inside = next((child.name for child in root.children), "nothing")
        raise InvalidStatement(f"the file is XML, but no CAMT.053: its root is {root.name[:60]!r} with {inside[:60]!r}")
    checks: dict[str, str] = {}
    marks: list[Mark] = []
    rows = 0
    periods = [period for statement in body.all("Stmt") if (period := _period(statement)) is not None]
    for statement in body.all("Stmt"):
        account = _account(statement)
        own = found[id(statement)]
        rows += own.count
        rejects.extend(own.rejects)
        yield from (replace(entry, account=account) for entry in own.good)
        marks += _marks(statement, account)
        # Checks are printed, logged and reported: an account number is not for all who read them.
        label = f"...{account[-4:]} {passage(statement.said('Id'), 40)}".strip()
        checks |= {f"{name} of {label}": result for name, result in _checks(statement, own).items()}
    return Body(
        rows=rows,
        checks={"every row read": every_row(len(rejects), f"{rows} entries", rows)} | checks,
        marks=tuple(marks),
        period=(min(start for start, _ in periods), max(end for _, end in periods)) if periods else None,
    )


def _account(statement: Node) -> str:
    found = statement.said("Acct", "Id", "IBAN") or statement.said("Acct", "Id", "Othr", "Id")
    found = "".join(found.split())
    if not found or len(found) > LONGEST or not found.isprintable():
        raise InvalidStatement(f"the statement in line {statement.line} names no account")
    return found


def _period(statement: Node) -> tuple[datetime, datetime] | None:
    """Return the time a statement says it is of; None where it does not, or not in a way to rely on."""
    found = []
    for name in ("FrDtTm", "ToDtTm"):
        try:
            at = datetime.fromisoformat(statement.said("FrToDt", name))
            found.append((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC))
        except (ValueError, OverflowError):
            return None
    start, end = found
    known = start.year >= FIRST_YEAR and end.year <= LAST_YEAR
    return (start, end) if known and start < end else None


def _entry(node: Node, account: str, seen: Counter[str]) -> BankEntry:
    amount, currency = _signed(node)
    word = node.said("Sts", "Cd") or node.said("Sts") or "BOOK"
    status = _STATUS.get(word)
    if status is None:
        raise RowRejected("Sts", f"is no known status: {shown(word)}")
    value_on = _day(node, "ValDt") if node.first("ValDt") else None
    booked_on = _day(node, "BookgDt") if node.first("BookgDt") or value_on is None else value_on
    details = node.all("NtryDtls", "TxDtls")
    own = _name(node.said("AcctSvcrRef"))
    texts = [*_texts(details), passage(node.said("AddtlNtryInf"))]
    text = " ".join(dict.fromkeys(filter(None, texts)))[:LONGEST_TEXT]
    given = [
        own,
        _name(node.said("NtryRef")),
        *(_name(detail.said(*path)) for detail in details for path in _REFERENCES),
    ]
    references = tuple(dict.fromkeys(name for name in given if name.upper() not in _NO_REFERENCE))
    said = own if own.upper() not in _NO_REFERENCE else named(booked_on, amount, currency, *references, text)
    seen[said] += 1
    return BankEntry(
        account=account,
        entry_id=numbered(said, seen[said]),
        amount_minor=amount,
        currency=currency,
        booked_on=booked_on,
        value_on=value_on,
        status=status,
        references=references,
        text=text,
        counterparty=_counterparty(details, credit=amount >= 0),
        reversal=node.said("RvslInd") in {"true", "1"},
    )


def _signed(node: Node) -> tuple[int, str]:
    """Return an amount with its sign and currency. Raises RowRejected."""
    found = node.first("Amt")
    if found is None:
        raise RowRejected("Amt", "is missing")
    currency = found.attributes.get("Ccy", "")
    if not _CURRENCY.fullmatch(currency):
        raise RowRejected("Amt/Ccy", f"is no currency: {shown(currency)}")
    direction = node.said("CdtDbtInd")
    if direction not in {"CRDT", "DBIT"}:
        raise RowRejected("CdtDbtInd", f"is neither CRDT nor DBIT: {shown(direction)}")
    try:
        minor = parse_major(found.text, currency)
    except InvalidInput as problem:
        raise RowRejected("Amt", str(problem)) from None
    if minor < 0 or minor >= 10**17:
        raise RowRejected("Amt", f"is no amount without sign: {shown(found.text)}")
    return (-minor if direction == "DBIT" else minor), currency


def _day(node: Node, name: str) -> date:
    text = node.said(name, "Dt") or node.said(name, "DtTm")
    found = _DAY.fullmatch(text)
    try:
        day = date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise RowRejected(name, f"is no date: {shown(text)}") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise RowRejected(name, f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}: {shown(text)}")
    return day


def _name(text: str) -> str:
    return text if len(text) <= LONGEST and text.isprintable() else ""


def _texts(details: Iterable[Node]) -> Iterable[str]:
    for detail in details:
        for line in detail.all("RmtInf", "Ustrd"):
            yield passage(line.text)
        yield passage(detail.said("AddtlTxInf"))


def _counterparty(details: Iterable[Node], *, credit: bool) -> str:
    """Return who is on the other side: of a credit the debtor. Version 08 puts the name one level deeper."""
    side = "Dbtr" if credit else "Cdtr"
    for detail in details:
        found = detail.said("RltdPties", side, "Nm") or detail.said("RltdPties", side, "Pty", "Nm")
        if found:
            return passage(found, LONGEST)
    return ""


def _marks(statement: Node, account: str) -> list[Mark]:
    """Return opening and closing balance of each currency, where the statement says what time it is of."""
    period = _period(statement)
    balances, _ = _balances(statement)
    if period is None:
        return []
    return [
        Mark(
            account=masked(account), unit=currency, opens=opening, closes=closing, first_at=period[0], last_at=period[1]
        )
        for currency in sorted({currency for _, currency in balances})
        if (opening := balances.get(("opening", currency))) is not None
        and (closing := balances.get(("closing", currency))) is not None
    ]


def _balances(statement: Node) -> tuple[dict[tuple[str, str], int], dict[str, str]]:
    """Return the balances by which end and currency, and why others could not be read."""
    balances: dict[tuple[str, str], int] = {}
    unread = {}
    for node in statement.all("Bal"):
        code = node.said("Tp", "CdOrPrtry", "Cd")
        try:
            minor, currency = _signed(node)
        except RowRejected as problem:
            unread[f"balance {code or 'of no kind'}"] = f"failed: {problem}"
            continue
        # The first of a kind opens, the last closes: interim balances of several pages lie between.
        if code in {"OPBD", "PRCD"}:
            balances.setdefault(("opening", currency), minor)
        elif code == "CLBD":
            balances["closing", currency] = minor
    return balances, unread


def _checks(statement: Node, entries: _Entries) -> dict[str, str]:
    """Opening balance and booked entries make the closing balance; and there are as many entries as the bank counts."""
    balances, found = _balances(statement)
    booked: Counter[str] = Counter()
    for entry in entries.good:
        booked[entry.currency] += entry.amount_minor if entry.status is BankStatus.BOOKED else 0
    for currency in sorted(booked.keys() | {currency for _, currency in balances}):
        opening, closing = (balances.get((which, currency)) for which in ("opening", "closing"))
        if opening is None or closing is None:
            said = "not in the file: no opening or no closing balance"
        elif opening + booked[currency] == closing:
            said = f"ok: {format_minor(opening, currency)} and the entries make {format_minor(closing, currency)}"
        else:
            made = format_minor(opening + booked[currency], currency)
            said = f"failed: opening balance and entries make {made}, closing is {format_minor(closing, currency)}"
        found[f"balance {currency}"] = said
    counted = statement.said("TxsSummry", "TtlNtries", "NbOfNtries")
    if counted:
        there = entries.count
        right = counted == str(there)
        found["number of entries"] = "ok" if right else f"failed: the bank counts {counted[:20]}, there are {there}"
    return found
