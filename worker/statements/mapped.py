"""Formats that nobody wrote code for: tables and JSON documents described in settings.toml, [statements.formats.<name>].

A description says which column (in JSON: which key, `a.b` for one inside another) holds what, and how amounts, dates
and types are written. Every column it names must be in the file. What it leaves out is empty; gross, fee and net
complete one another, and where all three are there, net must be gross less fee on every row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, NoReturn

from worker.contract.settings import ConfigurationError
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LedgerLine, LineKind
from worker.statement_settings import StatementFormatConfig
from worker.statements.cells import Cells, RowRejected, net_must_be, shown, zone_named
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.numbers import Numbers
from worker.statements.reader import Record
from worker.statements.self_checks import Once, PayoutSums

IDENTIFIERS = ("payment_reference", "order_id", "source_id", "payout_id", "method")
FIELDS = frozenset(
    {
        *IDENTIFIERS,
        *("line_id", "gross", "debit", "credit", "fee", "net", "currency", "created_at", "type"),
        *("payout_at", "country", "customer_amount", "customer_currency"),
    }
)
"""What a column can be mapped to."""
ISO, UNIX = "iso", "unix"
_KINDS = tuple(kind.value for kind in LineKind)
_DEEPEST = 8
"""Levels of objects in an item of a JSON document that are looked into."""


def describe(name: str, described: StatementFormatConfig) -> "Dialect | MappedJson":
    """Return the format that a table of the settings describes. Raises ConfigurationError with all that is wrong."""
    problems = [f"statements.formats.{name}.{problem}" for problem in _problems(described)]
    if problems:
        raise ConfigurationError(problems)
    reader = _Reader(described)
    columns = sorted({" ".join(column.split()).lower() for column in described.columns.values()})
    dialect = Dialect(
        name=name,
        provider=described.provider,
        needs=tuple((column,) for column in columns),
        optional=(),
        begin=row_by_row(
            reader.lines, Numbers(described.decimal, grouped=described.grouped, symbols=described.grouped)
        ),
        checks=(partial(Once, "row"), PayoutSums),
        checked="gross less fee is net" if {"gross", "fee", "net"} <= described.columns.keys() else "",
    )
    return MappedJson(dialect, described.items) if described.items else dialect


def _problems(described: StatementFormatConfig) -> list[str]:
    columns = described.columns
    found = [f"columns.{name}: unknown; known are {', '.join(sorted(FIELDS))}" for name in columns.keys() - FIELDS]
    found += [f"columns.{name}: missing" for name in ("line_id", "created_at") if name not in columns]
    if not described.provider:
        found.append("provider: missing")
    if not columns.keys() & {"gross", "net", "credit"}:
        found.append("columns.gross: missing (or net, or credit and debit)")
    if ("currency" in columns) == bool(described.currency):
        found.append("currency: name it here or in a column, one of the two")
    if ("type" in columns) == bool(described.kind):
        found.append("kind: name it here or in a column `type`, one of the two")
    kinds = {f"types.{word}": kind for word, kind in described.types.items()} | {"kind": described.kind or "charge"}
    found += [
        f"{at}: unknown kind {kind!r}; known are {', '.join(_KINDS)}"
        for at, kind in kinds.items()
        if kind not in _KINDS
    ]
    choices = {"unit": (described.unit, ("major", "minor")), "decimal": (described.decimal, (".", ","))}
    found += [f"{at}: is {value!r}; use {' or '.join(ok)}" for at, (value, ok) in choices.items() if value not in ok]
    if zone_named(described.zone) is None:
        found.append(f"zone: names no time zone known here: {described.zone!r}")
    return sorted(found)


class _Reader:
    """Reads rows as a description says."""

    def __init__(self, described: StatementFormatConfig) -> None:
        self._described = described
        self._columns = {ours: " ".join(theirs.split()).lower() for ours, theirs in described.columns.items()}
        self._types = {word.lower(): LineKind(kind) for word, kind in described.types.items()}
        self._outgoing = {word.lower() for word in described.outgoing}

    def lines(self, row: Cells, shop: str) -> list[LedgerLine]:  # noqa: ARG002 - a described file names no shop
        """Read one row. Raises RowRejected."""
        at = self._columns
        currency = row.currency(at["currency"]) if "currency" in at else self._described.currency
        word = row.required(at["type"]) if "type" in at else self._described.kind
        kind = self._types.get(word.lower(), LineKind.UNCLASSIFIED) if "type" in at else LineKind(word)
        gross, fee, net = self._amounts(row, currency, outgoing=word.lower() in self._outgoing)
        seen_in = self._text(row, "customer_currency").upper()
        customer = self._amount(row, "customer_amount", seen_in) if seen_in else 0
        named = {name: row.identifier(at[name]) for name in IDENTIFIERS if name in at}
        return [
            LedgerLine(
                line_id=row.required(at["line_id"]),
                provider=self._described.provider,
                kind=kind,
                currency=currency,
                gross_minor=gross,
                fee_minor=fee,
                net_minor=net,
                created_at=self._moment(row, "created_at"),
                type_text=word,
                country=row.country(at["country"]) if "country" in at else "",
                customer_minor=customer,
                customer_currency=row.currency(at["customer_currency"]) if seen_in else "",
                payout_at=self._moment(row, "payout_at") if self._text(row, "payout_at") else None,
                **named,
            )
        ]

    def _amounts(self, row: Cells, currency: str, *, outgoing: bool) -> tuple[int, int, int]:
        fee = abs(self._amount(row, "fee", currency)) if outgoing else self._amount(row, "fee", currency)
        fee = -fee if self._described.fee_negative and not outgoing else fee
        gross, net = self._gross(row, currency), self._amount(row, "net", currency)
        if outgoing:
            gross, net = None if gross is None else -abs(gross), -abs(net)
        if "net" not in self._columns:
            gross = gross or 0
            return gross, fee, gross - fee
        if gross is None:
            gross = net + fee
        net_must_be(gross, fee, net, currency, self._columns["net"], self._described.provider)
        return gross, fee, net

    def _gross(self, row: Cells, currency: str) -> int | None:
        if "gross" in self._columns:
            return self._amount(row, "gross", currency, required=True)
        if "credit" not in self._columns:
            return None
        if not self._text(row, "credit") and not self._text(row, "debit"):
            raise RowRejected(self._columns["credit"], "neither a credit nor a debit")
        return self._amount(row, "credit", currency) - abs(self._amount(row, "debit", currency))

    def _amount(self, row: Cells, name: str, currency: str, *, required: bool = False) -> int:
        column = self._columns.get(name)
        if column is None:
            return 0
        if self._described.unit == "major":
            return row.amount(column, currency, required=required)
        text = row.text(column)
        if not text and not required:
            return 0
        if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 17:
            raise RowRejected(column, f"is no integer of minor units: {shown(text)}")
        return int(text)

    def _text(self, row: Cells, name: str) -> str:
        return row.text(self._columns[name]) if name in self._columns else ""

    def _moment(self, row: Cells, name: str) -> datetime:
        column = self._columns[name]
        zone: tzinfo = zone_named(self._described.zone) or UTC
        if self._described.date == ISO:
            return row.moment(column, zone)
        text = row.text(column)
        try:
            if self._described.date == UNIX:
                at = datetime.fromtimestamp(int(text), UTC)
            else:
                at = datetime.strptime(text, self._described.date)  # noqa: DTZ007 - its zone comes next
                at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            raise RowRejected(column, f"is no time like {self._described.date!r}: {shown(text)}") from None
        return row.within(column, at)


@dataclass(frozen=True, slots=True)
class MappedJson:
    """A JSON document whose items are rows."""

    dialect: Dialect
    items: str
    """Where the list of items is: `data.rows`, or `.` for a document that is the list itself."""

    @property
    def name(self) -> str:
        """The format's name."""
        return self.dialect.name

    def items_of(self, text: str) -> tuple[tuple[str, ...], list[Record]]:
        """Return the names in a document's items, and the items under them; their lines are their numbers, from 1.

        Raises InvalidStatement.
        """
        try:
            document = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
        except (ValueError, RecursionError) as problem:
            raise InvalidStatement(f"the file is no JSON document: {str(problem)[:120]}") from None
        for step in filter(None, self.items.split(".")):
            document = document.get(step) if isinstance(document, dict) else None
        if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
            raise InvalidStatement(f"there is no list of objects at {self.items!r}")
        items = [_flat(item) for item in document]
        header = tuple(dict.fromkeys(name for item in items for name in item))
        missing = self.dialect.missing(self.dialect.names(header)) if items else []
        if missing:
            raise InvalidStatement(f"no item has {'; '.join(missing)}")
        body = [Record(at, tuple(item.get(name, "") for name in header)) for at, item in enumerate(items, start=1)]
        return header, body


def _flat(item: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in item.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < _DEEPEST:
            found |= _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, str):
            found[name] = value
        elif isinstance(value, bool):
            found[name] = str(value).lower()
        elif value is None:
            found[name] = ""
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
