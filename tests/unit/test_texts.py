"""Texts by number: each comes back as it was added, whatever is on disk, while others are added."""

import random

import pytest

from worker.services import texts
from worker.services.texts import Texts


def test_every_text_is_there_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "HELD", 7)
    chance = random.Random(12)
    added = ["".join(chance.choices('a"é\U0001f600\n', k=chance.randrange(6))) for _ in range(500)]
    kept = Texts()
    for number, text in enumerate(added):
        assert kept.add(text) == number
        asked = chance.randrange(number + 1)
        assert kept[asked] == added[asked]
    assert len(kept) == len(added)
    assert [kept[number] for number in range(len(kept))] == added
