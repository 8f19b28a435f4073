"""A bank's account as a table: one row an entry, in the columns that banks have in common, English or German.

A day, an amount (signed, or in a debit and a credit column), a currency, a text. The account stands in a column or is
told. Numbers and dates are written in the manner of the bank's country: the file decides, and what it leaves open must
be told. Rows seldom have an id: content names them, and equal rows of one day are numbered.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter

from worker.domain.continuity import Mark
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, BankStatus
from worker.services.ports import StatementScope
from worker.statements import dates, numbers
from worker.statements.cells import LONGEST, Cells, RowRejected, passage, shown
from worker.statements.dialect import Dialect, FileCheck, Line, RowReader
from worker.statements.running_balance import Chain, Step
from worker.statements.told import DateOrder, Told

PROVIDER = "bank"
ALIASES = {
    "account number": "account",
    "iban": "account",
    "account iban": "account",
    "auftragskonto": "account",
    "iban auftragskonto": "account",
    "booking date": "date",
    "booked on": "date",
    "posting date": "date",
    "transaction date": "date",
    "buchungstag": "date",
    "buchungsdatum": "date",
    "value date": "value date",
    "valutadatum": "value date",
    "wertstellung": "value date",
    "betrag": "amount",
    "paid out": "debit",
    "paid in": "credit",
    "soll": "debit",
    "haben": "credit",
    "währung": "currency",
    "waehrung": "currency",
    "description": "text",
    "details": "text",
    "narrative": "text",
    "remittance information": "text",
    "verwendungszweck": "text",
    "reference": "reference",
    "end to end id": "end-to-end",
    "end-to-end id": "end-to-end",
    "kundenreferenz (end-to-end)": "end-to-end",
    "bank reference": "bank reference",
    "transaction id": "bank reference",
    "payee": "counterparty",
    "counterparty": "counterparty",
    "beguenstigter/zahlungspflichtiger": "counterparty",
    "begünstigter/zahlungspflichtiger": "counterparty",
    "saldo": "balance",
    "info": "status",
    "state": "status",
}
MOST_ENTRIES = 100_000
"""Entries of one file: equal ones of a day are told apart by their number, for which all must be known."""
TOO_MANY = f"it holds more than {MOST_ENTRIES} bank entries: ask the bank for files of fewer days, and import each"
_REFERENCES = ("end-to-end", "bank reference", "reference")
_PENDING = ("pending", "vorgemerkt", "unbooked")
_AMOUNTS = ("amount", "debit", "credit", "balance")


def begin(rows: Iterable[Cells], told: Told, _header: Sequence[str]) -> RowReader:
    """Find out how the file writes numbers and dates. Raises InvalidStatement, also where no account is to be had."""
    amounts, days = numbers.Deciding(PROVIDER, told.decimal), dates.Deciding(told.dates)
    for count, row in enumerate(rows, start=1):
        if not row.has("account") and not told.account:
            raise InvalidStatement("the file names no bank account; say which one it is of (--account)")
        if count > MOST_ENTRIES:
            raise InvalidStatement(TOO_MANY)
        currency = row.text("currency").upper()
        for column in _AMOUNTS:
            amounts.look(row.text(column), currency)
        for column in ("date", "value date"):
            days.look(row.text(column))
    written = amounts.decided()
    order = days.decided()
    seen: Counter[str] = Counter()

    def read(row: Cells) -> list[Line]:
        row.numbers = written
        return [_entry(row, order, told.account, seen)]

    return read


def _entry(row: Cells, order: DateOrder, account: str, seen: Counter[str]) -> BankEntry:
    currency = row.currency("currency")
    amount = _amount(row, currency)
    row.amount("balance", currency)
    booked_on = _day(row, "date", order)
    of = "".join((row.identifier("account") or account).split())
    if not of:
        raise RowRejected("account", "is empty")
    references = tuple(dict.fromkeys(filter(None, map(row.identifier, _REFERENCES))))
    status = BankStatus.PENDING if any(word in row.text("status").lower() for word in _PENDING) else BankStatus.BOOKED
    own = row.identifier("bank reference")
    text = row.passage("text")
    said = own or named(booked_on, amount, currency, *references, text, row.passage("counterparty"))
    seen[f"{of} {said}"] += 1
    times = seen[f"{of} {said}"]
    return BankEntry(
        account=of,
        entry_id=numbered(said, times),
        amount_minor=amount,
        currency=currency,
        booked_on=booked_on,
        value_on=_day(row, "value date", order) if row.text("value date") else None,
        status=status,
        references=references,
        text=text,
        counterparty=passage(row.text("counterparty"), LONGEST),
    )


def _amount(row: Cells, currency: str) -> int:
    if row.text("amount"):
        return row.amount("amount", currency)
    if not row.text("credit") and not row.text("debit"):
        raise RowRejected("amount", "is empty")
    return row.amount("credit", currency) - abs(row.amount("debit", currency))


def masked(account: str) -> str:
    """Return what tells an account from others and is not its number: marks are printed and reported."""
    return f"{hashlib.sha256(account.encode()).hexdigest()[:12]}-{account[-4:]}"


def numbered(name: str, times: int) -> str:
    """Tell the entries of one name apart: the first keeps it, the others get their number."""
    return name if times == 1 else f"{name[: LONGEST - 8]}-{times}"


def named(booked_on: date, amount_minor: int, currency: str, *texts: str) -> str:
    """Name an entry by its content."""
    content = "\n".join((booked_on.isoformat(), str(amount_minor), currency, *texts))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _day(row: Cells, column: str, order: DateOrder) -> date:
    text = row.text(column).partition(" ")[0]
    day = dates.read_day(text, order)
    if day is None:
        raise RowRejected(column, f"is no date ({order}): {shown(text)}")
    return row.within(column, day)


class Balances(FileCheck):
    """Where rows carry a balance, each must be the one before it plus its amount."""

    def __init__(self) -> None:
        self._chains: defaultdict[tuple[str, str], Chain] = defaultdict(Chain)
        self._days: dict[tuple[str, str], tuple[date, date]] = {}

    def add(self, row: Cells, lines: Sequence[Line]) -> None:
        """Take a step, and the day."""
        for entry in lines:
            if isinstance(entry, BankEntry):
                key, day = (entry.account, entry.currency), entry.booked_on
                first, last = self._days.get(key, (day, day))
                self._days[key] = min(first, day), max(last, day)
        if row.text("balance"):
            currency = row.currency("currency")
            step = Step(row.line, _amount(row, currency), row.amount("balance", currency))
            self._chains[row.text("account"), currency].add(step)

    def checks(self) -> dict[str, str]:
        """Say of each currency whether its balance closes."""
        found = {}
        for (_, currency), chain in sorted(self._chains.items(), key=itemgetter(0)):
            said = f"ok: closes over {chain.count} rows"
            if chain.gap is not None:
                said = f"failed: {chain.gaps} gaps, first in line {chain.gap[1].line}"
            found[f"running balance {currency}"] = said
        return found

    def marks(self) -> tuple[Mark, ...]:
        """Return the balance of each account before its first row and after its last, where its rows say and it closes."""
        accounts = {account for account, _ in self._days}
        found = []
        for (said, currency), chain in sorted(self._chains.items(), key=itemgetter(0)):
            account = "".join(said.split()) or next(iter(accounts), "")
            own = self._days.get((account, currency))
            if own and chain.gap is None:
                first, last = (datetime.combine(day, time(), UTC) for day in own)
                opening, closing = chain.ends
                found.append(
                    Mark(
                        account=masked(account),
                        unit=currency,
                        opens=opening.balance_minor - opening.moved_minor,
                        closes=closing.balance_minor,
                        first_at=first,
                        last_at=last + timedelta(days=1),
                    )
                )
        return tuple(found)


DIALECT = Dialect(
    name="bank_csv",
    provider=PROVIDER,
    needs=(("date",), ("amount", "credit"), ("currency",), ("text", "reference", "bank reference")),
    optional=(
        "debit",
        "account",
        "value date",
        "end-to-end",
        "counterparty",
        "balance",
        "status",
    ),
    begin=begin,
    checks=(Balances,),
    scope=StatementScope.BANK,
    aliases={name: ours for name, ours in ALIASES.items() if name != ours},
    totals=("amount", "debit", "credit"),
    checked="",
)
