"""What comes more than once is found, however it is spread over what comes and over the shares."""

from collections import Counter
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from worker.lake import repeats
from worker.lake.repeats import Repeats


@pytest.mark.parametrize(("count", "different"), [(0, 1), (1, 1), (300, 1), (2000, 1500), (5000, 2**64)])
@pytest.mark.parametrize("share", [10, 1000, 100_000])
def test_whatever_comes_twice_is_found(
    count: int, different: int, share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "SHARE", share)
    chance = Random(count)
    hashes = [chance.randrange(different) for _ in range(count)]
    hashes += hashes[:7]  # once near the beginning, once at the very end
    taken = Repeats(tmp_path / "hashes", count)
    for at in range(0, len(hashes), 777):
        taken.add(pa.array(hashes[at : at + 777], pa.uint64()))
    assert sorted(taken.found()) == sorted(each for each, times in Counter(hashes).items() if times > 1)
