"""Columns of amounts become what the parser of rows makes of each cell, or nothing."""

import re

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from worker.domain.errors import InvalidInput
from worker.domain.money import parse_major
from worker.lake.amounts import minor_units

CURRENCIES = {0: "JPY", 2: "EUR", 3: "KWD"}
WRITTEN = re.compile(r"[+-]?[0-9]{1,11}(\.[0-9]{1,3})?")


def parsed(text: str, places: int | None) -> int | None:
    """Return what one cell says; None where it is left to the parser of rows."""
    if places is None or not WRITTEN.fullmatch(text):
        return None
    try:
        return parse_major(text.removeprefix("+"), CURRENCIES[places])
    except InvalidInput:
        return None


@st.composite
def in_full(draw: st.DrawFn) -> tuple[str, int]:
    """An amount as programs write it, with the decimals of its currency."""
    places = draw(st.sampled_from(sorted(CURRENCIES)))
    minor = draw(st.integers(-(10**13), 10**13))
    digits = str(abs(minor)).rjust(places + 1, "0")
    text = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else digits
    return ("-" if minor < 0 else "") + text, places


ANYHOW = st.tuples(st.text("0123456789.-+/,xe ", max_size=16), st.sampled_from([*CURRENCIES, None]))


@given(st.lists(in_full(), max_size=20), st.lists(ANYHOW, max_size=2))
@example([("1.00", 2)], [("-.50", 2)])
@example([("1.00", 2)], [("-", 2), (".50", 2)])
@example([("1.00", 2)], [("", 0), ("1.00", 2)])
@example([("1.00", 2)], [("0xF.00", 2)])
@example([("1.00", 2)], [("1.5", 0), ("12", 2)])
@example([("1.00", 2)], [("1.50", 3), ("1.234", 2)])
@example([("1.00", 2)], [("123456789012", 0)])
@example([("1.00", 2)], [("5-3.00", 2)])
def test_amounts_are_what_the_parser_reads(full: list[tuple[str, int]], anyhow: list[tuple[str, int | None]]) -> None:
    cells = [*full, *anyhow, *full]
    found = minor_units(
        pa.array([text for text, _ in cells], pa.string()), pa.array([places for _, places in cells], pa.int32())
    )
    assert found.to_pylist() == [parsed(*cell) for cell in cells]
