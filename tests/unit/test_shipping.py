"""An address is sound or told what is wrong with it, and says nothing of itself where it is printed."""

from dataclasses import asdict, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.contract.shipping import COUNTRIES, LONGEST_TEXT, ShipTo, problems_of

HOME = ShipTo(recipient="Jane Doe", lines=("Bakery Lane 3",), city="Ghent", country="BE", postal_code="9000")
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=LONGEST_TEXT)
ADDRESSES = st.builds(
    ShipTo,
    recipient=WORDS,
    lines=st.lists(WORDS, min_size=1, max_size=4).map(tuple),
    city=WORDS,
    country=st.sampled_from(sorted(COUNTRIES)),
    postal_code=st.text("0123456789 ABC-", max_size=32),
    region=st.just("") | WORDS,
)


@given(ADDRESSES, ADDRESSES)
def test_sound_ones_have_no_problem_and_are_told_apart(one: ShipTo, other: ShipTo) -> None:
    assert problems_of(one) == []
    assert (one.fingerprint == other.fingerprint) == (one == other)
    assert repr(one) == repr(other) == f"{one}"


def test_what_is_wrong_is_named() -> None:
    wrong: dict[str, list[Any]] = {
        "recipient": ["", "a\nb", "\ud800", "x" * 256],
        "city": ["", "x" * 256],
        "country": ["", "be", "XX", "BEL"],
        "postal_code": ["x" * 33, "9\t0"],
        "region": ["x" * 256],
    }
    for name, values in wrong.items():
        for value in values:
            assert [found for found, _ in problems_of(replace(HOME, **{name: value}))] == [name]
    lines = {(): "lines", ("a",) * 5: "lines", ("a", ""): "lines[1]"}
    assert [problems_of(replace(HOME, lines=value))[0][0] for value in lines] == list(lines.values())


def test_every_part_tells_it_from_another() -> None:
    parts: dict[str, Any] = dict.fromkeys(asdict(HOME), "x") | {"lines": ("x",)}
    others = [replace(HOME, **{name: value}) for name, value in parts.items()]
    assert len({each.fingerprint for each in [HOME, *others]}) == 1 + len(others) == 7
