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
from worker.lake.amounts import PLACES, minor_units
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
_LEAST, _GREATEST = 0x21, 0x7E
_LONGEST = 128
_CODE = re.compile(r"[A-Z]{3}")
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

    def names(self, *names: str) -> list[pa.StringArray]:
        """Return columns of names."""
        columns = [self.text(name) for name in names]
        # Looked at together and as they lie, one behind the other; each by itself only where there is something.
        signs = pc.min_max(pa.chunked_array([_signs(column) for column in columns], pa.uint8()))
        longest = pc.max(pc.binary_length(pa.chunked_array(columns))).as_py() or 0
        if signs["min"].is_valid and not _LEAST <= signs["min"].as_py() <= signs["max"].as_py() <= _GREATEST:
            for column in columns:
                self.require(pc.invert(pc.match_substring_regex(column, "[^!-~]")))
        if longest > _LONGEST:
            for column in columns:
                self.require(pc.less_equal(pc.binary_length(column), _LONGEST))
        return columns

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
    gross, fee, net = _amounts(block, _each(currency, _places, pa.int32()))
    line, payment, source, order, of_refund = block.names(
        "balance_transaction_id",
        "payment_intent_id",
        "source_id",
        "payment_metadata[order_id]",
        "refund_metadata[order_id]",
    )
    block.require(pc.greater(pc.binary_length(line), 0))
    category = block.coded_name("reporting_category")
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
        "payment_reference": payment,
        "order_id": _order(order, of_refund, theirs, shop),
        "source_id": source,
        "payout_id": payout,
        "type_text": category,
        "shop": theirs,
        "method": block.coded_name("payment_method_type"),
        "country": _texts(block.coded("card_country"), _country),
        "customer_currency": customer_currency,
        "customer_minor": customer_minor,
        "payout_at": _paid_out(block),
    }


def _amounts(block: _Block, places: pa.Int32Array) -> tuple[pa.Int64Array, pa.Int64Array, pa.Int64Array]:
    """Return gross, fee and net; where one of them is no amount the sum is none, and the row not plain."""
    texts = [block.text("gross"), _or_nought(block.text("fee")), block.text("net")]
    minor, rows = minor_units(pa.concat_arrays(texts), pa.concat_arrays([places] * len(texts))), len(places)
    gross, fee, net = (minor.slice(at * rows, rows) for at in range(len(texts)))
    block.require(pc.equal(pc.subtract(gross, fee), net))
    return gross, fee, net


def _or_nought(texts: pa.StringArray) -> pa.StringArray:
    return texts if pc.min(pc.binary_length(texts)).as_py() else pc.if_else(pc.equal(texts, ""), "0", texts)


def _places(currency: str) -> int | None:
    code = currency.upper()
    found = exponent(code, PROVIDER) if _CODE.fullmatch(code) else None
    return found if found in PLACES else None


def _created(block: _Block) -> pa.TimestampArray:
    texts = _decoded(block.first_of(CREATED))
    lengths = pc.binary_length(texts)
    if not _within(lengths, _MOMENT_LENGTH, _MOMENT_LENGTH):
        block.require(pc.equal(lengths, _MOMENT_LENGTH))
    try:
        moments = pc.cast(texts, MOMENT)
    except pa.ArrowInvalid:
        # Some are none, and the others do not tell which.
        moments = pa.array([_moment(text) for text in texts.to_pylist()], MOMENT)
    if moments.null_count or not _within(moments, _FIRST, _LAST):
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


def _order(order: pa.StringArray, of_refund: pa.StringArray, theirs: pa.DictionaryArray, shop: str) -> pa.StringArray:
    """Return the order that the row names, unless it is another shop's."""
    if len(_signs(of_refund)):
        order = pc.if_else(pc.equal(order, ""), of_refund, order)
    others = [name for name in theirs.dictionary.to_pylist() if shop and name not in {"", shop}]
    if others:
        order = pc.if_else(_each(theirs, lambda name: name in others, pa.bool_()), "", order)
    return order


def _seen(block: _Block, gross: pa.Int64Array) -> tuple[pa.DictionaryArray, pa.Int64Array]:
    """Return what the customer saw, where that is told: its currency, and the amount with the sign of `gross`."""
    texts = block.text("customer_facing_amount")
    if not len(_signs(texts)):
        return block.always(""), pa.repeat(0, len(texts))
    told, seen_in = pc.greater(pc.binary_length(texts), 0), block.coded("customer_facing_currency")
    minor = minor_units(texts, _each(seen_in, _places, pa.int32()))
    block.require(pc.or_kleene(pc.invert(told), pc.is_valid(minor)))
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
    words = [read(text) for text in column.dictionary.to_pylist()]
    if len(set(words)) == len(words):
        return pa.DictionaryArray.from_arrays(column.indices, pa.array(words, pa.string()), safe=False)
    found = pa.array(words, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices.take(column.indices), found.dictionary, safe=False)


def _signs(texts: pa.StringArray) -> pa.UInt8Array:
    """Return the bytes of texts, as they lie one behind the other."""
    held = texts.buffers()[2]
    return pa.Array.from_buffers(pa.uint8(), held.size if held else 0, [None, held])


def _within(column: pa.Array, first: object, last: object) -> bool:
    """Tell whether all there are lie between two values, or are one of them."""
    found = pc.min_max(column).as_py()
    return found["min"] is None or bool(first <= found["min"] and found["max"] <= last)


def _decoded(column: pa.StringArray | pa.DictionaryArray) -> pa.StringArray:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _encoded(column: pa.StringArray | pa.DictionaryArray) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
