"""Which rows of Stripe's itemised reports are plain, and what they say: column by column, without looking at a row.

The format is defined by the parser of rows (worker/statements/stripe.py). A row is plain when that would surely read it,
and it is read here as there; a test holds both against each other. Whatever repeats few values is looked at once for each.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind
from worker.domain.money import exponent
from worker.lake.columns import MOMENT, schema_of
from worker.lake.cutting import coded_schema

PROVIDER = "stripe"
CREATED = ("created_utc", "created", "effective_at_utc", "effective_at")
_PAID_OUT = ("automatic_payout_effective_at_utc", "automatic_payout_effective_at", "payout_expected_arrival_date")
TEXTS = (
    "balance_transaction_id",
    "payment_intent_id",
    "source_id",
    "payment_metadata[order_id]",
    "refund_metadata[order_id]",
    "gross",
    "fee",
    "net",
    "customer_facing_amount",
    *CREATED,
)
REPEATING = (
    "reporting_category",
    "automatic_payout_id",
    "payout_id",
    "payment_method_type",
    "payment_metadata[shop]",
    "currency",
    "card_country",
    "customer_facing_currency",
    *_PAID_OUT,
)
"""Columns that hold few values: read as a dictionary of them."""
SCHEMA = coded_schema(schema_of(LedgerLine))
"""The columns of what is read."""

_NAME = re.compile(r"[!-~]{0,128}")
"""What the parser takes for a name as it stands."""
_NAME_SIGNS = bytes(range(0x21, 0x7F))
_LONGEST = 128
_CODE = re.compile(r"[A-Z]{3}")
_AMOUNT = r"^[+-]?[0-9]{1,11}(\.[0-9]{1,3})?$"
_THOUSANDTHS = pa.decimal64(14, 3)
"""Of such amounts, as whole numbers of 64 bits."""
_UNITS = {0: 1000, 2: 10, 3: 1}
"""Places of amounts that are read here, and the thousandths of a minor unit."""
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")
_MOMENT_LENGTH = 19
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([ T].*)?")
_YEARS = range(1990, 2100)
_FIRST, _LAST = datetime(1990, 1, 1), datetime(2099, 12, 31, 23, 59, 59)


def plain_lines(cells: pa.RecordBatch, shop: str) -> tuple[pa.RecordBatch, pa.BooleanArray | None]:
    """Return the lines of the plain rows, columns as SCHEMA has them; and which rows are plain, None where all are.

    `cells` are those columns of TEXTS and REPEATING that the report has. `shop` is ours: an order id counts only where the
    row names it, or no shop.
    """
    block = _Block(cells)
    columns = _columns(block, shop)
    lines = pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], SCHEMA.names)
    plain = block.plain()
    if plain is not None:
        lines = lines.filter(plain)
    return pa.RecordBatch.from_arrays(lines.columns, schema=SCHEMA), plain


class _Block:
    """Cells of some rows by column; what the rows must fulfil to be plain is noted on the way."""

    def __init__(self, cells: pa.RecordBatch) -> None:
        self._cells = cells
        self._conditions: list[pa.BooleanArray] = []

    def require(self, condition: pa.BooleanArray) -> None:
        """Take a row for plain only where this is true; what is unknown is not."""
        if condition.true_count < len(condition):
            self._conditions.append(pc.fill_null(condition, fill_value=False))

    def require_each(self, column: pa.DictionaryArray, holds: Callable[[str], Any]) -> None:
        """Require it of each text of a column; rows are looked at only where it does not hold for all there are."""
        if not all(map(holds, column.dictionary.to_pylist())):
            self.require(_each(column, lambda text: bool(holds(text)), pa.bool_()))

    def plain(self) -> pa.BooleanArray | None:
        """Return which rows fulfil everything; None where all do."""
        found = None
        for condition in self._conditions:
            found = condition if found is None else pc.and_(found, condition)
        return found

    def text(self, name: str) -> pa.StringArray:
        """Return a column as it stands, empty where the report has none of this name."""
        return self._cells.column(name) if name in self._cells.schema.names else pa.repeat("", self._cells.num_rows)

    def coded(self, name: str) -> pa.DictionaryArray:
        """Return a column of few values, likewise."""
        return self._cells.column(name) if name in self._cells.schema.names else self.always("")

    def always(self, text: str) -> pa.DictionaryArray:
        """Return a column that says the same in every row."""
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), self._cells.num_rows), [text])

    def name(self, name: str) -> pa.StringArray:
        """Return a column of names."""
        column = self.text(name)
        signs = column.buffers()[2]
        # Looked through as they lie, one behind the other; each by itself only where there is something.
        if signs is not None and signs.to_pybytes().translate(None, _NAME_SIGNS):
            self.require(pc.invert(pc.match_substring_regex(column, "[^!-~]")))
        lengths = pc.binary_length(column)
        if (pc.max(lengths).as_py() or 0) > _LONGEST:
            self.require(pc.less_equal(lengths, _LONGEST))
        return column

    def coded_name(self, name: str) -> pa.DictionaryArray:
        """Return a column of names of which there are few."""
        column = self.coded(name)
        self.require_each(column, _is_name)
        return column

    def first_of(self, names: Sequence[str]) -> pa.StringArray | pa.DictionaryArray:
        """Return of each row the first of some cells that says something."""
        found, *others = [self._cells.column(name) for name in names if name in self._cells.schema.names] or [
            self.always("")
        ]
        for other in others:
            texts = _decoded(found)
            if pc.min(pc.binary_length(texts)).as_py() != 0:
                break
            found = pc.if_else(pc.equal(texts, ""), _decoded(other), texts)
        return found


def _columns(block: _Block, shop: str) -> dict[str, pa.Array]:
    currency = block.coded("currency")
    unit = _each(currency, _unit, pa.int64())
    gross = _minor(block, _thousandths(block.text("gross")), unit)
    fee = _minor(block, _thousandths(_or_nought(block.text("fee"))), unit)
    net = _minor(block, _thousandths(block.text("net")), unit)
    block.require(pc.equal(pc.subtract(gross, fee), net))
    line, category = block.name("balance_transaction_id"), block.coded_name("reporting_category")
    block.require(pc.greater(pc.binary_length(line), 0))
    block.require_each(category, bool)
    theirs = block.coded_name("payment_metadata[shop]")
    payout = _encoded(block.first_of(("automatic_payout_id", "payout_id")))
    block.require_each(payout, _is_name)
    customer_currency, customer_minor = _seen(block, gross)
    return {
        "line_id": line,
        "provider": block.always(PROVIDER),
        "kind": _texts(category, lambda word: STRIPE_CATEGORIES.get(word, LineKind.UNCLASSIFIED)),
        "currency": _texts(currency, str.upper),
        "gross_minor": gross,
        "fee_minor": fee,
        "net_minor": net,
        "created_at": _created(block),
        "payment_reference": block.name("payment_intent_id"),
        "order_id": _order(block, theirs, shop),
        "source_id": block.name("source_id"),
        "payout_id": payout,
        "type_text": category,
        "shop": theirs,
        "method": block.coded_name("payment_method_type"),
        "country": _texts(block.coded("card_country"), _country),
        "customer_currency": customer_currency,
        "customer_minor": customer_minor,
        "payout_at": _paid_out(block),
    }


def _thousandths(texts: pa.StringArray) -> pa.Int64Array:
    """Return amounts in thousandths of a major unit; null where a text is none."""
    shaped = pc.match_substring_regex(texts, _AMOUNT)
    if shaped.true_count < len(shaped):
        texts = pc.if_else(shaped, texts, None)
    return pc.cast(texts, _THOUSANDTHS).view(pa.int64())


def _or_nought(texts: pa.StringArray) -> pa.StringArray:
    return texts if pc.min(pc.binary_length(texts)).as_py() else pc.if_else(pc.equal(texts, ""), "0", texts)


def _minor(block: _Block, thousandths: pa.Int64Array, unit: pa.Int64Array) -> pa.Int64Array:
    """Return amounts in minor units; one that is none, or has more decimals than its currency, is not plain."""
    minor = pc.divide(thousandths, unit)
    block.require(pc.equal(pc.multiply(minor, unit), thousandths))
    return minor


def _unit(currency: str) -> int | None:
    code = currency.upper()
    return _UNITS.get(exponent(code, PROVIDER)) if _CODE.fullmatch(code) else None


def _created(block: _Block) -> pa.TimestampArray:
    texts = _decoded(block.first_of(CREATED))
    block.require(pc.equal(pc.binary_length(texts), _MOMENT_LENGTH))
    try:
        moments = pc.cast(texts, MOMENT)
    except pa.ArrowInvalid:
        # Some are none, and the others do not tell which.
        moments = pa.array([_moment(text) for text in texts.to_pylist()], MOMENT)
    block.require(pc.and_(pc.greater_equal(moments, _FIRST), pc.less_equal(moments, _LAST)))
    return moments


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None


def _paid_out(block: _Block) -> pa.TimestampArray:
    days = _encoded(block.first_of((*_PAID_OUT, *CREATED[2:])))
    block.require_each(days, lambda text: not text or _day(text) is not None)
    return _each(days, _day, MOMENT)


def _day(text: str) -> datetime | None:
    shaped = _DAY.fullmatch(text)
    try:
        day = datetime.fromisoformat(shaped[1]) if shaped else None
    except ValueError:
        return None
    return day if day is not None and day.year in _YEARS else None


def _order(block: _Block, theirs: pa.DictionaryArray, shop: str) -> pa.StringArray:
    """Return the order that the row names, unless it is another shop's."""
    order, of_refund = block.name("payment_metadata[order_id]"), block.name("refund_metadata[order_id]")
    if pc.max(pc.binary_length(of_refund)).as_py():
        order = pc.if_else(pc.equal(order, ""), of_refund, order)
    others = [name for name in theirs.dictionary.to_pylist() if shop and name not in {"", shop}]
    if others:
        order = pc.if_else(_each(theirs, lambda name: name in others, pa.bool_()), "", order)
    return order


def _seen(block: _Block, gross: pa.Int64Array) -> tuple[pa.DictionaryArray, pa.Int64Array]:
    """Return what the customer saw, where that is told: its currency, and the amount with the sign of `gross`."""
    texts = block.text("customer_facing_amount")
    told = pc.greater(pc.binary_length(texts), 0)
    if not pc.any(told).as_py():
        return block.always(""), pa.repeat(0, len(texts))
    seen_in = block.coded("customer_facing_currency")
    unit, thousandths = _each(seen_in, _unit, pa.int64()), _thousandths(texts)
    minor = pc.divide(thousandths, unit)
    block.require(pc.or_kleene(pc.invert(told), pc.equal(pc.multiply(minor, unit), thousandths)))
    signed = pc.if_else(pc.less(gross, 0), pc.negate(pc.abs(minor)), pc.abs(minor))
    return _encoded(pc.if_else(told, _decoded(_texts(seen_in, str.upper)), "")), pc.if_else(told, signed, 0)


def _country(text: str) -> str:
    found = text.strip().upper()
    return found if len(found) == 2 and found.isascii() and found.isalpha() else ""


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _each(column: pa.DictionaryArray, read: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Return what `read` makes of each text, asked once for every text there is."""
    return pa.array([read(text) for text in column.dictionary.to_pylist()], kind).take(column.indices)


def _texts(column: pa.DictionaryArray, read: Callable[[str], str]) -> pa.DictionaryArray:
    """Return likewise texts, of which there are few again."""
    found = pa.array([read(text) for text in column.dictionary.to_pylist()], pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices.take(column.indices), found.dictionary)


def _decoded(column: pa.StringArray | pa.DictionaryArray) -> pa.StringArray:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _encoded(column: pa.StringArray | pa.DictionaryArray) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
