"""Spools: the order of `sorted`, or that of adding, whatever is on disk; read again, by several at once."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports_sample import BREAKS, END
from worker.domain.finding import SettledAs, Settlement
from worker.services import spool
from worker.services.spool import Mapped, Spool

DECISION = Settlement(how=SettledAs.IGNORED, by="alice", at=END, reason="sold at the fair")
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3)), max_size=120)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "HELD", 4)
        patch.setattr(spool, "AT_ONCE", 3)
        patch.setattr(spool, "WIDE", 3)
        yield


@given(PAIRS)
def test_items_come_sorted_and_equal_keys_in_the_order_of_adding(pairs: list[tuple[int, str]]) -> None:
    kept = Spool(pairs, key=lambda pair: pair[0])
    assert list(kept) == sorted(pairs, key=lambda pair: pair[0])
    assert list(kept) == list(kept)
    assert len(kept) == len(pairs)
    assert bool(kept) is bool(pairs)


@given(PAIRS)
def test_without_a_key_items_come_as_they_were_added(pairs: list[tuple[int, str]]) -> None:
    kept = Spool(pairs)
    assert list(kept) == pairs
    assert kept[:5] == pairs[:5]
    assert kept[2:7] == pairs[2:7]


@given(PAIRS)
def test_several_read_at_once(pairs: list[tuple[int, str]]) -> None:
    kept = Spool(pairs, key=lambda pair: pair)
    assert [one for one, _ in zip_longest(kept, kept)] == [other for _, other in zip_longest(kept, kept)]


@given(PAIRS, PAIRS)
def test_spools_are_equal_when_their_items_are(some: list[tuple[int, str]], others: list[tuple[int, str]]) -> None:
    assert (Spool(some) == Spool(others)) is (some == others)


@given(st.lists(st.integers()))
def test_what_is_made_of_items_is_made_when_it_is_read(numbers: list[int]) -> None:
    made = Mapped(Spool(numbers, key=int), str)
    assert list(made) == [str(number) for number in sorted(numbers)]
    assert made[:3] == [str(number) for number in sorted(numbers)[:3]]
    assert len(made) == len(numbers)


def test_records_come_back_as_they_were() -> None:
    breaks = [replace(item, settlement=settlement) for item in BREAKS for settlement in (None, DECISION)] * 5
    assert list(Spool(breaks)) == breaks
    assert [hash(item) for item in Spool(breaks)] == [hash(item) for item in breaks]
    with pytest.raises(FrozenInstanceError):
        Spool(breaks)[:1][0].owner = "somebody else"  # type: ignore[misc]
