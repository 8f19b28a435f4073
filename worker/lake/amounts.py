"""Columns of amounts, written as decimals in major units, read into whole minor units: no float on the way."""

import pyarrow as pa
import pyarrow.compute as pc

_UNITS = {0: 1000, 2: 10, 3: 1}
"""Thousandths of a major unit that a minor one has, by the decimals of the currency."""
PLACES = frozenset(_UNITS)
"""Decimals of the currencies whose amounts are read here."""
_SHAPE = r"^[+-]?[0-9]{1,11}(\.[0-9]{1,3})?$"
_THOUSANDTHS = pa.decimal64(14, 3)
"""Of such amounts, as whole numbers of 64 bits."""
_SHORT = 11
"""Whatever has so few signs has no more digits than _SHAPE allows."""
_SIGNS = range(ord("-"), ord("9") + 1)
"""Minus, point and digits; and the slash, by which no text becomes a number."""
_POINT = pa.scalar(ord("."), pa.uint8())


def minor_units(texts: pa.StringArray, places: pa.Int32Array) -> pa.Int64Array:
    """Return amounts in minor units of currencies that have so many decimals, as PLACES has them.

    Null where a text is no amount or has more decimals than its currency, and where `places` is.
    """
    found = _in_full(texts, places)
    return _by_shape(texts, places) if found is None else found


def _in_full(texts: pa.StringArray, places: pa.Int32Array) -> pa.Int64Array | None:
    """Return them where each has all the decimals of its currency, as programs write them: `-12.50`, without its point.

    It takes a quarter of what the shape of each takes; None where one is written otherwise.
    """
    if not len(texts) or texts.offset or places.null_count:
        return None
    pointed = pc.cast(pc.greater(places, 0), pa.int32())
    lengths = pc.binary_length(texts)
    before = pc.subtract(pc.subtract(lengths, places), pointed)
    if pc.min(before).as_py() < 1 or pc.max(lengths).as_py() > _SHORT:
        return None
    ends = pa.Array.from_buffers(pa.int32(), len(texts), [None, texts.buffers()[1].slice(4)])
    signs = pa.Array.from_buffers(pa.uint8(), ends[-1].as_py(), [None, texts.buffers()[2]])
    used = pc.min_max(signs)
    text = texts.buffers()[2].slice(0, len(signs)).to_pybytes()
    digits = text.translate(None, b".")
    at_its_place = pc.equal(signs.take(pc.subtract(pc.subtract(ends, places), 1)), _POINT)
    if (
        used["min"].as_py() not in _SIGNS
        or used["max"].as_py() not in _SIGNS
        or b"-." in text
        or at_its_place.true_count != len(text) - len(digits)
        or not pc.all(pc.equal(pc.cast(at_its_place, pa.int32()), pointed)).as_py()
    ):
        return None
    shorter = pc.subtract(ends, pc.cumulative_sum(pointed))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), shorter])
    try:
        return pc.cast(pa.StringArray.from_buffers(len(texts), offsets.buffers()[1], pa.py_buffer(digits)), pa.int64())
    except pa.ArrowInvalid:
        return None


def _by_shape(texts: pa.StringArray, places: pa.Int32Array) -> pa.Int64Array:
    shaped = pc.match_substring_regex(texts, _SHAPE)
    if shaped.true_count < len(shaped):
        texts = pc.if_else(shaped, texts, None)
    thousandths = pc.cast(texts, _THOUSANDTHS).view(pa.int64())
    known = places.dictionary_encode()
    units = pa.array([_UNITS.get(each) for each in known.dictionary.to_pylist()], pa.int64()).take(known.indices)
    minor = pc.divide(thousandths, units)
    return pc.if_else(pc.equal(pc.multiply(minor, units), thousandths), minor, None)
